package controller

import (
	"reflect"
	"slices"
	"testing"

	"faxbot/controller/fax"
	"faxbot/dialplan"
	"faxbot/events"

	"pgregory.net/rapid"
)

// statement is one thing that one witness says of a call.
type statement func(*verdict)

// story is what really happened, and everything that can truthfully be said of
// it.
type story struct {
	start, total int
	success      bool
	cause        fax.Cause
	said         []statement
}

func stories() *rapid.Generator[story] {
	return rapid.Custom(func(t *rapid.T) story {
		if rapid.Bool().Draw(t, "answered") {
			return faxed(t)
		}
		return unanswered(t)
	})
}

func unanswered(t *rapid.T) story {
	name := rapid.SampledFrom([]string{"USER_BUSY", "NO_ANSWER", "NORMAL_TEMPORARY_FAILURE", "INVALID_GATEWAY", "UNALLOCATED_NUMBER"}).Draw(t, "hangup")
	return story{total: 3, cause: fax.CauseOfHangup(name), said: []statement{
		func(v *verdict) { v.hear(byLink, &events.CallEnded{Cause: name}) },
		func(v *verdict) { v.hear(byLink, &events.OriginateEnded{Cause: name}) },
	}}
}

func faxed(t *rapid.T) story {
	total := rapid.IntRange(1, 5).Draw(t, "total")
	start := rapid.IntRange(0, total-1).Draw(t, "start")
	due := total - start
	f := events.Fax{Known: true, Line: events.Line{Rate: 14400, ECM: true, RemoteStation: "far", TotalPages: total}}
	s := story{start: start, total: total}
	if rapid.Bool().Draw(t, "success") {
		f.Success, f.Text, f.Pages = true, "OK", due
		s.success, s.cause = true, fax.OK
	} else {
		f.Code = rapid.IntRange(1, 61).Draw(t, "code")
		f.Text, f.Pages = "text of the code", rapid.IntRange(0, due-1).Draw(t, "pages")
		s.cause = fax.CauseOfCode(f.Code)
	}
	say := func(w witness, ev events.Event) {
		s.said = append(s.said, func(v *verdict) { v.hear(w, ev) })
	}
	say(byLink, &events.OriginateEnded{Answered: true})
	say(byCall, &events.Connected{})
	say(byCall, &events.Negotiated{Line: f.Line})
	for n := range f.Pages {
		say(byCall, &events.PageConfirmed{Pages: n + 1, Line: f.Line})
		say(byLink, &events.PageConfirmed{Pages: n + 1, Line: f.Line})
	}
	say(byCall, &events.Hangup{Cause: "NORMAL_CLEARING"})
	for _, w := range []witness{byCall, byLink} {
		say(w, &events.FaxEnded{Fax: f})
		say(w, &events.CallEnded{Cause: "NORMAL_CLEARING", Application: "txfax", Fax: f})
	}
	say(byCall, &events.ApplicationEnded{Application: "txfax", Fax: f})
	record := dialplan.Record{Fax: true, Success: f.Success, Code: f.Code, Pages: f.Pages}
	s.said = append(s.said,
		func(v *verdict) { v.hearRecord(record) },
		func(v *verdict) { r := record; r.Ended, r.Cause = true, "NORMAL_CLEARING"; v.hearRecord(r) },
		func(v *verdict) { v.hearHook(events.Hook{Fax: f}) },
	)
	return s
}

// Whoever speaks, in whatever order and however often, the verdict is the same.
func TestVerdictKnowsNoOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := stories().Draw(t, "story")
		var straight, shuffled verdict
		for _, say := range s.said {
			say(&straight)
		}
		order := rapid.Permutation(append(s.said, s.said...)).Draw(t, "order")
		for _, say := range order {
			say(&shuffled)
		}
		if said := straight.testimony(); said.Decided == "" || len(said.Contradicted) > 0 {
			t.Fatalf("truthful witnesses: %+v", said)
		}
		if !reflect.DeepEqual(straight, shuffled) {
			t.Fatalf("%+v\n%+v", straight, shuffled)
		}
		if r := straight.result(s.start, s.total); r.Cause != s.cause || !straight.final(s.start, s.total) || straight.conflict() {
			t.Fatalf("%+v of %+v", r, straight)
		}
	})
}

// However much is lost, a verdict that is final is the true one.
func TestVerdictFromAnySubset(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := stories().Draw(t, "story")
		var v verdict
		for _, say := range s.said {
			if rapid.Bool().Draw(t, "heard") {
				say(&v)
			}
		}
		r := v.result(s.start, s.total)
		if r.Cause == fax.OK && !s.success {
			t.Fatalf("success out of nothing: %+v", v)
		}
		if said := r.Witnesses.Decided; (r.Cause == fax.OK || v.refused != "" || v.end().hangup != "") && said == "" {
			t.Fatalf("nobody said %s: %+v", r.Cause, v)
		}
		if v.final(s.start, s.total) && r.Cause != s.cause {
			t.Fatalf("%s, but the truth is %s: %+v", r.Cause, s.cause, v)
		}
	})
}

// Witnesses who contradict each other are noticed, and rank decides, not time.
func TestVerdictConflict(t *testing.T) {
	success := events.Fax{Known: true, Success: true, Text: "OK", Pages: 2}
	failure := events.Fax{Known: true, Code: 49, Pages: 1}
	for name, c := range map[string]struct {
		call, hook events.Fax
		want       fax.Cause
	}{
		"the call says success": {success, failure, fax.OK},
		"the hook says success": {failure, success, fax.Dropped},
	} {
		said := []statement{
			func(v *verdict) { v.hear(byCall, &events.CallEnded{Fax: c.call}) },
			func(v *verdict) { v.hearHook(events.Hook{Fax: c.hook}) },
		}
		for _, order := range [][]int{{0, 1}, {1, 0}} {
			var v verdict
			for _, i := range order {
				said[i](&v)
			}
			if said := v.testimony(); said.Decided != fax.ByCall || len(said.Agreed) != 0 || !slices.Equal(said.Contradicted, []fax.Witness{fax.ByHook}) {
				t.Errorf("%s, order %v: %+v", name, order, said)
			}
			if !v.conflict() || v.result(0, 2).Cause != c.want {
				t.Errorf("%s, order %v: %s, conflict %v", name, order, v.result(0, 2).Cause, v.conflict())
			}
		}
	}
}

func TestVerdictIsNeverTakenFromHangup(t *testing.T) {
	var v verdict
	v.hear(byCall, &events.Connected{})
	v.hear(byCall, &events.PageConfirmed{Pages: 1})
	v.hear(byCall, &events.Hangup{Cause: "NORMAL_CLEARING"})
	if v.final(0, 1) {
		t.Error("CHANNEL_HANGUP was taken for the end")
	}
}

func TestSuccessNeedsEveryPage(t *testing.T) {
	short := events.Fax{Known: true, Success: true, Text: "OK", Pages: 1}
	for _, c := range []struct {
		start, total int
		want         fax.Cause
	}{{0, 1, fax.OK}, {2, 3, fax.OK}, {0, 3, fax.PageLost}, {1, 3, fax.PageLost}} {
		var v verdict
		v.hear(byCall, &events.CallEnded{Fax: short})
		if got := v.result(c.start, c.total).Cause; got != c.want {
			t.Errorf("1 page from %d of %d: %s, want %s", c.start, c.total, got, c.want)
		}
	}
}
