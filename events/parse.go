package events

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// ErrMalformed is returned for a block that is not an event at all.
var ErrMalformed = errors.New("event text has no Event-Name")

// Parse reads one event: the body of a text/event-plain message, or the head
// of the reply to "connect". It scans the block once, keeps no reference to
// it, and unescapes only what it keeps. Of a header that stands twice the
// first is taken. Headers that are broken are passed over: the text comes from
// a switch, but far ends have their words in it.
func Parse(block []byte) (Event, error) {
	var f fields
	body := f.scan(block)
	return f.event(body)
}

// fields are raw values found in a block, slices of it.
type fields struct {
	name, subclass, uuid, core, up   []byte
	jobUUID, jobCommand              []byte
	application, response, lastReply []byte
	hangup, sip, answer              []byte
	jobID, attemptID, token          []byte
	direction, number, callee        []byte
	socketMode, control              []byte

	success, code, text, pages, total, rate, ecm, t38, remote, vendor, model, start []byte
}

// scan walks the lines up to the blank one and returns what follows it.
func (f *fields) scan(block []byte) (body []byte) {
	for len(block) > 0 {
		line := block
		if i := bytes.IndexByte(block, '\n'); i >= 0 {
			line, block = block[:i], block[i+1:]
		} else {
			block = nil
		}
		if n := len(line); n > 0 && line[n-1] == '\r' {
			line = line[:n-1]
		}
		if len(line) == 0 {
			return block
		}
		if !interesting(line) {
			continue
		}
		i := bytes.IndexByte(line, ':')
		if i < 0 {
			continue
		}
		if slot := f.slot(line[:i]); slot != nil && *slot == nil {
			value := line[i+1:]
			if len(value) > 0 && value[0] == ' ' {
				value = value[1:]
			}
			*slot = value
		}
	}
	return nil
}

// interesting throws out most of an event's 250 lines by a few of their
// letters, before the name is even looked at.
func interesting(line []byte) bool {
	const variable, sip = len("variable_"), len("variable_sip_")
	switch line[0] {
	case 'v':
		if len(line) <= sip {
			return false
		}
		switch line[variable] {
		case 'f', 'c', 'h', 'a', 'd':
			return true
		case 's': // a hundred sip_…, of which two are asked for
			return line[sip] == 't' || line[sip] == 'i'
		}
		return false
	case 'C': // not Channel-… nor Caller-…
		return len(line) > 2 && line[2] != 'a' && line[2] != 'l'
	case 'E', 'U', 'J', 'H', 'A', 'f', 'S':
		return true
	}
	return false
}

// slot maps a header to where its value belongs; nil for the many that nobody
// asks for.
func (f *fields) slot(name []byte) *[]byte {
	switch string(name) {
	case "Event-Name":
		return &f.name
	case "Event-Subclass":
		return &f.subclass
	case "Unique-ID":
		return &f.uuid
	case "Core-UUID":
		return &f.core
	case "Uptime-msec":
		return &f.up
	case "Job-UUID":
		return &f.jobUUID
	case "Job-Command-Arg":
		return &f.jobCommand
	case "Application":
		return &f.application
	case "Application-Response":
		return &f.response
	case "variable_current_application_response":
		return &f.lastReply
	case "variable_current_application":
		if f.application == nil {
			return &f.application
		}
		return nil
	case "Hangup-Cause", "variable_hangup_cause":
		return &f.hangup
	case "variable_sip_term_status", "variable_sip_invite_failure_status":
		return &f.sip
	case "variable_answer_epoch":
		return &f.answer
	case "variable_faxbot_job_id":
		return &f.jobID
	case "variable_faxbot_attempt_id":
		return &f.attemptID
	case "variable_faxbot_token":
		return &f.token
	case "variable_direction":
		return &f.direction
	case "variable_faxbot_number":
		return &f.number
	case "variable_sip_to_user":
		return &f.callee
	case "Socket-Mode":
		return &f.socketMode
	case "Control":
		return &f.control
	case "fax-success", "variable_fax_success":
		return &f.success
	case "fax-result-code", "variable_fax_result_code":
		return &f.code
	case "fax-result-text", "variable_fax_result_text":
		return &f.text
	case "fax-document-transferred-pages", "variable_fax_document_transferred_pages":
		return &f.pages
	case "fax-document-total-pages", "variable_fax_document_total_pages":
		return &f.total
	case "fax-transfer-rate", "variable_fax_transfer_rate":
		return &f.rate
	case "fax-ecm-used", "variable_fax_ecm_used":
		return &f.ecm
	case "fax-t38-status", "variable_fax_t38_status":
		return &f.t38
	case "fax-remote-station-id", "variable_fax_remote_station_id":
		return &f.remote
	case "fax-remote-vendor", "variable_fax_remote_vendor":
		return &f.vendor
	case "variable_fax_start_page":
		return &f.start
	case "fax-remote-model", "variable_fax_remote_model":
		return &f.model
	}
	return nil
}

func (f *fields) event(body []byte) (Event, error) {
	uuid := Unescape(f.uuid)
	switch string(f.name) {
	case "":
		return nil, ErrMalformed
	case "CHANNEL_DATA":
		if len(f.number) == 0 {
			f.number = f.callee
		}
		return &Connected{
			Outbound: string(f.direction) == "outbound", Number: words(f.number),
			UUID: uuid, JobID: Unescape(f.jobID), AttemptID: Unescape(f.attemptID), Token: Unescape(f.token),
			Async: string(f.socketMode) == "async", Full: string(f.control) == "full",
		}, nil
	case "CUSTOM":
		switch string(f.subclass) {
		// The subclass is really spelled "negociate" (mod_spandsp_fax.c).
		case "spandsp%3A%3Atxfaxnegociateresult", "spandsp::txfaxnegociateresult":
			return &Negotiated{UUID: uuid, Line: f.line()}, nil
		case "spandsp%3A%3Atxfaxpageresult", "spandsp::txfaxpageresult":
			return &PageConfirmed{UUID: uuid, Pages: integer(f.pages), Line: f.line()}, nil
		case "spandsp%3A%3Atxfaxresult", "spandsp::txfaxresult":
			return &FaxEnded{UUID: uuid, Fax: f.fax()}, nil
		}
	case "CHANNEL_EXECUTE_COMPLETE":
		return &ApplicationEnded{UUID: uuid, Application: words(f.application), Response: said(f.response), Fax: f.fax()}, nil
	case "CHANNEL_HANGUP":
		return &Hangup{UUID: uuid, Cause: words(f.hangup)}, nil
	case "CHANNEL_HANGUP_COMPLETE":
		return &CallEnded{
			UUID: uuid, JobID: Unescape(f.jobID), Cause: words(f.hangup), Application: words(f.application), Response: said(f.lastReply),
			SIPStatus: integer(f.sip), Answered: len(f.answer) > 0 && string(f.answer) != "0", Fax: f.fax(),
		}, nil
	case "BACKGROUND_JOB":
		return f.originateEnded(body), nil
	case "HEARTBEAT":
		return &Heartbeat{Core: Unescape(f.core), Up: milliseconds(f.up)}, nil
	}
	return &Other{Name: Unescape(f.name), UUID: uuid}, nil
}

func (f *fields) line() Line {
	return Line{
		Rate: integer(f.rate), ECM: string(f.ecm) == "on", T38: string(f.t38) == "negotiated",
		RemoteStation: words(f.remote), RemoteMachine: strings.TrimSpace(words(f.vendor) + " " + words(f.model)), TotalPages: integer(f.total),
		StartPage: integer(f.start),
	}
}

func (f *fields) fax() Fax {
	success, known := truth(f.success)
	return Fax{
		Known: known, Success: success, Code: integer(f.code), Text: words(f.text),
		Pages: integer(f.pages), Line: f.line(),
	}
}

// said drops FreeSWITCH's word for silence.
func said(response []byte) string {
	if string(response) == "_none_" {
		return ""
	}
	return words(response)
}

// words unescapes text that somebody else may have written.
func words(b []byte) string { return plain(Unescape(b)) }

// plain makes text fit to be stored and shown: valid UTF-8, no control
// characters, at most maxWords bytes.
func plain(s string) string {
	const maxWords = 200
	if len(s) > maxWords {
		s = s[:maxWords]
	}
	for i := range len(s) {
		if s[i] >= ' ' && s[i] < 0x7f {
			continue
		}
		s = strings.Map(func(r rune) rune {
			switch {
			case r == utf8.RuneError:
				return '?' // no longer than what it stands for
			case unicode.IsControl(r):
				return -1
			}
			return r
		}, s)
		break
	}
	return s
}

func (f *fields) originateEnded(body []byte) *OriginateEnded {
	e := &OriginateEnded{JobUUID: Unescape(f.jobUUID)}
	if _, id, ok := strings.Cut(Unescape(f.jobCommand), "faxbot_job_id="); ok {
		if i := strings.IndexAny(id, ",}"); i >= 0 {
			e.JobID = id[:i]
		}
	}
	body = bytes.TrimSpace(body)
	switch {
	case bytes.HasPrefix(body, []byte("+OK ")):
		e.Answered, e.UUID = true, plain(string(body[4:]))
	case bytes.HasPrefix(body, []byte("-ERR ")):
		e.Cause = plain(string(body[5:]))
	default:
		// "-USAGE: …" and silence: originate itself was not understood.
		e.Cause = "INVALID_URL"
	}
	return e
}

// truth reads a flag of mod_spandsp, which writes 1 and 0.
func truth(b []byte) (value, known bool) {
	switch string(b) {
	case "1":
		return true, true
	case "0":
		return false, true
	}
	return false, false
}

// integer reads a small non-negative decimal number; anything else is 0.
func integer(b []byte) int {
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' || n > 1e8 {
			return 0
		}
		n = n*10 + int(c-'0')
	}
	return n
}

// milliseconds is 0 for what is no number.
func milliseconds(b []byte) time.Duration {
	n, err := strconv.ParseInt(string(b), 10, 52)
	if err != nil {
		return 0
	}
	return time.Duration(n) * time.Millisecond
}

// Unescape undoes the percent-encoding of event values (switch_utils.c,
// switch_url_encode). A broken escape stands for itself, and "+" is a plus.
func Unescape(b []byte) string {
	i := bytes.IndexByte(b, '%')
	if i < 0 {
		return intern(b)
	}
	out := make([]byte, 0, len(b))
	for len(b) > 0 {
		if b[0] == '%' && len(b) > 2 {
			hi, ok1 := hex(b[1])
			lo, ok2 := hex(b[2])
			if ok1 && ok2 {
				out = append(out, hi<<4|lo)
				b = b[3:]
				continue
			}
		}
		out = append(out, b[0])
		b = b[1:]
	}
	return string(out)
}

func hex(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// intern saves the allocation for the values that nearly every event has.
func intern(b []byte) string {
	switch string(b) {
	case "":
		return ""
	case "OK":
		return "OK"
	case "txfax":
		return "txfax"
	case "socket":
		return "socket"
	case "NORMAL_CLEARING":
		return "NORMAL_CLEARING"
	}
	return string(b)
}
