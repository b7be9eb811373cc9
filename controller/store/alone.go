package store

import (
	"context"
	"database/sql"
	"sync"
	"time"
)

const (
	stillThere = 10 * time.Second // how often the one who works says so
	// silenceOf is how long he may say nothing: a host that stands still, or that
	// the network has lost, is hung up on by the server.
	silenceOf = time.Minute
)

// Alone does work now, once, unless another host is at the same task: then it
// returns without. Nobody is appointed: whoever comes first works, holding an
// advisory lock that ends with him or with his connection. The context of work
// ends when that is lost; for a moment, then, two may be at work. On SQLite there
// is one host.
//
// The lock is a transaction's, on a connection beside those that everybody uses,
// so that it holds behind a pooler, too, and the server can end it (silenceOf).
func (s *Store) Alone(ctx context.Context, task string, work func(context.Context)) error {
	if s.dialect.alone == "" {
		work(ctx)
		return nil
	}
	tx, err := s.tryAlone(ctx, task)
	for try := 1; stale(err) && try < tries; try++ {
		tx, err = s.tryAlone(ctx, task)
	}
	if err != nil || tx == nil {
		return s.dialect.explain("be read", err)
	}
	working, cancel := context.WithCancel(ctx)
	var watch sync.WaitGroup
	watch.Go(func() {
		defer cancel()
		tick := time.NewTicker(stillThere)
		defer tick.Stop()
		for err == nil {
			select {
			case <-working.Done():
				return
			case <-tick.C:
				_, err = tx.ExecContext(working, `SELECT 1`)
			}
		}
	})
	work(working)
	cancel()
	watch.Wait()
	if ended := tx.Commit(); err == nil {
		err = ended
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return s.dialect.explain("be read", err)
}

// tryAlone returns no transaction when another host has the lock.
func (s *Store) tryAlone(ctx context.Context, task string) (*sql.Tx, error) {
	tx, err := s.house.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	got := false
	err = tx.QueryRowContext(ctx, s.dialect.alone, silenceOf.Milliseconds(), task).Scan(new(string), &got)
	if err == nil && got {
		return tx, nil
	}
	_ = tx.Rollback() // it has done nothing
	return nil, err
}
