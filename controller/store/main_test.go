package store

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"

	"github.com/jmoiron/sqlx"
	"go.uber.org/goleak"

	"faxbot/controller/fax"
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
		base = server.url
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

// server is a private PostgreSQL, reached through a socket in its own folder.
var server postgres

type postgres struct {
	once        sync.Once
	dir, binary string
	url         string
	err         error
}

func (p *postgres) start() {
	p.once.Do(func() { p.err = p.run() })
}

func (p *postgres) run() error {
	path, err := exec.LookPath("pg_ctl")
	if err != nil {
		found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/pg_ctl")
		if len(found) == 0 {
			return fmt.Errorf("pg_ctl is neither in PATH nor in /usr/lib/postgresql")
		}
		path = found[len(found)-1]
	}
	p.binary = path
	if p.dir, err = os.MkdirTemp("", "faxbot-pg-"); err != nil {
		return err
	}
	if id, gid, err := p.credential(); err != nil {
		return err
	} else if id != 0 {
		if err := os.Chown(p.dir, int(id), int(gid)); err != nil {
			return err
		}
	}
	if err := p.ctl("initdb", "-s", "-o", "--no-sync --auth=trust --encoding=UTF8 --locale=C --username=faxbot"); err != nil {
		return err
	}
	options := fmt.Sprintf("-c listen_addresses= -c unix_socket_directories=%s -c fsync=off -c max_connections=400", p.dir)
	if err := p.ctl("start", "-w", "-s", "-l", filepath.Join(p.dir, "log"), "-o", options); err != nil {
		return err
	}
	p.url = "postgres:///postgres?" + url.Values{"host": {p.dir}, "user": {"faxbot"}, "sslmode": {"disable"}}.Encode()
	return nil
}

func (p *postgres) stop() {
	if p.url != "" {
		if err := p.ctl("stop", "-w", "-s", "-m", "immediate"); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	if p.dir != "" {
		os.RemoveAll(p.dir)
	}
}

func (p *postgres) ctl(verb string, args ...string) error {
	cmd := exec.Command(p.binary, append([]string{verb, "-D", filepath.Join(p.dir, "data")}, args...)...)
	cmd.Dir = p.dir
	id, gid, err := p.credential()
	if err != nil {
		return err
	}
	if id != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: id, Gid: gid}}
	}
	// A file, not a pipe: the server would keep a pipe open.
	out, err := os.CreateTemp(p.dir, "ctl-")
	if err != nil {
		return err
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err != nil {
		said, _ := os.ReadFile(out.Name())
		return fmt.Errorf("pg_ctl %s: %w: %s", verb, err, said)
	}
	return nil
}

// credential is whom the server runs as: PostgreSQL refuses to be root. Zero
// means ourselves.
func (p *postgres) credential() (uid, gid uint32, err error) {
	if os.Getuid() != 0 {
		return 0, 0, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return 0, 0, err
	}
	id, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return 0, 0, err
	}
	group, err := strconv.ParseUint(u.Gid, 10, 32)
	return uint32(id), uint32(group), err
}

// exec alters the database behind the store's back.
func (s *Store) exec(t testing.TB, query string, args ...any) error {
	t.Helper()
	return s.write(t.Context(), func(ctx context.Context, tx session) error {
		_, err := tx.ExecContext(ctx, query, args...)
		return err
	})
}
