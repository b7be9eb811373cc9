package dialplan

import (
	"strconv"
	"strings"

	"faxbot/controller/fax"
)

// The switch keeps a record of its own in mod_db (realm "faxbot"), so that a
// verdict outlives us: one entry when the fax engine ends, one when the channel
// reports. They are set through uuid_setvar on the running call, which keeps
// the ${…} as they are until the end; in originate's {} they would be expanded
// at once, and nothing would be stored.

// KeepRecord returns the api commands that make the switch keep a record of
// attempt.
func KeepRecord(attempt fax.AttemptID) []string {
	a := string(attempt)
	const verdict = "${fax_success}_${fax_result_code}_${fax_document_transferred_pages}"
	return []string{
		"uuid_setvar " + a + " execute_on_fax_result db::insert/faxbot/" + a + "/" + verdict,
		"uuid_setvar " + a + " api_reporting_hook db insert/faxbot/" + a + "r/" + verdict + "_${hangup_cause}",
	}
}

// ReadRecord returns the api commands that read the record back, in the order
// of KeepRecord.
func ReadRecord(attempt fax.AttemptID) []string {
	return []string{"db select/faxbot/" + string(attempt), "db select/faxbot/" + string(attempt) + "r"}
}

// ForgetRecord returns the api commands that delete the record.
func ForgetRecord(attempt fax.AttemptID) []string {
	return []string{"db delete/faxbot/" + string(attempt), "db delete/faxbot/" + string(attempt) + "r"}
}

// Record is what the switch itself remembers of a call.
type Record struct {
	Fax     bool // the fax engine gave a verdict
	Success bool
	Code    int
	Pages   int    // confirmed; may be known without a verdict
	Ended   bool   // the channel has reported: the call is over
	Cause   string // hangup cause, when Ended
}

// ParseRecord reads the answers to ReadRecord. ok is false when neither holds
// a record ("-ERR no reply"); a value that is none is treated like silence.
func ParseRecord(result, report string) (r Record, ok bool) {
	if f := strings.SplitN(strings.TrimSpace(result), "_", 3); len(f) == 3 && !strings.HasPrefix(result, "-") {
		ok = r.read(f) || ok
	}
	if f := strings.SplitN(strings.TrimSpace(report), "_", 4); len(f) == 4 && !strings.HasPrefix(report, "-") {
		r.Ended, r.Cause, ok = true, f[3], true
		if !r.Fax && !r.read(f[:3]) {
			r.Pages, _ = strconv.Atoi(f[2])
		}
	}
	return r, ok
}

func (r *Record) read(f []string) bool {
	if f[0] != "0" && f[0] != "1" {
		return false
	}
	code, err := strconv.Atoi(f[1])
	if err != nil {
		return false
	}
	pages, err := strconv.Atoi(f[2])
	if err != nil || pages < 0 {
		pages = 0
	}
	r.Fax, r.Success, r.Code, r.Pages = true, f[0] == "1", code, pages
	return true
}
