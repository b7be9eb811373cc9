package controller_test

import (
	"testing"

	"faxbot/controller/fax"
	"faxbot/controller/freeswitch/simulator"
)

// A call that stays up after its verdict costs money and keeps the number busy.
// It is hung up also when its own connection, over which that is done as a
// rule, is gone.
func TestStayingCallIsHungUp(t *testing.T) {
	t.Parallel()
	h := newHouse(t, simulator.Config{Speed: 20}, nil)
	h.sim.Script("+15551230002", simulator.Outcome{Line: simulator.StaysUp})
	id := h.submit("+15551230002", 2)
	for n := range h.heard.C {
		if n.Attempt.Result.Pages > 0 {
			h.sim.DropCall(string(n.Attempt.ID))
			break
		}
	}
	next := h.submit("+15551230002", 1)
	h.until(id, fax.Done)
	h.until(next, fax.Done)
	eventually(t, "the last call is over", func() bool { return h.sim.Calls() == 0 })
	up := 0
	for _, e := range h.sim.Ledger() {
		switch e.Kind {
		case "dial":
			if up++; up > 1 {
				t.Error("the number was dialled while the call before was up")
			}
		case "end":
			up--
		}
	}
}
