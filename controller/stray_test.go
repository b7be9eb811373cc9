package controller_test

import (
	"testing"
	"time"

	"faxbot/controller"
	"faxbot/controller/fax"
	"faxbot/controller/freeswitch/simulator"
	"faxbot/controller/store"
)

// A claim was committed, and nobody heard it: the connection to the database died
// before it could say so. The fax is not forgotten, and its number is not blocked,
// though the attempt belongs to a host that lives and knows nothing of it.
func TestClaimThatNobodyHeard(t *testing.T) {
	t.Parallel()
	h := newHouse(t, simulator.Config{Speed: 100}, func(c *controller.Config) { c.Lease, c.Disabled = shortLease, true })
	id := h.submit("15551230085", 1)
	h.until(id, fax.Held)
	if _, err := h.Release(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	claimed, err := h.store.Claim(t.Context(), store.ClaimRequest{
		Now: time.Now(), Limit: 1, Lease: shortLease,
		Plan: func(store.Candidate) (fax.Attempt, bool) {
			return fax.Attempt{ID: fax.NewAttemptID(), Token: "0123456789abcdef0123456789abcdef", Gateway: "carrier", Switch: "freeswitch"}, true
		},
	})
	if err != nil || len(claimed) != 1 {
		t.Fatal(claimed, err)
	}
	h.apply(func(p *controller.Policy) { p.Disabled = false })
	h.until(id, fax.Retry)
	if _, err := h.Release(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	job, attempts := h.until(id, fax.Done)
	if len(attempts) != 2 || attempts[0].Result.Cause != fax.Switch || h.ledger("dial") != 1 {
		t.Errorf("%+v %+v", job, attempts)
	}
}
