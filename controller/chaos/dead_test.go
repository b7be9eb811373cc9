package chaos_test

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"faxbot/controller/fax"
	"faxbot/controller/freeswitch/simulator"
)

// pair is two hosts that share all, of which one will die for good.
func pair(t *testing.T) *round {
	t.Helper()
	r := &round{fleet: newStand(t, 2, 5*time.Second, 1, newTally()), rand: rand.New(rand.NewPCG(1, 1)), struck: make(chan struct{})}
	t.Cleanup(func() {
		r.work.Wait()
		if t.Failed() {
			t.Log(r.gatherFleet(time.Now()))
		}
	})
	r.dir = r.fleet.dir
	if !r.eventually(patience, func() bool { return r.fleet.ready() && r.haveMet() }) {
		t.Fatal("the hosts do not know each other")
	}
	return r
}

// haveMet says that each host knows that the other serves both switches.
func (r *round) haveMet() bool {
	for range r.fleet.daemons {
		var list struct {
			Hosts []struct {
				Alive    bool
				Switches []struct{ Up bool }
			}
		}
		if _, err := r.ask("GET", forREST, "/admin/hosts", nil, nil, &list); err != nil || len(list.Hosts) != len(r.fleet.daemons) {
			return false
		}
		for _, h := range list.Hosts {
			up := 0
			for _, s := range h.Switches {
				if s.Up {
					up++
				}
			}
			if !h.Alive || up != len(switchNames) {
				return false
			}
		}
	}
	return true
}

// send submits faxes of so many pages.
func (r *round) send(n, pages int, o simulator.Outcome) {
	for i := range n {
		s := &submission{key: fmt.Sprint("fax ", i), number: fmt.Sprintf("+1555124%04d", i), pages: pages}
		r.script(s.number, o)
		r.faxes = append(r.faxes, s)
		r.submit(s)
	}
}

// owner is the host whose a fax's call is, and that call's state.
func (r *round) owner(t *testing.T, s *submission) (host string, state fax.AttemptState) {
	t.Helper()
	db, err := sql.Open("postgres", r.fleet.postgres.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.QueryRow("SELECT host, state FROM attempts WHERE job_id = $1", s.id).Scan(&host, &state)
	if err != nil {
		t.Fatalf("%s has no call, or several: %v", s.key, err)
	}
	return host, state
}

// bury kills the host whose the call of the first fax is, for good, and returns
// the faxes that it was sending and the name of the host that is left.
func (r *round) bury(t *testing.T) (orphans []*submission, heir string) {
	t.Helper()
	dead, _ := r.owner(t, r.faxes[0])
	n := slices.Index([]string{"host0", "host1"}, dead)
	r.fleet.daemons[n].close()
	for _, s := range r.faxes {
		if host, state := r.owner(t, s); host == dead && state != fax.AttemptEnded {
			orphans = append(orphans, s)
		}
	}
	if len(orphans) == 0 {
		t.Fatal("its faxes had all ended: this machine is very slow")
	}
	return orphans, fmt.Sprint("host", 1-n)
}

// finished waits for the ends of all faxes, and holds them against the ledgers:
// each was delivered in the one call that there was, whoever looked after it.
func (r *round) finished(t *testing.T, orphans []*submission, heir string) {
	t.Helper()
	if !r.eventually(patience, func() bool { _, open := r.look(); return open == 0 }) {
		t.Fatalf("not all faxes have ended: %+v", r.faxes[0].last)
	}
	for _, s := range r.faxes {
		if s.last.State != fax.Done || s.last.Confirmed != s.pages || len(s.last.Attempts) != 1 {
			t.Errorf("%s: %+v", s.key, s.last)
		}
	}
	for _, s := range orphans {
		if host, state := r.owner(t, s); host != heir || state != fax.AttemptEnded {
			t.Errorf("the call of %s is %s and belongs to %s, not to %s", s.key, state, host, heir)
		}
	}
	r.judge(true)
	for _, p := range r.problems {
		t.Errorf("%s: %s", names[p.kind], p.text)
	}
	if calls := r.history(); len(calls) != len(r.faxes) {
		t.Errorf("%d calls for %d faxes", len(calls), len(r.faxes))
	}
}

// A host is killed while it sends, and stays dead. The switches go on sending;
// the other host finds that out and dials nobody.
func TestAHostStaysDead(t *testing.T) {
	t.Parallel()
	r := pair(t)
	r.send(6, 12, simulator.Outcome{})
	sending := func() bool { // each has its first page, and more to come
		calls := r.history()
		return len(calls) == len(r.faxes) && !slices.ContainsFunc(calls, func(h *history) bool { return len(h.pages) == 0 })
	}
	if !r.eventually(patience, sending) {
		t.Fatal("they are not sent")
	}
	orphans, heir := r.bury(t)
	r.finished(t, orphans, heir)
	if n := r.fleet.tally.count(adopted); n != len(orphans) {
		t.Errorf("%d calls adopted, of %d", n, len(orphans))
	}
}

// A host is killed while its calls ring. The switch is told of the other host,
// too, connects there when they are answered, and the faxes are sent.
func TestACallConnectsToTheHostThatLives(t *testing.T) {
	t.Parallel()
	r := pair(t)
	r.send(3, 2, simulator.Outcome{Ring: 40 * time.Second}) // two thirds of a second
	if !r.eventually(patience, func() bool { return len(r.history()) == len(r.faxes) }) {
		t.Fatal("nobody is dialled")
	}
	orphans, heir := r.bury(t)
	r.finished(t, orphans, heir)
	if n := r.fleet.tally.count(connected) + r.fleet.tally.count(adopted); n != len(orphans) {
		t.Errorf("%d calls taken over, of %d", n, len(orphans))
	}
}
