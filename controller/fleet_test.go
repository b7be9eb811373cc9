package controller_test

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"faxbot/controller"
	"faxbot/controller/fax"
	"faxbot/controller/freeswitch"
	"faxbot/controller/freeswitch/simulator"
	"faxbot/controller/store/pgtest"
)

// shortLease has hosts tell of themselves every two seconds. One that is much
// shorter ends while a busy machine is at something else.
const shortLease = 6 * time.Second

// newPair starts two daemons that share PostgreSQL, the documents and a switch;
// only the first one places calls.
func newPair(t *testing.T, sim simulator.Config, edit func(first *controller.Config)) (first, second *house) {
	t.Helper()
	database, dir, sw := pgtest.RunT(t).URL, t.TempDir(), simulator.RunT(t, sim)
	link := freeswitch.LinkConfig{Name: "test", Address: sw.Addr(), Password: "ClueCon"}
	first = &house{t: t, dir: dir, database: database, host: "first", sim: sw, link: link}
	second = &house{t: t, dir: dir, database: database, host: "second", sim: sw, link: link}
	second.open(func(c *controller.Config) { c.Lease, c.Disabled = shortLease, true })
	t.Cleanup(second.close)
	eventually(t, "the second host serves the switch", second.linkUp)
	first.open(func(c *controller.Config) {
		c.Lease = shortLease
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

// What is promised of gateways, numbers and keys is promised of all hosts
// together: the switch's ledger shows how many calls were up at once, how fast
// they followed each other, and whose they were.
func TestLimitsHoldAcrossHosts(t *testing.T) {
	t.Parallel()
	const channels, cps, pairs, few = 3, 4, 4, 4
	first, second := newPair(t, simulator.Config{Speed: 100}, nil)
	hosts := []*house{first, second}
	limits := func(p *controller.Policy) {
		p.Gateways = []controller.Gateway{{Name: "narrow", Channels: channels, CPS: 1000}, {Name: "slow", Channels: 100, CPS: cps}}
	}
	for _, h := range hosts {
		h.apply(limits)
	}
	eventually(t, "both hosts share the gateways", func() bool {
		list, alive, err := first.Fleet(t.Context())
		return err == nil && len(list) == 2 && alive(list[0]) && alive(list[1]) && list[0].Switches[0].Up && list[1].Switches[0].Up
	})
	// A key with many faxes comes, by its name, before one with few; its first
	// ones go to a number in pairs.
	var all, lesser []fax.JobID
	submit := func(number int, gateway, owner string) fax.JobID {
		id := hosts[len(all)%2].submit(fmt.Sprint(15551230100+number), 1, func(s *controller.Submission) {
			s.Owner, s.Options.Gateway, s.SendAt = owner, gateway, time.Now().Add(time.Hour)
		})
		all = append(all, id)
		return id
	}
	for i := range 16 {
		submit(max(i/2, i-pairs), "narrow", "bulk")
	}
	for i := range few {
		lesser = append(lesser, submit(50+i, "narrow", "lesser"))
		submit(60+i, "slow", "bulk")
		submit(70+i, "slow", "bulk")
	}
	for _, id := range all {
		first.until(id, fax.Queued)
	}
	began := time.Now() // for all of them
	db, err := sql.Open("postgres", first.database)
	if err == nil {
		_, err = db.Exec("UPDATE jobs SET due_at = $1", began.UnixMicro())
	}
	if err = errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	for _, h := range hosts {
		h.apply(limits) // wakes it
	}
	by := map[string]int{}
	for _, id := range all {
		_, attempts := first.until(id, fax.Done)
		if len(attempts) != 1 {
			t.Errorf("%d calls for a fax", len(attempts))
		}
		by[attempts[0].Host]++
	}
	if by["first"] == 0 || by["second"] == 0 {
		t.Fatalf("only one host has called: %v", by)
	}
	up, busy, dials, last := map[string]int{}, map[string]bool{}, map[string]int{}, 0
	for _, e := range first.sim.Ledger() {
		switch e.Kind {
		case "dial":
			if busy[e.Number] {
				t.Errorf("two calls to %s at once", e.Number)
			}
			busy[e.Number] = true
			if up[e.Gateway]++; e.Gateway == "narrow" && up[e.Gateway] > channels {
				t.Errorf("%d calls through a gateway with %d channels", up[e.Gateway], channels)
			}
			if dials[e.Gateway]++; slices.Contains(lesser, fax.JobID(e.Job)) {
				last = dials[e.Gateway]
			}
			// Each host may begin with one call.
			least := time.Duration(dials[e.Gateway]-1-len(hosts)) * time.Second / cps
			if e.Gateway == "slow" && e.Time.Sub(began) < least {
				t.Errorf("call %d after %s: more than %d a second", dials[e.Gateway], e.Time.Sub(began), cps)
			}
		case "end":
			up[e.Gateway]--
			busy[e.Number] = false
		}
	}
	// Each host takes turns between the keys, so all together do.
	if most := 3*few + len(hosts); last == 0 || last > most {
		t.Errorf("the last fax of the lesser key was call %d through its gateway, want %d at the most", last, most)
	}
	if n := dials["narrow"] + dials["slow"]; n != len(all) {
		t.Errorf("%d calls for %d faxes", n, len(all))
	}
}
