package store

import (
	"context"
	"errors"
	"testing"
	"time"

	"faxbot/controller/fax"
)

// ended is a fax that was given up, whose documents are gone.
func (s *Store) ended(t testing.TB, job fax.Job) fax.Job {
	t.Helper()
	c := s.dialing(t, job)
	if _, _, err := s.Finish(t.Context(), c.Attempt.ID, fax.Result{}, Outcome{State: fax.Failed}); err != nil {
		t.Fatal(err)
	}
	if err := s.Purged(t.Context(), []fax.JobID{job.ID}); err != nil {
		t.Fatal(err)
	}
	return s.find(t, job.ID)
}

func TestErase(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		s, ctx := db.open(t, "a"), t.Context()
		tagged := newJob()
		tagged.Options.Tags = "ward-7"
		old, next := s.ended(t, tagged), s.ended(t, newJob())
		young := s.ended(t, newJob())
		open := s.queued(t, newJob())
		kept := s.received(t, newJob()) // its documents are still there
		if err := s.Refuse(ctx, kept.ID, fax.Document, "no"); err != nil {
			t.Fatal(err)
		}
		soon := time.Now().Add(time.Hour)
		erase := func(ended, purged time.Time, limit, want int) {
			t.Helper()
			if n := must(s.Erase(ctx, ended, purged, limit))(t); n != want {
				t.Errorf("%d erased, want %d", n, want)
			}
		}
		erase(old.UpdatedAt, soon, 10, 0)
		erase(soon, old.UpdatedAt, 10, 0) // other hosts have not dropped their copies yet
		erase(young.UpdatedAt, soon, 1, 1)
		if _, err := s.Find(ctx, old.ID); fax.ProblemOf(err) != fax.NotFound {
			t.Errorf("the longest ended one is still there: %v", err)
		}
		if calls := must(s.Attempts(ctx, old.ID))(t); len(calls) != 0 {
			t.Error(calls)
		}
		if list := must(s.List(ctx, Filter{Tags: []string{"ward-7"}}))(t); len(list) != 0 {
			t.Error(list)
		}
		erase(young.UpdatedAt, soon, 10, 1)
		if _, err := s.Find(ctx, next.ID); fax.ProblemOf(err) != fax.NotFound {
			t.Error(err)
		}
		for _, job := range []fax.Job{young, open, kept} {
			s.find(t, job.ID)
		}
	})
}

// What is being erased keeps nobody from anything.
func TestErasingLocksNobodyOut(t *testing.T) {
	t.Parallel()
	s := postgresSchema(t).open(t, "a")
	old, busy := s.ended(t, newJob()), s.ended(t, newJob())
	err := s.commit(t.Context(), func(ctx context.Context, tx session) error {
		// Somebody holds one of them, and a claim, a submission and another
		// host's erasing go on at once.
		if _, err := s.lockJob(ctx, tx, `id = ?`, busy.ID); err != nil {
			return err
		}
		soon := time.Now().Add(time.Hour)
		n, err := s.Erase(ctx, soon, soon, 10)
		if n != 1 {
			t.Errorf("%d erased beside one that is held", n)
		}
		s.dialing(t, newJob())
		return errors.Join(err)
	})
	if err != nil {
		t.Error(err)
	}
	if _, err := s.Find(t.Context(), old.ID); fax.ProblemOf(err) != fax.NotFound {
		t.Error(err)
	}
	s.find(t, busy.ID)
}
