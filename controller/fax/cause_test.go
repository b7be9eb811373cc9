package fax_test

import (
	"strings"
	"testing"

	"faxbot/controller/fax"
)

// One line for each class, as the operator's handbook has it.
var hangupTable = map[fax.Cause]string{
	fax.Busy:          "USER_BUSY BUSY_EVERYWHERE",
	fax.NoAnswer:      "NO_ANSWER NO_USER_RESPONSE ALLOTTED_TIMEOUT PROGRESS_TIMEOUT RECOVERY_ON_TIMER_EXPIRE NO_PICKUP SUBSCRIBER_ABSENT",
	fax.Trunk:         "NORMAL_TEMPORARY_FAILURE NORMAL_CIRCUIT_CONGESTION SWITCH_CONGESTION REQUESTED_CHAN_UNAVAIL NETWORK_OUT_OF_ORDER DESTINATION_OUT_OF_ORDER SERVICE_UNAVAILABLE GATEWAY_DOWN INTERWORKING EXCHANGE_ROUTING_ERROR NORMAL_UNSPECIFIED",
	fax.Misconfigured: "INVALID_GATEWAY INVALID_PROFILE INVALID_URL USER_NOT_REGISTERED",
	fax.Media:         "INCOMPATIBLE_DESTINATION BEARERCAPABILITY_NOTAVAIL BEARERCAPABILITY_NOTIMPL SERVICE_NOT_IMPLEMENTED MEDIA_TIMEOUT",
	fax.WrongNumber:   "UNALLOCATED_NUMBER NO_ROUTE_DESTINATION INVALID_NUMBER_FORMAT NUMBER_CHANGED DOES_NOT_EXIST_ANYWHERE UNWANTED OUTGOING_CALL_BARRED INCOMING_CALL_BARRED",
	fax.Refused:       "CALL_REJECTED DECLINE FACILITY_REJECTED NO_IDENTITY BAD_IDENTITY_INFO UNSUPPORTED_CERTIFICATE INVALID_IDENTITY STALE_DATE",
	fax.Withdrawn:     "ORIGINATOR_CANCEL MANAGER_REQUEST LOSE_RACE PICKED_OFF",
	fax.Switch:        "SYSTEM_SHUTDOWN CRASH",
	fax.Dropped:       "NORMAL_CLEARING A_NAME_OF_THE_FUTURE",
}

func TestCauseOfHangup(t *testing.T) {
	for want, names := range hangupTable {
		for _, name := range strings.Fields(names) {
			if got := fax.CauseOfHangup(name); got != want {
				t.Errorf("%s is %s, want %s", name, got, want)
			}
		}
	}
}

func TestCauseOfCode(t *testing.T) {
	table := map[fax.Cause][]int{
		fax.OK: {0}, fax.NotAFax: {2, 3}, fax.Training: {6, 14, 20}, fax.ECMFailed: {16, 23},
		fax.T38Failed: {1, 5, 13, 19}, fax.Incapable: {8, 9, 10}, fax.Image: {11, 12},
		fax.PageLost: {4, 15, 17, 18, 21, 22, 48}, fax.Dropped: {49},
		fax.Document: {41, 42, 43, 44, 45, 46}, fax.Switch: {47, -7, 62, 1 << 30},
		fax.Rejected: {50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61}, fax.Operator: {7},
		fax.Inbound: {24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40},
	}
	seen := map[int]bool{}
	for want, codes := range table {
		for _, code := range codes {
			seen[code] = true
			if got := fax.CauseOfCode(code); got != want {
				t.Errorf("code %d is %s, want %s", code, got, want)
			}
		}
	}
	for code := range 62 {
		if !seen[code] {
			t.Errorf("code %d is not in the table", code)
		}
	}
}

func TestEveryCauseTells(t *testing.T) {
	for _, c := range fax.Causes {
		a := c.Advice()
		if a.Tell == "" {
			t.Errorf("%s tells a person nothing", c)
		}
	}
}
