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

// The daemon's hours are those of faxes that name none; a fax may do without.
// What waits while they close is put off, and the plan says so.
func TestHoursOfTheDaemon(t *testing.T) {
	t.Parallel()
	tokyo, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		t.Fatal(err)
	}
	there := time.Now().In(tokyo)
	hours := func(from time.Duration) string {
		return there.Add(from).Format("15:04") + "-" + there.Add(from+time.Hour).Format("15:04")
	}
	h := newHouse(t, simulator.Config{Speed: 200}, func(c *controller.Config) { c.Window = hours(2 * time.Hour) })
	night := h.submit("+81312345670", 1)
	job, _ := h.until(night, fax.Queued)
	if wait := time.Until(job.DueAt); wait < 118*time.Minute || wait > 2*time.Hour || job.Deadline.Sub(job.DueAt) < 24*time.Hour {
		t.Errorf("due in %s: %+v", wait, job)
	}
	h.until(h.submit("+81312345671", 1, func(s *controller.Submission) { s.Options.Window = "always" }), fax.Done)

	h.apply(func(p *controller.Policy) { p.Window = hours(-30 * time.Minute) })
	h.until(h.submit("+81312345672", 1), fax.Done)

	const busy = "+81312345673"
	h.sim.Script(busy, simulator.Outcome{Cause: "USER_BUSY"})
	waits := h.submit(busy, 1)
	h.until(waits, fax.Retry)
	h.apply(func(p *controller.Policy) { p.Window = hours(2 * time.Hour) })
	h.release(waits) // due now, but the hours are over
	eventually(t, "the fax is put off", func() bool {
		job, _, err := h.Find(t.Context(), waits)
		return err == nil && time.Until(job.DueAt) > 118*time.Minute
	})
	h.apply(func(p *controller.Policy) { p.Window = hours(3 * time.Hour) })
	f, err := h.Plan(t.Context(), waits)
	if err != nil || len(f.Waits) != 1 || f.Waits[0].Change != fax.Window {
		t.Errorf("%+v %v", f, err)
	}
}
