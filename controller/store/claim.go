package store

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	"faxbot/controller/fax"
)

// ClaimRequest asks for jobs to dial.
type ClaimRequest struct {
	Now   time.Time     // of the store; a job is due when its DueAt is not after it
	Limit int           // jobs, at the most
	Lease time.Duration // so long the calls are this host's alone
	// Channels is how many calls each gateway carries at once, those of all
	// hosts together. A gateway that is not listed has no limit.
	Channels map[string]int
	// Switches is the same for the switches.
	Switches map[string]int
	// Plan makes the next attempt of a job: ID, Token, Gateway, Switch, Core,
	// Parameters and Reasons; the store sets the rest. Not ok leaves the job
	// for a later claim.
	//
	// Plan is called inside the transaction, for a job perhaps more than once:
	// it must be quick and never call the store.
	Plan func(Candidate) (attempt fax.Attempt, ok bool)

	from time.Time // when the lease begins, by the database's clock
}

// Candidate is a job that may be dialled.
type Candidate struct {
	Job      fax.Job
	Previous []fax.Attempt
	Known    fax.Destination
	Free     map[string]int // what is left of Channels at this instant
	FreeOn   map[string]int // and of Switches
}

// Claimed is a job in the state dialing and its new attempt.
type Claimed struct {
	Job     fax.Job
	Attempt fax.Attempt
}

// Claim takes due jobs that wait in queued or retry: the most urgent by
// priority and waiting time, and where they are equal those of the owner that
// was not served for longest. For each it stores an attempt in the state created and
// moves the job to dialing, all in one transaction: when Claim returns, the
// calls may be placed. No other claim on any host gets the same jobs.
//
// Passed over are jobs whose deadline has come, jobs to a number that has a
// live attempt (so of two jobs to one number the second waits) or rests, and
// jobs whose planned gateway has no free channel. Where very many are passed
// over it does not look at all of them each time; then NextDue says so.
func (s *Store) Claim(ctx context.Context, r ClaimRequest) ([]Claimed, error) {
	var claimed []Claimed
	var served map[string]turn
	var unread bool
	err := s.commit(ctx, func(ctx context.Context, tx session) error {
		claimed, unread = nil, false
		if err := s.beginClaim(ctx, tx, &r); err != nil {
			return err
		}
		free, err := freeLines(ctx, tx, r.Channels, r.Switches)
		if err != nil {
			return err
		}
		served = s.turns.get()
		lines, err := s.lines(ctx, tx, served, r.Limit)
		if err != nil {
			return err
		}
		taken := map[fax.Number]bool{}
		for len(claimed) < r.Limit {
			l, c, err := s.next(ctx, tx, lines, latest(served), r.Now)
			if err != nil {
				return err
			}
			if c == nil {
				break
			}
			l.page, l.seen = l.page[1:], c.place()
			if taken[c.To] {
				continue
			}
			one, ok, err := s.place(ctx, tx, r, *c, free)
			if err != nil {
				return err
			}
			if ok {
				taken[c.To] = true
				claimed = append(claimed, one)
				l.turn = l.after(latest(served), r.Now)
				served[l.owner] = l.turn
			}
		}
		for _, l := range lines {
			t := served[l.owner]
			t.passed = l.leave()
			served[l.owner] = t
			unread = unread || l.unread
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.turns.set(served, unread)
	for _, c := range claimed {
		s.herald.tell(c.Job)
	}
	return claimed, nil
}

// ClaimFor is Claim for a call that is up already, to a number with or without
// its plus: it takes the most urgent job for it that a claim might take now, or
// none but the job with that id. fax.NotFound when there is none, fax.Conflict
// when Plan does not want it. Limit and Channels are not looked at.
func (s *Store) ClaimFor(ctx context.Context, r ClaimRequest, to fax.Number, id fax.JobID) (Claimed, error) {
	digits := strings.TrimPrefix(string(to), "+")
	var claimed Claimed
	err := s.commit(ctx, func(ctx context.Context, tx session) error {
		if err := s.beginClaim(ctx, tx, &r); err != nil {
			return err
		}
		query := candidateColumns + ` WHERE to_number IN (?, ?)` + claimable
		args := append([]any{digits, "+" + digits}, claimableAt(r.Now)...)
		if id != "" {
			query, args = query+` AND id = ?`, append(args, id)
		}
		var list []candidate
		err := tx.SelectContext(ctx, &list, query+` ORDER BY `+byTurn+`, id LIMIT 1`+s.dialect.lockFree, args...)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return &fax.Error{Problem: fax.NotFound, Detail: "No fax may be called at this number now."}
		}
		one, ok, err := s.place(ctx, tx, r, list[0], capacity{})
		if err == nil && !ok {
			err = fax.Errorf(fax.Conflict, "Fax %s may not be called now.", list[0].ID)
		}
		claimed = one
		return err
	})
	if err == nil {
		s.herald.tell(claimed.Job)
	}
	return claimed, err
}

// beginClaim waits for the claims of other hosts and looks at the clock. What is
// due has been found by another clock, and must not be when that was wrong.
func (s *Store) beginClaim(ctx context.Context, tx session, r *ClaimRequest) (err error) {
	var off time.Duration
	r.from, off, err = s.hear(ctx, tx, s.dialect.claiming)
	if err == nil && off.Abs() > mostOff {
		err = errSlept
	}
	return err
}

type candidate struct {
	jobRow
	Calls int                        `db:"calls"`
	Known *document[fax.Destination] `db:"known"`
}

// claimable is what a job must be to be dialled at a time. The plus signs keep
// the planners from other indices than jobs_claim, which yields the right order
// and so lets them stop early; what is due has a turn that has come. The call to
// the same number is looked for in the order of numbers, or a plan from times
// when few calls were up would look at all of them for each job.
const claimable = ` AND state IN ('queued', 'retry') AND +due_at <= ? AND +deadline > ? AND NOT cancel_asked
	AND (SELECT live.id FROM attempts live WHERE live.to_number BETWEEN jobs.to_number AND jobs.to_number AND live.state <> 'ended'
		ORDER BY live.to_number LIMIT 1) IS NULL
	AND NOT EXISTS (SELECT 1 FROM destinations resting WHERE resting.to_number = jobs.to_number AND resting.rest_until > ?)`

func claimableAt(now time.Time) []any { return []any{at(now), at(now), at(now)} }

const candidateColumns = `SELECT ` + jobColumns + `, (SELECT count(*) FROM attempts WHERE job_id = jobs.id) AS calls,
	(SELECT memory FROM destinations known WHERE known.to_number = jobs.to_number) AS known FROM jobs`

// candidates returns a page of an owner's jobs that may be dialled, those after
// a place.
func (s *Store) candidates(ctx context.Context, tx session, now time.Time, owner string, after place, size int) ([]candidate, error) {
	query := candidateColumns + ` WHERE owner = ? AND ` + byTurn + ` <= ?` + claimable
	args := append([]any{owner, at(now)}, claimableAt(now)...)
	if after != (place{}) {
		query += ` AND ` + byTurn + ` >= ? AND (` + byTurn + ` > ? OR id > ?)` // the index is entered there
		args = append(args, after.turn, after.turn, after.id)
	}
	var page []candidate
	err := tx.SelectContext(ctx, &page, query+` ORDER BY `+byTurn+`, id LIMIT ?`+s.dialect.lockFree, append(args, size)...)
	return page, err
}

// place plans and stores one attempt; not ok when the job must wait.
func (s *Store) place(ctx context.Context, tx session, r ClaimRequest, c candidate, free capacity) (_ Claimed, ok bool, err error) {
	var previous []attemptRow
	if c.Calls > 0 {
		err := tx.SelectContext(ctx, &previous, `SELECT `+attemptColumns+` FROM attempts WHERE job_id = ? ORDER BY ordinal`, c.ID)
		if err != nil {
			return Claimed{}, false, err
		}
	}
	job := c.job()
	asked := Candidate{Job: job, Previous: attempts(previous), Free: free.through, FreeOn: free.on}
	if c.Known != nil {
		asked.Known = c.Known.of
	}
	planned, ok := r.Plan(asked)
	if !ok {
		return Claimed{}, false, nil
	}
	if !free.take(planned.Gateway, planned.Switch) {
		return Claimed{}, false, nil
	}
	if planned.ID == "" || planned.Token == "" {
		return Claimed{}, false, fmt.Errorf("the plan for fax %s gives its call no id or no token", job.ID)
	}
	row := struct {
		attemptRow
		To fax.Number `db:"to_number"`
	}{rowOfAttempt(fax.Attempt{
		ID: planned.ID, JobID: job.ID, Ordinal: c.Calls + 1, State: fax.AttemptCreated,
		Gateway: planned.Gateway, Host: s.host, Switch: planned.Switch, Core: planned.Core, Token: planned.Token,
		Parameters: planned.Parameters, Reasons: planned.Reasons, Result: fax.Result{Code: fax.NoCode},
		LeaseUntil: r.from.Add(r.Lease), CreatedAt: r.from,
	}), job.To}
	query, args, err := insert("attempts", attemptColumns+", to_number", row)
	if err != nil {
		return Claimed{}, false, err
	}
	if err := move(&job, fax.Dialing); err != nil {
		return Claimed{}, false, err
	}
	if _, err := tx.ExecContext(ctx, query, args...); err != nil {
		return Claimed{}, false, err
	}
	if err := s.saveJob(ctx, tx, &job); err != nil {
		return Claimed{}, false, err
	}
	return Claimed{job, row.attempt()}, true, nil
}

// liveCalls counts the calls under way.
const liveCalls = `SELECT gateway, switch_name, count(*) AS calls FROM attempts WHERE state <> 'ended' GROUP BY gateway, switch_name`

// capacity is how many more calls gateways and switches can carry. What is not
// in a map has no limit.
type capacity struct{ through, on map[string]int }

// freeLines subtracts the live attempts from what there is.
func freeLines(ctx context.Context, tx session, channels, switches map[string]int) (capacity, error) {
	free := capacity{maps.Clone(channels), maps.Clone(switches)}
	if len(channels)+len(switches) == 0 {
		return free, nil
	}
	var live []struct {
		Gateway string `db:"gateway"`
		Switch  string `db:"switch_name"`
		Calls   int    `db:"calls"`
	}
	err := tx.SelectContext(ctx, &live, liveCalls)
	for _, l := range live {
		less(free.through, l.Gateway, l.Calls)
		less(free.on, l.Switch, l.Calls)
	}
	return free, err
}

func less(free map[string]int, name string, n int) {
	if _, limited := free[name]; limited {
		free[name] -= n
	}
}

// take uses a line of each up; false when one has none.
func (c capacity) take(gateway, on string) bool {
	if full(c.through, gateway) || full(c.on, on) {
		return false
	}
	less(c.through, gateway, 1)
	less(c.on, on, 1)
	return true
}

func full(free map[string]int, name string) bool {
	left, limited := free[name]
	return limited && left <= 0
}

// Free is what the calls of all hosts leave of the gateways' channels.
func (s *Store) Free(ctx context.Context, channels map[string]int) (map[string]int, error) {
	var free capacity
	err := s.ask(ctx, func(ctx context.Context) (err error) {
		free, err = freeLines(ctx, s.read, channels, nil)
		return err
	})
	return free.through, err
}
