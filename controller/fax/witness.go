package fax

// Witness is who tells what a call came to.
type Witness string

// Every Witness there is. Of the first four, who contradict each other at
// times, the earlier is believed.
const (
	ByCall    Witness = "call"    // the call's own connection to us
	ByLink    Witness = "link"    // the command link to the switch
	ByRecord  Witness = "record"  // the switch's own record in mod_db
	ByHook    Witness = "hook"    // the HTTP hook
	ByInquiry Witness = "inquiry" // the switch was asked, and knows nothing of the call
	ByDaemon  Witness = "daemon"  // ourselves: nothing was sent
)

// Witnesses lists every Witness.
var Witnesses = []Witness{ByCall, ByLink, ByRecord, ByHook, ByInquiry, ByDaemon}

// Testimony is on whose word a result stands.
type Testimony struct {
	Decided Witness `json:"decided"` // "" while the call is under way, and where it was not kept
	// Agreed and Contradicted are the others who had spoken of it by then, and
	// those who contradict it later.
	Agreed       []Witness `json:"agreed,omitempty"`
	Contradicted []Witness `json:"contradicted,omitempty"`
}
