package fax

import (
	"fmt"
	"time"
)

// Change is one thing that a call does differently from the first call to a
// number of which nothing is known.
type Change string

// Every Change there is.
const (
	Resume       Change = "resume"    // begins behind the confirmed pages
	T38Off       Change = "t38_off"   // does not offer T.38
	V17Off       Change = "v17_off"   // at most 9600 bit/s (V.29): the engine has no finer limit
	ECMOff       Change = "ecm_off"   // without error correction
	Standard     Change = "standard"  // pages drawn at standard resolution
	Redraw       Change = "redraw"    // pages made again from the documents
	OtherGateway Change = "gateway"   // through another than the first gateway
	Rest         Change = "rest"      // not before the number has rested
	Window       Change = "window"    // not before the recipient's hours
	QueueHeld    Change = "queue"     // not before a gateway can be used
	Lines        Change = "lines"     // not before a line of the gateway is free
	SwitchedOff  Change = "disabled"  // not before faxing is enabled
	AsItIs       Change = "unchanged" // the same once more
)

// Changes lists every Change.
var Changes = []Change{Resume, T38Off, V17Off, ECMOff, Standard, Redraw, OtherGateway, Rest, Window, QueueHeld, Lines, SwitchedOff, AsItIs}

// Reason is a Change and the evidence for it.
type Reason struct {
	Change Change `json:"change"`
	Cause  Cause  `json:"cause,omitempty"`  // how calls ended
	Calls  int    `json:"calls,omitempty"`  // how many did
	Of     int    `json:"of,omitempty"`     // out of so many; 0: not counted
	Page   int    `json:"page,omitempty"`   // from 1: where a resumed fax begins
	Number bool   `json:"number,omitempty"` // remembered of the number; else from this fax's calls
	Others bool   `json:"others,omitempty"` // of Number: through other gateways, while none is through this one
	// Gateway is the one that carries the call.
	Gateway string    `json:"gateway,omitempty"`
	Since   time.Time `json:"since,omitzero"` // when the evidence was found
	Until   time.Time `json:"until,omitzero"` // when it will be forgotten, or the waiting ends
}

var changeWords = map[Change]string{
	T38Off:       "Without fax over IP (T.38)",
	V17Off:       "At 9600 bit/s at most (without V.17)",
	ECMOff:       "Without error correction",
	Standard:     "At standard resolution",
	Redraw:       "With its pages made again",
	AsItIs:       "Once more as before",
	Rest:         "Not at once",
	Window:       "In the recipient's hours",
	QueueHeld:    "Not before a gateway can be used",
	Lines:        "Not before a line is free",
	SwitchedOff:  "Nobody is called until faxing is enabled (FAX_DISABLED)",
	OtherGateway: "Through gateway",
}

// String is the reason for a person: one sentence.
func (r Reason) String() string {
	s := changeWords[r.Change]
	switch {
	case r.Change == Resume:
		return fmt.Sprintf("From page %d: the pages before it are confirmed.", r.Page)
	case r.Change == Lines && r.Gateway != "":
		return fmt.Sprintf("All lines of gateway %s are in use.", r.Gateway)
	case r.Change == QueueHeld && r.Gateway != "":
		return fmt.Sprintf("Calls through gateway %s end so: \"%s\" One finds out at %s whether it works again.",
			r.Gateway, r.Cause.Advice().Tell, r.Until.UTC().Format("15:04 MST"))
	case r.Gateway != "":
		s += " " + r.Gateway
	}
	if !r.Until.IsZero() && !r.Number {
		s += " (" + r.Until.UTC().Format("2 Jan 15:04 MST") + ")"
	}
	if r.Cause == "" {
		return s + "."
	}
	s += ": "
	switch {
	case r.Of > 0:
		s += fmt.Sprintf("%d of %d calls", r.Calls, r.Of)
	case r.Calls == 1:
		s += "a call"
	default:
		s += fmt.Sprintf("%d calls", r.Calls)
	}
	s += " " + map[bool]string{true: "to this number", false: "of this fax"}[r.Number]
	if r.Others {
		s += " through other gateways"
	}
	s += " ended so: \"" + r.Cause.Advice().Tell + "\""
	if r.Number && !r.Until.IsZero() {
		s += " It is tried again from " + r.Until.UTC().Format("2 Jan 2006") + " on."
	}
	return s
}
