package controller_test

import (
	"testing"
	"time"

	"faxbot/controller"
	"faxbot/controller/fax"
	"faxbot/controller/freeswitch/simulator"
)

// A fax with a window waits for it, wherever its number is, and has a day more.
func TestWindowIsKept(t *testing.T) {
	t.Parallel()
	h := newHouse(t, simulator.Config{Speed: 200}, nil)
	tokyo, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		t.Fatal(err)
	}
	there := time.Now().In(tokyo)
	window := func(from time.Duration) func(*controller.Submission) {
		return func(s *controller.Submission) {
			s.Options.Window = there.Add(from).Format("15:04") + "-" + there.Add(from+time.Hour).Format("15:04")
		}
	}
	closed := h.submit("+81312345678", 1, window(2*time.Hour))
	job, _ := h.until(closed, fax.Queued)
	if wait := time.Until(job.DueAt); wait < 118*time.Minute || wait > 2*time.Hour || job.Deadline.Sub(job.DueAt) < 24*time.Hour {
		t.Errorf("due in %s: %+v", wait, job)
	}
	h.until(h.submit("+81312345679", 1, window(-30*time.Minute)), fax.Done)
	late := controller.Submission{To: "+81312345678", Deadline: time.Now().Add(time.Hour), Priority: 1}
	window(2 * time.Hour)(&late)
	r, err := h.Receive(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.Submit(t.Context(), r, late); fax.ProblemOf(err) != fax.Invalid {
		t.Errorf("a deadline before the window is accepted: %v", err)
	}
}
