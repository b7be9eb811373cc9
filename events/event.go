// Package events says what can happen on the line: it turns the raw text that
// FreeSWITCH sends into a few sealed, typed events, and hands them to whoever
// listens. Raw header names stay inside this package and
// controller/freeswitch.
package events

import "time"

// Event is something that happened to one call, or to the switch. The types of
// this file are all there are.
type Event interface {
	// Call is the uuid of the channel; empty for events of the switch itself.
	Call() string
}

// Connected is the switch's answer to "connect" on a call's own connection
// (CHANNEL_DATA). JobID, AttemptID and Token are the channel variables that
// dialplan.Call put into originate; they prove nothing until compared.
type Connected struct {
	UUID      string
	JobID     string
	AttemptID string
	Token     string
	// Outbound says that the switch placed the call, to Number: what the
	// variable faxbot_number says, or the user whom SIP was told to call.
	Outbound bool
	Number   string
	// Async and Full are what the socket application was started with. Without
	// both the connection cannot report anything while a fax runs.
	Async, Full bool
}

// Negotiated says that both machines agreed on how to send (T.30 phase B).
type Negotiated struct {
	UUID string
	Line Line
}

// PageConfirmed says that the far end confirmed a page (T.30 MCF).
type PageConfirmed struct {
	UUID string
	// Pages is how many have been confirmed in this call.
	Pages int
	Line  Line
}

// FaxEnded is the fax engine's verdict (spandsp::txfaxresult).
type FaxEnded struct {
	UUID string
	Fax  Fax
}

// ApplicationEnded says that a dialplan application returned. For txfax,
// Response holds the reason when no fax engine was started at all.
type ApplicationEnded struct {
	UUID        string
	Application string
	Response    string
	Fax         Fax
}

// Hangup says that one side hung up. The verdict of a fax may still follow, so
// nothing is ever concluded from it.
type Hangup struct {
	UUID  string
	Cause string
}

// CallEnded is the last word on a call (CHANNEL_HANGUP_COMPLETE).
type CallEnded struct {
	UUID  string
	JobID string // of the fax job; "" for a call that is not ours
	Cause string // FreeSWITCH's name of the hangup cause
	// Application is the last one that ran, Response what it said.
	Application string
	Response    string
	SIPStatus   int // final SIP status of the INVITE; 0 when there was none
	Answered    bool
	Fax         Fax
}

// OriginateEnded is the outcome of a background originate (BACKGROUND_JOB).
// Answered is true for "+OK"; otherwise Cause names the hangup cause.
type OriginateEnded struct {
	JobUUID  string
	JobID    string // of the fax job, as the command named it
	UUID     string // of the channel; "" when none came to be
	Answered bool
	Cause    string
}

// Heartbeat is the switch's sign of life (switch_core.c, send_heartbeat). Core
// changes when it restarts; Up, how long it has been up, begins again.
type Heartbeat struct {
	Core string
	Up   time.Duration // 0 when it does not say
}

// Other is an event that concerns nobody here.
type Other struct {
	Name string
	UUID string
}

// Call implements Event.
func (e *Connected) Call() string { return e.UUID }

// Call implements Event.
func (e *Negotiated) Call() string { return e.UUID }

// Call implements Event.
func (e *PageConfirmed) Call() string { return e.UUID }

// Call implements Event.
func (e *FaxEnded) Call() string { return e.UUID }

// Call implements Event.
func (e *ApplicationEnded) Call() string { return e.UUID }

// Call implements Event.
func (e *Hangup) Call() string { return e.UUID }

// Call implements Event.
func (e *CallEnded) Call() string { return e.UUID }

// Call implements Event. It is the attempt's uuid even when no channel came to
// be, because dialplan gives the background job the same name.
func (e *OriginateEnded) Call() string { return e.JobUUID }

// Call implements Event.
func (e *Heartbeat) Call() string { return "" }

// Call implements Event.
func (e *Other) Call() string { return e.UUID }

// Line is how two machines are talking.
type Line struct {
	Rate          int // bit/s
	ECM           bool
	T38           bool
	RemoteStation string // CSI, T.30 5.3.6.1.1; untrusted text
	// RemoteMachine is the maker and the model of the far end, by its NSF (T.30
	// 5.3.6.2.7) as far as spandsp knows it; many send none. Untrusted text.
	RemoteMachine string
	TotalPages    int // of the file; 0 until the engine has counted them
	StartPage     int // pages of it that the call was told to leave out
}

// Fax is what the fax engine says of a call (mod_spandsp_fax.c,
// phase_e_handler).
type Fax struct {
	// Known tells a verdict from silence: fax_success was present.
	Known   bool
	Success bool
	Code    int // T30_ERR_* (spandsp t30.h)
	Text    string
	Pages   int // confirmed in this call; may be set without a verdict
	Line
}
