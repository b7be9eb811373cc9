package chaos_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
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
	when func(*round) any // a moment or an instant
	do   func(r *round, daemon, sw int)
}

var fleetFaults = []fleetFault{
	{"a host is killed at any moment", (*round).anyMoment, killHost},
	{"a host is killed, originate not sent", originate(true), killHost},
	{"a host is killed, originate sent", originate(false), killHost},
	{"a host is killed, the call connects", exactly(moment{toDaemon, "", 1, false, false}), killHost},
	{"a host is killed, the call has said who it is", exactly(moment{toDaemon, "CHANNEL_DATA", 1, false, false}), killHost},
	{"a host is killed, txfax sent", exactly(moment{toSwitch, "execute-app-name: txfax", 1, false, false}), killHost},
	{"a host is killed after a page", func(r *round) any { return r.page() }, killHost},
	{"a host is killed, the result unread", exactly(moment{toDaemon, "txfaxresult", 1, true, false}), killHost},
	{"two hosts are killed", (*round).anyMoment, func(r *round, d, sw int) { killHost(r, d, sw); killHost(r, (d+1)%hosts, sw) }},
	{"all hosts are killed", (*round).anyMoment, func(r *round, d, sw int) {
		for i := range hosts {
			killHost(r, i, sw)
		}
	}},
	{"a host stands still", (*round).anyMoment, stopHost},
	{"a host stands still before it dials", originate(false), stopHost},
	{"a host stands still, the call connects", exactly(moment{toDaemon, "", 1, false, false}), stopHost},
	{"a host stands still after a page", func(r *round) any { return r.page() }, stopHost},
	{"a host is told to end", (*round).anyMoment, func(r *round, d, _ int) { r.fleet.daemons[d].signal(syscall.SIGTERM) }},
	{"a host loses a switch", (*round).anyMoment, func(r *round, d, sw int) { r.shut(r.fleet.commands[d][sw]) }},
	{"a switch loses a host", (*round).anyMoment, func(r *round, d, _ int) { r.shut(r.fleet.calls[d]) }},
	{"a host is cut off from both switches", (*round).anyMoment, func(r *round, d, _ int) {
		r.shut(append([]*wire{r.fleet.calls[d]}, r.fleet.commands[d]...)...)
	}},
	{"a switch stands still", (*round).anyMoment, func(r *round, _, sw int) {
		for d := range hosts {
			r.hold(r.fleet.commands[d][sw])
		}
		r.hold(r.fleet.calls...)
	}},
	{"command links drop", (*round).anyMoment, func(r *round, _, _ int) {
		for d, of := range r.fleet.commands {
			r.fleet.daemons[d].darken()
			for _, w := range of {
				w.cut()
			}
		}
	}},
	{"call connections drop", (*round).anyMoment, func(r *round, _, _ int) {
		for _, w := range r.fleet.calls {
			w.cut()
		}
	}},
	{"a switch crashes, memory kept", (*round).anyMoment, func(r *round, _, sw int) { r.crash(r.fleet.switches[sw], true) }},
	{"a switch crashes, memory lost", (*round).anyMoment, func(r *round, _, sw int) { r.crash(r.fleet.switches[sw], false) }},
	{"a host is killed, and its switch crashes", (*round).anyMoment, func(r *round, d, sw int) {
		killHost(r, d, sw)
		r.crash(r.fleet.switches[sw], true)
	}},
	{"PostgreSQL is killed", (*round).anyMoment, func(r *round, _, _ int) {
		if err := r.fleet.postgres.Stop("immediate"); err != nil {
			r.complain(unfit, "%v", err)
		}
		r.fleet.breakFor(r.outage, func() {
			if err := r.fleet.postgres.Start(); err != nil {
				r.complain(unfit, "%v", err)
			}
		})
	}},
	{"PostgreSQL stands still", (*round).anyMoment, func(r *round, _, _ int) {
		if err := r.fleet.stopPostgres(r.outage); err != nil {
			r.complain(unfit, "%v", err)
		}
	}},
	{"a host loses PostgreSQL", (*round).anyMoment, func(r *round, d, _ int) { r.shut(r.fleet.database[d]) }},
	{"a host hears nothing of PostgreSQL", (*round).anyMoment, func(r *round, d, _ int) { r.hold(r.fleet.database[d]) }},
	{"S3 is down", (*round).anyMoment, func(r *round, _, _ int) {
		r.fleet.bucket.Fail(true)
		r.fleet.breakFor(r.outage, func() { r.fleet.bucket.Fail(false) })
	}},
}

func killHost(r *round, d, _ int) { r.fleet.daemons[d].kill() }
func stopHost(r *round, d, _ int) { r.fleet.stop(d, r.outage) }

func exactly(m moment) func(*round) any { return func(*round) any { return m } }

func originate(lose bool) func(*round) any { return func(r *round) any { return r.originates(lose) } }

// shut refuses connections for a while.
func (r *round) shut(wires ...*wire) {
	r.blind()
	for _, w := range wires {
		w.shut()
		r.fleet.breakFor(r.outage, func() {
			if err := w.listen(); err != nil {
				r.complain(unfit, "%v", err)
			}
		})
	}
}

// hold lets nothing pass for a while, and breaks nothing.
func (r *round) hold(wires ...*wire) {
	r.blind()
	for _, w := range wires {
		r.fleet.breakFor(r.outage, w.hold())
	}
}

// blind notes that daemons may miss what happens in the outage.
func (r *round) blind() {
	for _, d := range r.fleet.daemons {
		d.darken()
		r.fleet.breakFor(r.outage+time.Second, d.lighten)
	}
}

// TestFleet breaks each part of a fleet while faxes are sent through it.
//
//	make chaos-fleet FLEET=116 SEED=7
func TestFleet(t *testing.T) {
	seed := setting(t, "FAXBOT_CHAOS_SEED", rand.Uint64N(1e9))
	rounds := int(setting(t, "FAXBOT_CHAOS_FLEET", 4))
	t.Logf("seed %d", seed)
	table := newTable()
	table.names = nil
	for _, f := range fleetFaults {
		table.row(f.name)
	}
	const stands = 6 // at once; each has its own fleet
	var work sync.WaitGroup
	began := time.Now()
	all := make([]*stand, min(stands, rounds))
	for i := range all {
		all[i] = newStand(t, seed+uint64(i))
	}
	for i, s := range all {
		work.Go(func() {
			for number := i + 1; number <= rounds; number += len(all) {
				r := &round{
					seed: seed, number: number, fault: fault{name: fleetFaults[(number*7)%len(fleetFaults)].name}, fleet: s,
					daemon: s.daemons[0], sw: s.switches[0], struck: make(chan struct{}), dir: s.dir,
					rand: rand.New(rand.NewPCG(seed, uint64(number))),
				}
				r.outage = time.Duration(500+r.rand.IntN(5500)) * time.Millisecond
				r.breakFleet(fleetFaults[(number*7)%len(fleetFaults)])
				table.add(r.fault, r.problems)
				if len(r.problems) > 0 {
					t.Errorf("round %d, outage %s: %s", number, r.outage, r.account())
				}
			}
		})
	}
	work.Wait()
	t.Logf("seed %d, %.0f s\n%s", seed, time.Since(began).Seconds(), table)
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
		d.lighten()
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
