package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"faxbot/controller/fax"
)

// Idempotency recognises a submission that is repeated. The zero value
// recognises nothing.
type Idempotency struct {
	Key    string // chosen by the submitter; each owner's keys are its own
	Digest string // of all that was submitted
}

// Create stores a new job in the state received. It sets State, CreatedAt and
// UpdatedAt; a zero DueAt becomes now, a zero Deadline DueAt plus
// fax.DefaultLifetime. When the owner has used the key before, the earlier job
// is returned and existed is true if the digest is the same; with another
// digest the answer is fax.Conflict.
func (s *Store) Create(ctx context.Context, job fax.Job, idem Idempotency) (_ fax.Job, existed bool, err error) {
	now := s.Now()
	job.State, job.CreatedAt, job.UpdatedAt = fax.Received, now, now
	if job.DueAt.IsZero() {
		job.DueAt = now
	}
	if job.Deadline.IsZero() {
		job.Deadline = job.DueAt.Add(fax.DefaultLifetime)
	}
	row := struct {
		jobRow
		Key    string `db:"idempotency_key"`
		Digest string `db:"idempotency_digest"`
		Purge  bool   `db:"purge_on_success"`
	}{rowOfJob(job), clean(idem.Key), clean(idem.Digest), job.Options.PurgeOnSuccess}
	query, args, err := insert("jobs", jobColumns+", idempotency_key, idempotency_digest, purge_on_success", row)
	if err != nil {
		return fax.Job{}, false, fmt.Errorf("store: %w", err)
	}
	query += ` ON CONFLICT (owner, idempotency_key) WHERE idempotency_key <> '' DO NOTHING`
	stored := row
	err = s.commit(ctx, func(ctx context.Context, tx session) error {
		stored = row
		result, err := tx.ExecContext(ctx, query, args...)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil {
			return err
		} else if n == 1 {
			if err := tagJob(ctx, tx, job); err != nil {
				return err
			}
			return s.note(ctx, tx, FaxSubmitted, job.ID, "to "+job.To.Masked())
		}
		err = tx.GetContext(ctx, &stored, `SELECT `+jobColumns+`, idempotency_key, idempotency_digest
			FROM jobs WHERE owner = ? AND idempotency_key = ?`, row.Owner, row.Key)
		if err == nil && stored.Digest != row.Digest {
			return &fax.Error{Problem: fax.Conflict, Detail: "This idempotency key was used for another fax; use a new key."}
		}
		return err
	})
	if err != nil {
		return fax.Job{}, false, err
	}
	if stored.ID == job.ID {
		s.herald.tell(job)
	}
	return stored.job(), stored.ID != job.ID, nil
}

func tagJob(ctx context.Context, tx session, job fax.Job) error {
	for _, tag := range job.Options.Tags.List() {
		if _, err := tx.ExecContext(ctx, `INSERT INTO tags (tag, job_id) VALUES (?, ?)`, tag, job.ID); err != nil {
			return err
		}
	}
	return nil
}

// Prepared moves a received job to queued, with what is known of its pages.
// fax.Conflict when it is no longer received: it was cancelled meanwhile.
func (s *Store) Prepared(ctx context.Context, id fax.JobID, facts fax.Facts) error {
	return s.prepared(ctx, id, facts, fax.Queued, "")
}

// Shelve does the same for a job that must not be called before a person
// releases it.
func (s *Store) Shelve(ctx context.Context, id fax.JobID, facts fax.Facts, cause fax.Cause) error {
	return s.prepared(ctx, id, facts, fax.Held, cause)
}

func (s *Store) prepared(ctx context.Context, id fax.JobID, facts fax.Facts, state fax.State, cause fax.Cause) error {
	describe := func(ctx context.Context, tx session, _ fax.Job) error { return saveFacts(ctx, tx, id, facts) }
	_, err := s.change(ctx, id, describe, func(j *fax.Job) error {
		if len(facts.Sheets) == 0 {
			return fax.Errorf(fax.Invalid, "a fax has at least one page")
		}
		j.Pages, j.Cause = len(facts.Sheets), cause
		if cause != "" {
			j.Error = cause.Advice().Tell
		}
		return moveFrom(fax.Received, j, state)
	})
	return err
}

// Describe stores what is known of pages that were made again.
func (s *Store) Describe(ctx context.Context, id fax.JobID, facts fax.Facts) error {
	return s.commit(ctx, func(ctx context.Context, tx session) error { return saveFacts(ctx, tx, id, facts) })
}

func saveFacts(ctx context.Context, tx session, id fax.JobID, facts fax.Facts) error {
	_, err := tx.ExecContext(ctx, `UPDATE jobs SET facts = ? WHERE id = ?`, document[fax.Facts]{facts}, id)
	return err
}

// Refuse moves a received job to failed: its document cannot be faxed.
func (s *Store) Refuse(ctx context.Context, id fax.JobID, cause fax.Cause, why string) error {
	_, err := s.change(ctx, id, nil, func(j *fax.Job) error {
		j.Cause, j.Error = cause, why
		return moveFrom(fax.Received, j, fax.Failed)
	})
	return err
}

// AskCancel cancels a job that is not on the line at once. On the line it only
// sets CancelAsked: whoever owns the call hangs up, and Finish then leaves
// nothing to retry. A finished job is returned as it is.
func (s *Store) AskCancel(ctx context.Context, id fax.JobID) (fax.Job, error) {
	return s.change(ctx, id, s.noted(FaxCancelled), func(j *fax.Job) error {
		switch {
		case j.State.Terminal():
			return errUnchanged
		case j.State.OnTheLine():
			if j.CancelAsked {
				return errUnchanged
			}
			j.CancelAsked = true
			return nil
		}
		return cancel(j)
	})
}

// Hold keeps a job that waits for a call from being dialled before a person
// has looked. fax.Conflict when it does not wait.
func (s *Store) Hold(ctx context.Context, id fax.JobID, cause fax.Cause, why string) (fax.Job, error) {
	return s.change(ctx, id, nil, func(j *fax.Job) error {
		if j.State != fax.Queued && j.State != fax.Retry {
			return fax.Errorf(fax.Conflict, "The fax is %s; it does not wait for a call.", j.State)
		}
		j.Cause, j.Error = cause, why
		return move(j, fax.Held)
	})
}

// Release puts a held job, or one that waits for its next call, into the queue,
// due now. A person decided so: its deadline is at least fax.DefaultLifetime
// away, and what keeps calls from its number is forgotten.
func (s *Store) Release(ctx context.Context, id fax.JobID) (fax.Job, error) {
	return s.change(ctx, id, s.released, func(j *fax.Job) error {
		now := s.Now()
		j.DueAt, j.Cause, j.Error = now, "", ""
		if fresh := now.Add(fax.DefaultLifetime); j.Deadline.Before(fresh) {
			j.Deadline = fresh
		}
		if j.State == fax.Retry {
			return move(j, fax.Queued)
		}
		return moveFrom(fax.Held, j, fax.Queued)
	})
}

// released forgets what keeps calls from the number.
func (s *Store) released(ctx context.Context, tx session, j fax.Job) error {
	if err := unblock(ctx, tx, j.To); err != nil {
		return err
	}
	return s.note(ctx, tx, FaxReleased, j.ID, "to "+j.To.Masked())
}

// Dates are when a job is due, and when its time is over.
type Dates struct{ Due, Deadline time.Time }

// Postpone gives waiting jobs other dates. Those that wait no more are passed
// over.
func (s *Store) Postpone(ctx context.Context, to map[fax.JobID]Dates) error {
	if len(to) == 0 {
		return nil
	}
	return s.commit(ctx, func(ctx context.Context, tx session) error {
		for _, id := range slices.Sorted(maps.Keys(to)) { // in one order: two hosts may postpone the same
			_, err := tx.ExecContext(ctx, `UPDATE jobs SET due_at = ?, deadline = ?, updated_at = ? WHERE id = ? AND state IN ('queued', 'retry')`,
				at(to[id].Due), at(to[id].Deadline), at(s.Now()), id)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Overdue returns the waiting jobs whose deadline has come.
func (s *Store) Overdue(ctx context.Context, now time.Time) ([]fax.Job, error) {
	var rows []jobRow
	err := s.list(ctx, &rows, `SELECT `+jobColumns+` FROM jobs WHERE state IN ('queued', 'retry') AND deadline <= ?`, at(now))
	return jobs(rows), err
}

// Expire fails the waiting jobs whose deadline has come, and returns them.
func (s *Store) Expire(ctx context.Context, now time.Time) ([]fax.Job, error) {
	var rows []jobRow
	err := s.commit(ctx, func(ctx context.Context, tx session) error {
		rows = nil
		err := tx.SelectContext(ctx, &rows, `UPDATE jobs SET state = 'failed', cause = ?, error = ?, updated_at = ?
			WHERE state IN ('queued', 'retry') AND deadline <= ? RETURNING `+jobColumns,
			fax.Expired, fax.Expired.Advice().Tell, at(s.Now()), at(now))
		for _, job := range jobs(rows) {
			if err == nil {
				err = s.announce(ctx, tx, fax.Queued, job, 0)
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	s.herald.tell(jobs(rows)...)
	return jobs(rows), nil
}

// Purged notes that the jobs' documents are gone, so that Finished and Spent no
// longer name them, and erases what their covers said.
func (s *Store) Purged(ctx context.Context, ids []fax.JobID) error {
	return s.commit(ctx, func(ctx context.Context, tx session) error {
		for _, id := range ids {
			job, err := s.lockJob(ctx, tx, `id = ?`, id)
			if errors.Is(err, sql.ErrNoRows) {
				continue
			}
			if err != nil {
				return err
			}
			job.Options.Cover = fax.Cover{Name: job.Options.Cover.Name}
			if _, err := tx.ExecContext(ctx, `UPDATE jobs SET purged_at = ?, options = ?
				WHERE id = ? AND state IN ('done', 'failed', 'cancelled')`, at(s.Now()), document[fax.Options]{job.Options}, id); err != nil {
				return err
			}
		}
		return nil
	})
}

// errUnchanged ends a change without writing and without an error.
var errUnchanged = errors.New("nothing to change")

// change reads a job under a lock, lets edit alter it and stores it. It
// returns the job as stored. Also, which may be nil, does what belongs to the
// change and is not in the job.
func (s *Store) change(
	ctx context.Context, id fax.JobID, also func(context.Context, session, fax.Job) error, edit func(*fax.Job) error,
) (fax.Job, error) {
	var job fax.Job
	err := s.commit(ctx, func(ctx context.Context, tx session) (err error) {
		if job, err = s.lockJob(ctx, tx, `id = ?`, id); err != nil {
			return orNotFound(err, "Job not found")
		}
		before := job
		if err := edit(&job); errors.Is(err, errUnchanged) {
			job = before
			return nil
		} else if err != nil {
			return err
		}
		if also != nil {
			if err := also(ctx, tx, job); err != nil {
				return err
			}
		}
		if err := s.saveJob(ctx, tx, &job); err != nil {
			return err
		}
		return s.announce(ctx, tx, before.State, job, 0)
	})
	if err != nil {
		return fax.Job{}, err
	}
	s.herald.tell(job)
	return job, nil
}

func (s *Store) commit(ctx context.Context, do func(context.Context, session) error) error {
	return s.dialect.explain("store the fax", s.write(ctx, do))
}

func (s *Store) lockJob(ctx context.Context, tx session, where string, arg any) (fax.Job, error) {
	var row jobRow
	err := tx.GetContext(ctx, &row, `SELECT `+jobColumns+` FROM jobs WHERE `+where+s.dialect.lock, arg)
	return row.job(), err
}

// saveJob writes what may change in a job's life.
func (s *Store) saveJob(ctx context.Context, tx session, j *fax.Job) error {
	j.UpdatedAt = s.Now()
	row := rowOfJob(*j)
	_, err := tx.ExecContext(ctx, `UPDATE jobs SET state = ?, cause = ?, error = ?, pages = ?, confirmed = ?, dials = ?,
		tries = ?, due_at = ?, deadline = ?, cancel_asked = ?, updated_at = ? WHERE id = ?`,
		row.State, row.Cause, row.Error, row.Pages, row.Confirmed, row.Dials,
		row.Tries, row.DueAt, row.Deadline, row.CancelAsked, row.UpdatedAt, row.ID)
	*j = row.job()
	return err
}

func move(j *fax.Job, to fax.State) error {
	if !j.State.CanBecome(to) {
		return fax.Errorf(fax.Conflict, "The fax is %s; it cannot become %s.", j.State, to)
	}
	j.State = to
	return nil
}

func moveFrom(from fax.State, j *fax.Job, to fax.State) error {
	if j.State != from {
		return fax.Errorf(fax.Conflict, "The fax is %s, not %s.", j.State, from)
	}
	return move(j, to)
}

func cancel(j *fax.Job) error {
	j.Cause, j.Error = fax.Withdrawn, fax.Withdrawn.Advice().Tell
	return move(j, fax.Cancelled)
}
