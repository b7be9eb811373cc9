package simulator

import (
	"context"
	"slices"
	"time"
)

// widen puts a link among those that may be sent events of any call, or takes
// it away.
func (s *Switch) widen(l *link, wide bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.Contains(s.wide, l) == wide {
		return
	}
	others := slices.DeleteFunc(slices.Clone(s.wide), func(o *link) bool { return o == l })
	if wide {
		others = append(others, l)
	}
	s.wide = others
}

// fire sends an event to all who listen. With a call its lock is held.
func (s *Switch) fire(k kind, f facts) {
	f.sw, f.seq = s, s.sequence.Add(1)
	s.mu.Lock()
	wide := s.wide
	s.mu.Unlock()
	var own *link
	if f.call != nil {
		own = f.call.link
	}
	text := rendered{k: k, f: &f}
	if own != nil {
		own.offer(&text)
	}
	for _, l := range wide {
		if l != own {
			l.offer(&text)
		}
	}
	if text.space != nil {
		s.recycle(text.space)
	}
}

// rendered is an event's text, made when the first listener wants it.
type rendered struct {
	k    kind
	f    *facts
	text []byte

	space *[]byte // where text lies; goes back to the pool
}

func (r *rendered) message() []byte {
	if r.text == nil {
		if r.f.at.IsZero() {
			r.f.at = time.Now()
		}
		var history []byte
		if r.f.call != nil {
			history = r.f.call.history
		}
		r.space = r.f.sw.buffer()
		*r.space, r.text = r.f.frame(*r.space, r.f.sw.library.template(r.k, history))
	}
	return r.text
}

// buffer lends an empty buffer, large enough for an event.
func (s *Switch) buffer() *[]byte {
	if b, ok := s.space.Get().(*[]byte); ok {
		return b
	}
	b := make([]byte, 0, 12<<10)
	return &b
}

func (s *Switch) recycle(b *[]byte) {
	if cap(*b) <= 256<<10 {
		*b = (*b)[:0]
		s.space.Put(b)
	}
}

func (s *Switch) beat(ctx context.Context) {
	tick := time.NewTicker(s.config.Heartbeat)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.fire(heartbeat, facts{})
		case <-ctx.Done():
			return
		}
	}
}
