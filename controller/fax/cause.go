package fax

// Cause is the class of a call's or a job's end: the closed vocabulary of the
// code, the REST interface, the metrics and the operator. Each knows what to
// tell a person.
type Cause string

// Every Cause there is. The first block comes from hangup causes, the second
// from the fax engine, the third is the daemon's own.
const (
	Busy          Cause = "busy"
	NoAnswer      Cause = "no_answer"
	Trunk         Cause = "trunk"
	Misconfigured Cause = "misconfigured"
	Media         Cause = "media"
	WrongNumber   Cause = "bad_number"
	Refused       Cause = "refused"
	Withdrawn     Cause = "cancelled"

	OK        Cause = "ok"
	NotAFax   Cause = "not_a_fax"
	Training  Cause = "training"
	ECMFailed Cause = "ecm"
	T38Failed Cause = "t38"
	Incapable Cause = "incapable"
	Image     Cause = "image"
	PageLost  Cause = "page_lost"
	Dropped   Cause = "dropped"
	Document  Cause = "document"
	Switch    Cause = "switch"
	Rejected  Cause = "rejected"
	Operator  Cause = "operator"
	Inbound   Cause = "inbound"

	Unknown Cause = "unknown" // the switch forgot: pages may or may not have arrived
	Expired Cause = "expired" // the deadline passed
	// OnHold faxes were submitted to be looked at before they are sent.
	OnHold Cause = "on_hold"
	// Disabled faxes were taken in while the operator had faxing disabled.
	Disabled Cause = "disabled"
)

// Causes lists every Cause.
var Causes = []Cause{
	Busy, NoAnswer, Trunk, Misconfigured, Media, WrongNumber, Refused, Withdrawn,
	OK, NotAFax, Training, ECMFailed, T38Failed, Incapable, Image, PageLost, Dropped,
	Document, Switch, Rejected, Operator, Inbound,
	Unknown, Expired, OnHold, Disabled,
}

// Advice is what everybody should know of a cause. What follows a call that
// ended so is package plan's business.
type Advice struct {
	// Free calls cost the job no dial: the fault lies on our side of the line.
	Free bool
	// Tell is one sentence for a person.
	Tell string
}

// Next is what an operator may choose to follow a call.
type Next int

// What an operator may choose.
const (
	Hold  Next = iota // a person must look first
	Again             // another call
)

// Advice looks the cause up; an unknown word gets the advice for Unknown.
func (c Cause) Advice() Advice {
	if a, ok := advice[c]; ok {
		return a
	}
	return advice[Unknown]
}

var advice = map[Cause]Advice{
	OK: {Tell: "Every page was confirmed by the receiving machine."},

	Busy:          {Tell: "The line was busy."},
	NoAnswer:      {Tell: "Nobody answered."},
	Trunk:         {Free: true, Tell: "The carrier or the gateway could not take the call."},
	Misconfigured: {Free: true, Tell: "The gateway or its account is misconfigured; an administrator must correct it."},
	Media:         {Tell: "The two sides could not agree on how to carry the call."},
	WrongNumber:   {Tell: "The number does not exist or may not be called."},
	Refused:       {Tell: "The call was rejected."},
	Withdrawn:     {Tell: "The fax was cancelled."},

	NotAFax:   {Tell: "The call was answered, but not by a fax machine."},
	Training:  {Tell: "The modems could not agree on a speed for this line."},
	ECMFailed: {Tell: "Error correction failed with this machine."},
	T38Failed: {Tell: "Fax over IP (T.38) failed on the way to this machine."},
	Incapable: {Tell: "The receiving machine cannot take faxes now (out of paper or memory?)."},
	Image:     {Tell: "The receiving machine cannot print pages of this size or resolution."},
	PageLost:  {Tell: "A page was not confirmed by the receiving machine."},
	Dropped:   {Tell: "The call broke off before all pages were confirmed."},
	Document:  {Tell: "The switch could not read the fax document; check that it may read the document folder."},
	Switch:    {Tell: "The switch could not complete the call."},
	Rejected:  {Tell: "The receiving machine does not accept faxes from this sender."},
	Operator:  {Tell: "An operator interrupted the fax."},
	Inbound:   {Tell: "Receiving failed."},

	Unknown:  {Tell: "The switch forgot this call: pages may have arrived. Ask the receiver, then release or cancel the fax."},
	OnHold:   {Tell: "The pages are ready to be looked at. Release the fax to send it, or cancel it."},
	Disabled: {Tell: "Faxing is disabled: the fax is kept and not sent. Release it when faxing is enabled again, or cancel it."},
	Expired:  {Tell: "The deadline passed before the fax could be delivered."},
}

// CauseOfHangup classifies a hangup cause by FreeSWITCH's name
// (switch_types.h, switch_call_cause_t). NORMAL_CLEARING and names that say as
// little are Dropped: the caller has already looked for a fax verdict.
func CauseOfHangup(name string) Cause {
	if c, ok := hangups[name]; ok {
		return c
	}
	return Dropped
}

var hangups = map[string]Cause{
	"USER_BUSY": Busy, "BUSY_EVERYWHERE": Busy,

	"NO_ANSWER": NoAnswer, "NO_USER_RESPONSE": NoAnswer, "ALLOTTED_TIMEOUT": NoAnswer,
	"PROGRESS_TIMEOUT": NoAnswer, "RECOVERY_ON_TIMER_EXPIRE": NoAnswer, "NO_PICKUP": NoAnswer,
	"SUBSCRIBER_ABSENT": NoAnswer,

	"NORMAL_TEMPORARY_FAILURE": Trunk, "NORMAL_CIRCUIT_CONGESTION": Trunk, "SWITCH_CONGESTION": Trunk,
	"REQUESTED_CHAN_UNAVAIL": Trunk, "NETWORK_OUT_OF_ORDER": Trunk, "DESTINATION_OUT_OF_ORDER": Trunk,
	"SERVICE_UNAVAILABLE": Trunk, "GATEWAY_DOWN": Trunk, "INTERWORKING": Trunk,
	"EXCHANGE_ROUTING_ERROR": Trunk, "NORMAL_UNSPECIFIED": Trunk, "NO_ROUTE_TRANSIT_NET": Trunk,
	"CHANNEL_UNACCEPTABLE": Trunk, "PRE_EMPTED": Trunk, "PROTOCOL_ERROR": Trunk,
	"RESPONSE_TO_STATUS_ENQUIRY": Trunk, "ACCESS_INFO_DISCARDED": Trunk,
	"INVALID_CALL_REFERENCE": Trunk, "INVALID_MSG_UNSPECIFIED": Trunk, "MANDATORY_IE_MISSING": Trunk,
	"MESSAGE_TYPE_NONEXIST": Trunk, "WRONG_MESSAGE": Trunk, "IE_NONEXIST": Trunk,
	"INVALID_IE_CONTENTS": Trunk, "WRONG_CALL_STATE": Trunk, "MANDATORY_IE_LENGTH_ERROR": Trunk,

	"INVALID_GATEWAY": Misconfigured, "INVALID_PROFILE": Misconfigured, "INVALID_URL": Misconfigured,
	"USER_NOT_REGISTERED": Misconfigured, "USER_CHALLENGE": Misconfigured, "FACILITY_NOT_SUBSCRIBED": Misconfigured,
	// The switch going down says nothing of the gateway, but a call placed
	// into it would only fail again.
	"SYSTEM_SHUTDOWN": Switch, "CRASH": Switch,

	"INCOMPATIBLE_DESTINATION": Media, "BEARERCAPABILITY_NOTAVAIL": Media, "BEARERCAPABILITY_NOTIMPL": Media,
	"BEARERCAPABILITY_NOTAUTH": Media, "SERVICE_NOT_IMPLEMENTED": Media, "CHAN_NOT_IMPLEMENTED": Media,
	"FACILITY_NOT_IMPLEMENTED": Media, "MEDIA_TIMEOUT": Media, "SRTP_READ_ERROR": Media, "NOT_ACCEPTABLE": Media,

	"UNALLOCATED_NUMBER": WrongNumber, "NO_ROUTE_DESTINATION": WrongNumber, "INVALID_NUMBER_FORMAT": WrongNumber,
	"NUMBER_CHANGED": WrongNumber, "REDIRECTION_TO_NEW_DESTINATION": WrongNumber,
	"DOES_NOT_EXIST_ANYWHERE": WrongNumber, "UNWANTED": WrongNumber,
	"OUTGOING_CALL_BARRED": WrongNumber, "INCOMING_CALL_BARRED": WrongNumber,

	"CALL_REJECTED": Refused, "DECLINE": Refused, "FACILITY_REJECTED": Refused, "REJECT_ALL": Refused,
	"NO_IDENTITY": Refused, "BAD_IDENTITY_INFO": Refused, "UNSUPPORTED_CERTIFICATE": Refused,
	"INVALID_IDENTITY": Refused, "STALE_DATE": Refused,

	"ORIGINATOR_CANCEL": Withdrawn, "MANAGER_REQUEST": Withdrawn, "LOSE_RACE": Withdrawn, "PICKED_OFF": Withdrawn,
}

// CauseOfCode classifies a completion code of spandsp (t30.h, T30_ERR_*, 0 to
// 61). Code 0 is OK only when every due page was confirmed, which the caller
// checks. A number outside the list is Switch: a newer engine says something
// we cannot read.
func CauseOfCode(code int) Cause {
	switch {
	case code == 0:
		return OK
	case code == 2 || code == 3:
		return NotAFax
	case code == 6 || code == 14 || code == 20:
		return Training
	case code == 16 || code == 23:
		return ECMFailed
	case code == 1 || code == 5 || code == 13 || code == 19:
		return T38Failed
	case code >= 8 && code <= 10:
		return Incapable
	case code == 11 || code == 12:
		return Image
	case code == 4 || code == 15 || code == 17 || code == 18 || code == 21 || code == 22 || code == 48:
		return PageLost
	case code == 49:
		return Dropped
	case code >= 41 && code <= 46:
		return Document
	case code == 47:
		return Switch
	case code >= 50 && code <= 61:
		return Rejected
	case code == 7:
		return Operator
	case code >= 24 && code <= 40:
		return Inbound
	default:
		return Switch
	}
}
