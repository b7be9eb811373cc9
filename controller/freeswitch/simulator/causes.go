package simulator

import "strings"

// hangupCause is one line of FreeSWITCH's table of causes
// (switch_types.h, switch_call_cause_t).
type hangupCause struct {
	number int
	name   string
}

// q850 is the cause as ISDN knows it; FreeSWITCH's own causes become 16
// (switch_channel_cause_q850).
func (h hangupCause) q850() int {
	if h.number <= 127 {
		return h.number
	}
	return 16
}

var hangupCauses = []hangupCause{
	{0, "NONE"}, {1, "UNALLOCATED_NUMBER"}, {2, "NO_ROUTE_TRANSIT_NET"}, {3, "NO_ROUTE_DESTINATION"},
	{6, "CHANNEL_UNACCEPTABLE"}, {7, "CALL_AWARDED_DELIVERED"}, {16, "NORMAL_CLEARING"}, {17, "USER_BUSY"},
	{18, "NO_USER_RESPONSE"}, {19, "NO_ANSWER"}, {20, "SUBSCRIBER_ABSENT"}, {21, "CALL_REJECTED"},
	{22, "NUMBER_CHANGED"}, {23, "REDIRECTION_TO_NEW_DESTINATION"}, {25, "EXCHANGE_ROUTING_ERROR"},
	{27, "DESTINATION_OUT_OF_ORDER"}, {28, "INVALID_NUMBER_FORMAT"}, {29, "FACILITY_REJECTED"},
	{30, "RESPONSE_TO_STATUS_ENQUIRY"}, {31, "NORMAL_UNSPECIFIED"}, {34, "NORMAL_CIRCUIT_CONGESTION"},
	{38, "NETWORK_OUT_OF_ORDER"}, {41, "NORMAL_TEMPORARY_FAILURE"}, {42, "SWITCH_CONGESTION"},
	{43, "ACCESS_INFO_DISCARDED"}, {44, "REQUESTED_CHAN_UNAVAIL"}, {45, "PRE_EMPTED"},
	{50, "FACILITY_NOT_SUBSCRIBED"}, {52, "OUTGOING_CALL_BARRED"}, {54, "INCOMING_CALL_BARRED"},
	{57, "BEARERCAPABILITY_NOTAUTH"}, {58, "BEARERCAPABILITY_NOTAVAIL"}, {63, "SERVICE_UNAVAILABLE"},
	{65, "BEARERCAPABILITY_NOTIMPL"}, {66, "CHAN_NOT_IMPLEMENTED"}, {69, "FACILITY_NOT_IMPLEMENTED"},
	{79, "SERVICE_NOT_IMPLEMENTED"}, {81, "INVALID_CALL_REFERENCE"}, {88, "INCOMPATIBLE_DESTINATION"},
	{95, "INVALID_MSG_UNSPECIFIED"}, {96, "MANDATORY_IE_MISSING"}, {97, "MESSAGE_TYPE_NONEXIST"},
	{98, "WRONG_MESSAGE"}, {99, "IE_NONEXIST"}, {100, "INVALID_IE_CONTENTS"}, {101, "WRONG_CALL_STATE"},
	{102, "RECOVERY_ON_TIMER_EXPIRE"}, {103, "MANDATORY_IE_LENGTH_ERROR"}, {111, "PROTOCOL_ERROR"},
	{127, "INTERWORKING"}, {142, "SUCCESS"}, {487, "ORIGINATOR_CANCEL"}, {700, "CRASH"},
	{701, "SYSTEM_SHUTDOWN"}, {702, "LOSE_RACE"}, {703, "MANAGER_REQUEST"}, {800, "BLIND_TRANSFER"},
	{801, "ATTENDED_TRANSFER"}, {802, "ALLOTTED_TIMEOUT"}, {803, "USER_CHALLENGE"}, {804, "MEDIA_TIMEOUT"},
	{805, "PICKED_OFF"}, {806, "USER_NOT_REGISTERED"}, {807, "PROGRESS_TIMEOUT"}, {808, "INVALID_GATEWAY"},
	{809, "GATEWAY_DOWN"}, {810, "INVALID_URL"}, {811, "INVALID_PROFILE"}, {812, "NO_PICKUP"},
	{813, "SRTP_READ_ERROR"}, {814, "BOWOUT"}, {815, "BUSY_EVERYWHERE"}, {816, "DECLINE"},
	{817, "DOES_NOT_EXIST_ANYWHERE"}, {818, "NOT_ACCEPTABLE"}, {819, "UNWANTED"}, {820, "NO_IDENTITY"},
	{821, "BAD_IDENTITY_INFO"}, {822, "UNSUPPORTED_CERTIFICATE"}, {823, "INVALID_IDENTITY"},
	{824, "STALE_DATE"}, {825, "REJECT_ALL"},
}

func causeByNumber(n int) (hangupCause, bool) {
	for _, c := range hangupCauses {
		if c.number == n {
			return c, true
		}
	}
	return hangupCause{}, false
}

// causeByName reads a cause as switch_channel_str2cause does: by name or
// number; anything else is NORMAL_CLEARING.
func causeByName(s string) hangupCause {
	for _, c := range hangupCauses {
		if strings.EqualFold(c.name, s) {
			return c
		}
	}
	n := 0
	for _, r := range s {
		if r < '0' || r > '9' || n > 9999 {
			n = -1
			break
		}
		n = n*10 + int(r-'0')
	}
	if c, ok := causeByNumber(n); ok && n > 0 {
		return c
	}
	return hangupCause{16, "NORMAL_CLEARING"}
}

// withoutChannel are the causes for which sofia never makes a channel: they
// show only in the reply of originate.
func (h hangupCause) withoutChannel() bool { return h.number >= 808 && h.number <= 811 }

// rings are the causes that come only after the phone has rung in vain.
func (h hangupCause) rings() bool {
	switch h.number {
	case 18, 19, 102, 802, 807, 812:
		return true
	}
	return false
}

// sip is the answer to the INVITE that stands behind a cause.
func (h hangupCause) sip() (status int, phrase string) {
	switch h.number {
	case 1, 3, 817:
		return 404, "Not Found"
	case 17:
		return 486, "Busy Here"
	case 815:
		return 600, "Busy Everywhere"
	case 21, 816:
		return 603, "Decline"
	case 22:
		return 410, "Gone"
	case 28:
		return 484, "Address Incomplete"
	case 27, 38:
		return 502, "Bad Gateway"
	case 29, 69, 79:
		return 501, "Not Implemented"
	case 34, 41, 42, 44:
		return 503, "Service Unavailable"
	case 52, 54, 57:
		return 403, "Forbidden"
	case 58, 65, 88:
		return 488, "Not Acceptable Here"
	default:
		return 480, "Temporarily Unavailable"
	}
}

// completionTexts are spandsp's words for the completion codes 0 to 61
// (t30_api.c, t30_completion_code_to_str).
var completionTexts = [62]string{
	"OK",
	"The CED tone exceeded 5s",
	"Timed out waiting for initial communication",
	"Timed out waiting for the first message",
	"Timed out waiting for procedural interrupt",
	"The HDLC carrier did not stop in a timely manner",
	"Failed to train with any of the compatible modems",
	"Operator intervention failed",
	"Far end is not compatible",
	"Far end is not able to receive",
	"Far end is not able to transmit",
	"Far end cannot receive at the resolution of the image",
	"Far end cannot receive at the size of image",
	"Unexpected message received",
	"Received bad response to DCS or training",
	"Received a DCN from remote after sending a page",
	"Invalid ECM response received from receiver",
	"Received a DCN while waiting for a DIS",
	"Invalid response after sending a page",
	"Received other than DIS while waiting for DIS",
	"Received no response to DCS or TCF",
	"No response after sending a page",
	"Timed out waiting for receiver ready (ECM mode)",
	"Invalid ECM response received from transmitter",
	"DCS received while waiting for DTC",
	"Unexpected command after page received",
	"Carrier lost during fax receive",
	"Timed out while waiting for EOL (end Of line)",
	"Timed out while waiting for first line",
	"Timer T2 expired while waiting for DCN",
	"Timer T2 expired while waiting for phase D",
	"Timer T2 expired while waiting for fax page",
	"Timer T2 expired while waiting for next fax page",
	"Timer T2 expired while waiting for RR command",
	"Timer T2 expired while waiting for NSS, DCS or MCF",
	"Unexpected DCN while waiting for DCS or DIS",
	"Unexpected DCN while waiting for image data",
	"Unexpected DCN while waiting for EOM, EOP or MPS",
	"Unexpected DCN after EOM or MPS sequence",
	"Unexpected DCN after RR/RNR sequence",
	"Unexpected DCN after requested retransmission",
	"TIFF/F file cannot be opened",
	"TIFF/F page not found",
	"TIFF/F format is not compatible",
	"TIFF/F page number tag missing",
	"Incorrect values for TIFF/F tags",
	"Bad TIFF/F header - incorrect values in fields",
	"Cannot allocate memory for more pages",
	"Disconnected after permitted retries",
	"The call dropped prematurely",
	"Poll not accepted",
	"Ident not accepted",
	"Sub-address not accepted",
	"Selective polling address not accepted",
	"Polled sub-address not accepted",
	"Sender identification not accepted",
	"Password not accepted",
	"Transmitting subscriber internet address not accepted",
	"Internet routing address not accepted",
	"Calling subscriber internet address not accepted",
	"Internet selective polling address not accepted",
	"Called subscriber internet address not accepted",
}
