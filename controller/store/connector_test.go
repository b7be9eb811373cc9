package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"faxbot/controller/fax"
	"faxbot/controller/store/pgtest"
)

// A server that hangs keeps nobody: whatever is asked ends when its time is
// over, with an error that says that a later try may do. Afterwards all is as
// before.
func TestHungServerKeepsNobody(t *testing.T) {
	t.Parallel()
	server := pgtest.RunT(t)
	s := database{server.URL}.open(t, "a")
	job := s.queued(t, newJob())
	for range connections { // each is one that was good before
		if err := s.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	thaw, err := server.Freeze()
	if err != nil {
		t.Fatal(err)
	}
	const limit = 3 * time.Second
	write := s.write
	s.write = pool{s.herald.db, limit}.write
	var asked sync.WaitGroup
	began := time.Now()
	for range 3 * connections {
		asked.Go(func() {
			_, _, err := s.Create(t.Context(), newJob(), Idempotency{})
			wantProblem(t, err, fax.Unavailable)
		})
		asked.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if _, err := s.Find(ctx, job.ID); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("read from a server that stands still: %v", err)
			}
			if took := time.Since(began); took > turnLimit {
				t.Errorf("who waited for a second was kept for %s", took)
			}
		})
	}
	asked.Wait()
	if took := time.Since(began); took > turnLimit+limit+5*courtesy {
		t.Errorf("it took %s to refuse", took)
	}
	s.write = write
	if err := thaw(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Find(t.Context(), job.ID); err != nil {
		t.Error(err)
	}
	s.received(t, newJob())
}

// What the standby has not is not confirmed, however long that takes: the server
// itself would call it a success, if it were asked to stop.
func TestCommitIsNotCutShort(t *testing.T) {
	t.Parallel()
	server := pgtest.RunT(t, "-c synchronous_standby_names=nobody")
	alone, err := openDB("postgres", server.URL+"&synchronous_commit=local")
	if err != nil {
		t.Fatal(err)
	}
	defer alone.Close()
	alone.MustExec("CREATE TABLE t (x INTEGER)")
	db, err := openDB("postgres", server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	tx, err := db.BeginTxx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	tx.MustExecContext(ctx, "INSERT INTO t VALUES (1)")
	committed := make(chan error, 1)
	go func() { committed <- tx.Commit() }()
	var n int
	for n == 0 {
		if err := alone.Get(&n, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	select {
	case err := <-committed:
		if err == nil {
			t.Error("a commit that nobody confirms was called a success")
		}
	case <-time.After(30 * courtesy): // it needs one
		t.Fatal("a commit that nobody confirms was waited for, though nobody wanted it any more")
	}
	if err := db.Get(&n, "SELECT count(*) FROM t"); err != nil || n != 0 {
		t.Errorf("%d rows are to be seen, of a commit that is not confirmed: %v", n, err)
	}
}

func TestSeveralServersInTheURL(t *testing.T) {
	t.Parallel()
	for rest, want := range map[string]string{
		"u:p@h/d":                               "//u:p@h/d ",
		"u:p%40@a,b/d":                          "//u:p%40@/d host=a,b port=5432,5432 read-write 3",
		"u@a:1,[::1]:2,[::2]/d?sslmode=disable": "//u@/d host=a,::1,::2 port=1,2,5432 read-write 3",
		"%2Fvar%2Frun,b":                        " host=/var/run,b port=5432,5432 read-write 3",
		"u@/d?host=a,b&port=1,2":                "//u@/d host=a,b port=1,2 read-write 3",
		"a,b/d?target_session_attrs=any&connect_timeout=1": "///d host=a,b port=5432,5432 any 1",
	} {
		u, err := postgresURL(rest)
		if err != nil {
			t.Errorf("%s: %v", rest, err)
			continue
		}
		got := strings.TrimPrefix(strings.SplitN(u.String(), "?", 2)[0], "postgres:") + " "
		if q := u.Query(); q.Has("host") {
			got += fmt.Sprintf("host=%s port=%s %s %s", q.Get("host"), q.Get("port"), q.Get("target_session_attrs"), q.Get("connect_timeout"))
		}
		if got != want {
			t.Errorf("%s: %q, want %q", rest, got, want)
		}
		if _, err := newConnector(u.String()); err != nil {
			t.Errorf("%s: %v", rest, err)
		}
	}
	for _, rest := range []string{"a,b/d?host=c", "a,/d", "a,%zz/d"} {
		if u, err := postgresURL(rest); err == nil {
			t.Errorf("%s: %s", rest, u)
		}
	}
}

// Whoever has a standby that is not waited for, or commits that are not synced, is
// told; and the standby is not taken for the server that writes.
func TestRiskIsTold(t *testing.T) {
	t.Parallel()
	server, standby := pgtest.RunPairT(t, "-c fsync=on")
	s := database{pgtest.Either(standby, server)}.open(t, "a")
	if text, err := s.Risk(t.Context()); err != nil || text != "" {
		t.Errorf("waited for: %q, %v", text, err)
	}
	for commit, want := range map[string]string{"off": "synchronous_commit is off", "local": "a standby follows"} {
		url := strings.Replace(pgtest.Either(standby, server), "?", "?synchronous_commit="+commit+"&", 1)
		s := database{url}.open(t, "b")
		if text, err := s.Risk(t.Context()); err != nil || !strings.HasPrefix(text, want) {
			t.Errorf("synchronous_commit=%s: %q, %v", commit, text, err)
		}
	}
	if st, err := Examine(t.Context(), server.URL); err != nil || st.Risk != "" || st.New {
		t.Errorf("%+v, %v", st, err)
	}
	if _, err := Open(t.Context(), standby.URL+"&target_session_attrs=read-write", Options{Host: "c"}); err == nil {
		t.Error("a standby was opened for writing")
	}
}
