package plan

import (
	"maps"
	"time"

	"faxbot/controller/fax"
)

// Memory is how long a limit of a number is believed. Afterwards calls try
// again without it, since machines and lines are replaced.
const Memory = 30 * 24 * time.Hour

// limitNames are the keys of features in Way.Limits.
var limitNames = [features]string{t38: "t38", v17: "v17", ecm: "ecm", fine: "fine"}

// holds says that calls should respect the limit.
func holds(l fax.Limit, now time.Time) bool {
	return (l.Proven || l.Calls >= 2) && now.Sub(l.Since) < Memory
}

// blames are the causes that speak against one feature of the call.
var blames = map[fax.Cause]feature{
	fax.Training: v17, fax.ECMFailed: ecm, fax.T38Failed: t38, fax.Media: t38, fax.Image: fine,
}

// Learn returns what is known of a number after one more call to it, which has
// ended. rest is when its fax calls again; zero when it does not. What is older
// than Memory is forgotten.
func Learn(known fax.Destination, a fax.Attempt, rest, now time.Time) fax.Destination {
	d, r := known, a.Result
	d.Way = learn(known.Way, a, now)
	d.Ways = maps.Clone(known.Ways)
	if d.Ways == nil {
		d.Ways = map[string]fax.Way{}
	}
	own := learn(known.Ways[a.Gateway], a, now)
	delete(own.Limits, limitNames[fine]) // is the machine's
	d.Ways[a.Gateway] = own
	maps.DeleteFunc(d.Ways, func(_ string, w fax.Way) bool { return now.Sub(w.UpdatedAt) >= Memory })

	if r.RemoteStation != "" {
		d.RemoteStation = r.RemoteStation
	}
	if r.RemoteMachine != "" {
		d.RemoteMachine = r.RemoteMachine
	}
	if r.Cause == fax.OK {
		d.Delivered, d.DeliveredAt = d.Delivered+1, now
		d.NotAFax, d.Failing = 0, 0
		d.RestUntil, d.RestCause = time.Time{}, ""
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
	if rest.IsZero() {
		rest = now.Add(after(r.Cause, 1).wait.least)
	}
	d.RestUntil, d.RestCause = rest, r.Cause
	return d
}

// learn returns what is known of a way after one more call on it.
func learn(w fax.Way, a fax.Attempt, now time.Time) fax.Way {
	w.Limits = maps.Clone(w.Limits)
	if w.Limits == nil {
		w.Limits = map[string]fax.Limit{}
	}
	maps.DeleteFunc(w.Limits, func(_ string, l fax.Limit) bool { return now.Sub(l.Since) >= Memory })
	if now.Sub(w.Offers.Since) >= Memory {
		w.Offers = fax.Trial{}
	}
	w.UpdatedAt = now
	learnPace(&w, a)
	learnOffer(&w.Offers, a, now)
	switch f, blamed := blames[a.Result.Cause]; {
	case a.Result.Cause == fax.OK:
		p := a.Parameters
		p.StartPage = 0
		w.Good = &p
		prove(w.Limits, a, now)
	case blamed && using(a.Parameters, f):
		l := w.Limits[limitNames[f]]
		w.Limits[limitNames[f]] = fax.Limit{Cause: a.Result.Cause, Calls: l.Calls + 1, Since: now, Proven: l.Proven}
	}
	return w
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
	for f, name := range limitNames {
		f := feature(f)
		if using(a.Parameters, f) {
			if f != t38 || a.Result.T38 {
				delete(limits, name)
			}
			continue
		}
		l, known := limits[name]
		for _, r := range a.Reasons {
			// What is known of other gateways stays theirs.
			if !known && r.Change == off[f] && r.Cause != "" && !r.Others {
				l, known = fax.Limit{Cause: r.Cause, Calls: r.Calls, Since: now}, true
				if !r.Since.IsZero() {
					l.Since = r.Since
				}
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
func learnPace(w *fax.Way, a fax.Attempt) {
	if !a.Answered() || a.Result.Pages == 0 {
		return
	}
	pace := a.EndedAt.Sub(a.AnsweredAt).Seconds() / float64(a.Result.Pages)
	if w.PageSeconds > 0 {
		pace = 0.7*w.PageSeconds + 0.3*pace
	}
	w.PageSeconds = pace
}

// learnOffer counts how calls that offered T.38 end.
func learnOffer(t *fax.Trial, a fax.Attempt, now time.Time) {
	if !a.Parameters.T38 || !a.Answered() || a.Result.Cause == fax.NotAFax {
		return
	}
	if t.Calls == 0 {
		t.Since = now
	}
	t.Calls++
	if a.Result.Cause == fax.Dropped {
		t.Dropped++
	}
}

// limit returns what calls through the gateway should leave out, and whether
// only calls through others have found that out. What was found out through the
// gateway itself comes first; so does a delivery with the feature.
func limit(known fax.Destination, f feature, gateway string, now time.Time) (l fax.Limit, others, is bool) {
	own, name := known.Ways[gateway], limitNames[f]
	if l = own.Limits[name]; holds(l, now) {
		return l, false, true
	}
	if f != fine && own.Good != nil && using(*own.Good, f) {
		return fax.Limit{}, false, false
	}
	others = f != fine && l.Calls == 0 && len(known.Ways) > 0
	l = known.Limits[name]
	return l, others, holds(l, now)
}

// mostDrop says that most calls that offered T.38 broke off: through the
// gateway, or through others when none that offered it went through this one.
func mostDrop(known fax.Destination, gateway string) (most, others bool, t fax.Trial) {
	if t = known.Ways[gateway].Offers; t.Calls == 0 {
		t, others = known.Offers, true
	}
	return t.Dropped >= 2 && 2*t.Dropped > t.Calls, others, t
}

// pace is how long a page takes through the gateway, in seconds, or through
// others; 0 when nobody knows.
func pace(known fax.Destination, gateway string) float64 {
	if own := known.Ways[gateway].PageSeconds; own > 0 {
		return own
	}
	return known.PageSeconds
}
