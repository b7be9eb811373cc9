package controller_test

import (
	"testing"
	"time"

	"faxbot/controller"
	"faxbot/controller/fax"
	"faxbot/controller/freeswitch"
	"faxbot/controller/freeswitch/simulator"
	"faxbot/controller/store/pgtest"
)

// newPair starts two daemons that share PostgreSQL, the documents and a switch;
// only the first one places calls.
func newPair(t *testing.T, sim simulator.Config, edit func(first *controller.Config)) (first, second *house) {
	t.Helper()
	database, dir, sw := pgtest.RunT(t).URL, t.TempDir(), simulator.RunT(t, sim)
	link := freeswitch.LinkConfig{Name: "test", Address: sw.Addr(), Password: "ClueCon"}
	first = &house{t: t, dir: dir, database: database, host: "first", sim: sw, link: link, patience: 30 * time.Second}
	second = &house{t: t, dir: dir, database: database, host: "second", sim: sw, link: link, patience: 30 * time.Second}
	second.open(func(c *controller.Config) { c.Lease, c.Disabled = time.Second, true })
	t.Cleanup(second.close)
	eventually(t, "the second host serves the switch", second.linkUp)
	first.open(func(c *controller.Config) {
		c.Lease = time.Second
		if edit != nil {
			edit(c)
		}
	})
	t.Cleanup(first.close)
	return first, second
}

// A call whose host cannot be reached by the switch is served by another host
// that serves the switch.
func TestCallConnectsToAnotherHost(t *testing.T) {
	t.Parallel()
	first, second := newPair(t, simulator.Config{Speed: 100}, func(c *controller.Config) {
		c.Switches[0].Advertise = "127.0.0.1:1" // nobody listens there
	})
	eventually(t, "the hosts have met", func() bool {
		hosts, alive, err := first.Fleet(t.Context())
		return err == nil && len(hosts) == 2 && alive(hosts[1]) && hosts[1].Switches[0].Up
	})
	id := first.submit("15551230080", 2)
	job, attempts := second.until(id, fax.Done)
	if job.Confirmed != 2 || len(attempts) != 1 || attempts[0].Host != "second" || first.ledger("dial") != 1 {
		t.Errorf("%+v %+v", job, attempts)
	}
	if n := second.figure("faxbot_adoptions_total"); n != 1 {
		t.Errorf("%v calls were taken over", n)
	}
	eventually(t, "the first host has let go", func() bool { return first.figure("faxbot_live_calls") == 0 })
	second.apply(func(*controller.Policy) {})
	first.until(first.submit("15551230080", 1), fax.Done) // the number is free
}

// A gateway that fails for one host rests for the others, too, and its calls per
// second are shared among them.
func TestARestIsShared(t *testing.T) {
	t.Parallel()
	first, second := newPair(t, simulator.Config{Speed: 200, Gateways: []string{"other"}}, nil)
	first.until(first.submit("15551230081", 1), fax.Retry) // no such gateway
	eventually(t, "it rests for the other host", func() bool { return second.gauge("faxbot_gateway_state", "misconfigured") == 1 })
}
