package store

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// One host works at a task, and nobody waits for it; when it is gone another one
// does, without having been told.
func TestHostsKeepHouseAlone(t *testing.T) {
	t.Parallel()
	db := postgresSchema(t)
	a, b := db.open(t, "a"), db.open(t, "b")
	entered, lost := make(chan struct{}), make(chan struct{})
	done := make(chan error, 1)
	go func() {
		done <- a.Alone(t.Context(), "dishes", func(ctx context.Context) {
			close(entered)
			<-ctx.Done()
			close(lost)
		})
	}()
	<-entered
	try := func(s *Store, task string) (worked bool) {
		t.Helper()
		if err := s.Alone(t.Context(), task, func(context.Context) { worked = true }); err != nil {
			t.Fatal(err)
		}
		return worked
	}
	for _, s := range []*Store{a, b} {
		if try(s, "dishes") {
			t.Errorf("two are at it: %s, too", s.host)
		}
		if !try(s, "windows") {
			t.Errorf("nobody does the windows, but for %s", s.host)
		}
	}
	// The host is gone, as far as the server sees.
	var cut int
	err := b.get(t.Context(), &cut, `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
		WHERE state = 'idle in transaction' AND query LIKE '%pg_try_advisory_xact_lock%' AND application_name = current_setting('application_name')`)
	if err != nil || cut != 1 {
		t.Fatal(cut, err)
	}
	for !try(b, "dishes") { // the server needs a moment to clear up
	}
	select {
	case <-lost:
	case <-time.After(6 * stillThere): // it needs one; a busy machine more
		t.Fatal("the host works on without its lock")
	}
	if err := <-done; err == nil {
		t.Error("the host does not say that its lock was lost")
	}
	if !try(a, "dishes") {
		t.Error("the host that lost its lock never works again")
	}
}

// However many hosts come at once, one works at a time.
func TestOneWorksAtATime(t *testing.T) {
	t.Parallel()
	db := postgresSchema(t)
	var at, worked atomic.Int32
	var hosts sync.WaitGroup
	for _, name := range []string{"a", "b", "c", "d"} {
		s := db.open(t, name)
		hosts.Go(func() {
			for range 50 {
				err := s.Alone(t.Context(), "dishes", func(context.Context) {
					worked.Add(1)
					if at.Add(1) > 1 {
						t.Error("two are at it")
					}
					if err := s.Ping(t.Context()); err != nil {
						t.Error(err)
					}
					at.Add(-1)
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	hosts.Wait()
	if worked.Load() == 0 {
		t.Error("nobody works")
	}
}

// A host that stands still keeps nobody from the work.
func TestAHostThatStandsStillIsHungUpOn(t *testing.T) {
	t.Parallel()
	s := postgresSchema(t).open(t, "a")
	tx, err := s.house.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback() //nolint:errcheck // it is gone
	var limit string
	got := false
	if err := tx.QueryRowContext(t.Context(), s.dialect.alone, 100, "dishes").Scan(&limit, &got); err != nil || !got {
		t.Fatal(got, err)
	}
	for worked := false; !worked; {
		if err := s.Alone(t.Context(), "dishes", func(context.Context) { worked = true }); err != nil {
			t.Fatal(err)
		}
	}
}
