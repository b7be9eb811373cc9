package store

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"faxbot/controller/fax"
)

// What is known of a number is stored with the end of the call that taught it,
// and the next claim knows it.
func TestDestinationIsRememberedWithTheCall(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		s := db.open(t, "a")
		c := s.dialing(t, newJob())
		known := fax.Destination{
			Delivered: 2, DeliveredAt: now(), RemoteStation: "+49", RemoteMachine: "Ricoh MP", PageSeconds: 31.5, UpdatedAt: now(),
			Good:   &fax.Parameters{T38: true},
			Limits: map[string]fax.Limit{"v17": {Cause: fax.Training, Calls: 2, Since: now(), Proven: true}},
			Trials: map[string]fax.Trial{"carrier": {Calls: 3, Dropped: 1, Since: now()}},
		}
		_, _, err := s.Finish(t.Context(), c.Attempt.ID, fax.Result{Cause: fax.Busy}, Outcome{State: fax.Retry, Known: &known})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(known, must(s.Destination(t.Context(), c.Job.To))(t)); d != "" {
			t.Error(d)
		}
		// The first result stands, and so does what it taught.
		other := fax.Destination{NotAFax: 9, UpdatedAt: now()}
		_, _, err = s.Finish(t.Context(), c.Attempt.ID, fax.Result{}, Outcome{State: fax.Failed, Known: &other})
		wantProblem(t, err, fax.Conflict)
		r := request(1)
		r.Plan = func(c Candidate) (fax.Attempt, bool) {
			if d := cmp.Diff(known, c.Known); d != "" {
				t.Error("claimed:", d)
			}
			a, ok := plan(c)
			a.Reasons = []fax.Reason{{Change: fax.V17Off, Cause: fax.Training, Calls: 2, Number: true, Since: known.UpdatedAt}}
			return a, ok
		}
		again := must(s.Claim(t.Context(), r))(t)
		if len(again) != 1 {
			t.Fatal(again)
		}
		if a := must(s.Attempt(t.Context(), again[0].Attempt.ID))(t); len(a.Reasons) != 1 || a.Reasons[0] != again[0].Attempt.Reasons[0] || !a.Parameters.V17 {
			t.Errorf("%+v", a)
		}
		if err := s.Forget(t.Context(), c.Job.To); err != nil {
			t.Error(err)
		}
		wantProblem(t, s.Forget(t.Context(), c.Job.To), fax.NotFound)
		if d := must(s.Destination(t.Context(), c.Job.To))(t); d.Delivered != 0 {
			t.Errorf("%+v", d)
		}
	})
}

// A number that rests is not called for any fax, until it has rested or a
// person wants it called.
func TestANumberRests(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		s := db.open(t, "a")
		job := newJob()
		c := s.dialing(t, job)
		rest := fax.Destination{NotAFax: 2, RestUntil: now().Add(time.Minute), RestCause: fax.Busy, UpdatedAt: now()}
		end := func(id fax.AttemptID) {
			t.Helper()
			if _, _, err := s.Finish(t.Context(), id, fax.Result{Cause: fax.Busy}, Outcome{State: fax.Failed, Known: &rest}); err != nil {
				t.Fatal(err)
			}
		}
		end(c.Attempt.ID)
		next := newJob()
		next.To = job.To
		next = s.queued(t, next)
		if got := s.claim(t, 1); len(got) != 0 {
			t.Fatalf("claimed %v", got)
		}
		r := request(1)
		r.Now = rest.RestUntil
		got := must(s.Claim(t.Context(), r))(t)
		if len(got) != 1 {
			t.Fatal("a rested number was not called")
		}
		end(got[0].Attempt.ID)
		last := newJob()
		last.To = job.To
		last = s.queued(t, last)
		if held := must(s.Hold(t.Context(), last.ID, fax.NotAFax, "why"))(t); held.State != fax.Held || held.Cause != fax.NotAFax || held.Error != "why" {
			t.Errorf("%+v", held)
		}
		_, err := s.Hold(t.Context(), last.ID, fax.NotAFax, "why")
		wantProblem(t, err, fax.Conflict)
		must(s.Release(t.Context(), last.ID))(t)
		if got := s.claim(t, 1); len(got) != 1 || got[0].Job.ID != last.ID {
			t.Errorf("released, and claimed %v", got)
		}
		if d := must(s.Destination(t.Context(), job.To))(t); d.NotAFax != 0 || !d.RestUntil.IsZero() {
			t.Errorf("%+v", d)
		}
		if err := s.ForgetOld(t.Context(), rest.UpdatedAt.Add(time.Second)); err != nil {
			t.Error(err)
		}
		if d := must(s.Destination(t.Context(), job.To))(t); !d.UpdatedAt.IsZero() {
			t.Errorf("not forgotten: %+v", d)
		}
	})
}
