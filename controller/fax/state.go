package fax

// State is where a job stands. The picture is in controller/DESIGN.md, the
// same words are a CHECK constraint in the database, and a test walks all
// pairs of both.
type State string

// Every State there is.
const (
	Received  State = "received"  // document kept, not yet converted
	Queued    State = "queued"    // ready to be dialled when due
	Dialing   State = "dialing"   // an attempt is committed; the far end has not answered
	Sending   State = "sending"   // answered; pages may be on their way
	Retry     State = "retry"     // an attempt ended, another is due later
	Held      State = "held"      // waits for a person
	Done      State = "done"      // every page confirmed by the far end
	Failed    State = "failed"    // given up
	Cancelled State = "cancelled" // ended on request
)

// States lists every State in the order of a job's life.
var States = []State{Received, Queued, Dialing, Sending, Retry, Held, Done, Failed, Cancelled}

var successors = map[State][]State{
	Received: {Queued, Held, Failed, Cancelled},
	Queued:   {Dialing, Held, Failed, Cancelled},
	Retry:    {Queued, Dialing, Held, Failed, Cancelled},
	// Done is reached from Dialing when the news of the answer was lost and
	// only the verdict arrived.
	Dialing: {Sending, Retry, Held, Done, Failed, Cancelled},
	Sending: {Retry, Held, Done, Failed, Cancelled},
	Held:    {Queued, Retry, Failed, Cancelled},
}

// CanBecome says whether a job may go from s to next in one step. Terminal
// states have no successor.
func (s State) CanBecome(next State) bool { return contains(successors[s], next) }

// Terminal says that nothing will happen to the job any more.
func (s State) Terminal() bool { return len(successors[s]) == 0 }

// OnTheLine says that an attempt of the job has not ended.
func (s State) OnTheLine() bool { return s == Dialing || s == Sending }

// Status is the coarse state that the REST interface has always shown.
func (s State) Status() Status {
	switch s {
	case Dialing, Sending:
		return StatusInProgress
	case Done:
		return StatusSuccess
	case Failed, Cancelled:
		return StatusFailed
	default:
		return StatusQueued
	}
}

// Status is the field "status" of the REST interface; clients compare these
// exact strings.
type Status string

// Every Status there is.
const (
	StatusQueued     Status = "queued"
	StatusInProgress Status = "in_progress"
	StatusSuccess    Status = "SUCCESS"
	StatusFailed     Status = "FAILED"
	StatusDisabled   Status = "disabled" // kept while faxing is disabled; of a Job, not of a State
)

// Statuses lists every Status.
var Statuses = []Status{StatusQueued, StatusInProgress, StatusSuccess, StatusFailed, StatusDisabled}

// AttemptState is where one call stands.
type AttemptState string

// Every AttemptState there is. Each is durable before the deed that follows
// it: AttemptCreated before originate is sent, AttemptFaxing before txfax is.
const (
	AttemptCreated  AttemptState = "created"  // committed; originate may or may not have been sent
	AttemptDialing  AttemptState = "dialing"  // the switch accepted originate
	AttemptAnswered AttemptState = "answered" // the call connected to our socket
	AttemptFaxing   AttemptState = "faxing"   // txfax was told to run: pages may be delivered
	AttemptLost     AttemptState = "lost"     // nobody reports; reconciliation asks the switch
	AttemptEnded    AttemptState = "ended"    // a result is stored
)

// AttemptStates lists every AttemptState in the order of a call's life.
var AttemptStates = []AttemptState{AttemptCreated, AttemptDialing, AttemptAnswered, AttemptFaxing, AttemptLost, AttemptEnded}

var attemptSuccessors = map[AttemptState][]AttemptState{
	AttemptCreated:  {AttemptDialing, AttemptAnswered, AttemptFaxing, AttemptLost, AttemptEnded},
	AttemptDialing:  {AttemptAnswered, AttemptFaxing, AttemptLost, AttemptEnded},
	AttemptAnswered: {AttemptFaxing, AttemptLost, AttemptEnded},
	AttemptFaxing:   {AttemptLost, AttemptEnded},
	// A lost call that turns out to be alive is taken up again.
	AttemptLost: {AttemptAnswered, AttemptFaxing, AttemptEnded},
}

// CanBecome says whether an attempt may go from s to next in one step.
func (s AttemptState) CanBecome(next AttemptState) bool { return contains(attemptSuccessors[s], next) }

func contains[T comparable](list []T, x T) bool {
	for _, y := range list {
		if x == y {
			return true
		}
	}
	return false
}
