package store

import (
	"slices"
	"testing"
	"time"

	"faxbot/controller/fax"

	"github.com/google/go-cmp/cmp"
)

func TestFactsAreStoredWithThePages(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		s, ctx := db.open(t, "a"), t.Context()
		job := s.received(t, newJob())
		if facts := s.facts(t, job.ID); facts.Sheets != nil {
			t.Errorf("before conversion: %v", facts)
		}
		want := fax.Facts{Seconds: 41.5, Sheets: []fax.Sheet{{Ink: .25, Seconds: 30.5}, {Seconds: 3, Blank: true}}}
		if err := s.Prepared(ctx, job.ID, want); err != nil {
			t.Fatal(err)
		}
		if got := s.find(t, job.ID); got.Pages != 2 || got.State != fax.Queued {
			t.Errorf("prepared: %+v", got)
		}
		if diff := cmp.Diff(want, s.facts(t, job.ID)); diff != "" {
			t.Error(diff)
		}
		want.Sheets[0].Seconds = 17
		if err := s.Describe(ctx, job.ID, want); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, s.facts(t, job.ID)); diff != "" {
			t.Error(diff)
		}
		_, _, _, err := s.Look(ctx, fax.NewJobID())
		wantProblem(t, err, fax.NotFound)
	})
}

func TestShelvedFaxesHaveAStatusOfTheirOwn(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		s, ctx := db.open(t, "a"), t.Context()
		waiting, shelved := s.queued(t, newJob()), s.received(t, newJob())
		if err := s.Shelve(ctx, shelved.ID, sheets(2), fax.Disabled); err != nil {
			t.Fatal(err)
		}
		list := func(status fax.Status) (ids []fax.JobID) {
			for _, j := range must(s.List(ctx, Filter{Status: status}))(t) {
				if j.Status() != status {
					t.Errorf("a fax that is %s is listed as %s", j.Status(), status)
				}
				ids = append(ids, j.ID)
			}
			return ids
		}
		if got := list(fax.StatusDisabled); !slices.Equal(got, []fax.JobID{shelved.ID}) {
			t.Errorf("disabled: %v", got)
		}
		if got := list(fax.StatusQueued); !slices.Equal(got, []fax.JobID{waiting.ID}) {
			t.Errorf("queued: %v", got)
		}
		if claimed := s.claim(t, 10); len(claimed) != 1 || claimed[0].Job.ID != waiting.ID {
			t.Errorf("claimed: %v", claimed)
		}
		if job := must(s.Release(ctx, shelved.ID))(t); job.Status() != fax.StatusQueued {
			t.Errorf("released: %s", job.Status())
		}
	})
}

func TestFaxesAreFoundByTheirTags(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		s := db.open(t, "a")
		create := func(tags fax.Tags) fax.JobID {
			job := newJob()
			job.Options.Tags = tags
			return s.received(t, job).ID
		}
		both, one, _ := create("invoice,2026"), create("invoice"), create("")
		for _, c := range []struct {
			tags []string
			want []fax.JobID
		}{
			{[]string{"invoice"}, []fax.JobID{one, both}},
			{[]string{"invoice", "2026"}, []fax.JobID{both}},
			{[]string{"inv"}, nil},
			{[]string{"' OR 1=1 --"}, nil},
		} {
			var got []fax.JobID
			for _, j := range must(s.List(t.Context(), Filter{Tags: c.tags}))(t) {
				got = append(got, j.ID)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%q: %v, want %v", c.tags, got, c.want)
			}
		}
	})
}

func TestDeliveredFaxesMayBePurgedAtOnce(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		s, ctx := db.open(t, "a"), t.Context()
		submit := func(purge bool) fax.JobID {
			job := newJob()
			job.Options.PurgeOnSuccess = purge
			job.Options.Cover = fax.Cover{Name: "plain", Message: "secret", To: "Dr. Who", Template: "{{to}}"}
			return s.queued(t, job).ID
		}
		spent, kept, failed := submit(true), submit(false), submit(true)
		for _, c := range s.claim(t, 3) {
			state := fax.Done
			if c.Job.ID == failed {
				state = fax.Failed
			}
			if _, _, err := s.Finish(ctx, c.Attempt.ID, fax.Result{}, Outcome{State: state, Confirmed: 3}); err != nil {
				t.Fatal(err)
			}
		}
		if got := must(s.Spent(ctx, 10))(t); !slices.Equal(got, []fax.JobID{spent}) {
			t.Errorf("spent: %v, want %v", got, spent)
		}
		began := time.Now()
		if err := s.Purged(ctx, []fax.JobID{spent}); err != nil {
			t.Fatal(err)
		}
		if got := must(s.Spent(ctx, 10))(t); len(got) != 0 {
			t.Errorf("spent after the purge: %v", got)
		}
		if got := must(s.PurgedSince(ctx, began.Add(-time.Minute)))(t); !slices.Equal(got, []fax.JobID{spent}) {
			t.Errorf("purged: %v", got)
		}
		for id, want := range map[fax.JobID]bool{spent: true, kept: false, fax.NewJobID(): true} {
			if got := must(s.IsPurged(ctx, id))(t); got != want {
				t.Errorf("%s purged: %v", id, got)
			}
		}
		if c := s.find(t, spent).Options.Cover; c != (fax.Cover{Name: "plain"}) {
			t.Errorf("what is left of the cover: %+v", c)
		}
		if c := s.find(t, kept).Options.Cover; c.Message != "secret" {
			t.Errorf("the cover of a fax that is kept: %+v", c)
		}
	})
}
