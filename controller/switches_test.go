package controller_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"faxbot/controller"
	"faxbot/controller/doctor"
	"faxbot/controller/fax"
	"faxbot/controller/freeswitch/simulator"
)

// twoSwitches starts a house with two switches, west and east; edit may change
// them.
func twoSwitches(t *testing.T, edit func(west, east *controller.Switch, p *controller.Policy)) (h *house, west, east *simulator.Switch) {
	t.Helper()
	east = simulator.RunT(t, simulator.Config{Speed: 100})
	h = newHouse(t, simulator.Config{Speed: 100}, func(c *controller.Config) {
		a := controller.Switch{Name: "west", Address: c.Switches[0].Address, Password: "ClueCon"}
		b := controller.Switch{Name: "east", Address: east.Addr(), Password: "ClueCon"}
		if edit != nil {
			edit(&a, &b, &c.Policy)
		}
		c.Switches = []controller.Switch{a, b}
	})
	eventually(t, "both links are up", func() bool { return h.gauge("faxbot_link_up", "west")+h.gauge("faxbot_link_up", "east") == 2 })
	return h, h.sim, east
}

func dialled(sw *simulator.Switch) (jobs []string) {
	for _, e := range sw.Ledger() {
		if e.Kind == "dial" {
			jobs = append(jobs, e.Job)
		}
	}
	return jobs
}

// A call leaves through the switch that has its gateway, and remembers it.
func TestGatewaysBelongToSwitches(t *testing.T) {
	t.Parallel()
	h, west, east := twoSwitches(t, func(a, b *controller.Switch, p *controller.Policy) {
		a.Gateways, b.Gateways, p.Gateways = []string{"first"}, []string{"second"}, gatewaysNamed("first,second")
	})
	through := func(name string) func(*controller.Submission) {
		return func(s *controller.Submission) { s.Options.Gateway = name }
	}
	one, two := h.submit("15551230060", 1, through("first")), h.submit("15551230061", 1, through("second"))
	_, first := h.until(one, fax.Done)
	_, second := h.until(two, fax.Done)
	if first[0].Switch != "west" || second[0].Switch != "east" || first[0].Core == second[0].Core {
		t.Errorf("%+v %+v", first, second)
	}
	if diff := cmp.Diff([][]string{{string(one)}, {string(two)}}, [][]string{dialled(west), dialled(east)}); diff != "" {
		t.Error(diff)
	}
}

// A gateway that both switches have is used over both, each within its lines.
func TestSwitchesShare(t *testing.T) {
	t.Parallel()
	h, west, east := twoSwitches(t, func(a, _ *controller.Switch, _ *controller.Policy) { a.Channels = 1 })
	var ids []fax.JobID
	for _, number := range []string{"15551230062", "15551230063", "15551230064", "15551230065"} {
		west.Script(number, simulator.Outcome{Line: simulator.StallPage})
		east.Script(number, simulator.Outcome{Line: simulator.StallPage})
		ids = append(ids, h.submit(number, 1))
	}
	for _, id := range ids {
		h.until(id, fax.Sending)
	}
	if w, e := len(dialled(west)), len(dialled(east)); w != 1 || e != 3 {
		t.Errorf("%d calls over west, which takes one, and %d over east", w, e)
	}
}

// When a switch is gone its faxes go out over the other one, and readiness says
// what is wrong without failing.
func TestOneSwitchIsGone(t *testing.T) {
	t.Parallel()
	h := newHouse(t, simulator.Config{Speed: 100}, func(c *controller.Config) {
		c.Switches[0].Name = "east"
		c.Switches = []controller.Switch{{Name: "west", Address: "127.0.0.1:1"}, c.Switches[0]}
	})
	if _, attempts := h.until(h.submit("15551230066", 1), fax.Done); attempts[0].Switch != "east" {
		t.Errorf("%+v", attempts)
	}
	outcomes := map[string]doctor.Outcome{}
	for _, f := range doctor.Ready(t.Context(), h.Patient()) {
		outcomes[f.Check] = f.Outcome
	}
	if outcomes["switch east"] != doctor.OK || outcomes["switch west"] != doctor.Warning {
		t.Errorf("%v", outcomes)
	}
}

// The calls of a switch that is left out go on to their ends; new ones take the
// others.
func TestSwitchLeftOut(t *testing.T) {
	t.Parallel()
	h, west, east := twoSwitches(t, func(a, b *controller.Switch, p *controller.Policy) {
		a.Gateways, b.Gateways, p.Gateways = []string{"first"}, []string{"second"}, gatewaysNamed("first,second")
	})
	west.Script("15551230067", simulator.Outcome{Rate: 2400})
	running := h.submit("15551230067", 3)
	h.until(running, fax.Sending)
	h.apply(func(p *controller.Policy) {
		p.Gateways = gatewaysNamed("second")
		p.Switches = []controller.Switch{{Name: "east", Address: east.Addr(), Password: "ClueCon"}}
	})
	next := h.submit("15551230068", 1)
	if _, attempts := h.until(next, fax.Done); attempts[0].Switch != "east" {
		t.Errorf("%+v", attempts)
	}
	if job, attempts := h.until(running, fax.Done); job.Confirmed != 3 || len(attempts) != 1 || attempts[0].Switch != "west" {
		t.Errorf("%+v %+v", job, attempts)
	}
}

// A call is asked about at the switch that placed it.
func TestReconcileAtItsSwitch(t *testing.T) {
	t.Parallel()
	h, west, east := twoSwitches(t, func(a, b *controller.Switch, p *controller.Policy) {
		a.Gateways, b.Gateways, p.Gateways = []string{"first"}, []string{"second"}, gatewaysNamed("second")
	})
	east.Script("15551230069", simulator.Outcome{Rate: 2400})
	id := h.submit("15551230069", 3)
	h.until(id, fax.Sending)
	h.page(id, 1)
	east.DropCall(string(h.call(id)))
	east.DropLinks()
	job, attempts := h.until(id, fax.Done)
	if job.Confirmed != 3 || len(attempts) != 1 || attempts[0].Switch != "east" || len(dialled(east)) != 1 || len(dialled(west)) != 0 {
		t.Errorf("%+v %+v", job, attempts)
	}
}

// call is the attempt that is under way.
func (h *house) call(id fax.JobID) fax.AttemptID {
	h.t.Helper()
	_, attempts, err := h.Find(h.t.Context(), id)
	if err != nil || len(attempts) == 0 {
		h.t.Fatalf("no call: %v", err)
	}
	return attempts[len(attempts)-1].ID
}

func TestParseSwitches(t *testing.T) {
	t.Parallel()
	got, err := controller.ParseSwitches("west=10.0.0.5:8021 password=x socket=10.0.0.9:8084 gateways=gw_a,gw_b channels=200 ; east=fs2:8021", "usual")
	want := []controller.Switch{
		{Name: "west", Address: "10.0.0.5:8021", Password: "x", Advertise: "10.0.0.9:8084", Gateways: []string{"gw_a", "gw_b"}, Channels: 200},
		{Name: "east", Address: "fs2:8021", Password: "usual"},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	for text, says := range map[string]string{
		"":                               "no switch",
		"west":                           "WHAT=VALUE",
		"west=10.0.0.5":                  "HOST:PORT",
		"a=h:1;a=h:2":                    "two switches",
		"a=h:1 color=red":                "color",
		"a=h:1 channels=0":               "whole number",
		"a=h:1 gateways=a/b":             "gateway name",
		"a=h:1 socket=[::1]:8084":        "socket address",
		strings.Repeat("n", 41) + "=h:1": "40 characters",
	} {
		if _, err := controller.ParseSwitches(text, "x"); fax.ProblemOf(err) != fax.Invalid || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// A switch that restarts again and again gets no calls; the others go on.
func TestARestlessSwitchRests(t *testing.T) {
	t.Parallel()
	h, west, _ := twoSwitches(t, nil)
	if h.gauge("faxbot_switch_state", "working") != 1 {
		t.Error("a switch that works does not")
	}
	for n := range 3 {
		west.Restart(true)
		eventually(t, "the restart is seen", func() bool { return h.gauge("faxbot_switch_restarts_total", "west") == float64(n+1) })
	}
	eventually(t, "the link is up again", func() bool { return h.gauge("faxbot_link_up", "west") == 1 })
	if h.switchState("west", "resting") != 1 || h.switchState("east", "working") != 1 {
		t.Error("it does not rest")
	}
	for _, number := range []string{"15551230070", "15551230071", "15551230072"} {
		if _, attempts := h.until(h.submit(number, 1), fax.Done); attempts[0].Switch != "east" {
			t.Errorf("%+v", attempts)
		}
	}
}

func (h *house) switchState(name, state string) float64 {
	h.t.Helper()
	families, err := h.metrics.Gather()
	if err != nil {
		h.t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if l := m.GetLabel(); f.GetName() == "faxbot_switch_state" && l[1].GetValue() == name && l[0].GetValue() == state {
				return m.GetGauge().GetValue()
			}
		}
	}
	h.t.Fatalf("no state %s of %s", state, name)
	return 0
}

// A call on a switch that has gone for good, and that was not told to send, ends;
// its fax goes out over another one.
func TestForsakenCall(t *testing.T) {
	t.Parallel()
	east := simulator.RunT(t, simulator.Config{Speed: 100})
	policy := func(p *controller.Policy) {
		p.Gateways = gatewaysNamed("first,second")
		p.Switches[0].Name = "west"
		p.Switches = append(p.Switches, controller.Switch{Name: "east", Address: east.Addr(), Password: "ClueCon", Gateways: []string{"second"}})
	}
	h := newHouse(t, simulator.Config{Speed: 1}, func(c *controller.Config) { // it rings for as long as it may
		policy(&c.Policy)
		c.Ring, c.Grace = 4*time.Second, 500*time.Millisecond
	})
	const number = "15551230073"
	h.sim.Script(number, simulator.Outcome{Line: simulator.RingsOn})
	id := h.submit(number, 1)
	h.until(id, fax.Dialing)
	eventually(t, "it rings", func() bool { return len(dialled(h.sim)) == 1 })
	h.apply(func(p *controller.Policy) {
		policy(p)
		p.Switches[0].Password = "wrong"
	})
	job, attempts := h.until(id, fax.Retry)
	if job.Cause != fax.Switch || !strings.Contains(attempts[0].Result.Text, "nothing was sent") {
		t.Errorf("%+v %+v", job, attempts)
	}
	h.release(id)
	if _, attempts := h.until(id, fax.Done); attempts[1].Switch != "east" || attempts[1].Gateway != "second" {
		t.Errorf("%+v", attempts)
	}
}
