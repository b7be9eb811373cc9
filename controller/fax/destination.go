package fax

import "time"

// Destination is what is remembered of a number from the calls to it, whoever
// asked for them. The zero value remembers nothing.
type Destination struct {
	Delivered   int       `json:"delivered"`             // calls that delivered all they should
	DeliveredAt time.Time `json:"delivered_at,omitzero"` // the last of them
	NotAFax     int       `json:"not_a_fax"`             // calls in a row answered without a fax
	Failing     int       `json:"failing"`               // calls in a row that failed at the far end

	// RestUntil is when the number may be called next: while it fails for one
	// fax it is not tried for others.
	RestUntil time.Time `json:"rest_until,omitzero"`
	RestCause Cause     `json:"rest_cause,omitempty"`

	Good          *Parameters      `json:"good,omitempty"` // of the last delivery
	Limits        map[string]Limit `json:"limits,omitempty"`
	Trials        map[string]Trial `json:"trials,omitempty"` // T.38 offers, by gateway
	PageSeconds   float64          `json:"page_seconds,omitempty"`
	RemoteStation string           `json:"remote_station,omitempty"` // untrusted text
	RemoteMachine string           `json:"remote_machine,omitempty"` // maker and model; untrusted text
	UpdatedAt     time.Time        `json:"updated_at,omitzero"`
}

// Limit is something that calls to a number leave out. It is found out anew
// when it expires, however well calls go without it.
type Limit struct {
	Cause Cause     `json:"cause"` // how calls ended that did not leave it out
	Calls int       `json:"calls"`
	Since time.Time `json:"since"`
	// Proven says that a call which left it out was delivered.
	Proven bool `json:"proven"`
}

// Trial counts calls that offered T.38.
type Trial struct {
	Calls   int       `json:"calls"`
	Dropped int       `json:"dropped"`
	Since   time.Time `json:"since"` // of the first that is counted
}
