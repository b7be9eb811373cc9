package controller

import (
	"maps"
	"slices"
	"time"

	"faxbot/controller/fax"
)

// reached returns what says whether a gateway can be reached over one of the
// switches; when there is none, everything waits for one anyway.
func reached(usable []*exchange) func(gateway string) bool {
	return func(gateway string) bool {
		return len(usable) == 0 || slices.ContainsFunc(usable, func(e *exchange) bool { return e.settings().Has(gateway) })
	}
}

// choice is which switch gets a call.
type choice struct {
	usable  []*exchange
	calls   map[string]int // by switch: under way on this host, and planned
	planned map[string]int // of these
	free    map[string]int // by switch; what is not in it has no limit
}

func (c *Controller) choice(usable []*exchange) choice {
	ch := choice{usable: usable, calls: map[string]int{}}
	if len(usable) > 1 {
		for _, k := range c.snapshot() {
			ch.calls[k.on.name]++
		}
	}
	return ch
}

// among has the choice know of calls that are about to be made.
func (ch choice) among(planned map[fax.JobID]fax.Attempt, free map[string]int) choice {
	ch.calls, ch.planned, ch.free = maps.Clone(ch.calls), map[string]int{}, free
	for _, a := range planned {
		ch.calls[a.Switch]++
		ch.planned[a.Switch]++
	}
	return ch
}

// limits are how many calls of all hosts the switches carry, those that have a
// limit; one where one finds out whether it works again.
func limits(list []*exchange, now time.Time) map[string]int {
	of := map[string]int{}
	for _, e := range list {
		if n := e.settings().Channels; n > 0 {
			of[e.name] = n
		}
		if e.probing(now) {
			of[e.name] = 1
		}
	}
	return of
}

// room says that the switch may get one more call than are planned.
func (ch choice) room(e *exchange) bool {
	left, limited := ch.free[e.name]
	return !(limited && left <= 0) && e.room(e.now()) > ch.planned[e.name]
}

// of returns the switch with the fewest calls that has the gateway and a line;
// the one that failed the fax's last call comes last. nil when there is none.
func (ch choice) of(gateway string, previous []fax.Attempt) *exchange {
	failed := ""
	if n := len(previous); n > 0 && (previous[n-1].Result.Cause == fax.Switch || previous[n-1].Result.Cause == fax.Unknown) {
		failed = previous[n-1].Switch
	}
	var best *exchange
	better := func(e *exchange) bool {
		if best == nil || (e.name == failed) != (best.name == failed) {
			return best == nil || best.name == failed
		}
		return ch.calls[e.name] < ch.calls[best.name]
	}
	for _, e := range ch.usable {
		if e.settings().Has(gateway) && ch.room(e) && better(e) {
			best = e
		}
	}
	return best
}
