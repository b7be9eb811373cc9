package plan

import (
	"time"

	"faxbot/controller/fax"
)

// feature is a thing that calls can leave out.
type feature int

const (
	t38 feature = iota
	v17
	ecm
	fine
	features
)

// off is the change that leaves a feature out.
var off = [features]fax.Change{t38: fax.T38Off, v17: fax.V17Off, ecm: fax.ECMOff, fine: fax.Standard}

// parameters are those of a call in the making, each with the last reason that
// decided it.
type parameters struct {
	offer bool // T.38 may be offered at all
	on    [features]bool
	first [features]bool // as they are in a first call
	why   [features]fax.Reason
	extra []fax.Reason
}

func newParameters(p Policy) *parameters {
	on := [features]bool{t38: p.T38, v17: true, ecm: true, fine: true}
	return &parameters{offer: p.T38, on: on, first: on}
}

// remember leaves out what calls to the number are known to fail with.
func (p *parameters) remember(known fax.Destination, gateway string, now time.Time) {
	for f, change := range off {
		if l, others, is := limit(known, feature(f), gateway, now); is {
			p.apply(change, fax.Attempt{}, fax.Reason{
				Cause: l.Cause, Calls: l.Calls, Number: true, Others: others, Since: l.Since, Until: l.Since.Add(Memory),
			})
		}
	}
}

// apply makes a change for a reason. call is the one that it answers.
func (p *parameters) apply(c fax.Change, call fax.Attempt, why fax.Reason) {
	set := func(f feature, on bool) {
		if f == t38 {
			on = on && p.offer
		}
		p.on[f], p.why[f] = on, why
	}
	switch c {
	case fax.T38Off:
		set(t38, false)
	case t38Toggled:
		set(t38, !call.Parameters.T38)
	case fax.V17Off:
		set(v17, false)
	case fax.ECMOff:
		set(ecm, false)
	case ecmOn:
		set(ecm, true)
	case ecmToggled:
		set(ecm, !call.Parameters.ECM)
	case fax.Standard:
		set(fine, false)
	case fax.Redraw:
		why.Change = c
		p.extra = append(p.extra, why)
	default: // the others change when or where is called, not how
	}
}

// done returns the parameters and the reasons for what differs from a first
// call.
func (p *parameters) done() (fax.Parameters, []fax.Reason) {
	var reasons []fax.Reason
	for f := range features {
		if p.on[f] == p.first[f] {
			continue
		}
		r := p.why[f]
		r.Change = off[f] // in a first call everything is on that may be
		reasons = append(reasons, r)
	}
	return fax.Parameters{T38: p.on[t38], V17: p.on[v17], ECM: p.on[ecm], Standard: !p.on[fine]}, append(reasons, p.extra...)
}
