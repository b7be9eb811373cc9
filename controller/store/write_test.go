package store

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"faxbot/controller/fax"
	"faxbot/controller/store/pgtest"
)

// slowly begins a write that ends when release is called.
func slowly(t *testing.T, ctx context.Context, s *Store, id fax.JobID) (release func() error) {
	begun, hold, result := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		result <- s.commit(ctx, func(ctx context.Context, tx session) error {
			close(begun)
			<-hold
			_, err := tx.ExecContext(ctx, "UPDATE jobs SET error = 'slow' WHERE id = ?", id)
			return err
		})
	}()
	<-begun
	return func() error {
		close(hold)
		return <-result
	}
}

func TestAWriteThatHasBegunIsNotInterrupted(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		s := db.open(t, "a")
		job := s.received(t, newJob())
		ctx, cancel := context.WithCancel(t.Context())
		release := slowly(t, ctx, s, job.ID)
		cancel()
		if err := release(); err != nil {
			t.Error(err)
		}
		if s.find(t, job.ID).Error != "slow" {
			t.Error("the write said yes and did nothing")
		}
	})
}

func TestAWaitingWriteCanBeWithdrawn(t *testing.T) {
	t.Parallel()
	s := sqliteFile(t).open(t, "a")
	first, second := s.received(t, newJob()), newJob()
	release := slowly(t, t.Context(), s, first.ID)
	ctx, cancel := context.WithCancel(t.Context())
	waiting := make(chan error, 1)
	go func() {
		_, _, err := s.Create(ctx, second, Idempotency{})
		waiting <- err
	}()
	cancel()
	if err := <-waiting; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := release(); err != nil {
		t.Error(err)
	}
	_, err := s.Find(t.Context(), second.ID)
	wantProblem(t, err, fax.NotFound)
}

// PostgreSQL may end any transaction in favour of another; who was chosen
// tries again, and nobody hears of it.
func TestALostDeadlockIsTriedAgain(t *testing.T) {
	t.Parallel()
	s := postgresSchema(t).open(t, "a")
	count := 0
	lose := func(last int) error {
		count = 0
		return s.commit(t.Context(), func(ctx context.Context, tx session) error {
			if count++; count < last {
				_, err := tx.ExecContext(ctx, "DO 'BEGIN RAISE EXCEPTION USING ERRCODE = ''40P01''; END'")
				return err
			}
			return nil
		})
	}
	if err := lose(3); err != nil || count != 3 {
		t.Error(count, err)
	}
	wantProblem(t, lose(1000), fax.Unavailable)
	if count != tries {
		t.Errorf("%d tries", count)
	}
}

// A server that was restarted left every idle connection dead; the next calls
// succeed all the same.
func TestARestartedServerIsNotNoticed(t *testing.T) {
	t.Parallel()
	s := postgresSchema(t).open(t, "a")
	var wg sync.WaitGroup
	for range connections {
		release := slowly(t, t.Context(), s, fax.NewJobID())
		wg.Go(func() {
			if err := release(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	// The one that asks for it comes last, and goes too.
	err := s.exec(t, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE application_name = current_setting('application_name') ORDER BY pid = pg_backend_pid()`)
	if err == nil {
		t.Error("the connection survived")
	}
	s.find(t, s.queued(t, newJob()).ID)
	if err := s.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAServerThatIsGoneIsUnavailable(t *testing.T) {
	t.Parallel()
	db := postgresSchema(t)
	s := db.open(t, "a")
	for _, c := range []struct{ query, want string }{
		{"DO 'BEGIN RAISE EXCEPTION USING ERRCODE = ''53100''; END'", "the disk is full"},
		{"SET LOCAL transaction_read_only = on; CREATE TABLE t ()", "it is read-only"},
		{"SELECT pg_terminate_backend(pg_backend_pid())", "it"},
	} {
		err := s.commit(t.Context(), func(ctx context.Context, tx session) error {
			_, err := tx.ExecContext(ctx, c.query)
			return err
		})
		wantProblem(t, err, fax.Unavailable)
		if want := "The database cannot store the fax now: " + c.want; err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v", c.query, err)
		}
	}
}

// A server with too few connections refuses some work, loses none and does none
// twice.
func TestTooManyConnections(t *testing.T) {
	t.Parallel()
	s := database{pgtest.RunT(t, "-c max_connections=8").URL}.open(t, "a")
	var wg sync.WaitGroup
	var mu sync.Mutex
	var accepted []fax.JobID
	refused := 0
	for range 10 * connections {
		wg.Go(func() {
			job, _, err := s.Create(t.Context(), newJob(), Idempotency{})
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				accepted = append(accepted, job.ID)
				return
			}
			refused++
			wantProblem(t, err, fax.Unavailable)
		})
	}
	wg.Wait()
	for _, id := range accepted {
		s.find(t, id)
	}
	if n := must(s.Count(t.Context(), Filter{}))(t); n != len(accepted) || n == 0 || refused == 0 {
		t.Errorf("%d faxes; %d accepted, %d refused", n, len(accepted), refused)
	}
}

// A question that lost against somebody's change is asked again.
func TestALostQuestionIsAskedAgain(t *testing.T) {
	t.Parallel()
	s := postgresSchema(t).open(t, "a")
	for _, code := range []string{"40001", "40P01"} {
		err := s.exec(t, `DROP SEQUENCE IF EXISTS asked; CREATE SEQUENCE asked;
			CREATE OR REPLACE FUNCTION lose(enough BIGINT) RETURNS BIGINT LANGUAGE plpgsql AS $$
			DECLARE n BIGINT := nextval('asked');
			BEGIN IF n < enough THEN RAISE EXCEPTION USING ERRCODE = '`+code+`'; END IF; RETURN n; END $$`)
		if err != nil {
			t.Fatal(err)
		}
		var n int
		if err := s.get(t.Context(), &n, `SELECT lose(?)`, 3); err != nil || n != 3 {
			t.Errorf("%s: %d, %v", code, n, err)
		}
		wantProblem(t, s.get(t.Context(), &n, `SELECT lose(?)`, 1000), fax.Unavailable)
		if err := s.get(t.Context(), &n, `SELECT last_value FROM asked`); err != nil || n != 3+tries {
			t.Errorf("%s: asked %d times, %v", code, n-3, err)
		}
	}
}

// With few connections callers wait for each other, and for no longer than they
// want to when somebody keeps one.
func TestFewConnections(t *testing.T) {
	t.Parallel()
	for _, connections := range []int{1, 2} {
		s := postgresSchema(t).open(t, "a")
		db := s.read.(rebound).session.(*sqlx.DB)
		db.SetMaxOpenConns(connections)
		const callers = 20 // whose turn it is is drawn by lot; among many one may lose too often
		all := func(call func()) {
			var wg sync.WaitGroup
			for range callers {
				wg.Go(call)
			}
			wg.Wait()
		}
		all(func() {
			job := s.queued(t, newJob())
			if _, _, _, err := s.Look(t.Context(), job.ID); err != nil {
				t.Error(err)
			}
		})
		if n := must(s.Count(t.Context(), Filter{}))(t); n != callers {
			t.Errorf("%d of %d", n, callers)
		}
		var kept []*sql.Conn
		for range connections {
			kept = append(kept, must(db.DB.Conn(t.Context()))(t))
		}
		began := time.Now()
		all(func() {
			_, _, err := s.Create(t.Context(), newJob(), Idempotency{})
			wantProblem(t, err, fax.Unavailable) // 503, with Retry-After
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if _, err := s.Stats(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
		})
		if took := time.Since(began); took > turnLimit+5*time.Second {
			t.Errorf("it took %s to refuse", took)
		}
		for _, conn := range kept {
			conn.Close()
		}
		s.received(t, newJob())
	}
}
