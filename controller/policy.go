package controller

import (
	"fmt"
	"time"
	"unicode/utf8"

	"faxbot/controller/fax"
	"faxbot/controller/plan"
	"faxbot/dialplan"
)

// Policy is what may change while the daemon runs; see Controller.Apply.
type Policy struct {
	// Gateways are the ways out, the preferred first, at least one; Routes are
	// others for some numbers, those with the longest fitting prefix.
	Gateways []Gateway
	Routes   []Route
	Switches []Switch // at least one

	T38  bool          // offer T.38
	Ring time.Duration // how long a call may ring; default 60 s
	// Grace is how much longer than it should take we wait for news of a call,
	// before we ask the switch; default 15 s.
	Grace time.Duration

	CallerID  string // defaults of jobs that name none
	StationID string
	Header    string
	// Continued has the header of a call that goes on with a fax say so.
	Continued bool
	Window    string // hours of jobs that name none, by the clock at the number; "" for all

	// Retention is how long documents are kept after their fax has ended; 0
	// keeps them for ever.
	Retention time.Duration
	// Records is how long a fax itself is known after it has ended; its documents
	// go with it at the latest. 0 is for ever.
	Records time.Duration
	// Audit is how long the audit log is kept; 0 is for ever.
	Audit time.Duration
	// PurgeOnSuccess has the documents of faxes that are submitted from now on
	// deleted as soon as they are delivered, whether they ask for it or not.
	PurgeOnSuccess bool

	// RecordCalls is how many calls at once have what is said on their
	// connection kept, beside the documents.
	RecordCalls int

	// Disabled keeps faxes without calling anybody: new ones wait for a person
	// to release them, those that wait for a call go on waiting.
	Disabled bool

	// OnUnknown is what follows a call whose outcome nobody can know: Hold
	// asks a person, Again takes the risk of sending pages twice. Default Hold.
	OnUnknown fax.Next
}

// checked returns the policy with its defaults, or says what is wrong with it.
func (p Policy) checked() (*Policy, error) {
	var err error
	if p.Gateways, err = checkList(p.Gateways); err != nil {
		return nil, fmt.Errorf("FREESWITCH_GATEWAY_NAME: %w", err)
	}
	if p.Routes, err = checkRoutes(p.Routes); err != nil {
		return nil, fmt.Errorf("FREESWITCH_ROUTES: %w", err)
	}
	if p.Switches, err = checkSwitches(p.Switches); err != nil {
		return nil, fmt.Errorf("FAXBOT_SWITCHES: %w", err)
	}
	if _, err := plan.ParseWindow(p.Window); err != nil {
		return nil, fmt.Errorf("FAXBOT_WINDOW: %w", err)
	}
	if err := dialplan.CheckCallerID(p.CallerID); err != nil {
		return nil, fmt.Errorf("FREESWITCH_CALLER_ID_NUMBER: %w", err)
	}
	if p.Ring <= 0 {
		p.Ring = time.Minute
	}
	if p.Grace <= 0 {
		p.Grace = 15 * time.Second
	}
	if p.OnUnknown != fax.Again {
		p.OnUnknown = fax.Hold
	}
	return &p, nil
}

// plan is the part that the planner knows.
func (p *Policy) plan() plan.Policy {
	window, _ := plan.ParseWindow(p.Window) // checked
	return plan.Policy{T38: p.T38, OnUnknown: p.OnUnknown, Window: window, Disabled: p.Disabled}
}

// header is what is printed above the pages of a call. The fax engine prints
// none that is longer than maxHeader, so a note takes its room from the text.
func (p *Policy) header(job fax.Job, how fax.Parameters) string {
	text := or(job.Options.Header, p.Header)
	if !p.Continued || how.StartPage == 0 {
		return text
	}
	note := fmt.Sprintf("(continued, page %d of %d)", how.StartPage+1, job.Pages)
	if text == "" {
		return note
	}
	for len(text)+1+len(note) > maxHeader {
		_, last := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-last]
	}
	return text + " " + note
}

// Apply replaces the policy, from the next call on; calls under way go on as
// they began, and gateways that stay keep their state. When it returns an error
// nothing has changed.
//
// With another password a command link is made anew at once. Another address
// may be another switch, which cannot be asked about calls of the one before: the
// switch gets no call until those under way have ended or the link is down; then
// the link moves.
func (c *Controller) Apply(p Policy) error {
	next, err := p.checked()
	if err != nil {
		return err
	}
	c.applying.Lock()
	defer c.applying.Unlock()
	c.gateways.set(next.gateways())
	c.policy.Store(next)
	c.setSwitches(next.Switches)
	c.listener.Record(next.RecordCalls)
	wake(c.due)
	return nil
}
