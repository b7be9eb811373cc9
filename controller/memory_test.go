package controller_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"faxbot/controller"
	"faxbot/controller/document"
	"faxbot/controller/fax"
	"faxbot/controller/freeswitch/simulator"
	"faxbot/controller/store"
)

// What one fax found out about a number, the next one starts with, and its
// call says why.
func TestTheSecondFaxKnowsTheNumber(t *testing.T) {
	t.Parallel()
	h := newHouse(t, simulator.Config{Speed: 200}, nil)
	const number = "15551230020"
	h.sim.Script(number, simulator.Outcome{Code: 6}) // cannot train
	first := h.submit(number, 1)
	h.until(first, fax.Retry)
	h.sim.Script(number, simulator.Outcome{})
	h.release(first)
	h.until(first, fax.Done)

	_, attempts := h.until(h.submit(number, 1), fax.Done)
	a := attempts[0]
	if a.Parameters.V17 || len(a.Reasons) != 1 || a.Reasons[0].Change != fax.V17Off || !a.Reasons[0].Number {
		t.Errorf("%+v", a)
	}
	if known, err := h.store.Destination(t.Context(), number); err != nil || known.Delivered != 2 || known.RemoteStation == "" || known.PageSeconds <= 0 {
		t.Errorf("%+v, %v", known, err)
	}
}

// Where people answered twice and no fax ever arrived, the next fax waits for
// a person, without a call; released, it is sent.
func TestASuspectNumberIsNotCalled(t *testing.T) {
	t.Parallel()
	const number = "15551230021"
	h := newHouse(t, simulator.Config{Speed: 200}, knowing(t, number, fax.Destination{NotAFax: 2, Way: fax.Way{UpdatedAt: time.Now()}}))
	id := h.submit(number, 1)
	job, attempts := h.until(id, fax.Held)
	if len(attempts) != 0 || job.Cause != fax.NotAFax || !strings.Contains(job.Error, "Check the number") {
		t.Errorf("%+v %+v", job, attempts)
	}
	h.release(id)
	h.until(id, fax.Done)
}

// knowing makes a number known, by a call before the daemon starts.
func knowing(t *testing.T, number fax.Number, known fax.Destination) func(*controller.Config) {
	return func(c *controller.Config) {
		t.Helper()
		ctx, due := t.Context(), time.Now()
		job, _, err := c.Store.Create(ctx, fax.Job{ID: fax.NewJobID(), To: number, Documents: 1}, store.Idempotency{})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Store.Prepared(ctx, job.ID, fax.Facts{Sheets: make([]fax.Sheet, 1)}); err != nil {
			t.Fatal(err)
		}
		claimed, err := c.Store.Claim(ctx, store.ClaimRequest{
			Now: due.Add(time.Second), Limit: 1, Lease: time.Minute,
			Plan: func(store.Candidate) (fax.Attempt, bool) {
				return fax.Attempt{ID: fax.NewAttemptID(), Token: "0", Gateway: "carrier"}, true
			},
		})
		if err != nil || len(claimed) != 1 {
			t.Fatal(claimed, err)
		}
		_, _, err = c.Store.Finish(ctx, claimed[0].Attempt.ID, fax.Result{Cause: fax.NotAFax}, store.Outcome{State: fax.Failed, Known: &known})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// A number that is busy for one fax is not tried for another meanwhile.
func TestABusyNumberRestsForAll(t *testing.T) {
	t.Parallel()
	h := newHouse(t, simulator.Config{Speed: 200}, nil)
	const number = "15551230022"
	h.sim.Script(number, simulator.Outcome{Cause: "USER_BUSY"})
	first := h.submit(number, 1)
	busy, _ := h.until(first, fax.Retry)
	second := h.submit(number, 1)
	h.until(second, fax.Queued)
	h.until(h.submit("15551230023", 1), fax.Done) // others are called
	if _, attempts := h.until(second, fax.Queued); len(attempts) != 0 {
		t.Errorf("called while it rests: %+v", attempts)
	}
	if age := h.figure("faxbot_queue_age_seconds"); age <= 0 {
		t.Errorf("the oldest due fax has waited %v s", age)
	}
	if time.Until(busy.DueAt) < time.Minute {
		t.Errorf("due %s", busy.DueAt)
	}
	h.sim.Script(number, simulator.Outcome{})
	h.release(first)
	h.until(first, fax.Done)
	h.until(second, fax.Done)
}

// For a number that is known to print no fine pages they are drawn at standard
// resolution before the first call.
func TestPagesAreDrawnAsRemembered(t *testing.T) {
	t.Parallel()
	const number = "15551230025"
	h := newHouse(t, simulator.Config{Speed: 200}, knowing(t, number, fax.Destination{
		Way: fax.Way{Limits: map[string]fax.Limit{"fine": {Cause: fax.Image, Calls: 1, Since: time.Now(), Proven: true}}, UpdatedAt: time.Now()},
	}))
	fine, standard := h.submit("15551230026", 1), h.submit(number, 1)
	h.until(fine, fax.Done)
	_, attempts := h.until(standard, fax.Done)
	if len(attempts) != 1 || !attempts[0].Parameters.Standard {
		t.Errorf("%+v", attempts)
	}
	size := func(id fax.JobID) int64 {
		info, err := os.Stat(h.config.Documents.TIFF(id))
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	if size(standard) >= size(fine) {
		t.Errorf("at standard resolution %d bytes, at fine %d", size(standard), size(fine))
	}
}

// A machine that prints no fine pages gets them drawn again for the next call,
// and the next fax has them so from the start. Who made it is remembered, too.
func TestStandardPagesForAStandardMachine(t *testing.T) {
	t.Parallel()
	h := newHouse(t, simulator.Config{Speed: 200}, nil)
	const number = "15551230027"
	h.sim.Script(number, simulator.Outcome{NoFine: true, Vendor: "Ricoh", Model: "MP 2000"})
	first := h.submit(number, 3)

	job, attempts := h.until(first, fax.Done)
	if len(attempts) != 2 || attempts[0].Result.Cause != fax.Image || attempts[0].Parameters.Standard ||
		!attempts[1].Parameters.Standard || attempts[1].Result.Pages != 3 || job.Confirmed != 3 {
		t.Fatalf("%+v %+v", job, attempts)
	}
	if r := attempts[1].Reasons; len(r) != 1 || r[0].Change != fax.Standard || r[0].Cause != fax.Image {
		t.Errorf("%+v", r)
	}
	known, err := h.Destination(t.Context(), number)
	if err != nil || !known.Limits["fine"].Proven || known.RemoteMachine != "Ricoh MP 2000" || attempts[1].Result.RemoteMachine != "Ricoh MP 2000" {
		t.Errorf("%+v %v", known, err)
	}
	_, attempts = h.until(h.submit(number, 1), fax.Done)
	if len(attempts) != 1 || !attempts[0].Parameters.Standard || !attempts[0].Reasons[0].Number {
		t.Errorf("%+v", attempts)
	}
}

// So does superfine: the pages of the second call are standard, not fine.
func TestStandardPagesInsteadOfSuperfine(t *testing.T) {
	t.Parallel()
	h := newHouse(t, simulator.Config{Speed: 200}, nil)
	const number = "15551230028"
	h.sim.Script(number, simulator.Outcome{NoFine: true})
	id := h.submit(number, 3, with(fax.Options{Resolution: "superfine", Hold: true}))
	drawn := func(want document.Resolution) {
		t.Helper()
		if at, err := h.config.Documents.Drawn(id); err != nil || at != want {
			t.Errorf("drawn at %d, want %d: %v", at, want, err)
		}
	}
	h.until(id, fax.Held)
	drawn(document.Superfine)
	h.release(id)
	job, attempts := h.until(id, fax.Done)
	if len(attempts) != 2 || attempts[0].Result.Cause != fax.Image || attempts[0].Parameters.Standard ||
		!attempts[1].Parameters.Standard || attempts[1].Result.Pages != 3 || job.Confirmed != 3 {
		t.Errorf("%+v %+v", job, attempts)
	}
	drawn(document.Standard)
}

// Pages that the receiver cannot print are drawn again at standard resolution.
func TestPagesAreDrawnForTheReceiver(t *testing.T) {
	t.Parallel()
	h := newHouse(t, simulator.Config{Speed: 200}, nil)
	const number = "15551230024"
	h.sim.Script(number, simulator.Outcome{Code: 11})
	id := h.submit(number, 2)
	job, attempts := h.until(id, fax.Failed) // at once, then it is given up
	if len(attempts) != 2 || attempts[0].Parameters.Standard || !attempts[1].Parameters.Standard || job.Cause != fax.Image {
		t.Errorf("%+v %+v", job, attempts)
	}
	if !strings.Contains(job.Error, "2 times") {
		t.Error(job.Error)
	}
}
