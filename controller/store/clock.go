package store

import (
	"context"
	"sync"
	"time"

	"faxbot/controller/fax"
)

// Now is the time by which everything in the store is due, rests and ends, and
// the only one to compare with what it holds. On SQLite that is this host's. On
// PostgreSQL it is the server's, as it was last told, and what has passed since
// by a clock that nobody sets: hosts whose clocks differ agree, but for the time
// that an answer takes, by which Now is late.
func (s *Store) Now() time.Time {
	if s.dialect.clock == "" {
		return s.wall()
	}
	return s.told.now()
}

// clock asks the database for its time.
func (s *Store) clock(ctx context.Context, from session) (time.Time, error) {
	now, _, err := s.hear(ctx, from, s.dialect.clock)
	return now, err
}

// hear asks the database for its time with a question of the dialect, and says
// by how much Now was behind it.
func (s *Store) hear(ctx context.Context, from session, question string) (now time.Time, off time.Duration, err error) {
	if question == "" {
		return s.wall(), 0, nil
	}
	var said moment
	if err = from.GetContext(ctx, &said, question); err == nil {
		off = s.told.set(said.Time)
	}
	return said.Time, off, err
}

// told is what the database's clock said, and when it did. Every claim, every
// renewal of leases and every report of a host asks anew.
type told struct {
	mu          sync.Mutex
	said, heard time.Time
}

// set returns by how much now was behind.
func (t *told) set(said time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	off := said.Sub(t.said) - now.Sub(t.heard)
	t.said, t.heard = said, now
	return off
}

func (t *told) now() time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.said.Add(time.Since(t.heard)) // which goes by the monotonic clock
}

// mostOff is by how much Now may be wrong when faxes are to be claimed. It is by
// more when this machine has slept, or when another database has taken over.
const mostOff = time.Second

var errSlept = &fax.Error{Problem: fax.Unavailable, Detail: "This host did not know what time it is. It does now; try again."}
