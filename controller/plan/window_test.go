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
