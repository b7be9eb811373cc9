package simulate

import (
	"math/rand/v2"
	"time"

	"faxbot/controller/fax"
	"faxbot/controller/plan"
)

// policy decides when and how a fax is called.
type policy interface {
	// next places a call, or not; then it says when to ask again. A zero time
	// is never.
	next(j *job, now time.Time) (p fax.Parameters, reasons []fax.Reason, place bool, ask time.Time)
	// ended hears what a call came to, at its end, and says when to ask for
	// the next.
	ended(j *job, a fax.Attempt) time.Time
}

const gateway = "carrier"

// standing is what every first call of the others offers.
var standing = fax.Parameters{T38: true, V17: true, ECM: true}

// fixed calls so many times, always the same; it covers "no retry" too.
type fixed struct {
	calls int
	delay time.Duration
}

func (f fixed) next(*job, time.Time) (fax.Parameters, []fax.Reason, bool, time.Time) {
	return standing, nil, true, time.Time{}
}

func (f fixed) ended(j *job, a fax.Attempt) time.Time {
	if a.Result.Cause == fax.OK || len(j.calls) >= f.calls {
		return time.Time{}
	}
	return a.EndedAt.Add(f.delay)
}

// ladder is FusionPBX's: a first call and five more, 180 s apart, each with the
// next set of parameters, whatever the call before came to
// (app/fax_queue/resources/job/fax_send.php; retry_limit 5, retry_interval 180).
type ladder struct{}

var rungs = []fax.Parameters{
	{T38: true, V17: true, ECM: true},
	{T38: false, V17: true, ECM: true},
	{T38: true, V17: true, ECM: false},
	{T38: false, V17: false, ECM: true},
	{T38: true, V17: true, ECM: false},
	{T38: true, V17: true, ECM: true},
}

func (ladder) next(j *job, _ time.Time) (fax.Parameters, []fax.Reason, bool, time.Time) {
	return rungs[len(j.calls)], nil, true, time.Time{}
}

func (ladder) ended(j *job, a fax.Attempt) time.Time {
	if a.Result.Cause == fax.OK || len(j.calls) == len(rungs) {
		return time.Time{}
	}
	return a.EndedAt.Add(3 * time.Minute)
}

// gofaxip is GOfax.IP below HylaFAX: twelve dials, three answered calls, three
// hours; HylaFAX's own delays, one call to a number at a time; two causes that
// are final (failedresponse in gofax.conf); and no T.38, for ever, for a number
// where a call failed in it (softmodemfallback; that it notices each such
// failure is more than it does).
type gofaxip struct{ without map[fax.Number]bool }

func (g gofaxip) next(j *job, now time.Time) (fax.Parameters, []fax.Reason, bool, time.Time) {
	if now.Before(j.machine.until) {
		return fax.Parameters{}, nil, false, j.machine.until
	}
	p := standing
	p.T38 = !g.without[j.To]
	return p, nil, true, time.Time{}
}

func (g gofaxip) ended(j *job, a fax.Attempt) time.Time {
	tries := 0
	for _, c := range j.calls {
		if c.Answered() {
			tries++
		}
	}
	cause := a.Result.Cause
	if a.Parameters.T38 && cause == fax.T38Failed {
		g.without[j.To] = true
	}
	delay := 5 * time.Minute // no carrier, no answer, other
	switch cause {
	case fax.OK, fax.WrongNumber, fax.Refused:
		return time.Time{}
	case fax.Busy:
		delay = 3 * time.Minute
	case fax.PageLost, fax.Training, fax.ECMFailed:
		delay = time.Minute // a protocol error
	}
	again := a.EndedAt.Add(delay)
	if len(j.calls) >= 12 || tries >= 3 || again.After(j.Deadline) {
		return time.Time{}
	}
	return again
}

// ours is package plan with what the store adds: one call to a number at a
// time, numbers that rest, and holding what is suspect. Nobody releases.
type ours struct {
	known  map[fax.Number]fax.Destination
	random *rand.Rand
}

func (o ours) situation(j *job, now time.Time) plan.Situation {
	return plan.Situation{
		Job: j.Job, Calls: j.calls, Known: o.known[j.To], Gateways: []plan.Gateway{{Name: gateway}},
		Policy: plan.Policy{T38: true}, Now: now, Random: o.random.Float64,
	}
}

func (o ours) next(j *job, now time.Time) (fax.Parameters, []fax.Reason, bool, time.Time) {
	known := o.known[j.To]
	switch {
	case !now.Before(j.Deadline):
		return fax.Parameters{}, nil, false, time.Time{}
	case len(j.calls) == 0 && plan.Suspect(known) != "":
		return fax.Parameters{}, nil, false, time.Time{}
	case now.Before(j.machine.until):
		return fax.Parameters{}, nil, false, j.machine.until
	case now.Before(known.RestUntil):
		return fax.Parameters{}, nil, false, known.RestUntil
	}
	c := plan.Next(o.situation(j, now))
	return c.Parameters, c.Reasons, true, time.Time{}
}

func (o ours) ended(j *job, a fax.Attempt) time.Time {
	known := o.known[j.To]
	o.known[j.To] = plan.Learn(known, a, time.Time{}, a.EndedAt)
	d := plan.After(o.situation(j, a.EndedAt))
	o.known[j.To] = plan.Learn(known, a, d.Rest, a.EndedAt)
	j.Dials, j.Tries, j.Confirmed = j.Dials+d.Dials, j.Tries+d.Tries, d.Confirmed
	return d.Due
}
