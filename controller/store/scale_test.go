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

// measured takes the figures of a database in which so many faxes have ended.
func measured(t *testing.T, db database, ended int) (figures []figure, plans string) {
	s := db.open(t, "a")
	fill(t, s, db, ended)
	const rounds = 200
	for range 2 * rounds { // the queue
		s.queued(t, newJob())
	}
	measure := func(what string, do func()) {
		took := make([]float64, rounds)
		for i := range took {
			began := time.Now()
			do()
			took[i] = float64(time.Since(began).Microseconds()) / 1000
		}
		slices.Sort(took)
		figures = append(figures, figure{what, took[rounds/2], took[rounds*95/100]})
	}
	var open []Claimed
	r := request(1)
	r.Now = r.Now.Add(time.Hour)
	measure("claim one of 400", func() { open = append(open, must(s.Claim(t.Context(), r))(t)...) })
	measure("submit", func() { s.received(t, newJob()) })
	measure("store a result", func() {
		if _, _, err := s.Finish(t.Context(), open[0].Attempt.ID, fax.Result{}, Outcome{State: fax.Failed}); err != nil {
			t.Fatal(err)
		}
		open = open[1:]
	})
	mine := newJob()
	mine.Owner = "k7"
	id := s.queued(t, mine).ID
	measure("status of one fax", func() {
		if _, _, _, err := s.Look(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	})
	list := func(f Filter) func() {
		f.Limit = 50
		return func() { must(s.List(t.Context(), f))(t) }
	}
	measure("list, newest 50 of all", list(Filter{}))
	measure("list, newest 50 of a key", list(Filter{Owner: "k7"}))
	measure("list, 50 to a number", list(Filter{To: mine.To}))
	measure("list, the queue", list(Filter{Status: fax.StatusQueued}))
	measure("open faxes by state", func() { must(s.Stats(t.Context()))(t) })
	measure("documents due for deletion", func() { must(s.Finished(t.Context(), time.Unix(1, 0), 500))(t) })
	measure("records due for deletion", func() { must(s.Erase(t.Context(), time.Unix(1, 0), time.Now(), 200))(t) })

	e := &explaining{verb: "EXPLAIN QUERY PLAN "}
	if s.herald != nil {
		e.verb = "EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF, SUMMARY OFF) "
	}
	write := s.write
	s.write = func(ctx context.Context, do func(context.Context, session) error) error {
		return write(ctx, func(ctx context.Context, tx session) error {
			e.session = tx
			return do(ctx, e)
		})
	}
	must(s.Claim(t.Context(), r))(t)
	return figures, e.text.String()
}

// explaining has the database say how it does what it is asked to select.
type explaining struct {
	session
	verb string
	text strings.Builder
}

func (e *explaining) SelectContext(ctx context.Context, dest any, query string, args ...any) error {
	var lines []string
	if strings.HasPrefix(e.verb, "EXPLAIN QUERY") {
		var rows []struct {
			ID, Parent, NotUsed int
			Detail              string
		}
		if err := e.session.SelectContext(ctx, &rows, e.verb+query, args...); err != nil {
			return err
		}
		for _, r := range rows {
			lines = append(lines, r.Detail)
		}
	} else if err := e.session.SelectContext(ctx, &lines, e.verb+query, args...); err != nil {
		return err
	}
	fmt.Fprintf(&e.text, "  %.90s…\n", strings.Join(strings.Fields(query), " "))
	for _, line := range lines {
		fmt.Fprintf(&e.text, "      %s\n", line)
	}
	return e.session.SelectContext(ctx, dest, query, args...)
}

// fill copies one fax that has ended, and its call, so many times: of 50 keys,
// each to a number of its own, one after another in time.
func fill(t *testing.T, s *Store, db database, n int) {
	t.Helper()
	began := time.Now()
	job := newJob()
	job.Owner = "k0"
	s.ended(t, job)
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
	} {
		var values []string
		for _, c := range strings.FieldsFunc(table.columns, func(r rune) bool { return strings.ContainsRune(", \n\t", r) }) {
			switch c {
			case "id", "job_id":
				c = hex
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
				` FROM `+table.name+`, `+series+` WHERE `+table.key+` = '`+string(job.ID)+`'`, from, min(n, from+chunk-1))
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
	err := pool.Select(&indices, `SELECT indexdef FROM pg_indexes WHERE schemaname = current_schema() AND tablename IN ('jobs', 'attempts')
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
