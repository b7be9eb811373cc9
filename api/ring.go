package api

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"sync"
	"time"

	"faxbot/controller"
	"faxbot/controller/fax"
)

// ring knows the holders of stored keys. To check a token costs 50 ms on
// purpose, so whoever was right is believed for a minute.
type ring struct {
	keys keyStore // nil: no keys but the bootstrap key
	log  *slog.Logger
	turn chan struct{} // a token in it for each check that runs

	mu      sync.Mutex
	holders map[[sha256.Size]byte]holder // by token
	changes int                          // of keys; what was read before one is not kept after it
}

// keyStore is where keys are kept.
type keyStore interface {
	Find(ctx context.Context, id string) (controller.Key, error)
	Used(ctx context.Context, id string, at time.Time) error
}

type holder struct {
	principal
	until time.Time
}

const (
	believedFor  = time.Minute
	checksAtOnce = 2 // each takes a processor and 16 MiB
	checkedIn    = 5 * time.Second
)

// errUnchecked is for keys while the database hangs.
var errUnchecked = &fax.Error{Problem: fax.Unavailable, Detail: "API keys cannot be checked now, since the database does not answer; try again later"}

func newRing(c Config) *ring {
	r := &ring{log: c.Logger, turn: make(chan struct{}, checksAtOnce), holders: map[[sha256.Size]byte]holder{}}
	if c.Controller != nil {
		r.keys = c.Controller.Keys()
	}
	return r
}

// holder says whose the token is; ok is false when it is nobody's. An error
// means that nobody can know now.
func (r *ring) holder(ctx context.Context, token string) (who principal, ok bool, err error) {
	id, secret, ok := parseToken(token)
	if !ok || r.keys == nil {
		return principal{}, false, nil
	}
	sum := sha256.Sum256([]byte(token))
	if who, ok, _ = r.believed(sum); ok {
		return who, true, nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, checkedIn, errUnchecked)
	defer cancel()
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-ctx.Done():
		return principal{}, false, context.Cause(ctx)
	}
	who, ok, changes := r.believed(sum) // another request has checked it meanwhile
	if ok {
		return who, true, nil
	}
	key, err := r.keys.Find(ctx, id)
	if fax.ProblemOf(err) == fax.NotFound {
		return principal{}, false, nil
	}
	if err != nil && ctx.Err() != nil {
		return principal{}, false, context.Cause(ctx)
	}
	now := time.Now()
	if err != nil || !key.Good(now) || !matches(secret, key.Hash) {
		return principal{}, false, err
	}
	who = principal{name: "key " + key.ID, owner: key.ID}
	for _, s := range key.Scopes {
		who.scopes = append(who.scopes, scope(s))
	}
	until := now.Add(believedFor)
	if !key.ExpiresAt.IsZero() && key.ExpiresAt.Before(until) {
		until = key.ExpiresAt
	}
	r.believe(sum, holder{who, until}, changes)
	if err := r.keys.Used(ctx, key.ID, now); err != nil {
		r.log.Warn("the last use of a key could not be noted", "key", key.ID, "error", err)
	}
	return who, true, nil
}

func (r *ring) believed(token [sha256.Size]byte) (who principal, ok bool, changes int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h, ok := r.holders[token]
	return h.principal, ok && time.Now().Before(h.until), r.changes
}

func (r *ring) believe(token [sha256.Size]byte, h holder, changes int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.changes != changes {
		return
	}
	if len(r.holders) >= generation {
		clear(r.holders)
	}
	r.holders[token] = h
}

// changed forgets what was believed of a key, at once.
func (r *ring) changed(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.changes++
	for token, h := range r.holders {
		if h.owner == id {
			delete(r.holders, token)
		}
	}
}
