// Package plan decides what follows the calls of a fax: whether there is
// another, when, through which gateway and with which parameters, and why. It
// does what an experienced operator would do, from evidence: the calls of the
// fax, and what is remembered of the number.
//
// Everything here is a pure function. The rules are the table in rules.go.
package plan

import (
	"fmt"
	"slices"
	"time"

	"faxbot/controller/fax"
)

// Situation is all that a decision rests on.
type Situation struct {
	Job   fax.Job       // Confirmed counts all calls but, in After, the last
	Calls []fax.Attempt // of the fax, the first one first; all have ended
	Known fax.Destination
	// Gateways that this fax may go through, the preferred first.
	Gateways []Gateway
	Policy   Policy
	Now      time.Time
	Random   func() float64 // from [0, 1)
}

// Gateway is one way out, as it stands now.
type Gateway struct {
	Name   string
	Closed bool // it rests
	Full   bool // it works, and has no room at the moment
	// Listed gateways are watched: a queue waits for them. Of others nobody
	// would notice that they work again.
	Listed bool
	// Cause is how calls end through one that rests, until a call finds out
	// whether it works again.
	Cause fax.Cause
	Until time.Time
}

// Policy is what the operator chose.
type Policy struct {
	T38       bool     // offer T.38
	OnUnknown fax.Next // Hold or Again, when nobody can know whether pages arrived
	// Window are the hours of faxes that name none.
	Window   Window
	Disabled bool // nobody is called
}

// Call is how the next call is placed.
type Call struct {
	Gateway    string // "" when none can be used at the moment
	Parameters fax.Parameters
	Reasons    []fax.Reason // for what differs from a first call to an unknown number
}

// Decision is what follows a call.
type Decision struct {
	State     fax.State // Retry, Held, Done, Failed or Cancelled
	Cause     fax.Cause
	Text      string    // for a person; "" when delivered
	Due       time.Time // of the next call, for Retry
	Deadline  time.Time // from now on, for Retry
	Rest      time.Time // until when the number is called for no other fax, for Retry
	Confirmed int       // pages confirmed over all calls
	Dials     int       // 1 when the last call counts as placed
	Tries     int       // 1 when it counts as answered
	// Draw is set when the pages must be made again first: Standard or Redraw.
	Draw fax.Change
	Next Call // for Retry
}

// After decides what follows the last of the calls, which has a result. Known
// includes what that call taught.
func After(s Situation) Decision {
	job, this := s.Job, s.Calls[len(s.Calls)-1]
	r := this.Result
	d := Decision{Cause: r.Cause, Text: tell(r), Confirmed: max(job.Confirmed, this.Parameters.StartPage+r.Pages)}
	// What we gave up ourselves was never dialled; the deadline bounds it.
	if !r.Cause.Advice().Free && (r.Cause != fax.Switch || r.Witnesses.Decided != fax.ByDaemon) {
		d.Dials = 1
	}
	if this.Answered() {
		d.Tries = 1
	}
	if r.Cause != fax.OK && job.Pages > 0 && d.Confirmed >= job.Pages {
		// Page by page all were confirmed, but the end was not: to send them
		// again would be twice, to call it delivered a guess.
		d.Cause = fax.Unknown
		d.Text = "All pages were confirmed one by one, but the call did not end properly. " + d.Text
	}
	switch {
	case r.Cause == fax.OK:
		d.State, d.Text = fax.Done, ""
		return d
	case job.CancelAsked:
		d.State, d.Cause = fax.Cancelled, fax.Withdrawn
		d.Text = fmt.Sprintf("%s %d of %d pages had been delivered.", fax.Withdrawn.Advice().Tell, d.Confirmed, job.Pages)
		return d
	}
	s.Job.Confirmed = d.Confirmed
	d.Next = Next(s)
	s.follow(&d, after(d.Cause, count(s.Calls, r.Cause)))
	return d
}

// follow applies a step.
func (s Situation) follow(d *Decision, next step) {
	nth := count(s.Calls, d.Cause)
	_, otherGateway := s.gateway()
	wait := next.wait.choose(s.Random)
	d.State = fax.Retry
	switch next.move {
	case again:
		if d.Cause == fax.Trunk && otherGateway {
			wait = 0
		}
	case queue:
		switch {
		case otherGateway:
			wait = 0
		case !s.watched():
			d.State = fax.Held
			d.Text += " Then release or cancel the fax."
		}
	case fail:
		d.State = fax.Failed
		if nth > 1 {
			d.Text += fmt.Sprintf(" It ended so %s.", times(nth))
		}
	case elsewhere:
		if !otherGateway {
			d.State = fax.Failed
		}
	case wrongNumber:
		d.State = fax.Failed
		d.Text += fmt.Sprintf(" It ended so %s.", times(nth))
		if s.Known.Delivered == 0 {
			d.State = fax.Held
			d.Text += " No fax has ever been delivered to this number: it may be wrong. Check it, then release or cancel the fax."
		}
	case policy:
		if s.Policy.OnUnknown != fax.Again {
			d.State = fax.Held
		}
	}
	if d.State != fax.Retry {
		return
	}
	for _, c := range next.changes {
		if c == fax.Standard || c == fax.Redraw {
			d.Draw = c
		}
	}
	d.Rest = s.Now.Add(wait)
	d.Due, d.Deadline = s.Policy.PutOff(s.Job, d.Rest)
	why := ""
	switch job := s.Job; {
	case job.Tries+d.Tries >= job.MaxTries():
		why = fmt.Sprintf("It was answered %s; more was not asked for.", times(job.MaxTries()))
	case job.Dials+d.Dials >= job.MaxDials():
		why = fmt.Sprintf("It was dialled %s; more was not asked for.", times(job.MaxDials()))
	case d.Due.After(d.Deadline):
		why = "The deadline passes before the next call."
	}
	if why == "" {
		return
	}
	d.State, d.Due, d.Deadline, d.Rest, d.Draw = fax.Failed, time.Time{}, time.Time{}, time.Time{}, ""
	d.Text += " " + why
	// The last answered call of a fax may be the second in a row to a number
	// that never worked.
	if d.Cause == fax.NotAFax && suspect(s.Known) {
		d.State = fax.Held
		d.Text += " No fax has ever been delivered to this number: it may be wrong. Check it, then release or cancel the fax."
	}
}

// Suspect says why a fax to a number should wait for a person before its first
// call; "" when it need not.
func Suspect(known fax.Destination) string {
	if !suspect(known) {
		return ""
	}
	return fmt.Sprintf("The last %d calls to this number were answered, but not by a fax machine, and no fax has ever been delivered to it. "+
		"Check the number, then release or cancel the fax.", known.NotAFax)
}

func suspect(known fax.Destination) bool { return known.NotAFax >= 2 && known.Delivered == 0 }

// Next says how the next call is placed: as the first one would be, with what
// the number and the calls so far taught.
func Next(s Situation) Call {
	c := Call{}
	c.Gateway, _ = s.gateway()
	p := newParameters(s.Policy)
	p.remember(s.Known, c.Gateway, s.Now)
	ended := map[fax.Cause]int{}
	for _, call := range s.Calls {
		cause := call.Result.Cause
		ended[cause]++
		for _, change := range after(cause, ended[cause]).changes {
			p.apply(change, call, fax.Reason{Cause: cause, Calls: ended[cause]})
		}
	}
	if most, others, t := mostDrop(s.Known, c.Gateway); most {
		p.apply(fax.T38Off, fax.Attempt{}, fax.Reason{Cause: fax.Dropped, Calls: t.Dropped, Of: t.Calls, Number: true, Others: others, Since: t.Since})
	}
	c.Parameters, c.Reasons = p.done()
	if c.Gateway != "" && c.Gateway != s.Gateways[0].Name {
		why := fax.Reason{Change: fax.OtherGateway, Gateway: c.Gateway}
		if n := len(s.Calls); n > 0 && leaves(s.Calls[n-1]) {
			why.Cause, why.Calls = s.Calls[n-1].Result.Cause, 1
		}
		c.Reasons = append(c.Reasons, why)
	}
	if start := s.Job.Confirmed; start > 0 && start < s.Job.Pages {
		c.Parameters.StartPage = start
		c.Reasons = append(c.Reasons, fax.Reason{Change: fax.Resume, Page: start + 1})
	}
	return c
}

// gateway chooses the first open gateway that the fax has not just failed on
// through no fault of the far end, which is fresh, or else the first open one;
// but rather than hurrying back to where it failed it waits for one that is full.
func (s Situation) gateway() (name string, fresh bool) {
	left := map[string]bool{}
	for i := len(s.Calls) - 1; i >= 0 && leaves(s.Calls[i]); i-- {
		left[s.Calls[i].Gateway] = true
	}
	first, worthWaiting := "", false
	for _, g := range s.Gateways {
		switch {
		case g.Closed:
		case g.Full:
			worthWaiting = worthWaiting || !left[g.Name]
		case !left[g.Name]:
			return g.Name, true
		case first == "":
			first = g.Name
		}
	}
	if n := len(s.Calls); worthWaiting && n > 0 && s.Now.Sub(s.Calls[n-1].EndedAt) < rules[fax.Trunk][0].wait.most {
		return "", false
	}
	return first, false
}

// watched says that the fax may wait for one of its gateways.
func (s Situation) watched() bool {
	return slices.ContainsFunc(s.Gateways, func(g Gateway) bool { return g.Listed })
}

// leaves says that a call's end speaks for another gateway.
func leaves(a fax.Attempt) bool {
	for _, c := range after(a.Result.Cause, 1).changes {
		if c == fax.OtherGateway {
			return true
		}
	}
	return false
}

func (s span) choose(random func() float64) time.Duration {
	return s.least + time.Duration(random()*float64(s.most-s.least))
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

func count(calls []fax.Attempt, c fax.Cause) int {
	n := 0
	for _, a := range calls {
		if a.Result.Cause == c {
			n++
		}
	}
	return n
}
