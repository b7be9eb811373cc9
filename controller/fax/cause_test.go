package fax_test

import (
	"strings"
	"testing"

	"faxbot/controller/fax"
)

// What the operator's handbook does not list; its rows are tested in package
// plan, from the end of a call to what follows.
func TestCausesBeyondTheHandbook(t *testing.T) {
	t.Parallel()
	for want, names := range map[fax.Cause]string{
		fax.Trunk: "NO_ROUTE_TRANSIT_NET CHANNEL_UNACCEPTABLE PRE_EMPTED PROTOCOL_ERROR RESPONSE_TO_STATUS_ENQUIRY ACCESS_INFO_DISCARDED " +
			"INVALID_CALL_REFERENCE INVALID_MSG_UNSPECIFIED MANDATORY_IE_MISSING MESSAGE_TYPE_NONEXIST WRONG_MESSAGE IE_NONEXIST " +
			"INVALID_IE_CONTENTS WRONG_CALL_STATE MANDATORY_IE_LENGTH_ERROR",
		fax.Misconfigured: "USER_CHALLENGE FACILITY_NOT_SUBSCRIBED",
		fax.Media:         "BEARERCAPABILITY_NOTAUTH CHAN_NOT_IMPLEMENTED FACILITY_NOT_IMPLEMENTED SRTP_READ_ERROR NOT_ACCEPTABLE",
		fax.WrongNumber:   "REDIRECTION_TO_NEW_DESTINATION",
		fax.Refused:       "REJECT_ALL",
		fax.Dropped:       "NONE SUCCESS A_NAME_OF_THE_FUTURE",
	} {
		for _, name := range strings.Fields(names) {
			if got := fax.CauseOfHangup(name); got != want {
				t.Errorf("%s is %s, want %s", name, got, want)
			}
		}
	}
	for _, code := range []int{-7, 62, 1 << 30} { // of an engine that we do not know
		if got := fax.CauseOfCode(code); got != fax.Switch {
			t.Errorf("code %d is %s", code, got)
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
