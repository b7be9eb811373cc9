package controller

import (
	"time"

	"faxbot/controller/fax"
	"faxbot/controller/store"
)

// breaker keeps calls away from what fails: a gateway or a switch. It rests,
// each time twice as long as the one before; afterwards, until one call has got
// through, it takes one call at a time. Its owner guards it.
type breaker struct {
	shortest, longest time.Duration // of rests

	restUntil time.Time     // zero while it works
	rests     int           // in a row, for their length
	probe     fax.AttemptID // the call of this host that finds out; "" for none
	changed   time.Time     // when it began to rest, or to work again
	told      time.Time     // which change the other hosts know of
}

func (b *breaker) works() bool { return b.restUntil.IsZero() }

// rest and mend are told to the other hosts to the microsecond, as databases
// keep it.
func (b *breaker) rest(now time.Time) {
	now = now.Truncate(time.Microsecond)
	b.restUntil, b.changed = now.Add(min(b.longest, b.shortest<<min(b.rests, 10))), now
	b.rests++
}

func (b *breaker) mend(now time.Time) {
	b.restUntil, b.rests, b.changed = time.Time{}, 0, now.Truncate(time.Microsecond)
}

// probing says that one call at a time finds out whether it works again: one of
// all hosts, since the database counts them.
func (b *breaker) probing(now time.Time) bool { return !b.works() && !now.Before(b.restUntil) }

// untold says whether the other hosts do not know how it is.
func (b *breaker) untold() bool { return b.changed.After(b.told) }

// learn takes over what another host has found out since; true when it did.
func (b *breaker) learn(r store.Rest) bool {
	if r.Changed.Equal(b.changed) {
		b.told = b.changed
	}
	if !r.Changed.After(b.changed) {
		return false
	}
	b.restUntil, b.rests, b.changed, b.told = r.Until, r.Rests, r.Changed, r.Changed
	return true
}

// room says how many new calls it may get now; many while it works.
func (b *breaker) room(now time.Time, many int) int {
	switch {
	case b.works():
		return many
	case now.Before(b.restUntil) || b.probe != "":
		return 0
	default:
		return 1
	}
}

// placed notes a call that is about to be made.
func (b *breaker) placed(id fax.AttemptID) {
	if !b.works() && b.probe == "" {
		b.probe = id
	}
}

// ended says whether the call that ended was the one that finds out.
func (b *breaker) ended(id fax.AttemptID) bool {
	if b.probe != id || id == "" {
		return false
	}
	b.probe = ""
	return true
}

// state is a word for metrics and people.
func (b *breaker) state(now time.Time) string {
	switch {
	case b.works():
		return "working"
	case now.Before(b.restUntil):
		return "resting"
	default:
		return "probing"
	}
}
