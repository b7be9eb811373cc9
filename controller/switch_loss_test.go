package controller_test

import (
	"testing"
	"time"

	"faxbot/controller"
	"faxbot/controller/fax"
	"faxbot/controller/freeswitch/simulator"
)

// A switch that stands still, its connections up, is lost all the same: calls go
// out over the other one. When it does so again and again it gets none for a
// while after it goes on, too.
func TestASwitchStandsStill(t *testing.T) {
	t.Parallel()
	beats := simulator.Config{Speed: 100, Heartbeat: 20 * time.Millisecond}
	east := simulator.RunT(t, beats)
	h := newHouse(t, beats, func(c *controller.Config) {
		c.Switches[0].Name = "west"
		c.Switches = append(c.Switches, controller.Switch{Name: "east", Address: east.Addr(), Password: "ClueCon"})
		c.Link.Heartbeat, c.Link.Timeout = 2*time.Second, 2*time.Second
	})
	link := func(is float64) func() bool { return func() bool { return h.gauge("faxbot_link_up", "west") == is } }
	for range 3 {
		eventually(t, "the link is up", link(1))
		goOn := h.sim.StandStill()
		eventually(t, "it is noticed", link(0))
		if _, attempts := h.until(h.submit("15551230074", 1), fax.Done); attempts[0].Switch != "east" {
			t.Errorf("%+v", attempts)
		}
		goOn()
	}
	eventually(t, "it rests", func() bool { return h.switchState("west", "resting") == 1 })
	if n := h.gauge("faxbot_switch_restarts_total", "west"); n != 0 {
		t.Errorf("%v restarts of a switch that was never started anew", n)
	}
	if calls := dialled(h.sim); len(calls) != 0 {
		t.Errorf("a switch that stands still was told to dial %v", calls)
	}
}

// A machine that is put back to a snapshot has a switch with the same Core-UUID
// that knows nothing of the call it was sending. Nobody concludes from that that
// nothing was sent.
func TestASwitchIsPutBack(t *testing.T) {
	t.Parallel()
	h := newHouse(t, simulator.Config{Speed: 100, Up: time.Hour}, nil)
	const number = "15551230075"
	h.sim.Script(number, simulator.Outcome{Line: simulator.StallPage})
	id := h.submit(number, 1)
	h.until(id, fax.Sending)
	h.sim.PutBack()
	job, attempts := h.until(id, fax.Held, fax.Retry)
	if len(attempts) != 1 || attempts[0].Result.Cause != fax.Unknown || job.State != fax.Held {
		t.Errorf("%+v %+v", job, attempts)
	}
	if n := h.gauge("faxbot_switch_restarts_total", controller.DefaultSwitch); n != 1 {
		t.Errorf("%v restarts", n)
	}
}
