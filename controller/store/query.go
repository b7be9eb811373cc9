package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"time"

	"faxbot/controller/fax"
)

// Filter chooses jobs; every zero field means all.
type Filter struct {
	Owner  string
	States []fax.State
	Status fax.Status // together with States: both must hold
	Tags   []string   // all of them
	To     fax.Number
	Begins string // digits, with or without "+", that the number begins with
	ID     fax.JobID
	Cause  fax.Cause
	Since  time.Time // submitted then or later
	Until  time.Time // submitted before
	After  fax.JobID // only jobs submitted before this one: the last one of the page before
	Offset int
	Limit  int
}

func (f Filter) where() (string, []any) {
	clauses, args := []string{"1 = 1"}, []any{}
	add := func(clause string, values ...any) {
		clauses, args = append(clauses, clause), append(args, values...)
	}
	if f.Owner != "" {
		add("owner = ?", f.Owner)
	}
	if f.To != "" {
		add("to_number = ?", f.To)
	}
	if f.Begins != "" {
		digits := strings.TrimPrefix(f.Begins, "+")
		begins := "(to_number >= ? AND to_number < ?)"
		values := []any{"+" + digits, "+" + digits + ":"} // ":" follows "9"
		if digits == f.Begins {
			begins, values = "("+begins+" OR "+begins+")", append(values, digits, digits+":")
		}
		add(begins, values...)
	}
	if f.ID != "" {
		add("id = ?", f.ID)
	}
	if f.Cause != "" {
		add("cause = ?", f.Cause)
	}
	if !f.Since.IsZero() {
		add("id >= ?", fax.FirstJobID(f.Since))
	}
	if !f.Until.IsZero() {
		add("id < ?", fax.FirstJobID(f.Until))
	}
	if f.After != "" {
		add("id < ?", f.After)
	}
	for _, tag := range f.Tags {
		add("id IN (SELECT job_id FROM tags WHERE tag = ?)", tag)
	}
	switch f.Status { //nolint:exhaustive // a held job may have one or the other
	case fax.StatusDisabled:
		f.Status = fax.StatusQueued
		add("state = 'held' AND cause = ?", fax.Disabled)
	case fax.StatusQueued:
		add("NOT (state = 'held' AND cause = ?)", fax.Disabled)
	}
	if f.States != nil || f.Status != "" {
		var words []string
		open := true
		for _, s := range fax.States {
			if (f.Status == "" || s.Status() == f.Status) && (f.States == nil || slices.Contains(f.States, s)) {
				words = append(words, "'"+string(s)+"'")
				open = open && !s.Terminal()
			}
		}
		if words == nil {
			words = []string{"NULL"}
		}
		add("state IN (" + strings.Join(words, ", ") + ")")
		if open {
			add("state NOT IN ('done', 'failed', 'cancelled')") // lets the planner see that jobs_open will do
		}
	}
	return strings.Join(clauses, " AND "), args
}

// Find returns the job, or fax.NotFound. A job that was taken over from an
// earlier Faxbot is found by the id that it had there, too.
func (s *Store) Find(ctx context.Context, id fax.JobID) (fax.Job, error) {
	var row jobRow
	err := s.get(ctx, &row, `SELECT `+jobColumns+` FROM jobs WHERE id = ?`, id)
	if errors.Is(err, sql.ErrNoRows) {
		if id, err = s.idOf(ctx, id); err == nil {
			return s.Find(ctx, id)
		}
	}
	return row.job(), err
}

// List returns jobs, the latest submitted first.
func (s *Store) List(ctx context.Context, f Filter) ([]fax.Job, error) {
	where, args := f.where()
	query := `SELECT ` + jobColumns + ` FROM jobs WHERE ` + where + ` ORDER BY id DESC`
	if f.Limit > 0 {
		query, args = query+` LIMIT ?`, append(args, f.Limit)
		if f.Offset > 0 {
			query, args = query+` OFFSET ?`, append(args, f.Offset)
		}
	}
	return s.jobs(unkept(ctx), query, args...)
}

// Count says how many jobs List would return without After, Offset and Limit.
// It looks at every one of them.
func (s *Store) Count(ctx context.Context, f Filter) (int, error) {
	f.After = ""
	where, args := f.where()
	var n int
	return n, s.get(unkept(ctx), &n, `SELECT count(*) FROM jobs WHERE `+where, args...)
}

// Unprepared returns received jobs, by priority, then in order of submission.
func (s *Store) Unprepared(ctx context.Context, limit int) ([]fax.Job, error) {
	return s.jobs(ctx, `SELECT `+jobColumns+` FROM jobs WHERE state = 'received'
		ORDER BY priority DESC, id LIMIT ?`, limit)
}

// goOnAfter leaves the database to others between claims that look through a
// long queue.
const goOnAfter = 10 * time.Millisecond

// NextDue says when the first job that is not due at the time after becomes
// so; false when there is none. Ask with the Now of the last Claim: what was
// due then and not claimed waits for a call to end, not for time to pass. When
// that Claim did not look at all that was due, the next one is to go on soon.
func (s *Store) NextDue(ctx context.Context, after time.Time) (time.Time, bool, error) {
	if s.turns.leftUnread() {
		return after.Add(goOnAfter), true, nil
	}
	var due moment
	err := s.get(ctx, &due, `SELECT min(due_at) FROM (
		SELECT due_at FROM jobs WHERE state IN ('queued', 'retry') AND due_at > ? ORDER BY due_at LIMIT 1) AS next`, at(after))
	return due.Time, !due.IsZero(), err
}

// Stats counts the open jobs by state; a state without jobs is 0. Finished
// jobs are not counted: there may be millions.
func (s *Store) Stats(ctx context.Context) (map[fax.State]int, error) {
	var rows []struct {
		State fax.State `db:"state"`
		Jobs  int       `db:"jobs"`
	}
	err := s.list(ctx, &rows, `SELECT state, count(*) AS jobs FROM jobs
		WHERE state NOT IN ('done', 'failed', 'cancelled') GROUP BY state`)
	stats := map[fax.State]int{}
	for _, state := range fax.States {
		if !state.Terminal() {
			stats[state] = 0
		}
	}
	for _, r := range rows {
		stats[r.State] = r.Jobs
	}
	return stats, err
}

// Finished returns jobs that ended before a time and whose documents have not
// been purged, the longest ended first.
func (s *Store) Finished(ctx context.Context, before time.Time, limit int) ([]fax.JobID, error) {
	var ids []fax.JobID
	return ids, s.list(ctx, &ids, `SELECT id FROM jobs
		WHERE state IN ('done', 'failed', 'cancelled') AND purged_at IS NULL AND updated_at < ?
		ORDER BY updated_at LIMIT ?`, at(before), limit)
}

// Spent returns delivered jobs whose documents were to go then, and have not
// been purged.
func (s *Store) Spent(ctx context.Context, limit int) ([]fax.JobID, error) {
	var ids []fax.JobID
	return ids, s.list(ctx, &ids, `SELECT id FROM jobs
		WHERE state = 'done' AND purged_at IS NULL AND purge_on_success ORDER BY id LIMIT ?`, limit)
}

// PurgedSince returns the jobs whose documents any host has deleted since.
func (s *Store) PurgedSince(ctx context.Context, since time.Time) ([]fax.JobID, error) {
	var ids []fax.JobID
	return ids, s.list(unkept(ctx), &ids, `SELECT id FROM jobs WHERE purged_at IS NOT NULL AND purged_at >= ?`, at(since))
}

// IsPurged says that the job's documents are not kept any more, also when there
// is no such job.
func (s *Store) IsPurged(ctx context.Context, id fax.JobID) (bool, error) {
	var kept int
	err := s.get(ctx, &kept, `SELECT count(*) FROM jobs WHERE id = ? AND purged_at IS NULL`, id)
	return kept == 0, err
}

// Attempts returns a job's attempts, the first call first; none for a job
// that does not exist.
func (s *Store) Attempts(ctx context.Context, id fax.JobID) ([]fax.Attempt, error) {
	return s.attempts(ctx, `SELECT `+attemptColumns+` FROM attempts WHERE job_id = ? ORDER BY ordinal`, id)
}

// Attempt returns the attempt, or fax.NotFound.
func (s *Store) Attempt(ctx context.Context, id fax.AttemptID) (fax.Attempt, error) {
	var row attemptRow
	err := s.get(ctx, &row, `SELECT `+attemptColumns+` FROM attempts WHERE id = ?`, id)
	return row.attempt(), orNotFound(err, "Attempt not found")
}

// Live returns this host's attempts that have not ended: after a restart, the
// calls to take up again.
func (s *Store) Live(ctx context.Context) ([]fax.Attempt, error) {
	return s.attempts(ctx, `SELECT `+attemptColumns+` FROM attempts
		WHERE state <> 'ended' AND host = ? ORDER BY created_at, id`, s.host)
}

// Unwanted returns this host's attempts that have not ended and whose jobs
// somebody wants cancelled, perhaps through another host.
func (s *Store) Unwanted(ctx context.Context) ([]fax.AttemptID, error) {
	var ids []fax.AttemptID
	return ids, s.list(ctx, &ids, `SELECT id FROM attempts WHERE state <> 'ended' AND host = ?
		AND EXISTS (SELECT 1 FROM jobs WHERE jobs.id = attempts.job_id AND cancel_asked)`, s.host)
}

// Orphans returns the attempts of all hosts that have not ended and whose
// lease has, by the database's clock. Adopt one before acting for it. None for
// a lease's time after the database was away, if this host renews leases: others
// have to come back first.
func (s *Store) Orphans(ctx context.Context) ([]fax.Attempt, error) {
	if s.renewals.respite(s.wall()) {
		return nil, nil
	}
	now, err := s.clock(ctx, s.read)
	if err != nil {
		return nil, s.dialect.explain("be read", err)
	}
	return s.attempts(ctx, `SELECT `+attemptColumns+` FROM attempts
		WHERE state <> 'ended' AND lease_until <= ? ORDER BY lease_until, id`, at(now))
}

func (s *Store) jobs(ctx context.Context, query string, args ...any) ([]fax.Job, error) {
	var rows []jobRow
	err := s.list(ctx, &rows, query, args...)
	return jobs(rows), err
}

func (s *Store) attempts(ctx context.Context, query string, args ...any) ([]fax.Attempt, error) {
	var rows []attemptRow
	err := s.list(ctx, &rows, query, args...)
	return attempts(rows), err
}

func (s *Store) get(ctx context.Context, dest any, query string, args ...any) error {
	return s.ask(ctx, func(ctx context.Context) error { return s.read.GetContext(ctx, dest, query, args...) })
}

func (s *Store) list(ctx context.Context, dest any, query string, args ...any) error {
	return s.ask(ctx, func(ctx context.Context) error { return s.read.SelectContext(ctx, dest, query, args...) })
}

// ask reads, within readLimit: a database that does not answer must not keep
// anybody for ever.
func (s *Store) ask(ctx context.Context, read func(context.Context) error) error {
	within, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	err := read(within)
	for try := 1; try < tries && (stale(err) || isUnknown(err) || lost(err) && stepBack(within, try)); try++ {
		err = read(within)
	}
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return s.dialect.explain("be read", err)
}

func orNotFound(err error, detail string) error {
	if errors.Is(err, sql.ErrNoRows) {
		return &fax.Error{Problem: fax.NotFound, Detail: detail}
	}
	return err
}
