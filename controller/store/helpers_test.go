package store

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"faxbot/controller/fax"

	"github.com/google/go-cmp/cmp"
)

// now is a time that the database holds exactly.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

var numbers atomic.Int64

// newJob is a job to a number that no other has.
func newJob() fax.Job {
	return fax.Job{
		ID: fax.NewJobID(), To: fax.Number(fmt.Sprintf("+1555%07d", numbers.Add(1))),
		Documents: 1, Priority: fax.DefaultPriority, MaxAttempts: 3,
	}
}

func must[T any](value T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func (s *Store) received(t testing.TB, job fax.Job) fax.Job {
	t.Helper()
	job, _, err := s.Create(t.Context(), job, Idempotency{})
	if err != nil {
		t.Fatal(err)
	}
	return job
}

func (s *Store) queued(t testing.TB, job fax.Job) fax.Job {
	t.Helper()
	job = s.received(t, job)
	if err := s.Prepared(t.Context(), job.ID, sheets(3)); err != nil {
		t.Fatal(err)
	}
	return s.find(t, job.ID)
}

// dialing claims one job, which must be the only one due.
func (s *Store) dialing(t testing.TB, job fax.Job) Claimed {
	t.Helper()
	job = s.queued(t, job)
	claimed := s.claim(t, 1)
	if len(claimed) != 1 || claimed[0].Job.ID != job.ID {
		t.Fatalf("claimed %v, want %s", claimed, job.ID)
	}
	return claimed[0]
}

func (s *Store) find(t testing.TB, id fax.JobID) fax.Job {
	t.Helper()
	return must(s.Find(t.Context(), id))(t)
}

// facts are those that Look tells, beside a job and attempts like any others.
func (s *Store) facts(t testing.TB, id fax.JobID) fax.Facts {
	t.Helper()
	job, attempts, facts, err := s.Look(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(s.find(t, id), job) + cmp.Diff(must(s.Attempts(t.Context(), id))(t), attempts); diff != "" {
		t.Error(diff)
	}
	return facts
}

func (s *Store) claim(t testing.TB, limit int) []Claimed {
	t.Helper()
	return must(s.Claim(t.Context(), request(limit)))(t)
}

func request(limit int) ClaimRequest {
	return ClaimRequest{Now: now().Add(time.Second), Limit: limit, Lease: time.Minute, Plan: plan}
}

func plan(Candidate) (fax.Attempt, bool) {
	return fax.Attempt{
		ID: fax.NewAttemptID(), Token: "token", Gateway: "carrier", Switch: "west", Core: "core",
		Parameters: fax.Parameters{T38: true, V17: true, ECM: true, StartPage: 1},
	}, true
}

func wantProblem(t testing.TB, err error, want fax.Problem) {
	t.Helper()
	if err == nil || fax.ProblemOf(err) != want {
		t.Errorf("error %v (%s), want %s", err, fax.ProblemOf(err), want)
	}
}

func sheets(n int) fax.Facts { return fax.Facts{Sheets: make([]fax.Sheet, n)} }
