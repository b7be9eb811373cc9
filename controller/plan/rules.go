package plan

import (
	"time"

	"faxbot/controller/fax"
)

// move is what may follow a call.
type move int

const (
	again move = iota // another call
	fail              // none can help
	// queue is another call when the gateway works again, which a fax for a
	// gateway that nobody watches leaves to a person.
	queue
	// elsewhere is another call if there is a gateway that this has not
	// happened on, else fail.
	elsewhere
	// wrongNumber fails the fax when the number has taken faxes before, and
	// else asks a person.
	wrongNumber
	// policy is what the operator chose for outcomes that nobody can know.
	policy
)

// step is what follows one call. Changes stay for all later calls of the fax.
type step struct {
	move    move
	wait    span
	changes []fax.Change
}

// span is a time between two bounds; which, chance decides, so that faxes that
// failed together do not come back together.
type span struct{ least, most time.Duration }

// about is half to one and a half of d.
func about(d time.Duration) span { return span{d / 2, d + d/2} }

// What a step may ask for beside the changes that are told: t38Toggled and
// ecmToggled stand for on or off, whatever the failed call had not.
const (
	t38Toggled fax.Change = "t38_toggled"
	ecmOn      fax.Change = "ecm_on"
	ecmToggled fax.Change = "ecm_toggled"
)

func with(changes ...fax.Change) []fax.Change { return changes }

// rules says what follows the first, the second, … call of a fax that ended
// with a cause; the last step stands for all that come after. Limits of calls
// and time hold beside them.
var rules = map[fax.Cause][]step{
	fax.Busy:     {{wait: about(3 * time.Minute)}},
	fax.NoAnswer: {{wait: about(5 * time.Minute)}},
	// At once when another gateway can be tried.
	fax.Trunk:         {{wait: span{30 * time.Second, 2 * time.Minute}, changes: with(fax.OtherGateway)}},
	fax.Misconfigured: {{move: queue, wait: span{30 * time.Second, 2 * time.Minute}, changes: with(fax.OtherGateway)}},
	fax.Media:         {{changes: with(t38Toggled)}, {move: fail}},
	fax.WrongNumber:   {{move: elsewhere, changes: with(fax.OtherGateway)}, {move: fail}},
	fax.Refused:       {{move: elsewhere, changes: with(fax.OtherGateway)}, {move: fail}},
	fax.Withdrawn:     {{move: fail}},

	fax.NotAFax:   {{wait: about(5 * time.Minute), changes: with(t38Toggled)}, {move: wrongNumber}},
	fax.Training:  {{wait: about(30 * time.Second), changes: with(fax.V17Off)}, {wait: about(time.Minute), changes: with(fax.V17Off, ecmOn)}},
	fax.ECMFailed: {{wait: about(30 * time.Second), changes: with(fax.ECMOff)}},
	fax.T38Failed: {{wait: about(30 * time.Second)}, {wait: about(30 * time.Second), changes: with(fax.T38Off)}},
	fax.Incapable: {{wait: about(5 * time.Minute)}, {move: fail}},
	fax.Image:     {{changes: with(fax.Standard)}, {move: fail}},
	fax.PageLost: {
		{wait: about(30 * time.Second)},
		{wait: about(30 * time.Second), changes: with(fax.V17Off)},
		{wait: about(30 * time.Second), changes: with(ecmToggled)},
	},
	// Without T.38 when most calls that offered it broke off: see mostDrop.
	fax.Dropped:  {{wait: about(time.Minute)}},
	fax.Document: {{changes: with(fax.Redraw)}, {move: fail}},
	fax.Switch:   {{wait: about(time.Minute)}},
	fax.Rejected: {{move: fail}},
	fax.Operator: {{wait: about(time.Minute)}, {move: fail}},
	fax.Inbound:  {{move: fail}},
	fax.Unknown:  {{move: policy, wait: about(time.Minute)}},
	fax.Expired:  {{move: fail}},
	fax.OnHold:   {{move: fail}},
	fax.Disabled: {{move: fail}},
}

// after returns the step that follows the nth call, from 1, that ended with
// the cause.
func after(c fax.Cause, nth int) step {
	steps, known := rules[c]
	if !known {
		steps = rules[fax.Unknown]
	}
	return steps[min(max(nth, 1), len(steps))-1]
}
