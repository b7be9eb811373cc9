package store

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"faxbot/controller/fax"
)

func TestAJobComesBackAsItWasSubmitted(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		s := db.open(t, "a")
		want := newJob()
		want.Owner, want.Documents, want.Priority, want.MaxAttempts = "key", 2, 200, 5
		want.Options = fax.Options{CallerID: "+15550001111", StationID: "Ärzte \"A\" & B", Header: "Praxis", Gateway: "west"}
		want.DueAt, want.Deadline = now().Add(time.Hour), now().Add(2*time.Hour)
		created, existed, err := s.Create(t.Context(), want, Idempotency{})
		if err != nil || existed {
			t.Fatal(err, existed)
		}
		want.State, want.CreatedAt, want.UpdatedAt = fax.Received, created.CreatedAt, created.UpdatedAt
		if created != want || s.find(t, want.ID) != want {
			t.Errorf("\ncreated %+v\nfound   %+v\nwant    %+v", created, s.find(t, want.ID), want)
		}
		if time.Since(created.CreatedAt) > time.Minute {
			t.Error("created at", created.CreatedAt)
		}
		_, err = s.Find(t.Context(), fax.NewJobID())
		wantProblem(t, err, fax.NotFound)
		if err.Error() != "Job not found" {
			t.Error(err)
		}
	})
}

func TestTheSameSubmissionTwiceIsOneJob(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		s := db.open(t, "a")
		create := func(owner, key, digest string) (fax.Job, bool, error) {
			job := newJob()
			job.Owner = owner
			return s.Create(t.Context(), job, Idempotency{key, digest})
		}
		first, existed, err := create("anna", "k", "d")
		if err != nil || existed {
			t.Fatal(err, existed)
		}
		again, existed, err := create("anna", "k", "d")
		if err != nil || !existed || again != first {
			t.Errorf("again: %v, %v, %v", again.ID, existed, err)
		}
		_, _, err = create("anna", "k", "other")
		wantProblem(t, err, fax.Conflict)
		for _, c := range []struct{ owner, key string }{{"bert", "k"}, {"anna", "k2"}, {"anna", ""}, {"anna", ""}} {
			if _, existed, err := create(c.owner, c.key, "d"); existed || err != nil {
				t.Errorf("%v: %v, %v", c, existed, err)
			}
		}

		// All at once, as clients that lost patience do.
		var wg sync.WaitGroup
		ids := make([]fax.JobID, 20)
		for i := range ids {
			wg.Go(func() {
				job, _, err := create("anna", "race", "d")
				if err != nil {
					t.Error(err)
				}
				ids[i] = job.ID
			})
		}
		wg.Wait()
		slices.Sort(ids)
		if n := len(slices.Compact(ids)); n != 1 {
			t.Errorf("one submission became %d jobs", n)
		}
	})
}

func TestPreparing(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		s := db.open(t, "a")
		late, urgent, early := newJob(), newJob(), newJob()
		urgent.Priority = 255
		early.ID, late.ID = late.ID, early.ID
		s.received(t, late)
		s.received(t, urgent)
		s.received(t, early)
		list := must(s.Unprepared(t.Context(), 10))(t)
		if len(list) != 3 || list[0].ID != urgent.ID || list[1].ID != early.ID || list[2].ID != late.ID {
			t.Errorf("unprepared: %v", list)
		}
		if err := s.Prepared(t.Context(), urgent.ID, sheets(7)); err != nil {
			t.Fatal(err)
		}
		if got := s.find(t, urgent.ID); got.State != fax.Queued || got.Pages != 7 {
			t.Errorf("%+v", got)
		}
		if err := s.Refuse(t.Context(), early.ID, fax.Document, "The PDF is encrypted."); err != nil {
			t.Fatal(err)
		}
		if got := s.find(t, early.ID); got.State != fax.Failed || got.Cause != fax.Document || got.Error != "The PDF is encrypted." {
			t.Errorf("%+v", got)
		}
		must(s.AskCancel(t.Context(), late.ID))(t)
		wantProblem(t, s.Prepared(t.Context(), late.ID, sheets(1)), fax.Conflict)
		wantProblem(t, s.Prepared(t.Context(), urgent.ID, sheets(7)), fax.Conflict)
		wantProblem(t, s.Prepared(t.Context(), fax.NewJobID(), sheets(1)), fax.NotFound)
		if list := must(s.Unprepared(t.Context(), 10))(t); len(list) != 0 {
			t.Errorf("unprepared: %v", list)
		}
	})
}

func TestListPagesAndFilters(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		s := db.open(t, "a")
		var all []fax.JobID // the latest first
		for i := range 6 {
			job := newJob()
			job.Owner = []string{"anna", "bert"}[i%2]
			if i < 3 {
				s.queued(t, job)
			} else {
				s.received(t, job)
			}
			all = slices.Insert(all, 0, job.ID)
		}
		must(s.AskCancel(t.Context(), all[5]))(t)
		for _, c := range []struct {
			name string
			f    Filter
			want []fax.JobID
		}{
			{"all", Filter{}, all},
			{"first page", Filter{Limit: 2}, all[:2]},
			{"next page", Filter{Limit: 2, After: all[1]}, all[2:4]},
			{"offset", Filter{Limit: 2, Offset: 3}, all[3:5]},
			{"owner", Filter{Owner: "bert"}, []fax.JobID{all[0], all[2], all[4]}},
			{"state", Filter{States: []fax.State{fax.Queued, fax.Cancelled}}, all[3:]},
			{"status", Filter{Status: fax.StatusFailed}, all[5:]},
			{"status and state", Filter{Status: fax.StatusQueued, States: []fax.State{fax.Queued, fax.Cancelled}}, all[3:5]},
			{"contradiction", Filter{Status: fax.StatusSuccess, States: []fax.State{fax.Queued}}, nil},
			{"number", Filter{To: s.find(t, all[3]).To}, all[3:4]},
			{"injection", Filter{Owner: "' OR 1=1 --"}, nil},
		} {
			var got []fax.JobID
			for _, j := range must(s.List(t.Context(), c.f))(t) {
				got = append(got, j.ID)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%s: %v, want %v", c.name, got, c.want)
			}
			c.f.Limit, c.f.Offset, c.f.After = 0, 0, ""
			if n := must(s.Count(t.Context(), c.f))(t); n < len(c.want) {
				t.Errorf("%s: counted %d", c.name, n)
			}
		}
		if n := must(s.Count(t.Context(), Filter{Owner: "anna", After: all[5]}))(t); n != 3 {
			t.Errorf("counted %d", n)
		}
	})
}

func TestCancelReleaseAndExpire(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		s := db.open(t, "a")
		ctx := t.Context()

		received, queued := s.received(t, newJob()), s.queued(t, newJob())
		for _, id := range []fax.JobID{received.ID, queued.ID} {
			got := must(s.AskCancel(ctx, id))(t)
			if got.State != fax.Cancelled || got.Cause != fax.Withdrawn || got.Error == "" {
				t.Errorf("%+v", got)
			}
			if again := must(s.AskCancel(ctx, id))(t); again != got {
				t.Errorf("cancelled again: %+v", again)
			}
		}

		// On the line the call's owner must hang up first; the verdict then
		// leaves nothing to retry.
		c := s.dialing(t, newJob())
		asked := must(s.AskCancel(ctx, c.Job.ID))(t)
		if asked.State != fax.Dialing || !asked.CancelAsked {
			t.Errorf("%+v", asked)
		}
		job, _, err := s.Finish(ctx, c.Attempt.ID, fax.Result{Cause: fax.Withdrawn}, Outcome{State: fax.Retry, Cause: fax.Busy, DueAt: now()})
		if err != nil || job.State != fax.Cancelled || job.Cause != fax.Withdrawn {
			t.Errorf("%+v, %v", job, err)
		}

		c = s.dialing(t, newJob())
		_, _, err = s.Finish(ctx, c.Attempt.ID, fax.Result{Cause: fax.Unknown}, Outcome{State: fax.Held, Cause: fax.Unknown, Error: "look"})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.exec(t, "UPDATE jobs SET deadline = 0 WHERE id = ?", c.Job.ID); err != nil {
			t.Fatal(err)
		}
		released := must(s.Release(ctx, c.Job.ID))(t)
		if released.State != fax.Queued || released.Cause != "" || released.DueAt.After(now()) || released.Deadline.Before(now().Add(time.Hour)) {
			t.Errorf("%+v", released)
		}
		_, err = s.Release(ctx, c.Job.ID)
		wantProblem(t, err, fax.Conflict)

		short := newJob()
		short.Deadline = now().Add(time.Minute)
		short = s.queued(t, short)
		if got := must(s.Expire(ctx, short.Deadline.Add(-time.Second)))(t); len(got) != 0 {
			t.Errorf("expired early: %v", got)
		}
		got := must(s.Expire(ctx, short.Deadline))(t)
		if len(got) != 1 || got[0].ID != short.ID || got[0].State != fax.Failed || got[0].Cause != fax.Expired || got[0] != s.find(t, short.ID) {
			t.Errorf("expired: %+v", got)
		}
	})
}

func TestFinishedDocumentsArePurgedOnce(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		s := db.open(t, "a")
		ctx := t.Context()
		first, second, open := s.queued(t, newJob()), s.queued(t, newJob()), s.queued(t, newJob())
		first = must(s.AskCancel(ctx, first.ID))(t)
		second = must(s.AskCancel(ctx, second.ID))(t)
		later := now().Add(time.Hour)
		ids := must(s.Finished(ctx, later, 10))(t)
		if !slices.Equal(ids, []fax.JobID{first.ID, second.ID}) {
			t.Errorf("finished: %v", ids)
		}
		if ids := must(s.Finished(ctx, first.UpdatedAt, 10))(t); len(ids) != 0 {
			t.Errorf("finished too early: %v", ids)
		}
		if err := s.Purged(ctx, []fax.JobID{first.ID, open.ID}); err != nil {
			t.Fatal(err)
		}
		must(s.AskCancel(ctx, open.ID))(t)
		ids = must(s.Finished(ctx, later, 10))(t)
		if !slices.Equal(ids, []fax.JobID{second.ID, open.ID}) {
			t.Errorf("finished: %v", ids)
		}
		if s.find(t, first.ID) != first {
			t.Error("purging changed the job")
		}
	})
}

func TestStatsCountOpenJobs(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		s := db.open(t, "a")
		s.dialing(t, newJob())
		s.queued(t, newJob())
		s.queued(t, newJob())
		s.received(t, newJob())
		must(s.AskCancel(t.Context(), s.received(t, newJob()).ID))(t)
		stats := must(s.Stats(t.Context()))(t)
		if stats[fax.Dialing] != 1 || stats[fax.Queued] != 2 || stats[fax.Received] != 1 || len(stats) != 6 {
			t.Errorf("%v", stats)
		}
	})
}

func TestAnEndedContextWritesNothing(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		s := db.open(t, "a")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		job := newJob()
		if _, _, err := s.Create(ctx, job, Idempotency{}); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if _, err := s.Find(ctx, job.ID); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		_, err := s.Find(t.Context(), job.ID)
		wantProblem(t, err, fax.NotFound)
	})
}

func TestPing(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		s := db.open(t, "a")
		for range 2 {
			if err := s.Ping(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	})
}
