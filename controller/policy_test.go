package controller_test

import (
	"strings"
	"testing"
	"time"

	"faxbot/controller"
	"faxbot/controller/doctor"
	"faxbot/controller/fax"
	"faxbot/controller/freeswitch/simulator"
)

// apply edits the policy of a running house.
func (h *house) apply(edit func(*controller.Policy)) {
	h.t.Helper()
	p := h.policy()
	edit(&p)
	if err := h.Apply(p); err != nil {
		h.t.Fatal(err)
	}
}

// linkUp says whether the controller reaches its switch.
func (h *house) linkUp() bool {
	for _, f := range doctor.Ready(h.t.Context(), h.Patient()) {
		if f.Check == "password" {
			return f.Outcome == doctor.OK
		}
	}
	return false // it did not come as far
}

// A new policy is that of the next call. The call under way goes on, through a
// gateway that is not listed any more.
func TestApply(t *testing.T) {
	t.Parallel()
	h := newHouse(t, simulator.Config{Speed: 20}, nil)
	running := h.submit("15551230050", 3)
	h.until(running, fax.Sending)
	h.page(running, 1)
	h.apply(func(p *controller.Policy) {
		p.Gateways, p.CallerID, p.Header = gatewaysNamed("second"), "+15550001111", "Clinic"
		p.Ring, p.Grace = time.Second, time.Millisecond
	})
	if job, attempts, err := h.Find(t.Context(), running); err != nil || job.State != fax.Sending || attempts[0].Gateway != "carrier" {
		t.Errorf("the call under way: %+v %v", job, err)
	}
	h.apply(func(p *controller.Policy) {
		p.Gateways, p.CallerID, p.Header = gatewaysNamed("second"), "+15550001111", "Clinic"
	})
	next := h.submit("15551230051", 1)
	_, attempts := h.until(next, fax.Done)
	if attempts[0].Gateway != "second" {
		t.Errorf("the next call went through %s", attempts[0].Gateway)
	}
	for _, e := range h.sim.Ledger() {
		if e.Kind == "dial" && e.Job == string(next) && (e.Caller != "+15550001111" || e.Header != "Clinic") {
			t.Errorf("the next call: %+v", e)
		}
	}
	if job, attempts := h.until(running, fax.Done); job.Confirmed != 3 || len(attempts) != 1 {
		t.Errorf("%+v", job)
	}
}

// What cannot be used changes nothing, and says what it is.
func TestApplyRefuses(t *testing.T) {
	t.Parallel()
	h := newHouse(t, simulator.Config{Speed: 200}, nil)
	for name, edit := range map[string]func(*controller.Policy){
		"no gateway":    func(p *controller.Policy) { p.Gateways = nil },
		"a gateway":     func(p *controller.Policy) { p.Gateways = gatewaysNamed("a/b") },
		"one two times": func(p *controller.Policy) { p.Gateways = gatewaysNamed("carrier,carrier") },
		"caller id":     func(p *controller.Policy) { p.CallerID = "me" },
	} {
		p := h.policy()
		p.Header = "never seen"
		edit(&p)
		if err := h.Apply(p); fax.ProblemOf(err) != fax.Invalid {
			t.Errorf("%s is taken: %v", name, err)
		}
	}
	h.until(h.submit("15551230052", 1), fax.Done)
	if e := h.sim.Ledger()[0]; e.Header != "" || e.Gateway != "carrier" {
		t.Errorf("%+v", e)
	}
}

// Another password is tried at once: a wrong one takes the link down, without
// harm to the call under way; the right one brings it up.
func TestApplyPassword(t *testing.T) {
	t.Parallel()
	h := newHouse(t, simulator.Config{Speed: 20}, nil)
	running := h.submit("15551230053", 2)
	h.until(running, fax.Sending)
	h.apply(func(p *controller.Policy) { p.Switches[0].Password = "wrong" })
	eventually(t, "the link is down", func() bool { return !h.linkUp() })
	h.apply(func(*controller.Policy) {})
	eventually(t, "the link is up", h.linkUp)
	if job, attempts := h.until(running, fax.Done); job.Confirmed != 2 || len(attempts) != 1 {
		t.Errorf("%+v", job)
	}
	h.until(h.submit("15551230054", 1), fax.Done)
}

// The link moves to another switch when no call is left that only the first one
// knows; what is submitted meanwhile waits.
func TestApplyAddress(t *testing.T) {
	t.Parallel()
	h := newHouse(t, simulator.Config{Speed: 20}, nil)
	second := simulator.RunT(t, simulator.Config{Speed: 200})
	running := h.submit("15551230055", 3)
	h.until(running, fax.Sending)
	h.apply(func(p *controller.Policy) { p.Switches[0].Address = second.Addr() })
	waits := h.submit("15551230056", 1)
	h.until(waits, fax.Queued)
	h.until(waits, fax.Done)
	if job, _ := h.until(running, fax.Done); job.Confirmed != 3 {
		t.Errorf("%+v", job)
	}
	first := h.sim.Ledger()
	if end, dial := first[len(first)-1], second.Ledger()[0]; end.Kind != "end" || dial.Job != string(waits) || dial.Time.Before(end.Time) {
		t.Errorf("dialled %+v, the last on the old switch %+v", dial, end)
	}
}

// A switch that is gone for good keeps nobody from moving to another one.
func TestApplyAddressOfDeadSwitch(t *testing.T) {
	t.Parallel()
	h := newHouse(t, simulator.Config{Speed: 200}, nil)
	second := simulator.RunT(t, simulator.Config{Speed: 200})
	h.apply(func(p *controller.Policy) { p.Switches[0].Address = "127.0.0.1:1" })
	eventually(t, "the link is down", func() bool { return !h.linkUp() })
	h.apply(func(p *controller.Policy) { p.Switches[0].Address, p.Disabled = second.Addr(), true })
	eventually(t, "the link is up", h.linkUp) // also while nobody is called
	h.apply(func(p *controller.Policy) { p.Switches[0].Address = second.Addr() })
	h.until(h.submit("15551230057", 1), fax.Done)
	if len(second.Ledger()) == 0 {
		t.Error("not through the second switch")
	}
}

// leave moves the link to another switch while a call is up on the first one,
// which the link has lost.
func (h *house) leave(second *simulator.Switch) {
	h.t.Helper()
	h.apply(func(p *controller.Policy) { p.Switches[0].Password = "wrong" })
	eventually(h.t, "the link is down", func() bool { return !h.linkUp() })
	h.apply(func(p *controller.Policy) { p.Switches[0].Address = second.Addr() })
	eventually(h.t, "the link is up", h.linkUp)
}

// A call that rings on the switch which the link was led away from is not dialled
// again meanwhile: answered, it connects to us and is sent.
func TestACallLeftOnTheOldSwitch(t *testing.T) {
	t.Parallel()
	h := newHouse(t, simulator.Config{Speed: 20}, func(c *controller.Config) { c.Ring = 4 * time.Minute })
	second := simulator.RunT(t, simulator.Config{Speed: 200})
	const number = "15551230058"
	h.sim.Script(number, simulator.Outcome{Ring: 20 * 8 * time.Second}) // 8 s here: longer than it takes to ask three times
	id := h.submit(number, 1)
	eventually(t, "it rings", func() bool { return h.ledger("dial") == 1 })
	h.leave(second)
	h.until(h.submit("15551230059", 1), fax.Done) // others are called by the second
	if job, attempts := h.until(id, fax.Done); len(attempts) != 1 || job.Confirmed != 1 {
		t.Errorf("%+v %+v", job, attempts)
	}
	if len(second.Ledger()) == 0 {
		t.Error("the link has not moved")
	}
	for _, e := range second.Ledger() {
		if e.Job == string(id) {
			t.Errorf("the second switch: %+v", e)
		}
	}
}

// One that is never answered is over when it can ring no longer; only then its
// number is dialled through the other switch.
func TestAnUnansweredCallLeftOnTheOldSwitch(t *testing.T) {
	t.Parallel()
	h := newHouse(t, simulator.Config{Speed: 1}, func(c *controller.Config) { c.Ring, c.Grace = 6*time.Second, time.Second })
	second := simulator.RunT(t, simulator.Config{Speed: 200})
	const number = "15551230060"
	h.sim.Script(number, simulator.Outcome{Cause: "NO_ANSWER", Ring: time.Minute})
	id := h.submit(number, 1)
	eventually(t, "it rings", func() bool { return h.ledger("dial") == 1 })
	h.leave(second)
	job, attempts := h.until(id, fax.Retry)
	if job.Cause != fax.Switch || len(attempts) != 1 || !strings.Contains(attempts[0].Result.Text, "another switch") {
		t.Errorf("%+v %+v", job, attempts)
	}
	h.release(id)
	h.until(id, fax.Done)
	old, dial := h.sim.Ledger(), second.Ledger()[0]
	if end := old[len(old)-1]; end.Kind != "end" || dial.Kind != "dial" || !dial.Time.After(end.Time) {
		t.Errorf("dialled %+v, the call on the old switch %+v", dial, end)
	}
}
