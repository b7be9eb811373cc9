package chaos_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"faxbot/controller/fax"
	"faxbot/controller/logtest"
)

// fleetFault is one thing that goes wrong in a fleet. What it does happens to
// the daemon and the switch at whose wire the moment came.
type fleetFault struct {
	name string
	when func(*round) any // a moment, an instant, or afterClaim
	do   func(r *round, daemon, sw int)
}

var fleetFaults = []fleetFault{
	{"a host is killed at any moment", (*round).anyMoment, killHost},
	{"a host is killed, originate not sent", originate(true), killHost},
	{"a host is killed, originate sent", originate(false), killHost},
	{"a host is killed, the call connects", exactly(moment{toDaemon, "", 1, false, false}), killHost},
	{"a host is killed, the call has said who it is", exactly(moment{toDaemon, "CHANNEL_DATA", 1, false, false}), killHost},
	{"a host is killed, txfax sent", exactly(moment{toSwitch, "execute-app-name: txfax", 1, false, false}), killHost},
	{"a host is killed after a page", afterAPage, killHost},
	{"a host is killed, the result unread", exactly(moment{toDaemon, "txfaxresult", 1, true, false}), killHost},
	{"two hosts are killed", (*round).anyMoment, func(r *round, d, _ int) { r.killHost(d); r.killHost((d + 1) % hosts) }},
	{"all hosts are killed", (*round).anyMoment, func(r *round, _, _ int) {
		for d := range hosts {
			r.killHost(d)
		}
	}},
	{"a host stands still", (*round).anyMoment, stopHost},
	{"a host stands still before it dials", originate(false), stopHost},
	{"a host stands still between a claim and its call", func(*round) any { return afterClaim }, func(r *round, d, _ int) {
		r.outage = 10 * time.Second // others have found out that there is no call, and place the next
		r.stopHost(d)
	}},
	{"a host stands still, the call connects", exactly(moment{toDaemon, "", 1, false, false}), stopHost},
	{"a host stands still after a page", afterAPage, stopHost},
	{"a host stands still until others know the result", afterAPage, func(r *round, d, _ int) {
		r.outage = 8 * time.Second // it has it, too, but has not read it
		r.stopHost(d)
	}},
	{"a host is told to end", (*round).anyMoment, func(r *round, d, _ int) {
		r.fleet.tally.add(hostsEnded)
		r.fleet.daemons[d].signal(syscall.SIGTERM)
	}},
	{"a host loses a switch", (*round).anyMoment, func(r *round, d, sw int) { r.shut(r.fleet.commands[d][sw]) }},
	{"a switch loses a host", (*round).anyMoment, func(r *round, d, _ int) { r.shut(r.fleet.calls[d]) }},
	{"a host is cut off from both switches", (*round).anyMoment, func(r *round, d, _ int) {
		r.shut(append([]*wire{r.fleet.calls[d]}, r.fleet.commands[d]...)...)
	}},
	{"a switch is silent", (*round).anyMoment, func(r *round, _, sw int) {
		all := slices.Clone(r.fleet.calls)
		for d := range hosts {
			all = append(all, r.fleet.commands[d][sw])
		}
		r.hold(all...)
	}},
	{"command links drop", (*round).anyMoment, func(r *round, _, _ int) {
		for d, of := range r.fleet.commands {
			r.fleet.daemons[d].blind.begin()
			r.cut(of...)
		}
	}},
	{"call connections drop", (*round).anyMoment, func(r *round, _, _ int) { r.cut(r.fleet.calls...) }},
	{"a switch is killed, memory kept", (*round).anyMoment, func(r *round, _, sw int) { r.killSwitch(sw, true) }},
	{"a switch is killed, memory lost", (*round).anyMoment, func(r *round, _, sw int) { r.killSwitch(sw, false) }},
	{"a switch stands still", (*round).anyMoment, stopSwitch},
	{"a switch stands still after a page", afterAPage, stopSwitch},
	{"a host and its switch are killed", (*round).anyMoment, func(r *round, d, sw int) { r.killHost(d); r.killSwitch(sw, true) }},
	{"a host is killed, its switch stands still", (*round).anyMoment, func(r *round, d, sw int) { r.killHost(d); r.stopSwitch(sw) }},
	{"PostgreSQL is killed", (*round).anyMoment, func(r *round, _, _ int) { r.killPostgres() }},
	{"a process of PostgreSQL is killed", (*round).anyMoment, func(r *round, _, _ int) { r.killBackend() }},
	{"PostgreSQL stands still", (*round).anyMoment, func(r *round, _, _ int) { r.stopPostgres() }},
	{"PostgreSQL is killed in a call, then its host", afterAPage, func(r *round, d, _ int) { r.killAround(d, func() {}) }},
	{"PostgreSQL is killed in a call, then its host, and the switches forget", afterAPage, func(r *round, d, _ int) {
		r.killAround(d, func() {
			for sw := range switchNames {
				r.killSwitch(sw, false)
			}
		})
	}},
	{"a host loses PostgreSQL", (*round).anyMoment, func(r *round, d, _ int) { r.shut(r.fleet.database[d]) }},
	{"a host hears nothing of PostgreSQL", (*round).anyMoment, func(r *round, d, _ int) { r.hold(r.fleet.database[d]) }},
	{"S3 is killed", (*round).anyMoment, func(r *round, _, _ int) { r.killBucket() }},
	{"S3 stands still", (*round).anyMoment, func(r *round, _, _ int) { r.stopBucket() }},
	{"S3 answers with errors", (*round).anyMoment, func(r *round, _, _ int) { r.failBucket() }},
}

func killHost(r *round, d, _ int)    { r.killHost(d) }
func stopHost(r *round, d, _ int)    { r.stopHost(d) }
func stopSwitch(r *round, _, sw int) { r.stopSwitch(sw) }

// afterClaim is when a call is being stored, and nothing told to a switch.
const afterClaim = "when a call is stored"

func afterAPage(r *round) any { return r.page() }

func exactly(m moment) func(*round) any { return func(*round) any { return m } }

func originate(lose bool) func(*round) any { return func(r *round) any { return r.originates(lose) } }

const (
	hosts  = 3
	stands = 6 // at once; each has its own fleet
	// aRound is how long one may take: to begin, to send, to be judged.
	aRound = 2*patience + time.Minute
	// manyRounds is after how many everything must have happened once.
	manyRounds = 100
)

// TestFleet breaks each part of a fleet while faxes are sent through it.
//
//	make chaos-fleet ROUNDS=117 SEED=7
//	make chaos-fleet SEED=7 ROUND=41     one round of those
func TestFleet(t *testing.T) {
	seed := setting(t, "FAXBOT_CHAOS_SEED", rand.Uint64N(1e9))
	rounds := int(setting(t, "FAXBOT_CHAOS_FLEET", 4))
	from := 1
	if only := int(setting(t, "FAXBOT_CHAOS_ROUND", 0)); only != 0 {
		from, rounds = only, only
	}
	t.Logf("seed %d", seed)
	table, count := newTable(), newTally()
	table.names = nil
	for _, f := range fleetFaults {
		table.row(f.name)
	}
	last := time.Now().Add(24 * time.Hour)
	if end, limited := t.Deadline(); limited {
		last = end.Add(-aRound - time.Minute) // for a round to begin
	}
	var work sync.WaitGroup
	began := time.Now()
	all := make([]*stand, min(stands, rounds+1-from))
	for i := range all {
		all[i] = newStand(t, hosts, 2*time.Second, seed+uint64(i), count)
	}
	for i, s := range all {
		work.Go(func() {
			for number := from + i; number <= rounds; number += len(all) {
				if time.Now().After(last) {
					t.Errorf("no time is left for round %d of %d", number, rounds)
					return
				}
				r := newFleetRound(s, seed, number)
				f := fleetFaults[(number*fleetStride)%len(fleetFaults)]
				r.fault.name = f.name
				if !within(aRound, func() { r.breakFleet(f) }) {
					t.Errorf("round %d, %q, has not ended within %s; what is going on:\n%s", number, f.name, aRound, goroutines())
					return // its fleet is of no use any more
				}
				table.add(r.fault, r.problems)
				if len(r.problems) > 0 {
					t.Errorf("round %d, outage %s: %s\nrepeat it: make chaos-fleet SEED=%d ROUND=%d\n%s", number, r.outage, f.name, seed, number, r.account())
				}
			}
		})
	}
	work.Wait()
	if n := count.count(robbed); n > 2 && 2*n > count.count(adopted) {
		t.Errorf("%d of %d calls were taken from hosts that were well", n, count.count(adopted))
	}
	if missing := count.missing(); rounds-from >= manyRounds-1 && len(missing) > 0 {
		t.Errorf("in %d rounds these never happened: %q", rounds, missing)
	}
	t.Logf("seed %d, %.0f s\n%s\n%s", seed, time.Since(began).Seconds(), table, count)
}

// fleetStride makes the first rounds of a run differ much; it has no divisor in
// common with the number of faults.
const fleetStride = 7

func newFleetRound(s *stand, seed uint64, number int) *round {
	r := &round{
		seed: seed, number: number, fleet: s, daemon: s.daemons[0], sw: s.switches[0], struck: make(chan struct{}), dir: s.dir,
		rand: rand.New(rand.NewPCG(seed, uint64(number))),
	}
	r.outage = time.Duration(500+r.rand.IntN(5500)) * time.Millisecond
	return r
}

// within says whether something ended in time; else it goes on by itself.
func within(limit time.Duration, do func()) bool {
	done := make(chan struct{})
	go func() { defer close(done); do() }()
	select {
	case <-done:
		return true
	case <-time.After(limit):
		return false
	}
}

// goroutines is where all of them are.
func goroutines() string {
	text := make([]byte, 1<<20)
	return string(text[:runtime.Stack(text, true)])
}

// breakFleet does a whole round.
func (r *round) breakFleet(f fleetFault) {
	s := r.fleet
	if !r.eventually(patience, s.ready) {
		r.complain(unfit, "the fleet is not ready")
	}
	r.faxes = r.choose()
	began := time.Now()
	r.arm(f)
	for _, one := range r.faxes {
		r.script(one.number, one.outcomes[0])
		r.work.Add(1)
		go func() { defer r.work.Done(); r.submit(one) }()
	}
	settled := r.wait(patience)
	for _, w := range s.wires() {
		w.disarm()
	}
	if !r.hasStruck() {
		r.complain(unfit, "the fault did not happen")
		r.strike(func() {})
	}
	s.mended.Wait()
	r.hangUps()
	r.work.Wait()
	r.eventually(patience, s.ready)
	r.judge(settled)
	if len(r.problems) > 0 {
		r.evidence = r.gatherFleet(began)
	}
	for _, d := range s.daemons {
		log, _ := os.ReadFile(d.log.Name())
		for _, word := range []string{"panic: ", "fatal error: ", "DATA RACE"} {
			if bytes.Contains(log, []byte(word)) {
				r.complain(wrong, "a daemon's log has a %q", word)
			}
		}
		for _, leak := range logtest.Leaks(string(log)) {
			r.complain(wrong, "%s", leak)
		}
	}
}

// arm has the fault happen when its moment comes at any wire, or after a while.
func (r *round) arm(f fleetFault) {
	when := f.when(r)
	r.detail = fmt.Sprint(when)
	if when == afterClaim {
		for d, w := range r.fleet.database {
			// The state of a new call, as a parameter of PostgreSQL's Bind message;
			// then the end of that transaction.
			w.set(&trap{toward: toSwitch, text: "\x00\x00\x00\x07created", nth: 1, do: func() {
				w.set(&trap{toward: toSwitch, text: "COMMIT", nth: 1, do: func() { r.strike(func() { f.do(r, d, 0) }) }})
			}})
		}
		return
	}
	m, is := when.(moment)
	if !is {
		d, sw := r.rand.IntN(hosts), r.rand.IntN(len(switchNames))
		r.after(when.(time.Duration), func() { r.strike(func() { f.do(r, d, sw) }) })
		return
	}
	for d := range hosts {
		for sw := range switchNames {
			w := r.fleet.commands[d][sw]
			if !m.commands {
				if w = r.fleet.calls[d]; sw > 0 {
					continue // it has one door for all
				}
				sw = r.rand.IntN(len(switchNames))
			}
			w.set(&trap{toward: m.toward, text: m.text, nth: m.nth, lose: m.lose, do: func() { r.strike(func() { f.do(r, d, sw) }) }})
		}
	}
}

// eventually waits for what nobody announces.
func (r *round) eventually(limit time.Duration, so func() bool) bool {
	for end := time.Now().Add(limit); !so(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

// ready says that every daemon can send.
func (s *stand) ready() bool {
	for _, d := range s.daemons {
		address := d.at(forREST)
		if address == "" {
			return false
		}
		answer, err := client.Get("http://" + address + "/health/ready")
		if err != nil {
			return false
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return false
		}
		d.blind.end()
	}
	return true
}

// releaseAll makes the faxes that wait for their next call due.
func (r *round) releaseAll() {
	_ = r.fleet.alter("UPDATE destinations SET rest_until = NULL") // the next look tries again
	for _, s := range r.faxes {
		s.mu.Lock()
		id, waits := s.id, s.last.State == fax.Retry || s.last.State == fax.Queued
		s.mu.Unlock()
		if id != "" && waits {
			var answer job
			_, _ = r.ask("POST", forREST, "/fax/"+id+"/release", nil, nil, &answer)
		}
	}
}

// gatherFleet is what was said about the faxes of this round.
func (r *round) gatherFleet(began time.Time) string {
	var b strings.Builder
	files, _ := filepath.Glob(filepath.Join(r.dir, "*.l*"))
	for _, file := range files {
		text, err := os.ReadFile(file)
		fmt.Fprintf(&b, "--- %s %v\n", filepath.Base(file), err)
		for line := range strings.Lines(string(text)) {
			about := strings.Contains(line, "--- ") || strings.Contains(line, `"level":"WARN"`) && strings.Contains(line, began.UTC().Format("15:04"))
			for _, s := range r.faxes {
				about = about || s.id != "" && strings.Contains(line, s.id)
			}
			if about {
				b.WriteString(line)
			}
		}
	}
	return b.String()
}
