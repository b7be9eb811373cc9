package fax

import (
	"encoding/json"
	"strings"
	"time"
)

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

	RemoteStation string `json:"remote_station,omitempty"` // untrusted text
	RemoteMachine string `json:"remote_machine,omitempty"` // maker and model; untrusted text

	// Way is what calls through any gateway taught, the latest first: with it a
	// gateway begins that has no experience of its own. Ways are those that have.
	Way
	Ways map[string]Way `json:"ways,omitempty"`
}

// Way is how calls to a number go, through one gateway or through any.
type Way struct {
	Good        *Parameters      `json:"good,omitempty"` // of the last delivery
	Limits      map[string]Limit `json:"limits,omitempty"`
	Offers      Trial            `json:"offers,omitzero"` // of T.38
	PageSeconds float64          `json:"page_seconds,omitempty"`
	UpdatedAt   time.Time        `json:"updated_at,omitzero"`
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

// UnmarshalJSON also reads what was stored when nothing but T.38 was remembered
// by gateway: limits "t38@GATEWAY", and trials.
func (d *Destination) UnmarshalJSON(text []byte) error {
	type plain Destination
	stored := struct {
		*plain
		Trials map[string]Trial `json:"trials"`
	}{plain: (*plain)(d)}
	if err := json.Unmarshal(text, &stored); err != nil {
		return err
	}
	way := func(gateway string, edit func(*Way)) {
		if d.Ways == nil {
			d.Ways = map[string]Way{}
		}
		w := d.Ways[gateway]
		w.UpdatedAt = d.UpdatedAt
		edit(&w)
		d.Ways[gateway] = w
	}
	for name, limit := range d.Limits {
		if feature, gateway, by := strings.Cut(name, "@"); by {
			way(gateway, func(w *Way) { w.Limits = map[string]Limit{feature: limit} })
			delete(d.Limits, name)
		}
	}
	for gateway, trial := range stored.Trials {
		way(gateway, func(w *Way) { w.Offers = trial })
	}
	return nil
}
