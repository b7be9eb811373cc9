package store

import (
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"faxbot/controller/fax"
)

func TestDatabaseURLIsRefusedWithAReason(t *testing.T) {
	t.Parallel()
	// A port that nobody listens on.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := l.Addr().String()
	l.Close()
	for databaseURL, want := range map[string]string{
		"":                                      "must begin with",
		"faxbot.db":                             "must begin with",
		"mysql://u:hunter2@h/d":                 "must begin with",
		"sqlite:///:memory:":                    "would lose accepted faxes",
		"sqlite://":                             "three slashes",
		"sqlite:///":                            "would lose accepted faxes",
		"sqlite://faxbot.db":                    "three slashes",
		"sqlite:///x.db?mode=ro":                "no options",
		"sqlite:////nowhere/at/x.db":            "the folder /nowhere/at does not exist",
		"sqlite:////":                           "is a directory",
		"postgres://u:hunter2%zz@h/d":           "not a URL",
		"postgres://u:hunter2@" + nobody + "/d": "refused",
		"postgresql+psycopg2://u:hunter2@" + nobody + "/d":       "refused",
		"postgres://u:hunter2@" + nobody + "/d?sslmode=nonsense": "nonsense",
	} {
		s, err := Open(t.Context(), databaseURL, Options{Host: "a"})
		if err == nil {
			s.Close()
			t.Errorf("%s was opened", databaseURL)
			continue
		}
		text := err.Error()
		if !strings.HasPrefix(text, "DATABASE_URL: ") || !strings.Contains(text, want) || strings.Contains(text, "hunter2") {
			t.Errorf("%s: %s; want %q", databaseURL, text, want)
		}
	}
}

func TestSQLiteFileIsWhereSQLAlchemyPutsIt(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for databaseURL, file := range map[string]string{
		"sqlite:///./faxbot.db":               "faxbot.db",
		"sqlite:///plain.db":                  "plain.db",
		"sqlite:///" + dir + "/absolute.db":   "absolute.db",
		"sqlite:///" + dir + "/ä %41#&=+,.db": "ä %41#&=+,.db",
		"sqlite+aiosqlite:///driver.db":       "driver.db",
	} {
		s := database{databaseURL}.open(t, "a")
		s.received(t, newJob())
		info, err := os.Stat(filepath.Join(dir, file))
		if err != nil {
			t.Error(err)
		} else if info.Mode().Perm() != 0o600 {
			t.Errorf("%s: others may read it: %v", file, info.Mode())
		}
	}
	entries, err := filepath.Glob(filepath.Join(dir, "*.db"))
	if err != nil || len(entries) != 5 {
		t.Error(entries, err)
	}
	for _, e := range entries {
		if info, err := os.Stat(e + "-wal"); err != nil || info.Mode().Perm()&fs.FileMode(0o077) != 0 {
			t.Error(e, info, err)
		}
	}
}

func TestReopeningKeepsEverything(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		s, err := Open(t.Context(), db.url, Options{Host: "a"})
		if err != nil {
			t.Fatal(err)
		}
		c := s.dialing(t, newJob())
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = db.open(t, "a")
		if s.find(t, c.Job.ID) != c.Job {
			t.Error("the job changed")
		}
		if live := must(s.Live(t.Context()))(t); len(live) != 1 || live[0].ID != c.Attempt.ID {
			t.Errorf("live: %v", live)
		}
	})
}

func TestHostsMayStartAtOnce(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		var wg sync.WaitGroup
		for _, host := range []string{"a", "b", "c"} {
			wg.Go(func() {
				s, err := Open(t.Context(), db.url, Options{Host: host})
				if err != nil {
					t.Error(err)
					return
				}
				defer s.Close()
				if _, _, err := s.Create(t.Context(), newJob(), Idempotency{}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := must(db.open(t, "d").Count(t.Context(), Filter{Status: fax.StatusQueued}))(t); n != 3 {
			t.Errorf("%d jobs", n)
		}
	})
}
