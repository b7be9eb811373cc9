package store

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/jmoiron/sqlx"
	"go.uber.org/goleak"

	"faxbot/controller/fax"
	"faxbot/controller/store/pgtest"
)

func TestMain(m *testing.M) {
	if databaseURL := os.Getenv(childVariable); databaseURL != "" {
		createForEver(databaseURL)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		server.stop()
		os.Exit(code)
	}))
}

// database is an empty database of one test.
type database struct{ url string }

// each runs a test over both databases.
func each(t *testing.T, test func(t *testing.T, db database)) {
	t.Helper()
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, sqliteFile(t))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, postgresSchema(t))
	})
}

func (db database) open(t testing.TB, host string) *Store {
	t.Helper()
	s, err := Open(t.Context(), db.url, Options{Host: host})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func sqliteFile(t testing.TB) database {
	return database{"sqlite:///" + filepath.Join(t.TempDir(), "fax.db")}
}

// postgresSchema makes a schema in the server that FAXBOT_TEST_POSTGRES names,
// or in one of our own.
func postgresSchema(t testing.TB) database {
	t.Helper()
	name := "faxbot_" + string(fax.NewJobID())
	base := os.Getenv("FAXBOT_TEST_POSTGRES")
	if base == "" {
		server.start()
		if server.err != nil {
			t.Skipf("no PostgreSQL: %v; set FAXBOT_TEST_POSTGRES to the URL of one", server.err)
		}
		base = server.URL
	}
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal("FAXBOT_TEST_POSTGRES is not a URL")
	}
	run := func(query string) {
		t.Helper()
		db, err := sqlx.Open("postgres", base)
		if err == nil {
			_, err = db.Exec(query)
			db.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	run("CREATE SCHEMA " + name)
	t.Cleanup(func() { run("DROP SCHEMA " + name + " CASCADE") })
	q := u.Query()
	q.Set("search_path", name)
	q.Set("application_name", name)
	u.RawQuery = q.Encode()
	return database{u.String()}
}

// server starts a private PostgreSQL when the first test wants it.
var server postgres

type postgres struct {
	once sync.Once
	*pgtest.Server
	err error
}

func (p *postgres) start() {
	p.once.Do(func() {
		options := []string{pgtest.Quick}
		if keptLog() != "" {
			options = append(options, "-c log_statement=all -c log_line_prefix=")
		}
		p.Server, p.err = pgtest.Start(options...)
	})
}

// keptLog is where the server's log with all statements is to go: make cockroach.
func keptLog() string { return os.Getenv("FAXBOT_TEST_LOG") }

func (p *postgres) stop() {
	if p.Server == nil {
		return
	}
	var err error
	if to := keptLog(); to != "" {
		var text []byte
		if text, err = os.ReadFile(p.Log()); err == nil {
			err = os.WriteFile(to, text, 0o600)
		}
	}
	if err := errors.Join(err, p.Remove()); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}

// exec alters the database behind the store's back.
func (s *Store) exec(t testing.TB, query string, args ...any) error {
	t.Helper()
	return s.write(t.Context(), func(ctx context.Context, tx session) error {
		_, err := tx.ExecContext(ctx, query, args...)
		return err
	})
}
