package main

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// quiet keeps strangers from filling the log: of warnings that name a peer, only
// the first of a kind are written in a time, and then how many were left out. A
// kind is a message and its reason.
type quiet struct {
	slog.Handler
	kinds *kinds
}

type kinds struct {
	mu    sync.Mutex
	all   map[string]*kind
	swept time.Time
}

type kind struct {
	since   time.Time // of the running period
	written int
	left    int // out, of what came in the period
}

const (
	quietFor   = 10 * time.Second
	quietAfter = 10 // of a kind in that time; there are few kinds, since messages and reasons are ours
)

func newQuiet(h slog.Handler) quiet { return quiet{h, &kinds{all: map[string]*kind{}}} }

// Handle writes a record or leaves it out.
func (q quiet) Handle(ctx context.Context, r slog.Record) error {
	for name, left := range q.kinds.over(r.Time) {
		told := slog.NewRecord(r.Time, slog.LevelWarn, "warnings of one kind were left out", 0)
		told.AddAttrs(slog.String("kind", name), slog.Int("left_out", left))
		if err := q.Handler.Handle(ctx, told); err != nil {
			return err
		}
	}
	if r.Level != slog.LevelWarn {
		return q.Handler.Handle(ctx, r)
	}
	peer, name := false, r.Message
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "peer":
			peer = true
		case "reason":
			name += " " + a.Value.String()
		}
		return true
	})
	if !peer {
		return q.Handler.Handle(ctx, r)
	}
	if !q.kinds.admit(name, r.Time) {
		return nil
	}
	return q.Handler.Handle(ctx, r)
}

// admit says whether one of a kind is written.
func (k *kinds) admit(name string, at time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	one := k.all[name]
	if one == nil {
		one = &kind{since: at}
		k.all[name] = one
	}
	if one.written >= quietAfter {
		one.left++
		return false
	}
	one.written++
	return true
}

// over forgets the kinds whose time is over, and says how many were left out
// of those of which some were.
func (k *kinds) over(at time.Time) map[string]int {
	k.mu.Lock()
	defer k.mu.Unlock()
	if at.Sub(k.swept) < quietFor/10 {
		return nil
	}
	k.swept = at
	left := map[string]int{}
	for name, one := range k.all {
		if at.Sub(one.since) < quietFor {
			continue
		}
		if one.left > 0 {
			left[name] = one.left
		}
		delete(k.all, name)
	}
	return left
}

// WithAttrs and WithGroup keep the counts common.
func (q quiet) WithAttrs(attrs []slog.Attr) slog.Handler {
	return quiet{q.Handler.WithAttrs(attrs), q.kinds}
}

// WithGroup is for slog.
func (q quiet) WithGroup(name string) slog.Handler { return quiet{q.Handler.WithGroup(name), q.kinds} }
