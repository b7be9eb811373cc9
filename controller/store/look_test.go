package store

import (
	"sync"
	"testing"

	"faxbot/controller/fax"
)

// Whoever was told that something is stored sees it, however many look at the
// same job at once, and whoever stored it.
func TestLookIsNeverOld(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		ours, others := db.open(t, "a"), db.open(t, "b")
		job := ours.received(t, newJob())
		if err := ours.Prepared(t.Context(), job.ID, sheets(1)); err != nil {
			t.Fatal(err)
		}
		stop := make(chan struct{})
		var lookers sync.WaitGroup
		defer lookers.Wait()
		defer close(stop)
		for range 4 {
			lookers.Go(func() {
				for last := 0.0; ; {
					select {
					case <-stop:
						return
					default:
					}
					_, _, facts, err := ours.Look(t.Context(), job.ID)
					if err != nil || facts.Seconds < last {
						t.Errorf("%v after %v, %v", facts.Seconds, last, err)
						return
					}
					last = facts.Seconds
				}
			})
		}
		for i := range 100 {
			by := ours
			if i%2 == 1 {
				by = others
			}
			want := float64(i + 1)
			if err := by.Describe(t.Context(), job.ID, fax.Facts{Seconds: want, Sheets: make([]fax.Sheet, 1)}); err != nil {
				t.Fatal(err)
			}
			if got := ours.facts(t, job.ID); got.Seconds != want {
				t.Fatalf("%v is seen after %v was stored", got.Seconds, want)
			}
		}
	})
}
