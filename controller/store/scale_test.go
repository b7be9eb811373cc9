package store

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"faxbot/controller/fax"
	"faxbot/controller/store/pgtest"
)

// TestScale shows that work costs the same beside few and beside many faxes
// that have ended: `make scale`. FAXBOT_SCALE is how many; SQLite gets a fifth.
func TestScale(t *testing.T) {
	many, err := strconv.Atoi(os.Getenv("FAXBOT_SCALE"))
	if err != nil {
		t.Skip("set FAXBOT_SCALE to the number of faxes that have ended: make scale")
	}
	server, err := pgtest.Start(pgtest.Quick, "-c shared_buffers=512MB -c max_wal_size=8GB -c full_page_writes=off")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := server.Remove(); err != nil {
			t.Error(err)
		}
	}()
	schema := func(name string) database {
		db := sqlx.MustOpen("postgres", server.URL)
		defer db.Close()
		db.MustExec("CREATE SCHEMA " + name)
		return database{server.URL + "&search_path=" + name}
	}
	for _, one := range []struct {
		name      string
		few, many database
		n         int
	}{
		{"PostgreSQL", schema("few"), schema("many"), many},
		{"SQLite", sqliteFile(t), sqliteFile(t), many / 5},
	} {
		few, plans := measured(t, one.few, 100)
		lots, plansOfMany := measured(t, one.many, one.n)
		fmt.Printf("\n%s, milliseconds (median, 95 of 100)\n%-34s %18s %18s\n", one.name, "", "100 ended", fmt.Sprint(one.n, " ended"))
		for i, f := range few {
			fmt.Printf("%-34s %8.2f %9.2f %8.2f %9.2f\n", f.what, f.median, f.most, lots[i].median, lots[i].most)
		}
		if one.name == "PostgreSQL" {
			s := one.many.open(t, "b")
			var bytes int64
			if err := s.get(t.Context(), &bytes, `SELECT pg_total_relation_size('jobs') + pg_total_relation_size('attempts')`); err != nil {
				t.Fatal(err)
			}
			fmt.Printf("\n%d bytes for each fax with one call, indices included\n", bytes/int64(one.n))
		}
		fmt.Printf("\nHow %s finds them, beside 100:\n%s\nand beside %d:\n%s", one.name, plans, one.n, plansOfMany)
	}
}

type figure struct {
	what         string
	median, most float64 // ms
}

func timed(what string, rounds int, do func()) figure {
	took := make([]float64, rounds)
	for i := range took {
		began := time.Now()
		do()
		took[i] = float64(time.Since(began).Microseconds()) / 1000
	}
	slices.Sort(took)
	return figure{what, took[rounds/2], took[rounds*95/100]}
}

// measured takes the figures of a database in which so many faxes have ended.
func measured(t *testing.T, db database, ended int) (figures []figure, plans string) {
	s := db.open(t, "a")
	fill(t, s, db, ended)
	const rounds = 200
	for range 2 * rounds { // the queue
		s.queued(t, newJob())
	}
	measure := func(what string, do func()) { figures = append(figures, timed(what, rounds, do)) }
	var open []Claimed
	mine := newJob()
	mine.Owner = "k7"
	mine = s.queued(t, mine)
	hot := hotPath(t, mine, &open)
	for _, h := range hot {
		if h.measured {
			measure(h.what, func() { h.do(s) })
		}
	}
	quiet, busy, erased := erasing(t, db, s, func() { open = append(open, s.claimSoon(t)) }, func() { s.queued(t, newJob()) })
	figures = append(figures, quiet, busy)
	if erased > 0 {
		fmt.Printf("%d faxes were erased meanwhile\n", erased)
	}
	return figures, explained(t, s, hot, ended)
}

// hot is something that a daemon does all the time, or that a client waits for.
type hot struct {
	what     string
	measured bool
	do       func(*Store)
}

func hotPath(t *testing.T, mine fax.Job, open *[]Claimed) []hot {
	ctx := t.Context()
	list := func(f Filter) func(*Store) {
		f.Limit = 50
		return func(s *Store) { must(s.List(ctx, f))(t) }
	}
	check := func(do func(*Store) error) func(*Store) {
		return func(s *Store) {
			t.Helper()
			if err := do(s); err != nil {
				t.Fatal(err)
			}
		}
	}
	long := time.Unix(1, 0) // so that nothing is old enough
	return []hot{
		{"claim one of 400", true, func(s *Store) { *open = append(*open, s.claimSoon(t)) }},
		{"submit", true, func(s *Store) { s.received(t, newJob()) }},
		{"store a page", true, check(func(s *Store) error { return s.Progress(ctx, (*open)[0].Attempt.ID, (*open)[0].Attempt.Result.Pages+1) })},
		{"store a result", true, check(func(s *Store) error {
			_, _, err := s.Finish(ctx, (*open)[0].Attempt.ID, fax.Result{}, Outcome{State: fax.Failed, Known: &fax.Destination{Way: fax.Way{UpdatedAt: now()}}})
			*open = (*open)[1:]
			return err
		})},
		{"answered", false, check(func(s *Store) error { return s.Advance(ctx, (*open)[0].Attempt.ID, fax.AttemptFaxing) })},
		{"pages drawn", false, func(s *Store) { s.queued(t, newJob()) }},
		{"when the next is due", true, func(s *Store) {
			_, _, err := s.NextDue(ctx, time.Now())
			must(0, err)(t)
		}},
		{"renew leases", true, check(func(s *Store) error { return s.Renew(ctx, time.Minute) })},
		{"calls of nobody", false, func(s *Store) { must(s.Orphans(ctx))(t) }},
		{"calls of our own", false, func(s *Store) { must(s.Own(ctx))(t) }},
		{"calls that were cancelled", false, func(s *Store) { must(s.Unwanted(ctx))(t) }},
		{"faxes to be drawn", false, func(s *Store) { must(s.Unprepared(ctx, 8))(t) }},
		{"what is known of a number", false, func(s *Store) { must(s.Destination(ctx, mine.To))(t) }},
		{"status of one fax", true, func(s *Store) {
			_, _, _, err := s.Look(ctx, mine.ID)
			must(0, err)(t)
		}},
		{"list, newest 50 of all", true, list(Filter{})},
		{"list, newest 50 of a key", true, list(Filter{Owner: mine.Owner})},
		{"list, 50 to a number", true, list(Filter{To: mine.To})},
		{"list, the queue", true, list(Filter{Status: fax.StatusQueued})},
		{"open faxes by state", true, func(s *Store) { must(s.Stats(ctx))(t) }},
		{"webhooks that are due", false, func(s *Store) { must(s.Outbox().Claim(ctx, now(), now(), 10))(t) }},
		{"webhooks that were given up", false, func(s *Store) { must(s.Outbox().Dead(ctx, 100))(t) }},
		{"audit, newest 50", false, func(s *Store) { must(s.Audit().List(ctx, AuditFilter{Limit: 50}))(t) }},
		{"faxes whose time is over", true, func(s *Store) { must(s.Expire(ctx, long))(t) }},
		{"documents due for deletion", true, func(s *Store) { must(s.Finished(ctx, long, 500))(t) }},
		{"documents to go at once", false, func(s *Store) { must(s.Spent(ctx, 500))(t) }},
		{"documents deleted lately", false, func(s *Store) { must(s.PurgedSince(ctx, now()))(t) }},
		{"faxes due for deletion", true, func(s *Store) { must(s.Erase(ctx, long, now(), 200))(t) }},
		{"erase 200 faxes", false, func(s *Store) { must(s.Erase(ctx, now(), now(), 200))(t) }},
		{"forget 200 numbers", false, func(s *Store) { must(s.ForgetOld(ctx, now().Add(-time.Minute), 200))(t) }},
		{"erase 200 audit records", false, func(s *Store) { must(s.Audit().Forget(ctx, time.Unix(1<<31, 0), 200))(t) }},
	}
}

// claimSoon claims one of all that wait.
func (s *Store) claimSoon(t testing.TB) Claimed {
	t.Helper()
	r := request(1)
	r.Now = r.Now.Add(time.Hour)
	got := must(s.Claim(t.Context(), r))(t)
	if len(got) != 1 {
		t.Fatal("nothing is left to be claimed")
	}
	return got[0]
}

// erasing measures claims alone, and while another host erases faxes that ended
// long ago without a pause, as many as there are.
func erasing(t *testing.T, db database, s *Store, claim, refill func()) (quiet, busy figure, erased int) {
	const rounds = 200
	other := db.open(t, "other")
	var longest time.Duration
	claims := func(what string) figure {
		for range rounds {
			refill()
		}
		return timed(what, rounds, claim)
	}
	quiet = claims("claim, nobody erases")
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
			}
			began := time.Now()
			n, err := other.Erase(t.Context(), now(), now(), 200)
			if err != nil {
				t.Error(err)
				return
			}
			if erased += n; n < 200 {
				return
			}
			longest = max(longest, time.Since(began))
		}
	}()
	busy = claims("claim, while others erase")
	close(stop)
	<-stopped
	fmt.Printf("erasing took at most %s for 200 faxes\n", longest.Round(time.Millisecond))
	return quiet, busy, erased
}

// fill copies one fax that has ended, and its call, so many times: of 50 keys,
// each to a number of its own, one after another in time.
func fill(t *testing.T, s *Store, db database, n int) {
	t.Helper()
	began := time.Now()
	job := newJob()
	job.Owner = "k0"
	job = s.ended(t, job)
	if err := s.write(t.Context(), func(ctx context.Context, tx session) error {
		return remember(ctx, tx, job.To, fax.Destination{Way: fax.Way{UpdatedAt: now()}})
	}); err != nil {
		t.Fatal(err)
	}
	exec := func(query string, args ...any) error { return s.exec(t, query, args...) }
	series, hex := `(WITH RECURSIVE r (n) AS (SELECT ? UNION ALL SELECT n + 1 FROM r WHERE n < ?) SELECT n FROM r) AS series`, `printf('%032x', n)`
	if s.herald != nil {
		series, hex = `generate_series($1::bigint, $2::bigint) AS series (n)`, `lpad(to_hex(n), 32, '0')`
		bulk, finish := bulkLoad(t, db)
		exec = bulk
		defer finish()
	}
	for _, table := range []struct{ name, key, columns string }{
		{"jobs", "id", jobColumns + ", facts, purged_at, idempotency_key, idempotency_digest"},
		{"attempts", "job_id", attemptColumns + ", to_number"},
		{"destinations", "to_number", destinationColumns},
		{"audit", "fax_id", recordColumns},
	} {
		template := `'` + string(job.ID) + `'`
		if table.key == "to_number" {
			template = `'` + string(job.To) + `'`
		}
		var values []string
		for _, c := range strings.FieldsFunc(table.columns, func(r rune) bool { return strings.ContainsRune(", \n\t", r) }) {
			switch c {
			case "id", "job_id", "fax_id":
				c = hex
			case "purged_at": // a fifth, the oldest
				c = `CASE WHEN n <= ` + fmt.Sprint(n/5) + ` THEN 1 END`
			case "to_number":
				c = `'+4930' || n`
			case "owner":
				c = `'k' || n % 50`
			case "updated_at", "ended_at", "created_at":
				c += ` - (1 + ` + fmt.Sprint(n) + ` - n) * 1000`
			}
			values = append(values, c)
		}
		const chunk = 250_000
		for from := 1; from <= n; from += chunk {
			err := exec(`INSERT INTO `+table.name+` (`+table.columns+`) SELECT `+strings.Join(values, ", ")+
				` FROM `+table.name+`, `+series+` WHERE `+table.key+` = `+template, from, min(n, from+chunk-1))
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if s.herald == nil {
		if err := exec("ANALYZE"); err != nil {
			t.Fatal(err)
		}
	}
	fmt.Printf("%d faxes filled in within %s\n", n, time.Since(began).Round(time.Second))
}

// bulkLoad is a connection that takes rows unchecked, into tables without their
// indices; finish makes those again.
func bulkLoad(t *testing.T, db database) (exec func(string, ...any) error, finish func()) {
	t.Helper()
	pool := sqlx.MustOpen("postgres", db.url)
	pool.SetMaxOpenConns(1)
	pool.MustExec(`SET session_replication_role = replica; SET maintenance_work_mem = '512MB'`)
	var indices []string
	err := pool.Select(&indices, `SELECT indexdef FROM pg_indexes WHERE schemaname = current_schema() AND tablename IN ('jobs', 'attempts', 'destinations', 'audit')
		AND indexname NOT IN (SELECT conname FROM pg_constraint) AND indexdef NOT LIKE '%state <>%'`)
	if err != nil {
		t.Fatal(err)
	}
	for _, definition := range indices {
		_, name, _ := strings.Cut(definition, "INDEX ")
		name, _, _ = strings.Cut(name, " ")
		pool.MustExec("DROP INDEX " + name)
	}
	exec = func(query string, args ...any) error {
		_, err := pool.Exec(query, args...)
		return err
	}
	return exec, func() {
		defer pool.Close()
		for _, definition := range indices {
			pool.MustExec(definition)
		}
		pool.MustExec("ANALYZE")
	}
}
