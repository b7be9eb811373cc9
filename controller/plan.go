package controller

import (
	"fmt"
	"math/rand/v2"
	"time"

	"faxbot/controller/fax"
)

// outcome is what a job becomes after a call.
type outcome struct {
	state     fax.State
	cause     fax.Cause
	text      string    // for a person; "" when delivered
	due       time.Time // of the next call, for fax.Retry
	confirmed int       // pages confirmed over all calls
	dials     int       // 1 when the call counts as placed
	tries     int       // 1 when it counts as answered
}

// after decides what follows a call of job that came to r. before are the
// job's earlier calls. onUnknown says what to do when nobody can know whether
// pages arrived. It is pure but for the jitter.
func after(job fax.Job, before []fax.Attempt, this fax.Attempt, r fax.Result, onUnknown fax.Next, now time.Time) outcome {
	advice := r.Cause.Advice()
	o := outcome{cause: r.Cause, text: tell(r), confirmed: max(job.Confirmed, this.Parameters.StartPage+r.Pages)}
	if !advice.Free {
		o.dials = 1
	}
	if this.Answered() {
		o.tries = 1
	}
	next := advice.Next
	if r.Cause != fax.OK && job.Pages > 0 && o.confirmed >= job.Pages {
		// Page by page all were confirmed, but the end was not: to send them
		// again would be twice, to call it delivered a guess.
		o.cause = fax.Unknown
		o.text = "All pages were confirmed one by one, but the call did not end properly. " + o.text
	}
	if o.cause == fax.Unknown {
		next = onUnknown
	}
	switch {
	case r.Cause == fax.OK:
		o.state, o.text = fax.Done, ""
		return o
	case job.CancelAsked:
		o.state, o.cause = fax.Cancelled, fax.Withdrawn
		o.text = fmt.Sprintf("%s %d of %d pages had been delivered.", fax.Withdrawn.Advice().Tell, o.confirmed, job.Pages)
		return o
	case next == fax.Hold:
		o.state = fax.Held
		return o
	case next == fax.GiveUp:
		o.state = fax.Failed
		return o
	}
	o.state = fax.Retry
	o.due = now.Add(jitter(o.cause.Advice().Delay))
	why := ""
	switch {
	case advice.Repeats > 0 && 1+count(before, r.Cause) >= advice.Repeats:
		why = fmt.Sprintf("It ended so %s.", times(advice.Repeats))
	case job.Tries+o.tries >= job.MaxTries():
		why = fmt.Sprintf("It was answered %s; more was not asked for.", times(job.MaxTries()))
	case job.Dials+o.dials >= job.MaxDials():
		why = fmt.Sprintf("It was dialled %s; more was not asked for.", times(job.MaxDials()))
	case o.due.After(job.Deadline):
		why = "The deadline passes before the next call."
	}
	if why != "" {
		o.state, o.due = fax.Failed, time.Time{}
		o.text += " " + why
	}
	return o
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// tell puts the cause into words, with what the switch said of it.
func tell(r fax.Result) string {
	s := r.Cause.Advice().Tell
	if r.Text != "" && r.Text != "OK" {
		s += " (" + r.Text + ")"
	}
	return s
}

// parameters are those of the next call: the job's first unconfirmed page, and
// without what has failed on this line before.
func parameters(job fax.Job, before []fax.Attempt, t38 bool) fax.Parameters {
	p := fax.Parameters{T38: t38, V17: true, ECM: true, StartPage: job.Confirmed}
	if p.StartPage >= job.Pages {
		p.StartPage = 0 // a person, or the settings, decided to send all again
	}
	for _, a := range before {
		switch a.Result.Cause {
		case fax.T38Failed, fax.Media:
			p.T38 = false
		case fax.Training:
			p.V17 = false
		case fax.ECMFailed:
			p.ECM = false
		}
	}
	return p
}

func count(attempts []fax.Attempt, c fax.Cause) int {
	n := 0
	for _, a := range attempts {
		if a.Result.Cause == c {
			n++
		}
	}
	return n
}

// jitter spreads a delay from half of it to one and a half, so that jobs that
// failed together do not come back together.
func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d) }
