package plan_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"faxbot/controller/fax"
	"faxbot/controller/plan"
)

// The operator's handbook, row by row: every hangup cause of a call without a
// fax, every completion code of spandsp, its class, and what follows the first,
// the second and the third call that ended so. Waits are the middle of their
// span; a page was confirmed in each call that can lose one.
var rows = []struct {
	class fax.Cause
	ends  string // names of hangup causes, or numbers
	then  string
	// other is what follows when there is a second gateway; "" for the same.
	other string
}{
	{fax.Busy, "USER_BUSY BUSY_EVERYWHERE", "3m0s, 3m0s, 3m0s", ""},
	{
		fax.NoAnswer, "NO_ANSWER NO_USER_RESPONSE ALLOTTED_TIMEOUT PROGRESS_TIMEOUT RECOVERY_ON_TIMER_EXPIRE NO_PICKUP SUBSCRIBER_ABSENT",
		"5m0s, 5m0s, 5m0s", "",
	},
	{
		fax.Trunk, "NORMAL_TEMPORARY_FAILURE NORMAL_CIRCUIT_CONGESTION SWITCH_CONGESTION REQUESTED_CHAN_UNAVAIL NETWORK_OUT_OF_ORDER " +
			"DESTINATION_OUT_OF_ORDER SERVICE_UNAVAILABLE GATEWAY_DOWN INTERWORKING EXCHANGE_ROUTING_ERROR NORMAL_UNSPECIFIED",
		"1m15s, 1m15s, 1m15s", "0s gateway, 1m15s, 1m15s",
	},
	{fax.Misconfigured, "INVALID_GATEWAY INVALID_PROFILE INVALID_URL USER_NOT_REGISTERED", "1m15s, 1m15s, 1m15s", "0s gateway, 1m15s, 1m15s"},
	{
		fax.Media, "INCOMPATIBLE_DESTINATION BEARERCAPABILITY_NOTAVAIL BEARERCAPABILITY_NOTIMPL SERVICE_NOT_IMPLEMENTED MEDIA_TIMEOUT",
		"0s t38_off, failed", "",
	},
	{
		fax.WrongNumber, "UNALLOCATED_NUMBER NO_ROUTE_DESTINATION INVALID_NUMBER_FORMAT NUMBER_CHANGED DOES_NOT_EXIST_ANYWHERE UNWANTED " +
			"OUTGOING_CALL_BARRED INCOMING_CALL_BARRED",
		"failed", "0s gateway, failed",
	},
	{
		fax.Refused, "CALL_REJECTED DECLINE FACILITY_REJECTED NO_IDENTITY BAD_IDENTITY_INFO UNSUPPORTED_CERTIFICATE INVALID_IDENTITY STALE_DATE",
		"failed", "0s gateway, failed",
	},
	{fax.Withdrawn, "ORIGINATOR_CANCEL MANAGER_REQUEST LOSE_RACE PICKED_OFF", "failed", ""},
	{fax.Dropped, "NORMAL_CLEARING", "1m0s resume, 1m0s t38_off resume, 1m0s t38_off resume", ""},
	{fax.Switch, "SYSTEM_SHUTDOWN CRASH", "1m0s, 1m0s, 1m0s", ""},

	{fax.NotAFax, "2 3", "5m0s t38_off, held", ""},
	{fax.Training, "6 14 20", "30s v17_off, 1m0s v17_off, 1m0s v17_off", ""},
	{fax.ECMFailed, "16 23", "30s ecm_off, 30s ecm_off, 30s ecm_off", ""},
	{fax.T38Failed, "1 5 13 19", "30s, 30s t38_off, 30s t38_off", ""},
	{fax.Incapable, "8 9 10", "5m0s, failed", ""},
	{fax.Image, "11 12", "0s standard, failed", ""},
	{fax.PageLost, "4 15 17 18 21 22 48", "30s resume, 30s v17_off resume, 30s v17_off ecm_off resume", ""},
	{fax.Dropped, "49", "1m0s resume, 1m0s t38_off resume, 1m0s t38_off resume", ""},
	{fax.Document, "41 42 43 44 45 46", "0s redraw, failed", ""},
	{fax.Switch, "47", "1m0s, 1m0s, 1m0s", ""},
	{fax.Rejected, "50 51 52 53 54 55 56 57 58 59 60 61", "failed", ""},
	{fax.Operator, "7", "1m0s, failed", ""},
	{fax.Inbound, "24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40", "failed", ""},
	{fax.OK, "0", "done", ""},
}

func TestRows(t *testing.T) {
	t.Parallel()
	codes := map[int]bool{}
	for _, row := range rows {
		for _, end := range strings.Fields(row.ends) {
			r := fax.Result{Cause: fax.CauseOfHangup(end), Code: fax.NoCode, HangupCause: end}
			if code, err := strconv.Atoi(end); err == nil {
				codes[code] = true
				r = fax.Result{Cause: fax.CauseOfCode(code), Code: code, HangupCause: "NORMAL_CLEARING"}
			}
			if r.Cause != row.class {
				t.Errorf("%s is %s, want %s", end, r.Cause, row.class)
				continue
			}
			if got := followed(r); got != row.then {
				t.Errorf("%s: %s, want %s", end, got, row.then)
			}
			other := row.other
			if other == "" {
				other = row.then
			}
			if got := followed(r, "second"); got != other {
				t.Errorf("%s, two gateways: %s, want %s", end, got, other)
			}
		}
	}
	for code := range 62 {
		if !codes[code] {
			t.Errorf("no row for code %d", code)
		}
	}
}

// followed tells what follows up to three calls that end so.
func followed(r fax.Result, gateways ...string) string {
	s := newStory(gateways...)
	s.Job.MaxAttempts, s.Job.Pages = 10, 10
	switch r.Cause {
	case fax.PageLost, fax.Dropped:
		r.Pages = 1
	case fax.OK:
		r.Pages = 10
	}
	var told []string
	for range 3 {
		before := s.Now
		s.call(r)
		if s.State != fax.Retry {
			return strings.Join(append(told, string(s.State)), ", ")
		}
		step := fmt.Sprint(s.Due.Sub(before))
		for _, change := range plan.Next(s.Situation).Reasons {
			step += " " + string(change.Change)
		}
		told = append(told, step)
	}
	return strings.Join(told, ", ")
}
