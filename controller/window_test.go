package controller_test

import (
	"testing"
	"time"

	"faxbot/controller"
	"faxbot/controller/fax"
	"faxbot/controller/freeswitch/simulator"
	"faxbot/controller/store"
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
	eventually(t, "the fax keeps to the new hours", func() bool {
		job, _, err := h.Find(t.Context(), waits)
		return err == nil && time.Until(job.DueAt) > 178*time.Minute
	})
	f, err := h.Plan(t.Context(), waits)
	if err != nil || len(f.Waits) != 1 || f.Waits[0].Change != fax.Window {
		t.Errorf("%+v %v", f, err)
	}
}

// Faxes that were put off to hours which have changed keep to the new ones, also
// when they change while the daemon is down; those that were to be sent later,
// or have hours of their own, wait as they were asked to.
func TestHoursChange(t *testing.T) {
	t.Parallel()
	hours := func(from time.Duration) string { // by the clock in Tokyo, as at the numbers
		there := time.Now().UTC().Add(9*time.Hour + from)
		return there.Format("15:04") + "-" + there.Add(time.Hour).Format("15:04")
	}
	h := newHouse(t, simulator.Config{Speed: 200}, func(c *controller.Config) { c.Window = hours(2 * time.Hour) })
	soon := time.Now().Add(3 * time.Hour).Truncate(time.Minute)
	put := h.submit("+81312345680", 1)
	own := h.submit("+81312345681", 1, func(s *controller.Submission) { s.Options.Window = hours(2 * time.Hour) })
	later := h.submit("+81312345682", 1, func(s *controller.Submission) { s.SendAt = soon })
	free := h.submit("+81312345683", 1, func(s *controller.Submission) { s.SendAt, s.Options.Window = soon, "always" })
	for _, id := range []fax.JobID{put, own, later, free} {
		h.until(id, fax.Queued)
	}
	due := func(id fax.JobID) time.Time {
		job, _, err := h.Find(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return job.DueAt
	}
	ownDue := due(own)
	h.apply(func(p *controller.Policy) { p.Window = hours(5 * time.Hour) })
	eventually(t, "what was put off is put off again", func() bool { return time.Until(due(put)) > 298*time.Minute })
	eventually(t, "what is to be sent later, too", func() bool { return time.Until(due(later)) > 298*time.Minute })
	h.close()
	h.open(func(c *controller.Config) { c.Window = "" })
	h.until(put, fax.Done)
	if got := due(later); !got.Equal(soon) {
		t.Errorf("to be sent at %s: due %s", soon, got)
	}
	if !due(own).Equal(ownDue) || !due(free).Equal(soon) {
		t.Errorf("its own hours: due %s, then %s; always: %s", ownDue, due(own), due(free))
	}
}

// A fax of before there were hours does not expire overnight, unless it was to
// be sent by then.
func TestNoFaxExpiresOvernight(t *testing.T) {
	t.Parallel()
	h := newHouse(t, simulator.Config{Speed: 200}, nil)
	there := time.Now().UTC().Add(9 * time.Hour)
	hours := there.Add(10*time.Hour).Format("15:04") + "-" + there.Add(20*time.Hour).Format("15:04")
	const busy, urgent = "+81312345690", "+81312345691"
	deadline := time.Now().Add(2 * time.Hour)
	for _, number := range []string{busy, urgent} {
		h.sim.Script(number, simulator.Outcome{Cause: "USER_BUSY"})
	}
	open, named := h.submit(busy, 1), h.submit(urgent, 1, func(s *controller.Submission) { s.Deadline = deadline })
	h.until(open, fax.Retry)
	h.until(named, fax.Retry)
	h.apply(func(p *controller.Policy) { p.Window = hours })
	h.release(open) // due now, at night
	eventually(t, "it is put off", func() bool {
		job, _, err := h.Find(t.Context(), open)
		return err == nil && time.Until(job.DueAt) > 9*time.Hour && job.Deadline.Sub(job.DueAt) >= fax.DefaultLifetime
	})
	if job, _ := h.until(named, fax.Retry); !job.Deadline.Equal(deadline.UTC().Truncate(time.Microsecond)) {
		t.Errorf("asked for %s, it is %s", deadline, job.Deadline)
	}
	// The hours may end, and the time of faxes too, while no call can be placed.
	over := store.Dates{Due: time.Now().Add(time.Hour), Deadline: time.Now()}
	if err := h.store.Postpone(t.Context(), map[fax.JobID]store.Dates{open: over, named: over}); err != nil {
		t.Fatal(err)
	}
	if job, _ := h.until(named, fax.Failed); job.Cause != fax.Expired {
		t.Errorf("%+v", job)
	}
	if job, _ := h.until(open, fax.Queued); time.Until(job.DueAt) < 9*time.Hour || job.Deadline.Sub(job.DueAt) < fax.DefaultLifetime {
		t.Errorf("%+v", job)
	}
}
