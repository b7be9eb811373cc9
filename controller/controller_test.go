package controller_test

import (
	"testing"

	"faxbot/controller"
	"faxbot/controller/fax"
	"faxbot/controller/freeswitch/simulator"
)

func once(s *controller.Submission) { s.MaxAttempts = 1 }

func TestFirstFax(t *testing.T) {
	t.Parallel()
	h := newHouse(t, simulator.Config{Speed: 200}, nil)
	job, attempts := h.until(h.submit("+15551230001", 3), fax.Done)
	if job.Pages != 3 || job.Confirmed != 3 || job.Cause != fax.OK || job.Error != "" || len(attempts) != 1 {
		t.Fatalf("%+v %+v", job, attempts)
	}
	r := attempts[0].Result
	if r.Cause != fax.OK || r.Code != 0 || r.Pages != 3 || !r.T38 || !r.ECM || r.Rate != 14400 || r.RemoteStation == "" {
		t.Errorf("%+v", r)
	}
	if h.ledger("dial") != 1 || h.ledger("page") != 3 {
		t.Errorf("the switch saw %d dials and %d pages", h.ledger("dial"), h.ledger("page"))
	}
}

// Each way a call can end gets its cause, and the fax what follows from it.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	h := newHouse(t, simulator.Config{Speed: 200}, nil)
	type want struct {
		state fax.State
		cause fax.Cause
		pages int
	}
	ids := map[fax.JobID]want{}
	for number, w := range map[string]want{
		"1555991017": {fax.Failed, fax.Busy, 0},
		"1555991019": {fax.Failed, fax.NoAnswer, 0},
		"1555991001": {fax.Failed, fax.WrongNumber, 0},
		"1555991021": {fax.Failed, fax.Refused, 0},
		"1555991041": {fax.Retry, fax.Trunk, 0}, // costs nothing
		"1555991808": {fax.Held, fax.Misconfigured, 0},
		"1555992006": {fax.Failed, fax.Training, 0},
		"1555992048": {fax.Failed, fax.PageLost, 0},
		"1555993001": {fax.Failed, fax.Dropped, 1},
		"1555994001": {fax.Failed, fax.NotAFax, 0},
		"1555994002": {fax.Done, fax.OK, 2},
		"1555994003": {fax.Done, fax.OK, 2}, // by the command link
		"1555994006": {fax.Failed, fax.Switch, 0},
		"1555994007": {fax.Done, fax.OK, 2},
		"1555994008": {fax.Done, fax.OK, 2},
		"1555994009": {fax.Done, fax.OK, 2},
	} {
		ids[h.submit(number, 2, once)] = w
	}
	for id, w := range ids {
		job, attempts := h.until(id, w.state)
		if job.Cause != w.cause || job.Confirmed != w.pages || len(attempts) != 1 {
			t.Errorf("%s: %s, %d pages, %d calls; want %s, %d", job.To, job.Cause, job.Confirmed, len(attempts), w.cause, w.pages)
		}
		if job.State != fax.Done && job.Error == "" {
			t.Errorf("%s: nobody is told why", job.To)
		}
	}
}
