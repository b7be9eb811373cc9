package controller

import (
	"math"
	"testing"
	"time"

	"faxbot/controller/fax"
	"faxbot/controller/freeswitch"
)

// A switch that is started anew three times within ten minutes rests, is tried
// with one call, and rests for longer should it fall again.
func TestExchangeRests(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	e := &exchange{now: func() time.Time { return now }, breaker: breaker{shortest: shortestQuiet, longest: longestQuiet}}
	room := func(want int) {
		t.Helper()
		if got := e.room(now); got != want {
			t.Errorf("room for %d calls, want %d", got, want)
		}
	}
	for _, core := range []string{"1", "1", "2", "3"} { // two restarts
		e.met(freeswitch.Meeting{Core: core}, now)
	}
	room(math.MaxInt)
	now = now.Add(crashesWithin + time.Minute)
	e.met(freeswitch.Meeting{Core: "4"}, now)
	e.met(freeswitch.Meeting{Core: "4"}, now) // the connection broke, no more
	e.met(freeswitch.Meeting{Core: "4", StoodStill: true}, now)
	room(math.MaxInt) // the first ones were long ago
	if _, crashes, rests := e.met(freeswitch.Meeting{Core: "5"}, now); crashes != 3 || !rests.Equal(now.Add(shortestQuiet)) {
		t.Errorf("%d restarts, rests until %s", crashes, rests)
	}
	room(0)
	now = now.Add(shortestQuiet)
	room(1)
	probe := fax.NewAttemptID()
	e.placed(probe)
	room(0)
	if e.ended(fax.NewAttemptID(), fax.OK) || e.ended(probe, fax.Switch) {
		t.Error("it works again, says nobody who knows")
	}
	room(1)
	if _, _, rests := e.met(freeswitch.Meeting{Core: "5", StoodStill: true}, now); !rests.Equal(now.Add(2 * shortestQuiet)) {
		t.Errorf("rests until %s", rests)
	}
	now = now.Add(2 * shortestQuiet)
	e.placed(probe)
	if !e.ended(probe, fax.Busy) {
		t.Error("a call got through")
	}
	room(math.MaxInt)
}
