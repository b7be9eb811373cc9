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
			Delivered: 2, DeliveredAt: now(), RemoteStation: "+49", RemoteMachine: "Ricoh MP",
			Way: fax.Way{
				Good: &fax.Parameters{T38: true}, PageSeconds: 31.5, UpdatedAt: now(),
				Limits: map[string]fax.Limit{"v17": {Cause: fax.Training, Calls: 2, Since: now(), Proven: true}},
			},
			Ways: map[string]fax.Way{"carrier": {Offers: fax.Trial{Calls: 3, Dropped: 1, Since: now()}, UpdatedAt: now()}},
		}
		_, _, err := s.Finish(t.Context(), c.Attempt.ID, fax.Result{Cause: fax.Busy}, Outcome{State: fax.Retry, Known: &known})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(known, must(s.Destination(t.Context(), c.Job.To))(t)); d != "" {
			t.Error(d)
		}
		// The first result stands, and so does what it taught.
		other := fax.Destination{NotAFax: 9, Way: fax.Way{UpdatedAt: now()}}
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
		rest := fax.Destination{NotAFax: 2, RestUntil: now().Add(time.Minute), RestCause: fax.Busy, Way: fax.Way{UpdatedAt: now()}}
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
		if n, err := s.ForgetOld(t.Context(), rest.UpdatedAt.Add(time.Second), 10); n == 0 || err != nil {
			t.Error(err)
		}
		if d := must(s.Destination(t.Context(), job.To))(t); !d.UpdatedAt.IsZero() {
			t.Errorf("not forgotten: %+v", d)
		}
	})
}

// What an earlier version remembered of T.38 by gateway, and of all else by
// number, is read as that.
func TestDestinationsOfBeforeAreRead(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		s := db.open(t, "a")
		const since = "2026-11-01T12:00:00Z"
		err := s.exec(t, `INSERT INTO destinations (to_number, memory, rest_until, updated_at) VALUES (?, ?, NULL, 1)`, "+15550000001",
			`{"delivered":2,"not_a_fax":0,"failing":0,"good":{"t38":false,"v17":false,"ecm":true,"start_page":0},
			"limits":{"v17":{"cause":"training","calls":2,"since":"`+since+`","proven":true},"t38@carrier":{"cause":"t38","calls":3,"since":"`+since+`","proven":false}},
			"trials":{"carrier":{"calls":4,"dropped":1,"since":"`+since+`"}},"page_seconds":31,"updated_at":"`+since+`"}`)
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse(time.RFC3339, since)
		if err != nil {
			t.Fatal(err)
		}
		want := fax.Destination{
			Delivered: 2,
			Way: fax.Way{
				Good: &fax.Parameters{ECM: true}, PageSeconds: 31, UpdatedAt: at,
				Limits: map[string]fax.Limit{"v17": {Cause: fax.Training, Calls: 2, Since: at, Proven: true}},
			},
			Ways: map[string]fax.Way{"carrier": {
				Limits: map[string]fax.Limit{"t38": {Cause: fax.T38Failed, Calls: 3, Since: at}},
				Offers: fax.Trial{Calls: 4, Dropped: 1, Since: at}, UpdatedAt: at,
			}},
		}
		if d := cmp.Diff(want, must(s.Destination(t.Context(), "+15550000001"))(t)); d != "" {
			t.Error(d)
		}
	})
}
