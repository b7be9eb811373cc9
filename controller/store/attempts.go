package store

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"faxbot/controller/fax"
)

// ErrAlreadyEnded is what Finish says of an attempt that has a result.
var ErrAlreadyEnded = &fax.Error{Problem: fax.Conflict, Detail: "This call has already ended; its first result stands."}

// Outcome is what an attempt's end means for its job.
type Outcome struct {
	State     fax.State // Retry, Held, Done, Failed or Cancelled
	Cause     fax.Cause
	Error     string    // for a person
	DueAt     time.Time // of the next call; zero leaves it
	Deadline  time.Time // of the job; zero leaves it
	Confirmed int       // pages of the job confirmed so far, over all attempts; it never shrinks
	Dials     int       // to be added to the job's dials
	Tries     int       // to be added to the job's tries
	// Known is what is remembered of the number from now on; nil leaves it.
	Known *fax.Destination
}

// Advance moves a live attempt on: to dialing, answered, faxing or lost. With
// the first answered or faxing it sets AnsweredAt and moves the job to
// sending. What the state machine does not allow is fax.Conflict; of a call that
// another host has adopted, ErrAdopted.
func (s *Store) Advance(ctx context.Context, id fax.AttemptID, to fax.AttemptState) error {
	_, _, err := s.changeAttempt(ctx, id, nil, func(a *fax.Attempt, j *fax.Job) error {
		if a.Host != s.host && a.State != fax.AttemptEnded {
			return ErrAdopted
		}
		if to == fax.AttemptEnded || !a.State.CanBecome(to) {
			return fax.Errorf(fax.Conflict, "The call is %s; it cannot become %s.", a.State, to)
		}
		a.State = to
		if to != fax.AttemptAnswered && to != fax.AttemptFaxing {
			return nil
		}
		if !a.Answered() {
			a.AnsweredAt = s.Now()
		}
		if j.State == fax.Sending {
			return nil
		}
		return move(j, fax.Sending)
	})
	return err
}

// Progress notes how many pages the far end has confirmed in a live attempt.
// A number that is not higher than before changes nothing.
func (s *Store) Progress(ctx context.Context, id fax.AttemptID, pages int) error {
	_, _, err := s.changeAttempt(ctx, id, nil, func(a *fax.Attempt, _ *fax.Job) error {
		switch {
		case a.State == fax.AttemptEnded:
			return ErrAlreadyEnded
		case a.Host != s.host:
			return ErrAdopted
		case pages <= a.Result.Pages:
			return errUnchanged
		}
		a.Result.Pages = pages
		return nil
	})
	return err
}

// Finish ends a live attempt and moves its job, in one transaction, and
// returns both as stored. When cancelling was asked for meanwhile, an outcome
// of Retry or Held becomes Cancelled. Done needs every page confirmed.
//
// If the attempt has already ended, the error is ErrAlreadyEnded, nothing
// changes, and what is stored is returned. What a witness said counts whichever
// host heard it; what a host concluded from silence does not once another has
// adopted the call: ErrAdopted.
func (s *Store) Finish(ctx context.Context, id fax.AttemptID, result fax.Result, o Outcome) (fax.Job, fax.Attempt, error) {
	also := func(ctx context.Context, tx session, j fax.Job) error {
		if o.Known == nil {
			return nil
		}
		return remember(ctx, tx, j.To, *o.Known)
	}
	return s.changeAttempt(ctx, id, also, func(a *fax.Attempt, j *fax.Job) error {
		if a.State == fax.AttemptEnded {
			return ErrAlreadyEnded
		}
		if by := result.Witnesses.Decided; a.Host != s.host && (by == fax.ByInquiry || by == fax.ByDaemon) {
			return ErrAdopted
		}
		a.State, a.Result, a.EndedAt = fax.AttemptEnded, result, s.Now()
		j.Dials, j.Tries = j.Dials+o.Dials, j.Tries+o.Tries
		j.Confirmed = max(j.Confirmed, o.Confirmed)
		if !o.DueAt.IsZero() {
			j.DueAt = o.DueAt
		}
		if !o.Deadline.IsZero() {
			j.Deadline = o.Deadline
		}
		switch {
		case o.State == fax.Sending:
			return fax.Errorf(fax.Conflict, "The call has ended; it cannot leave the fax %s.", o.State)
		case o.State == fax.Done && (j.Pages == 0 || j.Confirmed < j.Pages):
			return fax.Errorf(fax.Conflict, "Only %d of %d pages are confirmed; the fax is not done.", j.Confirmed, j.Pages)
		case j.CancelAsked && (o.State == fax.Retry || o.State == fax.Held):
			return cancel(j)
		}
		j.Cause, j.Error = o.Cause, o.Error
		return move(j, o.State)
	})
}

// Contradicted notes that a witness contradicts the result of an ended attempt,
// which stands.
func (s *Store) Contradicted(ctx context.Context, id fax.AttemptID, by fax.Witness) error {
	_, _, err := s.changeAttempt(ctx, id, nil, func(a *fax.Attempt, _ *fax.Job) error {
		said := &a.Result.Witnesses
		switch {
		case a.State != fax.AttemptEnded:
			return fax.Errorf(fax.Conflict, "The call has no result yet.")
		case slices.Contains(said.Contradicted, by):
			return errUnchanged
		}
		said.Contradicted = append(slices.Clone(said.Contradicted), by)
		return nil
	})
	return err
}

// Renew keeps this host's live attempts its own for so long from now on, by the
// database's clock. Leases only grow; an attempt that another host has adopted
// stays with it.
func (s *Store) Renew(ctx context.Context, lease time.Duration) error {
	err := s.commit(ctx, func(ctx context.Context, tx session) error {
		now, err := s.clock(ctx, tx)
		if err != nil {
			return err
		}
		until := at(now.Add(lease))
		_, err = tx.ExecContext(ctx, `UPDATE attempts SET lease_until = ?
			WHERE state <> 'ended' AND host = ? AND lease_until < ?`, until, s.host, until)
		return err
	})
	if err == nil {
		s.renewals.add(s.wall(), lease)
	}
	return err
}

// renewals tells an outage of the database from one of another host. While the
// database is away nobody can renew, and when it is back the first to look
// would find everybody's lease at an end.
type renewals struct {
	mu    sync.Mutex
	last  time.Time // of this host's
	until time.Time // others have time until then to renew theirs
	lease time.Duration
}

func (r *renewals) add(now time.Time, lease time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.late(now) {
		r.until = now.Add(lease)
	}
	r.last, r.lease = now, lease
}

// late says that so much time has passed that something is wrong; hosts renew
// three times within a lease.
func (r *renewals) late(now time.Time) bool {
	return !r.last.IsZero() && now.Sub(r.last) > r.lease/2
}

// respite says that leases which have ended mean nothing.
func (r *renewals) respite(now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.late(now) || now.Before(r.until)
}

// Adopt makes a live attempt whose lease has ended this host's own, for so long.
// fax.Conflict when another host was faster or is back, ErrAlreadyEnded when it
// has a result.
func (s *Store) Adopt(ctx context.Context, id fax.AttemptID, lease time.Duration) (fax.Attempt, error) {
	now, err := s.clock(ctx, s.read)
	if err != nil {
		return fax.Attempt{}, s.dialect.explain("be read", err)
	}
	_, attempt, err := s.changeAttempt(ctx, id, nil, func(a *fax.Attempt, _ *fax.Job) error {
		switch {
		case a.State == fax.AttemptEnded:
			return ErrAlreadyEnded
		case a.Host != s.host && a.LeaseUntil.After(now):
			return fax.Errorf(fax.Conflict, "Host %s looks after this call.", a.Host)
		}
		a.Host, a.LeaseUntil = s.host, now.Add(lease)
		return nil
	})
	return attempt, err
}

// changeAttempt reads an attempt and its job under the job's lock, lets edit
// alter them and stores what is altered. It returns both as they are stored,
// also when edit refuses. Also, which may be nil, does what belongs to the
// change and is not in the two.
func (s *Store) changeAttempt(
	ctx context.Context, id fax.AttemptID, also func(context.Context, session, fax.Job) error, edit func(*fax.Attempt, *fax.Job) error,
) (job fax.Job, attempt fax.Attempt, err error) {
	err = s.commit(ctx, func(ctx context.Context, tx session) error {
		locked, err := s.lockJob(ctx, tx, `id = (SELECT job_id FROM attempts WHERE id = ?)`, id)
		if err != nil {
			return orNotFound(err, "Attempt not found")
		}
		var row attemptRow
		err = tx.GetContext(ctx, &row, `SELECT `+attemptColumns+` FROM attempts WHERE id = ?`, id)
		if err != nil {
			return err
		}
		job, attempt = locked, row.attempt()
		j, a := job, attempt
		if err := edit(&a, &j); err != nil {
			if errors.Is(err, errUnchanged) {
				return nil
			}
			return err
		}
		if err := saveAttempt(ctx, tx, &a); err != nil {
			return err
		}
		if j != job {
			if err := s.saveJob(ctx, tx, &j); err != nil {
				return err
			}
		}
		page := 0
		if a.Result.Pages > attempt.Result.Pages && a.State != fax.AttemptEnded {
			page = max(a.Parameters.StartPage, 0) + a.Result.Pages
		}
		if err := s.announce(ctx, tx, job.State, j, page); err != nil {
			return err
		}
		if also != nil {
			if err := also(ctx, tx, j); err != nil {
				return err
			}
		}
		job, attempt = j, a
		return nil
	})
	if err == nil {
		s.herald.tell(job)
	}
	return job, attempt, err
}

// saveAttempt writes what may change in an attempt's life.
func saveAttempt(ctx context.Context, tx session, a *fax.Attempt) error {
	r := rowOfAttempt(*a)
	_, err := tx.ExecContext(ctx, `UPDATE attempts SET state = ?, host = ?, cause = ?, code = ?, text = ?,
		hangup_cause = ?, pages = ?, total_pages = ?, rate = ?, ecm = ?, t38 = ?, remote_station = ?, remote_machine = ?, witnesses = ?,
		lease_until = ?, answered_at = ?, ended_at = ? WHERE id = ?`,
		r.State, r.Host, r.Cause, r.Code, r.Text,
		r.HangupCause, r.Pages, r.TotalPages, r.Rate, r.ECM, r.T38, r.RemoteStation, r.RemoteMachine, r.Witnesses,
		r.LeaseUntil, r.AnsweredAt, r.EndedAt, r.ID)
	*a = r.attempt()
	return err
}
