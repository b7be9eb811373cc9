package plan

import (
	"fmt"
	"math"
	"strings"
	"time"

	"faxbot/controller/fax"
)

// Queue is what stands before a fax whose time has come.
type Queue struct {
	Ahead int     // faxes that are called before it
	CPS   float64 // new calls per second
	Lines int     // calls at once
	Full  bool    // all lines are in use
}

// Forecast is what will happen to a fax, as far as it is known now.
type Forecast struct {
	State fax.State
	Why   string // why it stands so; "" while nothing has gone wrong
	// Call is how the next call is placed, or the one under way; nil when there
	// will be none, or not before a person has decided.
	Call     *Call
	At       time.Time    // when it is placed; zero when it is under way or waits for what has no time
	Waits    []fax.Reason // what keeps it from being placed now
	Ahead    int
	Pages    int     // still to be confirmed
	Pace     float64 // seconds a page, assumed
	Learned  bool    // from this number
	Done     time.Time
	Deadline time.Time // no call begins after it
}

// assumedPace is that of a machine of which nothing is known: a page of text
// takes half a minute at 14400 bit/s, and the call begins with as much.
const (
	assumedPace = 35.0 // s
	assumedRing = 15 * time.Second
)

// Expect makes the forecast of a fax. Of a fax that is on the line the last
// call has not ended.
func Expect(s Situation, q Queue) Forecast {
	job := s.Job
	f := Forecast{State: job.State, Why: job.Error, Pages: max(0, job.Pages-job.Confirmed), Pace: assumedPace, Deadline: job.Deadline}
	waiting := job.State == fax.Queued || job.State == fax.Retry
	if s.Policy.Disabled && (waiting || job.State == fax.Received) {
		f.Waits = append(f.Waits, fax.Reason{Change: fax.SwitchedOff})
	}
	switch {
	case job.State.OnTheLine() && len(s.Calls) > 0:
		a := s.Calls[len(s.Calls)-1]
		f.Call = &Call{a.Gateway, a.Parameters, a.Reasons}
		f.Pages = max(0, job.Pages-a.Parameters.StartPage-a.Result.Pages)
		f.Done = s.Now.Add(f.line(s.Known))
		if !a.Answered() {
			f.Done = f.Done.Add(assumedRing)
		}
		return f
	case !waiting:
		return f
	}
	next := Next(s)
	f.Call = &next
	line := f.line(s.Known)
	if s.Policy.Disabled {
		return f
	}
	f.At = later(s.Now, job.DueAt)
	if rest := s.Known.RestUntil; rest.After(f.At) {
		f.At = rest
		f.Waits = append(f.Waits, fax.Reason{Change: fax.Rest, Cause: s.Known.RestCause, Calls: max(1, s.Known.Failing), Number: true})
	}
	open, then := s.Policy.Opening(job, s.Now), s.Policy.Opening(job, f.At)
	if then.After(f.At) || open.After(s.Now) && !then.Before(open) { // or it is due only then for this reason
		f.At = then
		f.Waits = append(f.Waits, fax.Reason{Change: fax.Window, Until: then})
	}
	if next.Gateway == "" {
		f.At = time.Time{}
		f.Waits = append(f.Waits, s.held())
		return f
	}
	before := q.Ahead
	f.Ahead = q.Ahead
	if q.Full && !f.At.After(s.Now) {
		f.Waits = append(f.Waits, fax.Reason{Change: fax.Lines, Gateway: next.Gateway})
		before++ // a call must end first
	}
	if before > 0 && q.CPS > 0 && q.Lines > 0 {
		// Either new calls are the limit, or lines that are in use.
		each := math.Max(1/q.CPS, (assumedRing.Seconds()+3*assumedPace)/float64(q.Lines))
		f.At = f.At.Add(time.Duration(float64(before) * each * float64(time.Second)))
	}
	f.Done = f.At.Add(assumedRing + line)
	return f
}

// line is how long the pages that are left take through the gateway of the call.
func (f *Forecast) line(known fax.Destination) time.Duration {
	if seconds := pace(known, f.Call.Gateway); seconds > 0 {
		f.Pace, f.Learned = seconds, true
	}
	return time.Duration(f.Pace*float64(f.Pages)) * time.Second
}

// held says what keeps all gateways from being used: the first that will be
// tried again.
func (s Situation) held() fax.Reason {
	r := fax.Reason{Change: fax.QueueHeld}
	for _, g := range s.Gateways {
		if g.Cause != "" && (r.Until.IsZero() || g.Until.Before(r.Until)) {
			r.Gateway, r.Cause, r.Until = g.Name, g.Cause, g.Until
		}
	}
	return r
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Text is the forecast for a person, in sentences.
func (f Forecast) Text(now time.Time) string {
	var say []string
	add := func(format string, args ...any) { say = append(say, fmt.Sprintf(format, args...)) }
	if f.Why != "" {
		add("%s", f.Why)
	}
	clock := func(t time.Time) string {
		t = t.UTC()
		if t.Sub(now) < 20*time.Hour {
			return t.Format("15:04 MST")
		}
		return t.Format("2 Jan 15:04 MST")
	}
	switch f.State {
	case fax.Received:
		then := "it is called."
		if f.off() {
			then = "it is held, since faxing is switched off (FAX_DISABLED)."
		}
		add("The documents are being made into pages; then %s", then)
	case fax.Held:
		add("It waits for a person to release or cancel it.")
	case fax.Done:
		add("It is delivered.")
	case fax.Failed, fax.Cancelled:
		add("Nothing more will happen.")
	case fax.Dialing, fax.Sending:
		add("%s", map[fax.State]string{fax.Dialing: "It is being called", fax.Sending: "It is being sent"}[f.State]+" through "+f.Call.Gateway+".")
	default:
		switch wait := f.At.Sub(now); {
		case f.off(): // which its reason tells
		case f.At.IsZero():
			add("It is called as soon as a gateway can be used.")
		case wait < 5*time.Second:
			add("It is called now through %s.", f.Call.Gateway)
		default:
			add("It is called at %s, in %s, through %s.", clock(f.At), spoken(wait), f.Call.Gateway)
		}
		f.tellWaits(add)
		if f.Ahead > 0 {
			add("%s called before it.", plural(f.Ahead, "fax is", "faxes are"))
		}
	}
	if f.Call == nil {
		return strings.Join(say, " ")
	}
	for _, r := range f.Call.Reasons {
		add("%s", r)
	}
	if !f.Done.IsZero() && f.Pages > 0 {
		from := "assumed"
		if f.Learned {
			from = "as this number took before"
		}
		add("If all goes well it is delivered at about %s: %s at %.0f seconds each, %s.", clock(f.Done), plural(f.Pages, "page", "pages"), f.Pace, from)
	}
	return strings.Join(say, " ")
}

func (f Forecast) tellWaits(add func(string, ...any)) {
	for _, r := range f.Waits {
		if r.Change != fax.QueueHeld || r.Gateway != "" {
			add("%s", r)
		}
	}
}

// off says that nobody is called at all.
func (f Forecast) off() bool { return len(f.Waits) > 0 && f.Waits[0].Change == fax.SwitchedOff }

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// spoken is a duration as people say it.
func spoken(d time.Duration) string {
	switch {
	case d < 90*time.Second:
		return plural(int(d.Round(time.Second).Seconds()), "second", "seconds")
	case d < 90*time.Minute:
		return plural(int(d.Round(time.Minute).Minutes()), "minute", "minutes")
	}
	return plural(int(d.Round(time.Hour).Hours()), "hour", "hours")
}
