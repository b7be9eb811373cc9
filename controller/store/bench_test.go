package store

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"faxbot/controller/fax"
)

// BenchmarkLifecycle takes faxes from Create to Finish with 64 goroutines, on
// a disk (the folder of the test binary's temporary files), and compares:
//
//	group    as the daemon does it
//	alone    a transaction and an fsync for each call, nothing shared
//	postgres the test server, which does not fsync
func BenchmarkLifecycle(b *testing.B) {
	b.Run("group", func(b *testing.B) {
		lifecycles(b, sqliteFile(b).open(b, "a"))
	})
	b.Run("alone", func(b *testing.B) {
		s := sqliteFile(b).open(b, "a")
		alone(b, s)
		lifecycles(b, s)
	})
	b.Run("postgres", func(b *testing.B) {
		lifecycles(b, postgresSchema(b).open(b, "a"))
	})
}

// BenchmarkCreate is what a client of POST /fax waits for, with 64 of them.
func BenchmarkCreate(b *testing.B) {
	create := func(b *testing.B, s *Store) {
		parallel(b, func() { s.received(b, newJob()) })
	}
	b.Run("group", func(b *testing.B) { create(b, sqliteFile(b).open(b, "a")) })
	b.Run("alone", func(b *testing.B) {
		s := sqliteFile(b).open(b, "a")
		alone(b, s)
		create(b, s)
	})
}

// BenchmarkClaim claims one job of many, beside few or many that have finished.
func BenchmarkClaim(b *testing.B) {
	for _, finished := range []int{100, 100_000} {
		b.Run(fmt.Sprintf("sqlite/after=%d", finished), func(b *testing.B) { claims(b, sqliteFile(b), finished) })
		b.Run(fmt.Sprintf("postgres/after=%d", finished), func(b *testing.B) { claims(b, postgresSchema(b), finished) })
	}
}

func claims(b *testing.B, db database, finished int) {
	s, err := Open(b.Context(), db.url, Options{Host: "a"})
	if err != nil {
		b.Fatal(err)
	}
	c := s.dialing(b, newJob())
	if _, _, err := s.Finish(b.Context(), c.Attempt.ID, fax.Result{}, Outcome{State: fax.Failed}); err != nil {
		b.Fatal(err)
	}
	err = s.exec(b, `WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?)
		INSERT INTO jobs SELECT 'old' || n, to_number || n, owner, state, cause, error, documents, pages, confirmed,
		options, priority, max_attempts, dials, tries, due_at, deadline, cancel_asked, created_at, updated_at, '', '', NULL
		FROM jobs, n`, finished)
	if err != nil {
		b.Fatal(err)
	}
	if err := s.Close(); err != nil { // which empties the write-ahead log
		b.Fatal(err)
	}
	s = db.open(b, "a")
	for range b.N {
		s.queued(b, newJob())
	}
	r := request(1)
	b.ResetTimer()
	for range b.N {
		claimed, err := s.Claim(b.Context(), r)
		if err != nil || len(claimed) != 1 {
			b.Fatal(len(claimed), err)
		}
		b.StopTimer()
		_, _, err = s.Finish(b.Context(), claimed[0].Attempt.ID, fax.Result{}, Outcome{State: fax.Failed})
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

func lifecycles(b *testing.B, s *Store) {
	ctx := b.Context()
	r := request(1)
	r.Now = r.Now.Add(time.Hour)
	parallel(b, func() {
		s.queued(b, newJob())
		claimed, err := s.Claim(ctx, r) // perhaps another goroutine's job
		if err != nil || len(claimed) != 1 {
			b.Error(len(claimed), err)
			return
		}
		id := claimed[0].Attempt.ID
		for _, state := range []fax.AttemptState{fax.AttemptAnswered, fax.AttemptFaxing} {
			if err := s.Advance(ctx, id, state); err != nil {
				b.Error(err)
			}
		}
		if _, _, err := s.Finish(ctx, id, fax.Result{Cause: fax.OK}, Outcome{State: fax.Done, Confirmed: 3}); err != nil {
			b.Error(err)
		}
	})
	if n, err := s.Count(ctx, Filter{Status: fax.StatusSuccess}); err != nil || n != b.N {
		b.Errorf("%d of %d done, %v", n, b.N, err)
	}
}

// parallel does b.N things with 64 goroutines.
func parallel(b *testing.B, do func()) {
	work := make(chan struct{})
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for range work {
				do()
			}
		})
	}
	b.ResetTimer()
	for range b.N {
		work <- struct{}{}
	}
	close(work)
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "faxes/s")
	b.ReportMetric(0, "ns/op")
}

// alone replaces group commit by what one would write without it.
func alone(b *testing.B, s *Store) {
	b.Helper()
	db, err := sqlx.Open("sqlite", "file:"+s.file(b)+"?_busy_timeout=10000&_journal_mode=WAL&_synchronous=FULL&_foreign_keys=1")
	if err != nil {
		b.Fatal(err)
	}
	conn, err := db.Connx(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		conn.Close()
		db.Close()
	})
	tx := &prepared{on: conn}
	var turn sync.Mutex
	s.write = func(ctx context.Context, do func(context.Context, session) error) error {
		turn.Lock()
		defer turn.Unlock()
		ctx = context.WithoutCancel(ctx)
		if _, err := tx.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
			return err
		}
		if err := do(ctx, tx); err != nil {
			_, _ = tx.ExecContext(ctx, "ROLLBACK")
			return err
		}
		_, err := tx.ExecContext(ctx, "COMMIT")
		return err
	}
}

// file is where the database is.
func (s *Store) file(b *testing.B) string {
	b.Helper()
	var name string
	if err := s.get(b.Context(), &name, "SELECT file FROM pragma_database_list"); err != nil {
		b.Fatal(err)
	}
	if _, err := os.Stat(filepath.Clean(name)); err != nil {
		b.Fatal(err)
	}
	return name
}
