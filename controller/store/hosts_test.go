package store

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"faxbot/controller/fax"
	"faxbot/controller/store/pgtest"
)

// TestHosts shows what one PostgreSQL, which syncs to disk, takes from several
// hosts, and what a fax costs it: `make scale`. A host is a store with its own
// connections and 16 goroutines; nothing is on the line, so calls last no time.
func TestHosts(t *testing.T) {
	if os.Getenv("FAXBOT_SCALE") == "" {
		t.Skip("a measurement: make scale")
	}
	const faxes, workers = 1600, 16
	server, err := pgtest.Start("-c shared_preload_libraries=pg_stat_statements -c shared_buffers=256MB")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := server.Remove(); err != nil {
			t.Error(err)
		}
	}()
	admin := sqlx.MustOpen("postgres", server.URL)
	defer admin.Close()
	admin.MustExec("CREATE EXTENSION pg_stat_statements SCHEMA public")
	fmt.Printf("\n%5s %14s %14s %14s %18s %14s\n", "hosts", "submissions/s", "claims/s", "calls/s", "statements/fax", "WAL bytes/fax")
	for _, n := range []int{1, 2, 4} {
		name := fmt.Sprint("hosts", n)
		admin.MustExec("CREATE SCHEMA " + name)
		db := database{server.URL + "&search_path=" + name}
		var hosts []*Store
		for i := range n {
			hosts = append(hosts, db.open(t, fmt.Sprint("host", i)))
		}
		// rate has workers of all hosts work, and returns how many faxes that makes
		// a second.
		rate := func(work func(s *Store)) float64 {
			began := time.Now()
			var wg sync.WaitGroup
			for _, s := range hosts {
				for range workers {
					wg.Go(func() { work(s) })
				}
			}
			wg.Wait()
			return faxes / time.Since(began).Seconds()
		}
		each := func(do func(s *Store, i int)) func(*Store) {
			var next atomic.Int64
			return func(s *Store) {
				for i := int(next.Add(1)); i <= faxes; i = int(next.Add(1)) {
					do(s, i-1)
				}
			}
		}
		admin.MustExec("CHECKPOINT; SELECT public.pg_stat_statements_reset()")
		wal := must(count(admin, "SELECT pg_current_wal_lsn() - '0/0'"))(t)

		jobs := make([]fax.Job, faxes)
		submissions := rate(each(func(s *Store, i int) { jobs[i] = s.received(t, newJob()) }))
		rate(each(func(s *Store, i int) {
			if err := s.Prepared(t.Context(), jobs[i].ID, sheets(3)); err != nil {
				t.Error(err)
			}
		}))
		// One claim at a time on each host, as the scheduler does it.
		calls := map[*Store]chan Claimed{}
		began := time.Now()
		var claiming sync.WaitGroup
		for _, s := range hosts {
			mine := make(chan Claimed, faxes)
			calls[s] = mine
			claiming.Go(func() {
				defer close(mine)
				r := request(16)
				r.Now = r.Now.Add(time.Hour)
				for {
					list, err := s.Claim(t.Context(), r)
					if err != nil {
						t.Error(err)
					}
					if len(list) == 0 {
						return
					}
					for _, c := range list {
						mine <- c
					}
				}
			})
		}
		claiming.Wait()
		claims, claimed := float64(faxes)/time.Since(began).Seconds(), 0
		for _, mine := range calls {
			claimed += len(mine)
		}
		if claimed != faxes {
			t.Fatalf("%d of %d claimed", claimed, faxes)
		}
		ended := rate(func(s *Store) {
			for c := range calls[s] {
				oneCall(t, s, c)
			}
		})
		wal = must(count(admin, "SELECT pg_current_wal_lsn() - '0/0'"))(t) - wal
		statements := must(count(admin, "SELECT sum(calls) FROM public.pg_stat_statements WHERE query !~ '^(BEGIN|COMMIT)'"))(t)
		fmt.Printf("%5d %14.0f %14.0f %14.0f %18.1f %14.0f\n", n, submissions, claims, ended, float64(statements)/faxes, float64(wal)/faxes)
	}
}

func count(db *sqlx.DB, query string) (n int64, err error) {
	return n, db.Get(&n, query)
}

// oneCall delivers a fax of three pages.
func oneCall(t *testing.T, s *Store, c Claimed) {
	for _, state := range []fax.AttemptState{fax.AttemptDialing, fax.AttemptFaxing} {
		if err := s.Advance(t.Context(), c.Attempt.ID, state); err != nil {
			t.Error(err)
		}
	}
	for page := 1; page <= 3; page++ {
		if err := s.Progress(t.Context(), c.Attempt.ID, page); err != nil {
			t.Error(err)
		}
	}
	known := fax.Destination{Way: fax.Way{UpdatedAt: now()}}
	_, _, err := s.Finish(t.Context(), c.Attempt.ID, fax.Result{Cause: fax.OK}, Outcome{State: fax.Done, Confirmed: 3, Known: &known})
	if err != nil {
		t.Error(err)
	}
}
