package store

import (
	"errors"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"faxbot/controller/fax"
)

func TestACallFromAnswerToEnd(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		s := db.open(t, "a")
		ctx := t.Context()
		c := s.dialing(t, newJob())
		id := c.Attempt.ID
		advance := func(to fax.AttemptState, job fax.State) fax.Attempt {
			t.Helper()
			if err := s.Advance(ctx, id, to); err != nil {
				t.Fatal(err)
			}
			if got := s.find(t, c.Job.ID); got.State != job {
				t.Errorf("attempt %s: job %s, want %s", to, got.State, job)
			}
			return must(s.Attempt(ctx, id))(t)
		}
		if a := advance(fax.AttemptDialing, fax.Dialing); a.Answered() {
			t.Error("answered while dialing")
		}
		answered := advance(fax.AttemptAnswered, fax.Sending)
		if !answered.Answered() {
			t.Error("not answered")
		}
		if a := advance(fax.AttemptFaxing, fax.Sending); a.AnsweredAt != answered.AnsweredAt {
			t.Error("answered twice")
		}
		for _, p := range []struct{ say, want int }{{1, 1}, {2, 2}, {1, 2}, {2, 2}} {
			if err := s.Progress(ctx, id, p.say); err != nil {
				t.Fatal(err)
			}
			if a := must(s.Attempt(ctx, id))(t); a.Result.Pages != p.want {
				t.Errorf("%d pages after %d", a.Result.Pages, p.say)
			}
		}

		result := fax.Result{
			Cause: fax.OK, Code: 0, Text: "OK", HangupCause: "NORMAL_CLEARING", Pages: 3, TotalPages: 3,
			Rate: 14400, ECM: true, T38: true, RemoteStation: "+1 555 0100", RemoteMachine: "Ricoh MP",
			Witnesses: fax.Testimony{Decided: fax.ByCall, Agreed: []fax.Witness{fax.ByLink}},
		}
		if err := s.Contradicted(ctx, id, fax.ByHook); fax.ProblemOf(err) != fax.Conflict {
			t.Errorf("a call without a result is contradicted: %v", err)
		}
		outcome := Outcome{State: fax.Done, Cause: fax.OK, Confirmed: 3, Dials: 1, Tries: 1}
		job, attempt, err := s.Finish(ctx, id, result, outcome)
		if err != nil {
			t.Fatal(err)
		}
		if job.State != fax.Done || job.Cause != fax.OK || job.Confirmed != 3 || job.Dials != 1 || job.Tries != 1 {
			t.Errorf("%+v", job)
		}
		if attempt.State != fax.AttemptEnded || !cmp.Equal(attempt.Result, result) || attempt.EndedAt.IsZero() {
			t.Errorf("%+v", attempt)
		}
		if s.find(t, job.ID) != job || cmp.Diff(must(s.Attempt(ctx, id))(t), attempt) != "" {
			t.Error("what was returned is not what is stored")
		}

		// A verdict that comes again or contradicts changes nothing.
		worse := fax.Result{Cause: fax.Dropped, Code: 49}
		gotJob, gotAttempt, err := s.Finish(ctx, id, worse, Outcome{State: fax.Failed, Cause: fax.Dropped, Dials: 1})
		if !errors.Is(err, ErrAlreadyEnded) || !cmp.Equal(gotAttempt.Result, result) || gotJob != job {
			t.Errorf("%v, %+v, %+v", err, gotJob, gotAttempt)
		}
		if err := s.Progress(ctx, id, 9); !errors.Is(err, ErrAlreadyEnded) {
			t.Error(err)
		}
		if s.find(t, job.ID) != job || !cmp.Equal(must(s.Attempt(ctx, id))(t).Result, result) {
			t.Error("the first verdict was overwritten")
		}
		for range 2 {
			if err := s.Contradicted(ctx, id, fax.ByHook); err != nil {
				t.Error(err)
			}
		}
		result.Witnesses.Contradicted = []fax.Witness{fax.ByHook}
		if s.find(t, job.ID) != job || !cmp.Equal(must(s.Attempt(ctx, id))(t).Result, result) {
			t.Error("a contradiction is not noted, or changed the verdict")
		}
		_, _, err = s.Finish(ctx, fax.NewAttemptID(), result, outcome)
		wantProblem(t, err, fax.NotFound)
	})
}

// Witnesses disagree, all at once: one verdict stands, and everybody else is
// told which.
func TestOfManyVerdictsOneStands(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		hosts := []*Store{db.open(t, "a"), db.open(t, "b")}
		c := hosts[0].dialing(t, newJob())
		const witnesses = 16
		results := make([]fax.Result, witnesses)
		var won atomic.Int32
		var wg sync.WaitGroup
		for i := range witnesses {
			wg.Go(func() {
				_, a, err := hosts[i%2].Finish(t.Context(), c.Attempt.ID, fax.Result{Code: i}, Outcome{State: fax.Retry, Dials: 1})
				if err == nil {
					won.Add(1)
				} else if !errors.Is(err, ErrAlreadyEnded) {
					t.Error(err)
				}
				results[i] = a.Result
			})
		}
		wg.Wait()
		slices.SortFunc(results, func(x, y fax.Result) int { return x.Code - y.Code })
		if won.Load() != 1 || !cmp.Equal(results[0], results[witnesses-1]) {
			t.Errorf("%d verdicts were accepted, from %+v to %+v", won.Load(), results[0], results[witnesses-1])
		}
		if dials := hosts[0].find(t, c.Job.ID).Dials; dials != 1 {
			t.Errorf("%d dials for one call", dials)
		}
	})
}

func TestACancelIsNeverForgotten(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		a, b := db.open(t, "a"), db.open(t, "b")
		for range 20 {
			c := a.dialing(t, newJob())
			var wg sync.WaitGroup
			wg.Go(func() {
				if _, err := a.AskCancel(t.Context(), c.Job.ID); err != nil {
					t.Error(err)
				}
			})
			wg.Go(func() {
				if _, _, err := b.Finish(t.Context(), c.Attempt.ID, fax.Result{}, Outcome{State: fax.Retry}); err != nil {
					t.Error(err)
				}
			})
			wg.Wait()
			if got := a.find(t, c.Job.ID); got.State != fax.Cancelled {
				t.Fatalf("%+v", got)
			}
		}
	})
}

func TestNoFaxIsDoneBeforeAllItsPagesAreConfirmed(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		s := db.open(t, "a")
		c := s.dialing(t, newJob()) // of three pages
		_, _, err := s.Finish(t.Context(), c.Attempt.ID, fax.Result{Pages: 2}, Outcome{State: fax.Done, Confirmed: 2})
		wantProblem(t, err, fax.Conflict)
		if err := s.exec(t, "UPDATE jobs SET state = 'done' WHERE id = ?", c.Job.ID); err == nil {
			t.Error("the database believes it")
		}
		due := now().Add(-time.Second)
		job, _, err := s.Finish(t.Context(), c.Attempt.ID, fax.Result{Pages: 2}, Outcome{State: fax.Retry, Cause: fax.Dropped, Confirmed: 2, DueAt: due})
		if err != nil || job.Confirmed != 2 || !job.DueAt.Equal(due) {
			t.Fatalf("%+v, %v", job, err)
		}
		// The rest arrives with the next call.
		again := s.claim(t, 1)
		job, _, err = s.Finish(t.Context(), again[0].Attempt.ID, fax.Result{Pages: 1}, Outcome{State: fax.Done, Confirmed: 3})
		if err != nil || job.State != fax.Done {
			t.Errorf("%+v, %v", job, err)
		}
	})
}

func TestHostileTextLosesNoVerdict(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		s := db.open(t, "a")
		c := s.dialing(t, newJob())
		hostile := fax.Result{
			Cause: fax.Dropped, Code: math.MaxInt32 + 1, Text: "a\x00b\xffc", HangupCause: "\x00",
			Rate: math.MaxInt, Pages: math.MinInt, RemoteStation: "'); DROP TABLE jobs; --\xc3",
		}
		_, a, err := s.Finish(t.Context(), c.Attempt.ID, hostile, Outcome{State: fax.Failed, Cause: fax.Dropped, Error: "\x00é\xe9"})
		if err != nil {
			t.Fatal(err)
		}
		if a.Result.Text != "ab\uFFFDc" || a.Result.RemoteStation != "'); DROP TABLE jobs; --\uFFFD" || a.Result.Rate != math.MaxInt {
			t.Errorf("%+v", a.Result)
		}
		if s.find(t, c.Job.ID).Error != "é\uFFFD" {
			t.Error(s.find(t, c.Job.ID).Error)
		}
	})
}

func TestLeases(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		a, b := db.open(t, "a"), db.open(t, "b")
		ctx := t.Context()
		c := a.dialing(t, newJob())
		id := c.Attempt.ID
		orphans := func() int {
			t.Helper()
			return len(must(b.Orphans(ctx))(t))
		}
		end := func() {
			t.Helper()
			if err := a.exec(t, `UPDATE attempts SET lease_until = lease_until - 3600000000`); err != nil {
				t.Fatal(err)
			}
		}
		if until := time.Until(c.Attempt.LeaseUntil); until > time.Minute || until < 30*time.Second || orphans() != 0 {
			t.Errorf("the lease of a minute ends in %s", until)
		}
		end()
		if err := b.Renew(ctx, time.Minute); err != nil || orphans() != 1 {
			t.Error("no orphan, or renewed by a stranger", err)
		}
		if err := a.Renew(ctx, time.Minute); err != nil || orphans() != 0 {
			t.Error("not renewed", err)
		}
		if err := a.Renew(ctx, -time.Minute); err != nil || orphans() != 0 {
			t.Error("a lease shrank", err)
		}
		_, err := b.Adopt(ctx, id, time.Minute)
		wantProblem(t, err, fax.Conflict)
		if live := must(a.Live(ctx))(t); len(live) != 1 || live[0].ID != id {
			t.Errorf("live: %v", live)
		}

		end()
		adopted, err := b.Adopt(ctx, id, time.Minute)
		if err != nil || adopted.Host != "b" {
			t.Fatal(adopted, err)
		}
		_, err = a.Adopt(ctx, id, time.Minute)
		wantProblem(t, err, fax.Conflict)
		end()
		if err := a.Renew(ctx, time.Minute); err != nil || orphans() != 1 {
			t.Error("the former owner renewed", err)
		}
		if len(must(a.Live(ctx))(t)) != 0 || len(must(b.Live(ctx))(t)) != 1 {
			t.Error("the attempt did not change hosts")
		}
		// The former owner's verdict is still the truth.
		if _, _, err := a.Finish(ctx, id, fax.Result{}, Outcome{State: fax.Failed}); err != nil {
			t.Error(err)
		}
		if _, err := b.Adopt(ctx, id, time.Minute); !errors.Is(err, ErrAlreadyEnded) {
			t.Error(err)
		}
		if orphans() != 0 {
			t.Error("an ended attempt is an orphan")
		}
	})
}

// A host whose clock is wrong neither takes calls from others nor loses its own.
func TestLeasesGoByTheDatabasesClock(t *testing.T) {
	t.Parallel()
	for name, off := range map[string]time.Duration{"an hour fast": time.Hour, "an hour slow": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := postgresSchema(t)
			right, wrong := db.open(t, "right"), db.open(t, "wrong")
			wrong.wall = func() time.Time { return time.Now().Add(off) }
			for _, s := range []*Store{right, wrong} {
				for range 2 {
					s.queued(t, newJob())
				}
				r := request(2)
				r.Now = s.Now().Add(time.Second)
				if got := must(s.Claim(t.Context(), r))(t); len(got) != 2 {
					t.Fatalf("%s claimed %d", s.host, len(got))
				}
				if err := s.Renew(t.Context(), time.Minute); err != nil {
					t.Error(err)
				}
			}
			for _, s := range []*Store{right, wrong} {
				if got := must(s.Orphans(t.Context()))(t); len(got) != 0 {
					t.Errorf("%s sees orphans: %v", s.host, got)
				}
				for _, other := range []*Store{right, wrong} {
					for _, a := range must(other.Live(t.Context()))(t) {
						_, err := s.Adopt(t.Context(), a.ID, time.Minute)
						if s != other {
							wantProblem(t, err, fax.Conflict)
						}
						if end := time.Until(a.LeaseUntil); end > time.Minute || end < 0 {
							t.Errorf("the lease of %s ends in %s", a.Host, end)
						}
					}
				}
			}
		})
	}
}

// After an outage of the database every lease has ended. Nobody takes calls from
// hosts that are about to be back.
func TestAnOutageMakesNoOrphans(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		a, b := db.open(t, "a"), db.open(t, "b")
		clock := time.Now()
		b.wall = func() time.Time { return clock }
		a.dialing(t, newJob())
		renew := func() {
			t.Helper()
			if err := b.Renew(t.Context(), 30*time.Second); err != nil {
				t.Fatal(err)
			}
		}
		orphans := func() int {
			t.Helper()
			return len(must(b.Orphans(t.Context()))(t))
		}
		if err := a.exec(t, `UPDATE attempts SET lease_until = 1`); err != nil {
			t.Fatal(err)
		}
		renew()
		if orphans() != 1 {
			t.Error("a dead host's call is nobody's")
		}
		clock = clock.Add(20 * time.Second)
		if orphans() != 0 {
			t.Error("an orphan, before our own lease was renewed")
		}
		for range 3 {
			renew()
			if orphans() != 0 {
				t.Error("an orphan, right after an outage")
			}
			clock = clock.Add(10 * time.Second)
		}
		renew()
		if orphans() != 1 {
			t.Error("the outage is over, and the host still dead")
		}
	})
}
