package controller

import (
	"fmt"

	"faxbot/controller/fax"
	"faxbot/dialplan"
	"faxbot/events"
)

// witness is who tells us about a call. When two contradict each other the
// earlier in this list is believed.
type witness int

const (
	byCall   witness = iota // the call's own connection
	byLink                  // the command link to the switch
	byRecord                // the switch's own record in mod_db
	byHook                  // the HTTP hook
	witnesses
)

// verdict is everything that was said of one call, folded. Hearing the same
// statements in any order, any number of times, makes the same verdict: every
// field only grows, and no rule looks at what came first.
type verdict struct {
	accounts [witnesses]*account // nil of those who have given none; most calls have but one
	pages    int                 // most pages that anybody saw confirmed
	line     events.Line
	begun    bool   // txfax was told to run, or is known to have run
	answered bool   // the far end picked up
	ended    bool   // the call is over
	refused  string // the cause with which originate failed
	// unfetched is what the switch said instead of fetching the pages; it was
	// not told to send.
	unfetched string
	sip       int
}

// account is what one witness says of how the call went.
type account struct {
	engine   events.Fax // the fax engine's verdict
	response string     // of txfax, where no engine spoke
	hangup   string     // cause, likewise
}

func (a *account) respond(text string) { a.response = max(a.response, text) }
func (a *account) hangUp(cause string) { a.hangup = max(a.hangup, cause) }

// by is the account of a witness, to be added to.
func (v *verdict) by(w witness) *account {
	if v.accounts[w] == nil {
		v.accounts[w] = new(account)
	}
	return v.accounts[w]
}

// given are the accounts of all witnesses; those of the silent are empty.
func (v *verdict) given() (all [witnesses]account) {
	for w, a := range v.accounts {
		if a != nil {
			all[w] = *a
		}
	}
	return all
}

// hear takes an event of the call's connection or of the link.
func (v *verdict) hear(w witness, ev events.Event) {
	switch ev := ev.(type) {
	case *events.Connected:
		v.answered = true
	case *events.Negotiated:
		v.begun, v.answered = true, true
		v.meet(ev.Line)
	case *events.PageConfirmed:
		v.begun, v.answered = true, true
		v.pages = max(v.pages, ev.Pages)
		v.meet(ev.Line)
	case *events.FaxEnded:
		v.begun, v.answered = true, true
		v.judge(w, ev.Fax)
	case *events.ApplicationEnded:
		if ev.Application == "txfax" {
			v.begun, v.answered = true, true
			v.by(w).respond(ev.Response)
			v.judge(w, ev.Fax)
		}
	case *events.CallEnded:
		v.ended = true
		v.by(w).hangUp(ev.Cause)
		v.sip = max(v.sip, ev.SIPStatus)
		v.answered = v.answered || ev.Answered
		if ev.Application == "txfax" {
			v.begun, v.answered = true, true
			v.by(w).respond(ev.Response)
		}
		v.judge(w, ev.Fax)
	case *events.OriginateEnded:
		if ev.Answered {
			v.answered = true
		} else {
			v.refused = max(v.refused, ev.Cause)
		}
	}
}

// hearRecord takes the switch's own record.
func (v *verdict) hearRecord(r dialplan.Record) {
	v.begun, v.answered = true, true // records are kept from the answer on
	v.pages = max(v.pages, r.Pages)
	if r.Fax {
		f := events.Fax{Known: true, Success: r.Success, Code: r.Code, Pages: r.Pages}
		if r.Success {
			f.Text = "OK"
		}
		v.judge(byRecord, f)
	}
	if r.Ended {
		v.ended = true
		v.by(byRecord).hangUp(r.Cause)
	}
}

// hearHook takes what the HTTP hook posted. It does not end the call: hooks
// can be replayed and delayed, and run before the call is over.
func (v *verdict) hearHook(h events.Hook) {
	if h.Fax.Known {
		v.answered = true
		v.judge(byHook, h.Fax)
	}
}

// judge keeps a witness's account of the engine's verdict, and the better one
// should it give several.
func (v *verdict) judge(w witness, f events.Fax) {
	v.pages = max(v.pages, f.Pages)
	v.meet(f.Line)
	if !f.Known {
		return
	}
	if a := v.by(w); !a.engine.Known || better(f, a.engine) {
		f.Line = events.Line{}
		a.engine = f
	}
}

func better(a, b events.Fax) bool {
	switch {
	case a.Success != b.Success:
		return a.Success
	case a.Pages != b.Pages:
		return a.Pages > b.Pages
	case a.Code != b.Code:
		return a.Code > b.Code
	}
	return a.Text > b.Text
}

func (v *verdict) meet(l events.Line) {
	v.line.Rate = max(v.line.Rate, l.Rate)
	v.line.ECM = v.line.ECM || l.ECM
	v.line.T38 = v.line.T38 || l.T38
	v.line.RemoteStation = max(v.line.RemoteStation, l.RemoteStation)
	v.line.RemoteMachine = max(v.line.RemoteMachine, l.RemoteMachine)
	v.line.TotalPages = max(v.line.TotalPages, l.TotalPages)
	v.line.StartPage = max(v.line.StartPage, l.StartPage)
}

// fax returns the engine's verdict as the best witness gives it.
func (v *verdict) fax() events.Fax {
	for _, a := range v.accounts {
		if a != nil && a.engine.Known {
			return a.engine
		}
	}
	return events.Fax{Code: fax.NoCode}
}

// end is how the call went where no engine spoke.
func (v *verdict) end() (all account) {
	for _, a := range v.given() {
		all.respond(a.response)
		all.hangUp(a.hangup)
	}
	return all
}

// testimony is on whose word result stands, as far as it was heard.
func (v *verdict) testimony() fax.Testimony {
	names := [witnesses]fax.Witness{byCall: fax.ByCall, byLink: fax.ByLink, byRecord: fax.ByRecord, byHook: fax.ByHook}
	var t fax.Testimony
	best, end, given := v.fax(), v.end(), v.given()
	for w, name := range names {
		f, e := given[w].engine, given[w]
		var speaks, agrees bool
		switch {
		case best.Known:
			speaks, agrees = f.Known, f.Success == best.Success
		case end.response != "":
			speaks, agrees = e.response != "", e.response == end.response
		case v.unfetched != "":
			speaks, agrees = w == int(byCall), true
		case end.hangup != "":
			speaks, agrees = e.hangup != "", e.hangup == end.hangup
		case v.refused != "":
			speaks, agrees = w == int(byLink), true
		}
		switch {
		case !speaks:
		case !agrees:
			t.Contradicted = append(t.Contradicted, name)
		case t.Decided == "":
			t.Decided = name
		default:
			t.Agreed = append(t.Agreed, name)
		}
	}
	return t
}

// conflict says that two witnesses contradict each other on success.
func (v *verdict) conflict() bool {
	best := v.fax()
	for _, a := range v.given() {
		if a.engine.Known && a.engine.Success != best.Success {
			return true
		}
	}
	return false
}

// delivered says that every due page was confirmed, which nothing that follows
// can undo. total is the number of pages of the document, 0 when only the
// switch knows it.
func (v *verdict) delivered(start, total int) bool {
	f := v.fax()
	if total == 0 {
		total = v.line.TotalPages
	}
	return f.Known && f.Success && total > 0 && start+f.Pages >= total
}

// final says that the result will not change any more. A failure is final only
// with the call: until then the next call to the number would find it busy, or
// double.
func (v *verdict) final(start, total int) bool {
	return v.ended || v.refused != "" || v.delivered(start, total)
}

// result says what the call came to, as far as is known. Of a call that is not
// final it is what would stand if nothing more were ever heard.
func (v *verdict) result(start, total int) fax.Result {
	f := v.fax()
	end := v.end()
	r := fax.Result{
		Code: f.Code, Text: f.Text, HangupCause: or(end.hangup, v.refused), Witnesses: v.testimony(),
		Pages: v.pages, TotalPages: v.line.TotalPages, Rate: v.line.Rate,
		ECM: v.line.ECM, T38: v.line.T38, RemoteStation: v.line.RemoteStation, RemoteMachine: v.line.RemoteMachine,
	}
	switch {
	case v.delivered(start, total):
		r.Cause = fax.OK
	case f.Known && f.Success:
		r.Cause = fax.PageLost
		r.Text = fmt.Sprintf("the fax engine reported success, but %d of %d pages were confirmed", start+f.Pages, total)
	case f.Known && f.Code == 0:
		r.Cause = fax.Switch
	case f.Known:
		r.Cause = fax.CauseOfCode(f.Code)
	case end.response != "":
		// txfax says so when the file is missing, and sets no variable at all
		// (mod_spandsp_fax.c, mod_spandsp_fax_process_fax).
		r.Cause, r.Text = fax.Document, end.response
	default:
		r.Cause, r.Text = v.withoutEngine(r.HangupCause)
	}
	return r
}

// withoutEngine judges a call in which no fax engine spoke, by its hangup
// cause.
func (v *verdict) withoutEngine(name string) (fax.Cause, string) {
	cause := fax.CauseOfHangup(name)
	switch {
	case v.unfetched != "":
		return fax.Misconfigured, fmt.Sprintf("the switch could not fetch the pages (%.80s); load mod_http_cache, and let it reach FAXBOT_DOCUMENT_URL", v.unfetched)
	case v.sip == 401 || v.sip == 407:
		return fax.Misconfigured, "the carrier asked for credentials that the gateway does not have"
	case v.answered && !v.begun && name == "NO_ROUTE_DESTINATION":
		// Every call would ring somebody for nothing.
		return fax.Misconfigured, "the call was answered, but the switch's dialplan has no such extension; check FAXBOT_DIALPLAN (faxbot dialplan extension)"
	case cause != fax.Dropped && cause != fax.Withdrawn:
		return cause, ""
	case v.begun:
		return fax.Dropped, "the call ended without a fax verdict"
	case v.answered:
		return fax.Switch, "the call was answered, but never connected to our socket; check that the switch can reach FAXBOT_SOCKET_ADVERTISE"
	case cause == fax.Withdrawn:
		// Whether we asked for it is the caller's knowledge.
		return fax.Switch, "the call was ended on the switch"
	default:
		return fax.Dropped, "the call ended before it was answered"
	}
}
