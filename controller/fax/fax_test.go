package fax_test

import (
	"strings"
	"testing"
	"time"

	"faxbot/controller/fax"
)

func TestParseNumber(t *testing.T) {
	for in, want := range map[string]fax.Number{
		"+15551230001":           "+15551230001",
		" (555) 123-00.01 ":      "5551230001",
		"123456":                 "123456",
		"12345":                  "",
		"+123456789012345678901": "",
		"1+2345678":              "",
		"+1555123000x":           "",
		"١٢٣٤٥٦٧":                "",
		"+1555,1234567":          "",
		"'&socket(h:1)":          "",
		"":                       "",
		"+":                      "",
	} {
		got, err := fax.ParseNumber(in)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("ParseNumber(%q) = %q, %v; want %q", in, got, err, want)
		}
		if err != nil && fax.ProblemOf(err) != fax.BadNumber {
			t.Errorf("ParseNumber(%q): problem %q", in, fax.ProblemOf(err))
		}
	}
}

func FuzzParseNumber(f *testing.F) {
	f.Add("+1 555 123-0001")
	f.Add("15551112222") // as recorded
	f.Fuzz(func(t *testing.T, s string) {
		n, err := fax.ParseNumber(s)
		if err != nil {
			return
		}
		again, err := fax.ParseNumber(string(n))
		if err != nil || again != n {
			t.Fatalf("%q became %q, which becomes %q, %v", s, n, again, err)
		}
		for i, c := range []byte(n) {
			if (c < '0' || c > '9') && (c != '+' || i > 0) {
				t.Fatalf("%q contains %q", n, c)
			}
		}
	})
}

func TestMaskedShowsFourDigits(t *testing.T) {
	if got := fax.Number("+15551230001").Masked(); got != "********0001" {
		t.Error(got)
	}
}

func TestJobIDsSortByTime(t *testing.T) {
	last := fax.JobID("")
	for range 1000 {
		id := fax.NewJobID()
		if id <= last {
			t.Fatalf("%s after %s", id, last)
		}
		if got, err := fax.ParseJobID(string(id)); err != nil || got != id {
			t.Fatal(got, err)
		}
		if age := time.Since(id.Time()); age < 0 || age > time.Minute {
			t.Fatalf("%s was made %s ago", id, age)
		}
		last = id
	}
	for _, s := range []string{"", "..", "ABCDEF00112233445566778899AABBCC", string(last) + "0"} {
		if _, err := fax.ParseJobID(s); fax.ProblemOf(err) != fax.NotFound {
			t.Errorf("%q: %v", s, err)
		}
	}
}

// Every pair of states is walked, so that a change to the machine is a change
// to this picture.
func TestJobStateMachine(t *testing.T) {
	picture := map[fax.State]string{
		fax.Received:  "queued held failed cancelled",
		fax.Queued:    "dialing held failed cancelled",
		fax.Dialing:   "sending retry held done failed cancelled",
		fax.Sending:   "retry held done failed cancelled",
		fax.Retry:     "queued dialing held failed cancelled",
		fax.Held:      "queued retry failed cancelled",
		fax.Done:      "",
		fax.Failed:    "",
		fax.Cancelled: "",
	}
	walk(t, fax.States, picture, fax.State.CanBecome)
	for _, s := range fax.States {
		if s.Terminal() != (picture[s] == "") {
			t.Errorf("%s: Terminal() = %v", s, s.Terminal())
		}
	}
}

func TestAttemptStateMachine(t *testing.T) {
	walk(t, fax.AttemptStates, map[fax.AttemptState]string{
		fax.AttemptCreated:  "dialing answered faxing lost ended",
		fax.AttemptDialing:  "answered faxing lost ended",
		fax.AttemptAnswered: "faxing lost ended",
		fax.AttemptFaxing:   "lost ended",
		fax.AttemptLost:     "answered faxing ended",
		fax.AttemptEnded:    "",
	}, fax.AttemptState.CanBecome)
}

func walk[S ~string](t *testing.T, all []S, picture map[S]string, can func(S, S) bool) {
	t.Helper()
	for _, from := range all {
		allowed := map[string]bool{}
		for _, to := range strings.Fields(picture[from]) {
			allowed[to] = true
		}
		for _, to := range all {
			if can(from, to) != allowed[string(to)] {
				t.Errorf("%s → %s: %v, the picture says %v", from, to, can(from, to), allowed[string(to)])
			}
		}
	}
}

// Ids by another clock name its time, and sort as they are made.
func TestJobIDAt(t *testing.T) {
	for _, off := range []time.Duration{-time.Hour, 0, time.Hour} {
		last, at := fax.JobID(""), time.Now().Add(off)
		for range 10_000 {
			at = at.Add(time.Microsecond)
			id := fax.NewJobIDAt(at)
			if parsed, err := fax.ParseJobID(string(id)); err != nil || parsed != id || !id.Time().Equal(at.Truncate(time.Millisecond)) {
				t.Fatalf("%s, made at %s, says %s (%v)", id, at, id.Time(), err)
			}
			if id <= last {
				t.Fatalf("%s after %s", id, last)
			}
			last = id
		}
	}
}
