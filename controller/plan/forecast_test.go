package plan_test

import (
	"strings"
	"testing"
	"time"

	"faxbot/controller/fax"
	"faxbot/controller/plan"
)

// What a person reads, word by word; CASES.md has the same from real runs.
func TestForecastInWords(t *testing.T) {
	t.Parallel()
	lines := plan.Queue{CPS: 10, Lines: 100}
	waiting := func(s *story) { s.Job.State, s.Job.DueAt, s.Job.Error = fax.Retry, s.Due, s.Text; s.Now = noon }
	for name, c := range map[string]struct {
		make  func() *story
		queue plan.Queue
		want  string
	}{
		"first call": {func() *story {
			s := newStory()
			s.Job.State, s.Job.DueAt = fax.Queued, noon
			return s
		}, lines, "It is called now through carrier. If all goes well it is delivered at about 12:02 UTC: 3 pages at 35 seconds each, assumed."},
		"resumed": {func() *story {
			s := newStory().call(fax.Result{Cause: fax.Dropped, Code: 49, Pages: 2, Text: "The call dropped prematurely"})
			waiting(s)
			return s
		}, lines, "The call broke off before all pages were confirmed. (The call dropped prematurely) It is called at 12:01 UTC, in 60 seconds, through carrier. " +
			"From page 3: the pages before it are confirmed. If all goes well it is delivered at about 12:01 UTC: 1 page at 30 seconds each, as this number took before."},
		"learned": {func() *story {
			s := newStory().ended(fax.Training)
			s.call(fax.Result{Cause: fax.OK, Pages: 3})
			next := newStory()
			next.Known, next.Job.State, next.Job.DueAt = s.Known, fax.Queued, noon
			return next
		}, plan.Queue{Ahead: 300, CPS: 10, Lines: 100}, "It is called at 12:06 UTC, in 6 minutes, through carrier. 300 faxes are called before it. " +
			"At 9600 bit/s at most (without V.17): a call to this number ended so: \"The modems could not agree on a speed for this line.\" It is tried again from 23 Dec 2026 on. " +
			"If all goes well it is delivered at about 12:07 UTC: 3 pages at 20 seconds each, as this number took before."},
		"another gateway": {func() *story {
			s := newStory("second").ended(fax.Trunk)
			waiting(s)
			return s
		}, lines, "The carrier or the gateway could not take the call. It is called now through second. " +
			"Through gateway second: a call of this fax ended so: \"The carrier or the gateway could not take the call.\" " +
			"If all goes well it is delivered at about 12:02 UTC: 3 pages at 35 seconds each, assumed."},
		"resting": {func() *story {
			s := newStory()
			s.Job.State, s.Job.DueAt = fax.Queued, noon
			s.Known = fax.Destination{RestUntil: noon.Add(3 * time.Minute), RestCause: fax.Busy, Failing: 2}
			return s
		}, lines, "It is called at 12:03 UTC, in 3 minutes, through carrier. Not at once: 2 calls to this number ended so: \"The line was busy.\" " +
			"If all goes well it is delivered at about 12:05 UTC: 3 pages at 35 seconds each, assumed."},
		"wrong number": {func() *story {
			s := newStory().ended(fax.NotAFax, fax.NotAFax)
			s.Job.State, s.Job.Error = s.State, s.Text
			return s
		}, lines, "The call was answered, but not by a fax machine. It ended so 2 times. No fax has ever been delivered to this number: it may be wrong. " +
			"Check it, then release or cancel the fax. It waits for a person to release or cancel it."},
		"switched off": {func() *story {
			s := newStory().ended(fax.Busy)
			waiting(s)
			s.Policy.Disabled = true
			return s
		}, lines, "The line was busy. Nobody is called until faxing is enabled (FAX_DISABLED)."},
		"switched off, being drawn": {func() *story {
			s := newStory()
			s.Job.State, s.Policy.Disabled = fax.Received, true
			return s
		}, lines, "The documents are being made into pages; then it is held, since faxing is switched off (FAX_DISABLED)."},
		"no gateway": {func() *story {
			s := newStory()
			s.Job.State, s.Gateways[0].Closed = fax.Queued, true
			return s
		}, lines, "It is called as soon as a gateway can be used."},
		"on the line": {func() *story {
			s := newStory()
			s.Job.State = fax.Sending
			s.Calls = []fax.Attempt{{Gateway: "carrier", AnsweredAt: noon, Result: fax.Result{Pages: 1}}}
			return s
		}, lines, "It is being sent through carrier. If all goes well it is delivered at about 12:01 UTC: 2 pages at 35 seconds each, assumed."},
		"delivered": {func() *story { s := newStory(); s.Job.State = fax.Done; return s }, lines, "It is delivered."},
	} {
		s := c.make()
		if got := plan.Expect(s.Situation, c.queue).Text(s.Now); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, c.want)
		}
	}
	for _, state := range fax.States {
		s := newStory()
		s.Job.State = state
		s.Calls = []fax.Attempt{{}}
		if text := plan.Expect(s.Situation, lines).Text(noon); text == "" || strings.Contains(text, "  ") {
			t.Errorf("%s: %q", state, text)
		}
	}
}
