package controller_test

import (
	"testing"

	"faxbot/controller"
	"faxbot/controller/fax"
	"faxbot/controller/freeswitch/simulator"
)

// A number with a route goes through its gateways, in their order, with
// fail-over at once; a fax with a list of its own goes through that. No other
// gateway is tried for them.
func TestRoutes(t *testing.T) {
	t.Parallel()
	h := newHouse(t, simulator.Config{Speed: 200, GatewaysDown: []string{"de"}, Gateways: []string{"carrier", "backup", "own"}}, func(c *controller.Config) {
		routes, err := controller.ParseRoutes("+4930=de,backup")
		if err != nil {
			t.Fatal(err)
		}
		c.Routes = routes
	})
	way := func(id fax.JobID) (names []string) {
		_, attempts := h.until(id, fax.Done)
		for _, a := range attempts {
			names = append(names, a.Gateway)
		}
		return names
	}
	if got := way(h.submit("+493012345678", 1)); len(got) != 2 || got[0] != "de" || got[1] != "backup" {
		t.Errorf("the route: %v", got)
	}
	if got := way(h.submit("+494012345678", 1)); len(got) != 1 || got[0] != "carrier" {
		t.Errorf("no route: %v", got)
	}
	own := func(s *controller.Submission) { s.Options.Gateway = "de,own" }
	if got := way(h.submit("+15551230060", 1, own)); len(got) != 2 || got[1] != "own" {
		t.Errorf("its own list: %v", got)
	}
	if h.gauge("faxbot_gateway_calls_total", "backup") != 1 {
		t.Error("the gateway of a route is nobody's")
	}
}

// A gateway gets no more calls at once than its own limit.
func TestChannelsOfOneGateway(t *testing.T) {
	t.Parallel()
	h := newHouse(t, simulator.Config{Speed: 100}, func(c *controller.Config) {
		c.Gateways = []controller.Gateway{{Name: "small", Channels: 1, CPS: 10000}, {Name: "large", Channels: 50, CPS: 10000}}
	})
	var ids []fax.JobID
	for _, to := range []string{"15551230061", "15551230062", "15551230063", "15551230064"} {
		ids = append(ids, h.submit(to, 1))
	}
	for _, id := range ids {
		h.until(id, fax.Done)
	}
	open, large := 0, 0
	for _, e := range h.sim.Ledger() {
		switch {
		case e.Gateway == "large" && e.Kind == "dial":
			large++
		case e.Kind == "dial":
			open++
		case e.Gateway == "small" && e.Kind == "end":
			open--
		}
		if open > 1 {
			t.Fatal("two calls at once through a gateway that carries one")
		}
	}
	if large == 0 {
		t.Error("what the first gateway could not carry waited")
	}
}

// The header of a call that goes on with a fax says so, if the operator wants.
func TestContinuedNote(t *testing.T) {
	t.Parallel()
	h := newHouse(t, simulator.Config{Speed: 200}, func(c *controller.Config) { c.Continued, c.Header = true, "Praxis Dr. Weiß, 7 % {x}" })
	const number = "15551230065"
	h.sim.Script(number, simulator.Outcome{Drops: true, Pages: 2})
	id := h.submit(number, 3)
	h.until(id, fax.Retry)
	h.sim.Script(number, simulator.Outcome{})
	h.release(id)
	h.until(id, fax.Done)
	var headers []string
	for _, e := range h.sim.Ledger() {
		if e.Kind == "dial" {
			headers = append(headers, e.Header)
		}
	}
	if len(headers) != 2 || headers[0] != "Praxis Dr. Weiß, 7 % {x}" || headers[1] != "Praxis Dr. Weiß, 7 % {x} (continued, page 3 of 3)" {
		t.Errorf("%q", headers)
	}
}
