package fax

import "time"

// Job is what somebody asked for. All times are UTC.
type Job struct {
	ID    JobID
	To    Number
	Owner string // id of the API key that submitted it; "" without keys
	State State
	Cause Cause  // why it stands where it stands; "" while nothing has gone wrong
	Error string // the same for a person; "" likewise

	Documents int     // how many files were submitted; they are kept under ID
	Pages     int     // of the whole fax; 0 until conversion has counted them
	Confirmed int     // pages the far end has confirmed, over all attempts
	Options   Options // as submitted, never changed

	Priority    int // 0 (last) to 255 (first)
	MaxAttempts int // calls at the most; 0 leaves it to the defaults
	Dials       int // calls placed that count
	Tries       int // calls answered
	DueAt       time.Time
	Deadline    time.Time // no new call is placed after this

	CancelAsked bool
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// Defaults of a job. Dials and tries apart are the practice of HylaFAX.
const (
	DefaultPriority = 127
	DefaultLifetime = 3 * time.Hour // from DueAt to Deadline
	defaultDials    = 12
	defaultTries    = 3
)

// Status is what the REST interface shows of the job.
func (j Job) Status() Status {
	if j.State == Held && j.Cause == Disabled {
		return StatusDisabled
	}
	return j.State.Status()
}

// MaxDials is how many calls may be placed, those that cost nothing apart.
func (j Job) MaxDials() int {
	if j.MaxAttempts > 0 {
		return j.MaxAttempts
	}
	return defaultDials
}

// MaxTries is how many calls may be answered.
func (j Job) MaxTries() int {
	if j.MaxAttempts > 0 {
		return j.MaxAttempts
	}
	return defaultTries
}

// Parameters are what one call may do differently from another.
type Parameters struct {
	T38       bool `json:"t38"` // offer T.38
	V17       bool `json:"v17"` // allow V.17 (14400 bit/s)
	ECM       bool `json:"ecm"` // error correction, T.30 Annex A
	StartPage int  `json:"start_page"`
	// Standard says that the pages are drawn at standard resolution (T.4, 2.2)
	// instead of fine.
	Standard bool `json:"standard,omitempty"`
}

// Attempt is one call placed for a job.
type Attempt struct {
	ID         AttemptID
	JobID      JobID
	Ordinal    int // 1 for the job's first call
	State      AttemptState
	Gateway    string
	Host       string // the daemon that owns the call
	Switch     string // the FreeSWITCH that was told to dial, as the operator calls it
	Core       string // Core-UUID of its process at that time; "" when unknown
	Token      string // shared with the channel alone; proves that a connection is this call's
	Parameters Parameters
	Reasons    []Reason // why Parameters and Gateway are not what any first call would have
	Result     Result   // Pages grows while the call runs; the rest is set when State is AttemptEnded
	LeaseUntil time.Time

	CreatedAt  time.Time
	AnsweredAt time.Time // zero until then
	EndedAt    time.Time // zero until then
}

// Result is what one call came to.
type Result struct {
	Cause       Cause
	Code        int    // spandsp's completion code (t30.h, T30_ERR_*); NoCode when no fax ran
	Text        string // fax_result_text, or what the switch said instead
	HangupCause string // FreeSWITCH's name (switch_types.h); "" when it never came

	Pages         int // confirmed in this call (T.30 MCF)
	TotalPages    int // of the file, as the switch counted them; 0 when it did not
	Rate          int // bit/s
	ECM           bool
	T38           bool
	RemoteStation string // CSI of the far end (T.30 5.3.6.1.1); untrusted text
	RemoteMachine string // maker and model, by its NSF (T.30 5.3.6.2.7); untrusted text, "" for most

	Witnesses Testimony // who said so
}

// NoCode stands in Result.Code where no fax engine ran.
const NoCode = -1

// Answered says that the call cost a try and not only a dial.
func (a Attempt) Answered() bool { return !a.AnsweredAt.IsZero() }
