package controller_test

import (
	"fmt"
	"testing"
	"time"

	"faxbot/controller"
	"faxbot/controller/fax"
	"faxbot/controller/freeswitch/simulator"
	"faxbot/controller/store"
	"faxbot/controller/store/pgtest"
)

// A gateway that fails for one host rests for the others, too, and its calls per
// second are shared among them.
func TestARestIsShared(t *testing.T) {
	t.Parallel()
	first, second := newPair(t, simulator.Config{Speed: 200, Gateways: []string{"other"}}, nil)
	first.until(first.submit("15551230081", 1), fax.Retry) // no such gateway
	eventually(t, "it rests for the other host", func() bool { return second.gauge("faxbot_gateway_state", "misconfigured") == 1 })
}

// A switch that crashed again and again for one host gets no call from another,
// which has seen none of it.
func TestARestlessSwitchRestsForAll(t *testing.T) {
	t.Parallel()
	first, second := newHouses(t, pgtest.RunT(t).URL, simulator.Config{Speed: 100})
	for n := range 3 {
		eventually(t, "the link is up", first.linkUp)
		first.sim.Restart(true)
		eventually(t, "the restart is seen", func() bool {
			return first.gauge("faxbot_switch_restarts_total", controller.DefaultSwitch) == float64(n+1)
		})
	}
	east := simulator.RunT(t, simulator.Config{Speed: 100})
	second.apply(func(p *controller.Policy) {
		p.Gateways = gatewaysNamed("carrier,other")
		p.Switches = []controller.Switch{
			{Name: controller.DefaultSwitch, Address: first.sim.Addr(), Password: "ClueCon", Gateways: []string{"carrier"}},
			{Name: "east", Address: east.Addr(), Password: "ClueCon", Gateways: []string{"other"}},
		}
	})
	eventually(t, "the second host has met the switch", func() bool { return second.gauge("faxbot_link_up", controller.DefaultSwitch) == 1 })
	eventually(t, "it rests there, too", func() bool { return second.switchState(controller.DefaultSwitch, "resting") == 1 })
	through := func(name string) func(*controller.Submission) {
		return func(s *controller.Submission) { s.Options.Gateway = name }
	}
	id := second.submit("15551230082", 1, through("carrier"))
	second.until(id, fax.Queued)
	second.until(second.submit("15551230083", 1, through("other")), fax.Done)
	second.until(id, fax.Queued)
	if n := first.ledger("dial"); n != 0 {
		t.Errorf("%d calls over a switch that rests", n)
	}
	if n := second.gauge("faxbot_switch_restarts_total", controller.DefaultSwitch); n != 0 {
		t.Errorf("it has seen %v restarts itself", n)
	}
}

// After a rest one call of all hosts finds out whether a gateway, or a switch,
// works again; then all may call.
func TestOneProbeOfAllHosts(t *testing.T) {
	t.Parallel()
	for kind, name := range map[store.Rested]string{store.RestedGateway: "carrier", store.RestedSwitch: controller.DefaultSwitch} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			first, second := newPair(t, simulator.Config{Speed: 20}, nil)
			rests := func(long time.Duration) {
				now := first.config.Store.Now()
				rest := store.Rest{Kind: kind, Name: name, Until: now.Add(long), Rests: 1, Changed: now}
				if err := first.config.Store.SetRests(t.Context(), []store.Rest{rest}); err != nil {
					t.Fatal(err)
				}
			}
			rests(time.Hour)
			second.apply(func(p *controller.Policy) { p.Disabled = false })
			metric := "faxbot_" + string(kind) + "_state"
			eventually(t, "it rests for both", func() bool { return first.gauge(metric, "resting") == 1 && second.gauge(metric, "resting") == 1 })
			var all []fax.JobID
			for n := range 6 {
				all = append(all, []*house{first, second}[n%2].submit(fmt.Sprint(15551230500+n), 1))
			}
			for _, id := range all {
				first.until(id, fax.Queued)
			}
			rests(time.Second)
			for _, id := range all {
				first.until(id, fax.Done)
			}
			dials := 0
			for _, e := range first.sim.Ledger() {
				if e.Kind == "result" {
					break
				}
				if e.Kind == "dial" {
					dials++
				}
			}
			if dials != 1 {
				t.Errorf("%d calls before one had got through", dials)
			}
		})
	}
}
