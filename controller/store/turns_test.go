package store

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"faxbot/controller/fax"
)

// Owners take turns, however many faxes one of them has waiting, and however
// few calls there are at a time.
func TestOwnersTakeTurns(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		s := db.open(t, "a")
		add := func(owner string, n, priority int, due time.Duration) {
			for i := range n {
				job := newJob()
				job.Owner, job.Priority, job.DueAt = owner, priority, now().Add(due+time.Duration(i)*time.Millisecond)
				s.queued(t, job)
			}
		}
		add("big", 6, 127, -20*time.Second)
		add("small", 2, 127, -15*time.Second)
		add("", 2, 127, -10*time.Second)
		var order []string
		for range 3 { // one call at a time, then several
			for _, c := range s.claim(t, 1) {
				order = append(order, c.Job.Owner)
			}
		}
		for _, c := range s.claim(t, 7) {
			order = append(order, c.Job.Owner)
		}
		// The first round is by name, since nobody was served before.
		if got := strings.Join(order, ","); got != ",big,small,,big,small,big,big,big,big" {
			t.Error(got)
		}
		add("big", 3, 127, -time.Second)
		add("small", 1, 200, -time.Second)
		if c := s.claim(t, 1); c[0].Job.Owner != "small" {
			t.Errorf("the more urgent fax waits for %q", c[0].Job.Owner)
		}
	})
}

// Nothing starves: half a minute of waiting is a step of priority, within an
// owner and between owners.
func TestWaitingMakesUrgent(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		for _, urgent := range []string{"same", "other"} {
			s := db.open(t, "a")
			old, fresh := newJob(), newJob()
			old.Owner, old.Priority, old.DueAt = "same", 0, now().Add(-2*time.Hour)
			fresh.Owner, fresh.Priority, fresh.DueAt = urgent, 200, now()
			old, fresh = s.queued(t, old), s.queued(t, fresh)
			want := []fax.JobID{old.ID, fresh.ID}
			if got := ids(s.claim(t, 2)); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s owner: %v, want the old one first: %v", urgent, got, want)
			}
		}
	})
}

// A key with weight 3 gets three turns to one of another's, however fast calls
// can be placed, and an owner that was away has not saved turns up.
func TestWeightsShareTurns(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		for _, pace := range []time.Duration{0, 20 * time.Second, 2 * time.Minute} {
			s := db.open(t, "a")
			heavy, light := fmt.Sprintf("heavy%d", pace), fmt.Sprintf("light%d", pace)
			for id, weight := range map[string]int{heavy: 3, light: 1} {
				must(s.Keys().Create(t.Context(), Key{ID: id, Hash: "x", Weight: weight}))(t)
			}
			r := request(1)
			add := func(owner string, n int) {
				for range n {
					job := newJob()
					job.Owner, job.DueAt, job.Deadline = owner, r.Now.Add(-time.Second), r.Now.Add(24*time.Hour)
					s.queued(t, job)
				}
			}
			claim := func(n int) map[string]int {
				got := map[string]int{}
				for range n {
					r.Now = r.Now.Add(pace)
					for _, c := range must(s.Claim(t.Context(), r))(t) {
						got[c.Job.Owner]++
					}
				}
				return got
			}
			add(heavy, 24)
			if got := claim(4); got[heavy] != 4 { // light is away
				t.Errorf("every %s: %v", pace, got)
			}
			add(light, 10)
			if got := claim(16); got[heavy] < 11 || got[heavy] > 13 || got[heavy]+got[light] != 16 {
				t.Errorf("every %s: %v, want three to one", pace, got)
			}
			claim(14) // the rest
		}
	})
}

// Even the least urgent faxes get their call within the lifetime of a fax,
// while a heavy key keeps more urgent ones coming than can be called.
func TestNothingStarves(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		s := db.open(t, "a")
		must(s.Keys().Create(t.Context(), Key{ID: "heavy", Hash: "x", Weight: MaxWeight}))(t)
		r := request(1)
		add := func(owner string, priority int) fax.JobID {
			job := newJob()
			job.Owner, job.Priority, job.DueAt, job.Deadline = owner, priority, r.Now, r.Now.Add(24*time.Hour)
			return s.queued(t, job).ID
		}
		began := r.Now
		starving := map[fax.JobID]string{add("heavy", 0): "of the heavy key", add("light", 0): "of another key"}
		for range 10 {
			add("heavy", 255)
		}
		for len(starving) > 0 {
			r.Now = r.Now.Add(2 * time.Minute)
			if r.Now.Sub(began) > fax.DefaultLifetime {
				t.Fatalf("never called: the fax %v", starving)
			}
			add("heavy", 255)
			for _, id := range ids(must(s.Claim(t.Context(), r))(t)) {
				delete(starving, id)
			}
		}
	})
}
