package plan_test

import (
	"testing"
	"time"

	"faxbot/controller/fax"
	"faxbot/controller/plan"
)

func TestWindow(t *testing.T) {
	t.Parallel()
	at := func(s string) time.Time {
		moment, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return moment
	}
	for _, c := range []struct {
		number fax.Number
		window string
		now    string
		opens  string
	}{
		{"+493012345678", "", "2026-11-23T03:00:00Z", "2026-11-23T03:00:00Z"},
		{"+493012345678", "08:00-18:00", "2026-11-23T12:00:30Z", "2026-11-23T12:00:30Z"},
		{"+493012345678", "08:00-18:00", "2026-11-23T03:00:30Z", "2026-11-23T07:00:00Z"}, // Berlin
		{"+493012345678", "08:00-18:00", "2026-07-23T17:00:00Z", "2026-07-24T06:00:00Z"}, // in summer
		{"+81312345678", "09:00-17:00", "2026-11-23T12:00:00Z", "2026-11-24T00:00:00Z"},  // Tokyo
		{"+12125550100", "09:00-17:00", "2026-11-23T12:00:00Z", "2026-11-23T14:00:00Z"},  // New York
		{"+493012345678", "22:00-06:00", "2026-11-23T12:00:00Z", "2026-11-23T21:00:00Z"}, // by night
		{"+493012345678", "22:00-06:00", "2026-11-23T03:00:00Z", "2026-11-23T03:00:00Z"},
	} {
		job := fax.Job{To: c.number, Options: fax.Options{Window: c.window}}
		if got := (plan.Policy{}).Opening(job, at(c.now)); !got.Equal(at(c.opens)) {
			t.Errorf("%s %s at %s: opens %s, want %s", c.number, c.window, c.now, got, c.opens)
		}
	}
	for _, s := range []string{"8-18", "08:00-08:00", "25:00-26:00", "08:00 18:00", "08:00-18:0x"} {
		if _, err := plan.ParseWindow(s); fax.ProblemOf(err) != fax.Invalid {
			t.Errorf("%q is accepted: %v", s, err)
		}
	}
	if w, err := plan.ParseWindow("08:05-18:00"); err != nil || w.String() != "08:05-18:00" {
		t.Error(w, err)
	}
	// A number that may be in several zones is called when all are awake, or
	// when the first is.
	zone := func(hours int) *time.Location { return time.FixedZone("", hours*3600) }
	w, _ := plan.ParseWindow("09:00-17:00")
	if got := w.Opening(at("2026-11-23T00:00:00Z"), []*time.Location{zone(0), zone(-3)}); !got.Equal(at("2026-11-23T12:00:00Z")) {
		t.Error(got)
	}
	if got := w.Opening(at("2026-11-23T00:00:00Z"), []*time.Location{zone(0), zone(12)}); !got.Equal(at("2026-11-23T09:00:00Z")) {
		t.Error(got)
	}
}

// A retry that would fall behind the end of the window waits for the next day,
// and the plan says so.
func TestRetryKeepsToTheWindow(t *testing.T) {
	t.Parallel()
	s := newStory()
	s.Job.To, s.Job.Options.Window = "+493012345678", "08:00-13:00" // 12:00 UTC is its end
	s.Now = noon.Add(-time.Second)
	s.Job.Deadline = noon.Add(24 * time.Hour)
	s.ended(fax.Busy)
	if want := noon.Add(19 * time.Hour); s.State != fax.Retry || !s.Due.Equal(want) {
		t.Errorf("%s, due %s", s.State, s.Due)
	}
	s.Job.State, s.Job.DueAt, s.Now = fax.Retry, noon, noon
	f := plan.Expect(s.Situation, plan.Queue{})
	if len(f.Waits) == 0 || f.Waits[len(f.Waits)-1].Change != fax.Window || !f.At.Equal(noon.Add(19*time.Hour)) {
		t.Errorf("%+v", f)
	}
}

// Nobody is called overnight, so nothing expires: for which no deadline was asked
// has its lifetime in the morning, but not every morning for ever.
func TestDeadlinesAreOpenHours(t *testing.T) {
	t.Parallel()
	hours, err := plan.ParseWindow("08:00-18:00")
	if err != nil {
		t.Fatal(err)
	}
	p := plan.Policy{Window: hours}
	evening := time.Date(2026, 11, 23, 17, 0, 0, 0, time.UTC) // 18:00 in Berlin
	morning := evening.Add(14 * time.Hour)
	job := fax.Job{To: "+4930123456", CreatedAt: evening.Add(-time.Hour), Deadline: evening.Add(2 * time.Hour)}
	check := func(what string, due, deadline time.Time) {
		t.Helper()
		if d, l := p.PutOff(job, evening); !d.Equal(due) || !l.Equal(deadline) {
			t.Errorf("%s: due %s until %s", what, d, l)
		}
	}
	check("none asked", morning, morning.Add(fax.DefaultLifetime))
	job.Deadline = evening.Add(48 * time.Hour)
	check("a long one", morning, job.Deadline)
	job.Options.Deadline, job.Deadline = evening.Add(2*time.Hour), evening.Add(2*time.Hour)
	check("asked", morning, job.Deadline)
	job.Options.Deadline, job.CreatedAt = time.Time{}, evening.Add(-7*24*time.Hour)
	check("a week old", morning, job.Deadline)
	s := newStory()
	s.Policy.Window, s.Job.To, s.Now = hours, "+4930123456", evening.Add(-time.Minute)
	s.Job.CreatedAt, s.Job.Deadline = s.Now.Add(-time.Hour), s.Now.Add(2*time.Hour)
	if s.ended(fax.Busy); s.State != fax.Retry || !s.Due.Equal(morning) || !s.Deadline.Equal(morning.Add(fax.DefaultLifetime)) {
		t.Errorf("%+v", s.Decision)
	}
	if rest := s.Rest.Sub(evening); rest > 5*time.Minute {
		t.Errorf("the number rests for other faxes, too, for %s", rest)
	}
}
