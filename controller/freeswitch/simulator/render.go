package simulator

import (
	"strconv"
	"time"
)

// slot is a place in a template that is filled in for each event.
type slot uint8

const (
	noSlot slot = iota
	sCoreUUID
	sDateLocal
	sDateGMT
	sTimestamp
	sSequence
	sUUID
	sSession
	sGateway
	sNumber
	sCaller
	sVars
	sSets
	sRTPPort
	sFarPort
	sSSRC
	sCallID
	sBranch
	sFromTag
	sToTag
	sCause
	sQ850
	sSIPStatus
	sSIPPhrase
	sSocketArgs
	sSocketHost
	sSocketMode
	sControl
	sCurrentApp
	sCurrentData
	sResponse
	sApp
	sAppData
	sAppResponse
	sAppUUID
	sFile
	sV17Disabled
	sECMRequested
	sECMUsed
	sRate
	sT38Status
	sLocalIdent
	sRemoteIdent
	sPages
	sTotal
	sLineResolution
	sFileResolution
	sPixels
	sImageSize
	sEncoding
	sEncodingName
	sSuccess
	sCode
	sText
	sStartStamp
	sStartEpoch
	sStartUepoch
	sProgressStamp
	sProgressEpoch
	sProgressUepoch
	sAnswerStamp
	sAnswerEpoch
	sAnswerUepoch
	sEndStamp
	sEndEpoch
	sEndUepoch
	sDuration
	sMduration
	sUduration
	sBillsec
	sBillmsec
	sBillusec
	sFlowBillsec
	sFlowBillmsec
	sFlowBillusec
	sAnswersec
	sAnswermsec
	sAnswerusec
	sJobUUID
	sJobCommand
	sJobArg
	sBody
	sBodyLength
	sUpTime
	sUpMsec
	sSessions
	sSessionsTotal
	slots
)

// slotNames are the slots as the template files spell them.
var slotNames = [slots]string{
	"", "core_uuid", "date_local", "date_gmt", "timestamp", "sequence",
	"uuid", "session", "gateway", "number", "caller", "vars", "sets",
	"rtp_port", "far_port", "ssrc", "sip_call_id", "branch", "from_tag", "to_tag",
	"cause", "q850", "sip_status", "sip_phrase",
	"socket_args", "socket_host", "socket_mode", "control",
	"current_app", "current_data", "response", "app", "app_data", "app_response", "app_uuid",
	"file", "v17_disabled", "ecm_requested", "ecm_used", "rate", "t38_status",
	"local_ident", "remote_ident", "pages", "total",
	"line_resolution", "file_resolution", "pixels", "image_size", "encoding", "encoding_name",
	"success", "code", "text",
	"start_stamp", "start_epoch", "start_uepoch",
	"progress_stamp", "progress_epoch", "progress_uepoch",
	"answer_stamp", "answer_epoch", "answer_uepoch",
	"end_stamp", "end_epoch", "end_uepoch",
	"duration", "mduration", "uduration", "billsec", "billmsec", "billusec",
	"flow_billsec", "flow_billmsec", "flow_billusec", "answersec", "answermsec", "answerusec",
	"job_uuid", "job_command", "job_arg", "body", "body_length",
	"up_time", "up_msec", "sessions", "sessions_total",
}

// facts are the values of one event.
type facts struct {
	sw  *Switch
	at  time.Time
	seq uint64

	call *call        // its lock is held
	app  *application // CHANNEL_EXECUTE and CHANNEL_EXECUTE_COMPLETE
	link *link        // the reply to connect
	job  *job         // BACKGROUND_JOB
}

// job is a finished bgapi command.
type job struct{ uuid, command, arg, body string }

// application is something that runs on a channel.
type application struct{ name, data, uuid string }

// frame writes the event with the two lines that a socket puts before it. It
// overwrites buf and returns it grown, and the message inside it.
func (f *facts) frame(buf []byte, t template) (grown, message []byte) {
	var room [64]byte // longer than the two lines
	buf = f.body(append(buf[:0], room[:]...), t)
	head := append(room[:0], "Content-Length: "...)
	head = strconv.AppendInt(head, int64(len(buf)-len(room)), 10)
	head = append(head, "\nContent-Type: text/event-plain\n\n"...)
	start := len(room) - len(head)
	copy(buf[start:], head)
	return buf, buf[start:]
}

func (f *facts) body(dst []byte, t template) []byte {
	for _, p := range t {
		dst = append(dst, p.text...)
		if p.slot != noSlot {
			dst = f.fill(dst, p.slot)
		}
	}
	return dst
}

func (f *facts) fill(b []byte, s slot) []byte {
	switch s {
	case sCoreUUID:
		return append(b, f.sw.core()...)
	case sDateLocal:
		return stamp(b, f.at)
	case sDateGMT:
		at := f.at.UTC()
		b = append(at.AppendFormat(b, "Mon,"), "%20"...)
		b = append(at.AppendFormat(b, "02"), "%20"...)
		b = append(at.AppendFormat(b, "Jan"), "%20"...)
		b = append(at.AppendFormat(b, "2006"), "%20"...)
		return append(clock(b, at), "%20GMT"...)
	case sTimestamp:
		return strconv.AppendInt(b, f.at.UnixMicro(), 10)
	case sSequence:
		return strconv.AppendUint(b, f.seq, 10)
	case sJobUUID:
		return append(b, f.job.uuid...)
	case sJobCommand:
		return encode(b, f.job.command)
	case sJobArg:
		if f.job.arg == "" {
			return b
		}
		b = append(b, "Job-Command-Arg: "...)
		return append(encode(b, f.job.arg), '\n')
	case sBody:
		return append(b, f.job.body...)
	case sBodyLength:
		return strconv.AppendInt(b, int64(len(f.job.body)), 10)
	case sUpTime:
		return encode(b, f.sw.upTime(f.at))
	case sUpMsec:
		return strconv.AppendInt(b, f.sw.up(f.at).Milliseconds(), 10)
	case sSessions:
		return strconv.AppendInt(b, int64(f.sw.Calls()), 10)
	case sSessionsTotal:
		return strconv.AppendUint(b, uint64(f.sw.sessions.Load()), 10)
	case sSocketMode:
		return append(b, choose(f.link.async, "async", "static")...)
	case sControl:
		return append(b, choose(f.link.full, "full", "single-channel")...)
	case sApp:
		return encode(b, f.app.name)
	case sAppData:
		return encode(b, f.app.data)
	case sAppUUID:
		return append(b, f.app.uuid...)
	default:
		return f.call.fill(b, s)
	}
}

// fill writes what belongs to the channel; its lock is held.
func (c *call) fill(b []byte, s slot) []byte {
	switch s {
	case sUUID:
		return encode(b, c.uuid)
	case sSession:
		return strconv.AppendUint(b, uint64(c.session), 10)
	case sGateway:
		return encode(b, c.gateway)
	case sNumber:
		return encode(b, c.number)
	case sCaller:
		return encode(b, c.caller)
	case sVars:
		return writeVariables(b, c.vars)
	case sSets:
		return writeVariables(b, c.sets)
	case sRTPPort:
		return strconv.AppendUint(b, uint64(16384+c.session*2%16384), 10)
	case sFarPort:
		return strconv.AppendUint(b, uint64(16384+(c.session*2+8191)%16384), 10)
	case sSSRC:
		return strconv.AppendUint(b, uint64(1_000_000_000+c.session), 10)
	case sCallID:
		return append(b, c.seed...)
	case sBranch:
		return tag(b, c.seed[23:])
	case sFromTag, sToTag:
		return tag(b, choose(s == sToTag, c.seed[9:22], c.seed[14:27]))
	case sCause:
		return append(b, c.cause.name...)
	case sQ850:
		return strconv.AppendInt(b, int64(c.cause.q850()), 10)
	case sSIPStatus:
		status, _ := c.cause.sip()
		return strconv.AppendInt(b, int64(status), 10)
	case sSIPPhrase:
		_, phrase := c.cause.sip()
		return encode(b, phrase)
	case sSocketArgs:
		return encode(b, c.socketArgs)
	case sSocketHost:
		return encode(b, c.socketHost)
	case sCurrentApp:
		return encode(b, c.app.name)
	case sCurrentData:
		return encode(b, c.app.data)
	case sResponse:
		return encode(b, c.response)
	case sAppResponse:
		return encode(b, choose(c.response == "", "_none_", c.response))
	}
	if s >= sStartStamp {
		return c.fillTime(b, s)
	}
	return c.fax.fill(b, s)
}

func (c *call) fillTime(b []byte, s slot) []byte {
	var bill, answer, flow time.Duration
	total := c.ended.Sub(c.created)
	if !c.answered.IsZero() {
		bill, answer, flow = c.ended.Sub(c.answered), c.answered.Sub(c.created), total
	}
	switch s {
	case sStartStamp, sStartEpoch, sStartUepoch:
		return moment(b, c.created, s-sStartStamp)
	case sProgressStamp, sProgressEpoch, sProgressUepoch:
		return moment(b, c.rang, s-sProgressStamp)
	case sAnswerStamp, sAnswerEpoch, sAnswerUepoch:
		return moment(b, c.answered, s-sAnswerStamp)
	case sEndStamp, sEndEpoch, sEndUepoch:
		return moment(b, c.ended, s-sEndStamp)
	case sDuration, sMduration, sUduration:
		return span(b, total, s-sDuration)
	case sBillsec, sBillmsec, sBillusec:
		return span(b, bill, s-sBillsec)
	case sFlowBillsec, sFlowBillmsec, sFlowBillusec:
		return span(b, flow, s-sFlowBillsec)
	case sAnswersec, sAnswermsec, sAnswerusec:
		return span(b, answer, s-sAnswersec)
	}
	return b
}

// moment writes a time as stamp, seconds or microseconds; never is 0.
func moment(b []byte, t time.Time, form slot) []byte {
	switch {
	case form == 0:
		return stamp(b, t)
	case t.IsZero():
		return append(b, '0')
	case form == 1:
		return strconv.AppendInt(b, t.Unix(), 10)
	default:
		return strconv.AppendInt(b, t.UnixMicro(), 10)
	}
}

// span writes a duration in seconds, milliseconds or microseconds.
func span(b []byte, d time.Duration, form slot) []byte {
	unit := [...]time.Duration{time.Second, time.Millisecond, time.Microsecond}[form]
	return strconv.AppendInt(b, int64(max(d, 0)/unit), 10)
}

func stamp(b []byte, t time.Time) []byte {
	b = append(t.AppendFormat(b, time.DateOnly), "%20"...)
	return clock(b, t)
}

func clock(b []byte, t time.Time) []byte {
	h, m, s := t.Clock()
	b = append(b, byte('0'+h/10), byte('0'+h%10), '%', '3', 'A')
	b = append(b, byte('0'+m/10), byte('0'+m%10), '%', '3', 'A')
	return append(b, byte('0'+s/10), byte('0'+s%10))
}

// writeVariables writes variables that the templates do not know.
func writeVariables(b []byte, vars []setting) []byte {
	for _, v := range vars {
		b = append(b, "variable_"...)
		b = append(encode(b, v.name), ": "...)
		b = append(encode(b, v.value), '\n')
	}
	return b
}

// tag makes a SIP tag out of a part of a uuid: same length, other letters.
func tag(b []byte, hex string) []byte {
	const letters = "aBcDeFgHjKmNprSt"
	for i := range len(hex) {
		b = append(b, letters[(hex[i]+byte(i))%16])
	}
	return b
}

// encode writes a header value as switch_url_encode does.
func encode(b []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(s) {
		if c := s[i]; unsafe[c] {
			b = append(b, '%', hex[c>>4], hex[c&15])
		} else {
			b = append(b, c)
		}
	}
	return b
}

// unsafe are the bytes that are encoded (switch_utils.h, SWITCH_URL_UNSAFE).
var unsafe = func() (u [256]bool) {
	for c := range u {
		u[c] = c < ' ' || c > '~'
	}
	for _, c := range []byte(" #%&+:;<=>?@[\\]^`{|}\"") {
		u[c] = true
	}
	return u
}()

func choose[T any](yes bool, a, b T) T {
	if yes {
		return a
	}
	return b
}
