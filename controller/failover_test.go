package controller_test

import (
	"strings"
	"testing"

	"faxbot/controller"
	"faxbot/controller/fax"
	"faxbot/controller/freeswitch/simulator"
)

func through(names string) func(*controller.Config) {
	return func(c *controller.Config) { c.Gateways = gatewaysNamed(names) }
}

// What the first gateway cannot take goes through the second at once, at no
// cost, and the call says why.
func TestFailover(t *testing.T) {
	t.Parallel()
	h := newHouse(t, simulator.Config{Speed: 200, Gateways: []string{"second"}, GatewaysDown: []string{"first"}}, through("first, second"))
	job, attempts := h.until(h.submit("15551230040", 1), fax.Done)
	if len(attempts) != 2 || attempts[0].Gateway != "first" || attempts[1].Gateway != "second" || job.Dials != 1 {
		t.Fatalf("%+v %+v", job, attempts)
	}
	for name, label := range map[string]string{"faxbot_gateway_calls_total": "second", "faxbot_gateway_state": "working"} {
		if h.gauge(name, label) != 1 {
			t.Errorf("%s is not 1 for %s", name, label)
		}
	}
	if r := attempts[1].Reasons; len(r) != 1 || r[0].Change != fax.OtherGateway || r[0].Cause != attempts[0].Result.Cause {
		t.Errorf("%+v", r)
	}
}

// A fax that the first gateway could not take does not hurry back there while
// the second one is full: it waits for a line.
func TestFailoverWaitsForALine(t *testing.T) {
	t.Parallel()
	h := newHouse(t, simulator.Config{Speed: 200, GatewaysDown: []string{"first"}}, func(c *controller.Config) {
		c.Gateways = []controller.Gateway{{Name: "first", CPS: 10000}, {Name: "second", Channels: 1, CPS: 10000}}
	})
	through := func(name string) func(*controller.Submission) {
		return func(s *controller.Submission) { s.Options.Gateway = name }
	}
	const stalls = "15551230043"
	h.sim.Script(stalls, simulator.Outcome{Line: simulator.StallPage})
	blocking := h.submit(stalls, 1, through("second"))
	h.until(blocking, fax.Sending)
	id := h.submit("15551230044", 1)
	h.until(id, fax.Retry)
	for _, other := range []string{"15551230045", "15551230046", "15551230047"} {
		h.until(h.submit(other, 1, through("third")), fax.Done)
	}
	if _, attempts := h.until(id, fax.Retry); len(attempts) != 1 {
		t.Errorf("%d calls while the second gateway was full", len(attempts))
	}
	if _, err := h.Cancel(t.Context(), blocking); err != nil {
		t.Fatal(err)
	}
	if _, attempts := h.until(id, fax.Done); len(attempts) != 2 || attempts[1].Gateway != "second" {
		t.Errorf("%+v", attempts)
	}
}

// A gateway that is misconfigured burns no fax: one finds it out, the others
// are not dialled, and all wait.
func TestMisconfiguredGatewayHoldsItsQueue(t *testing.T) {
	t.Parallel()
	h := newHouse(t, simulator.Config{Speed: 200, Gateways: []string{"other"}}, nil)
	first := h.submit("15551230041", 1)
	job, _ := h.until(first, fax.Retry)
	if job.Cause != fax.Misconfigured || job.Dials != 0 {
		t.Errorf("%+v", job)
	}
	second := h.submit("15551230042", 1)
	h.until(second, fax.Queued)
	f, err := h.Plan(t.Context(), second)
	if err != nil || len(f.Waits) != 1 || f.Waits[0].Change != fax.QueueHeld {
		t.Errorf("%+v, %v", f, err)
	}
	if n := h.ledger("dial"); n > 1 {
		t.Errorf("%d calls through a gateway that does not exist", n)
	}
	if h.gauge("faxbot_gateway_state", "misconfigured") != 1 {
		t.Error("no alarm")
	}
}

// gauge reads a metric by the value of one of its labels.
func (h *house) gauge(name, label string) float64 {
	h.t.Helper()
	families, _ := h.metrics.Gather() // without what a database that is away would count
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetValue() == label {
					return m.GetGauge().GetValue() + m.GetCounter().GetValue()
				}
			}
		}
	}
	h.t.Fatalf("no metric %s with %s; there are %s", name, label, strings.TrimSpace(families[0].GetName()))
	return 0
}
