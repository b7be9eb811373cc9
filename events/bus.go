package events

import (
	"sync"
	"time"

	"faxbot/controller/fax"
)

// Notice tells listeners what became of a fax just now. It is a copy; nobody
// shares it.
type Notice struct {
	At      time.Time
	Job     fax.Job
	Attempt fax.Attempt // zero when no call is concerned
	Line    Line        // as far as it is known
}

// Bus hands notices to whoever listens at the moment. It never waits: a
// listener that does not keep up misses notices and is told how many. What must
// arrive is read from the store instead.
type Bus struct {
	mu        sync.Mutex
	listeners map[*Listener]struct{}
}

// Listener receives notices on C until it is closed.
type Listener struct {
	C <-chan Notice
	// Lost has a value when notices were missed since one was taken from it.
	Lost   <-chan struct{}
	c      chan Notice
	lost   chan struct{}
	bus    *Bus
	missed int
}

// miss notes it; bus.mu is held.
func (l *Listener) miss() {
	l.missed++
	select {
	case l.lost <- struct{}{}:
	default:
	}
}

// Listen returns a listener with room for that many notices. Close it.
func (b *Bus) Listen(room int) *Listener {
	c, lost := make(chan Notice, room), make(chan struct{}, 1)
	l := &Listener{C: c, Lost: lost, c: c, lost: lost, bus: b}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.listeners == nil {
		b.listeners = map[*Listener]struct{}{}
	}
	b.listeners[l] = struct{}{}
	return l
}

// Publish gives n to every listener that has room.
func (b *Bus) Publish(n Notice) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for l := range b.listeners {
		select {
		case l.c <- n:
		default:
			l.miss()
		}
	}
}

// Miss says that notices were lost before they came here: everybody missed one.
func (b *Bus) Miss() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for l := range b.listeners {
		l.miss()
	}
}

// Heard says whether anybody listens.
func (b *Bus) Heard() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.listeners) > 0
}

// Missed returns how many notices this listener had no room for.
func (l *Listener) Missed() int {
	l.bus.mu.Lock()
	defer l.bus.mu.Unlock()
	return l.missed
}

// Close ends the listening and closes C.
func (l *Listener) Close() {
	l.bus.mu.Lock()
	defer l.bus.mu.Unlock()
	if _, ok := l.bus.listeners[l]; ok {
		delete(l.bus.listeners, l)
		close(l.c)
	}
}
