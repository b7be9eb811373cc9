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
