package plan

import (
	"maps"
	"time"

	"faxbot/controller/fax"
)

// Memory is how long a limit of a number is believed. Afterwards calls try
// again without it, since machines and lines are replaced.
const Memory = 30 * 24 * time.Hour

// limitName is the key of a feature in Destination.Limits. Only T.38 depends
// on the gateway.
func limitName(f feature, gateway string) string {
	switch f {
	case t38:
		return "t38@" + gateway
	case v17:
		return "v17"
	case ecm:
		return "ecm"
	default:
		return "fine"
	}
}

// holds says that calls should respect the limit.
func holds(l fax.Limit, now time.Time) bool {
	return (l.Proven || l.Calls >= 2) && now.Sub(l.Since) < Memory
}

// blames are the causes that speak against one feature of the call.
var blames = map[fax.Cause]feature{
	fax.Training: v17, fax.ECMFailed: ecm, fax.T38Failed: t38, fax.Media: t38, fax.Image: fine,
}

// Learn returns what is known of a number after one more call to it, which has
// ended. due is when its fax calls again; zero when it does not. What is older
// than Memory is forgotten.
func Learn(known fax.Destination, a fax.Attempt, due, now time.Time) fax.Destination {
	d := known
	d.Limits, d.Trials = maps.Clone(known.Limits), maps.Clone(known.Trials)
	if d.Limits == nil {
		d.Limits = map[string]fax.Limit{}
	}
	if d.Trials == nil {
		d.Trials = map[string]fax.Trial{}
	}
	maps.DeleteFunc(d.Limits, func(_ string, l fax.Limit) bool { return now.Sub(l.Since) >= Memory })
	maps.DeleteFunc(d.Trials, func(_ string, t fax.Trial) bool { return now.Sub(t.Since) >= Memory })
	d.UpdatedAt = now

	r := a.Result
	if r.RemoteStation != "" {
		d.RemoteStation = r.RemoteStation
	}
	if r.RemoteMachine != "" {
		d.RemoteMachine = r.RemoteMachine
	}
	learnPace(&d, a)
	learnTrial(d.Trials, a, now)
	switch f, blamed := blames[r.Cause]; {
	case r.Cause == fax.OK:
		d.Delivered, d.DeliveredAt = d.Delivered+1, now
		d.NotAFax, d.Failing = 0, 0
		d.RestUntil, d.RestCause = time.Time{}, ""
		p := a.Parameters
		p.StartPage = 0
		d.Good = &p
		prove(d.Limits, a, now)
	case blamed && using(a.Parameters, f):
		name := limitName(f, a.Gateway)
		l := d.Limits[name]
		d.Limits[name] = fax.Limit{Cause: r.Cause, Calls: l.Calls + 1, Since: now, Proven: l.Proven}
	}
	if r.Cause == fax.OK || !farEnd[r.Cause] {
		return d
	}
	d.Failing++
	if r.Cause == fax.NotAFax {
		d.NotAFax++
	} else if a.Answered() && r.Code != fax.NoCode {
		d.NotAFax = 0 // a machine spoke
	}
	if due.IsZero() {
		due = now.Add(after(r.Cause, 1).wait.least)
	}
	d.RestUntil, d.RestCause = due, r.Cause
	return d
}

// farEnd are the ends of calls that another call, for another fax, would
// likely come to as well.
var farEnd = map[fax.Cause]bool{
	fax.Busy: true, fax.NoAnswer: true, fax.NotAFax: true, fax.Training: true, fax.ECMFailed: true, fax.T38Failed: true,
	fax.Incapable: true, fax.PageLost: true, fax.Dropped: true, fax.Operator: true,
}

// prove notes what a delivery says of limits: those it respected are right,
// those it did without are not.
func prove(limits map[string]fax.Limit, a fax.Attempt, now time.Time) {
	for f := range features {
		name := limitName(f, a.Gateway)
		if using(a.Parameters, f) {
			if f != t38 || a.Result.T38 {
				delete(limits, name)
			}
			continue
		}
		l, known := limits[name]
		for _, r := range a.Reasons {
			if !known && r.Change == off[f] && r.Cause != "" {
				l, known = fax.Limit{Cause: r.Cause, Calls: r.Calls, Since: now}, true
			}
		}
		if known {
			l.Proven = true
			limits[name] = l
		}
	}
}

func using(p fax.Parameters, f feature) bool {
	return [features]bool{t38: p.T38, v17: p.V17, ecm: p.ECM, fine: !p.Standard}[f]
}

// learnPace keeps a moving average of the time that a page takes, what comes
// before the first one included.
func learnPace(d *fax.Destination, a fax.Attempt) {
	if !a.Answered() || a.Result.Pages == 0 {
		return
	}
	pace := a.EndedAt.Sub(a.AnsweredAt).Seconds() / float64(a.Result.Pages)
	if d.PageSeconds > 0 {
		pace = 0.7*d.PageSeconds + 0.3*pace
	}
	d.PageSeconds = pace
}

// learnTrial counts how calls that offered T.38 end.
func learnTrial(trials map[string]fax.Trial, a fax.Attempt, now time.Time) {
	if !a.Parameters.T38 || !a.Answered() || a.Result.Cause == fax.NotAFax {
		return
	}
	t := trials[a.Gateway]
	if t.Calls == 0 {
		t.Since = now
	}
	t.Calls++
	if a.Result.Cause == fax.Dropped {
		t.Dropped++
	}
	trials[a.Gateway] = t
}

// mostDrop says that most calls that offered T.38 broke off.
func mostDrop(known fax.Destination, gateway string) (bool, fax.Trial) {
	t := known.Trials[gateway]
	return t.Dropped >= 2 && 2*t.Dropped > t.Calls, t
}
