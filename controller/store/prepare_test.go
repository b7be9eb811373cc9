package store

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"faxbot/controller/fax"
	"faxbot/controller/store/pgtest"
)

// deliver takes a fax from submission to its result.
func (s *Store) deliver(t testing.TB) {
	t.Helper()
	c := s.dialing(t, newJob())
	if err := s.Advance(t.Context(), c.Attempt.ID, fax.AttemptFaxing); err != nil {
		t.Fatal(err)
	}
	if err := s.Renew(t.Context(), time.Minute); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := s.Look(t.Context(), c.Job.ID); err != nil {
		t.Fatal(err)
	}
	must(s.List(t.Context(), Filter{Owner: "k1", Limit: 10}))(t)
	_, _, err := s.Finish(t.Context(), c.Attempt.ID, fax.Result{Cause: fax.OK}, Outcome{State: fax.Done, Confirmed: 3})
	if err != nil {
		t.Fatal(err)
	}
}

// onOne runs statements on a single connection to PostgreSQL, which stays.
func (s *Store) onOne() {
	s.read.(rebound).session.(interface{ SetMaxOpenConns(int) }).SetMaxOpenConns(1)
}

// A statement is parsed once on each connection, however often it runs; what is
// put together as needed leaves nothing behind.
func TestStatementsArePreparedOnce(t *testing.T) {
	t.Parallel()
	s := postgresSchema(t).open(t, "a")
	s.onOne()
	prepared := func() (texts []string, runs int) {
		t.Helper()
		var rows []struct {
			Statement string `db:"statement"`
			Runs      int    `db:"runs"`
		}
		if err := s.list(t.Context(), &rows, `SELECT statement, generic_plans + custom_plans AS runs FROM pg_prepared_statements`); err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			texts, runs = append(texts, r.Statement), runs+r.Runs
		}
		slices.Sort(texts)
		return texts, runs
	}
	s.deliver(t)
	first, _ := prepared()
	for range 20 {
		s.deliver(t)
	}
	then, runs := prepared()
	if diff := cmp.Diff(first, then); diff != "" {
		t.Errorf("after more of the same:\n%s", diff)
	}
	if len(slices.Compact(slices.Clone(then))) != len(then) || runs < 15*len(then) {
		t.Errorf("%d statements, run %d times:\n%s", len(then), runs, strings.Join(then, "\n"))
	}
	for _, text := range then {
		if strings.Contains(text, "ORDER BY id DESC LIMIT") {
			t.Errorf("kept: %s", text)
		}
	}
}

// Who gives up waiting for an answer spoils no connection for others.
func TestAnInterruptedQuestion(t *testing.T) {
	t.Parallel()
	db := postgresSchema(t)
	s, watch := db.open(t, "a"), db.open(t, "b")
	s.onOne()
	ctx, cancel := context.WithCancel(t.Context())
	asked := make(chan error, 1)
	go func() {
		var n int
		asked <- s.get(ctx, &n, `SELECT 1 FROM pg_sleep(?)`, 60)
	}()
	for asking := 0; asking == 0; {
		err := watch.get(t.Context(), &asking, `SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep%'
			AND application_name = current_setting('application_name') AND pid <> pg_backend_pid()`)
		if err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	if err := <-asked; err == nil {
		t.Error("answered")
	}
	for range 20 {
		s.deliver(t)
	}
}

// Behind a pooler that lends connections for one transaction each, no statement
// is ever another client's, whoever else is there. What other hosts do is looked
// after again and again, since nothing is heard of them.
func TestBehindAPooler(t *testing.T) {
	t.Parallel()
	server := pgtest.RunT(t)
	db := database{server.PoolerT(t)}
	a, b := db.open(t, "a"), db.open(t, "b")
	looks := b.hearing(t)
	looks.until(t, News{})
	var wg sync.WaitGroup
	for _, s := range []*Store{a, b} {
		for range 4 {
			wg.Go(func() {
				for range 10 {
					job := s.queued(t, newJob())
					if _, _, _, err := s.Look(t.Context(), job.ID); err != nil {
						t.Error(err)
					}
					if _, err := s.AskCancel(t.Context(), job.ID); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	wg.Wait()
	if n := must(a.Count(t.Context(), Filter{States: []fax.State{fax.Cancelled}}))(t); n != 80 {
		t.Errorf("%d of 80 cancelled", n)
	}
	looks.until(t, News{})
}
