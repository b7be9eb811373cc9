package simulator

import (
	"slices"
	"sync"
	"time"
)

// call is one channel. Its goroutine dials, runs the application and reports;
// other goroutines ask it for things, look at it, or hang it up.
type call struct {
	sw      *Switch
	life    life
	order   order
	outcome Outcome
	uuid    string
	seed    string // another uuid, from which SIP's identifiers are made
	session uint32
	gateway string
	number  string
	caller  string

	requests  chan request
	connected chan struct{} // closed by the command connect
	down      chan struct{} // closed when hung up
	gone      chan struct{} // closed when the channel is destroyed

	mu       sync.Mutex
	history  []byte // steps, oldest first
	vars     []setting
	sets     []setting
	created  time.Time
	rang     time.Time
	answered time.Time
	ended    time.Time
	cause    hangupCause
	app      application // the current one
	response string

	socketArgs, socketHost string

	link *link
	fax  fax
}

// request is something to do on the channel's own goroutine.
type request struct {
	message *message
	app     *application
	done    func() // called when done; may be nil
}

// forever is how long a stalled line stalls.
const forever = time.Duration(-1)

// originate makes a channel and starts its goroutine. done is called once with
// the words that originate would print.
func (s *Switch) originate(args string, done func(string)) {
	o, ok := parseOriginate(args)
	if !ok {
		done("-USAGE: <call url> <exten>|&<application_name>(<app_args>) [<dialplan>] [<context>] [<cid_name>] [<cid_num>] [<timeout_sec>]\n")
		return
	}
	c, refused := s.newCall(o)
	if refused != "" {
		done("-ERR " + refused + "\n")
		return
	}
	go func() {
		defer s.work.Done()
		c.run(done)
	}()
}

// newCall registers a channel, or names the cause for which there is none.
func (s *Switch) newCall(o order) (c *call, refused string) {
	if o.err != "" {
		return nil, o.err
	}
	down := slices.Contains(s.config.GatewaysDown, o.gateway)
	if o.gateway != "" && s.config.Gateways != nil && !down && !slices.Contains(s.config.Gateways, o.gateway) {
		return nil, "INVALID_GATEWAY"
	}
	if o.null && !s.has("mod_loopback") {
		return nil, "CHAN_NOT_IMPLEMENTED"
	}
	id := o.get("origination_uuid")
	if id == "" {
		id = s.newUUID()
	}
	seed := s.newUUID()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, "SYSTEM_SHUTDOWN"
	}
	if s.calls[id] != nil {
		return nil, "DESTINATION_OUT_OF_ORDER"
	}
	s.dialled[o.number]++
	outcome, scripted := s.scripts[o.number]
	if !scripted {
		outcome = outcomeOf(o.number)
	}
	if o.null {
		outcome = Outcome{}
	}
	if s.dialled[o.number] <= outcome.BusyBefore {
		outcome = Outcome{Cause: "USER_BUSY"}
	}
	if outcome.Cause != "" && causeByName(outcome.Cause).withoutChannel() {
		return nil, outcome.Cause
	}
	c = &call{
		sw: s, life: s.life, order: o, outcome: outcome, vars: o.vars,
		uuid: id, seed: seed, gateway: o.gateway, number: o.number, caller: o.get("origination_caller_id_number"),
		session:   s.sessions.Add(1),
		requests:  make(chan request, 8),
		connected: make(chan struct{}), down: make(chan struct{}), gone: make(chan struct{}),
		created: time.Now(), cause: hangupCause{16, "NORMAL_CLEARING"},
	}
	if c.caller == "" {
		c.caller = "0000000000"
	}
	if down {
		c.outcome = Outcome{Cause: "NORMAL_TEMPORARY_FAILURE"}
	}
	s.calls[id] = c
	s.work.Add(1)
	return c, ""
}

func (c *call) run(done func(string)) {
	c.note(Entry{Kind: "dial", Caller: c.told("origination_caller_id_number"), Header: printed(decode(c.told("fax_header")))})
	c.advance("dial")
	answered, rangOut := c.dial()
	switch {
	case answered:
		c.note(Entry{Kind: "answer"})
		done("+OK " + c.uuid + "\n")
		c.application()
		c.report()
	case rangOut:
		done("-ERR " + c.why().name + "\n")
		c.report()
	default:
		c.report()
		done("-ERR " + c.why().name + "\n")
	}
}

// dial waits for the far end to answer.
func (c *call) dial() (answered, rangOut bool) {
	o := c.outcome
	cause := causeByName(o.Cause)
	if o.Line == RingsOn {
		cause, o.Cause = causeByName("NO_ANSWER"), "NO_ANSWER"
	}
	ring := o.Ring
	if ring == 0 && o.Cause != "" && cause.rings() {
		ring = c.order.timeout
	}
	if ring > 0 {
		c.mu.Lock()
		c.rang = time.Now()
		c.mu.Unlock()
		c.advance("ring")
		if ring > c.order.timeout {
			ring, cause, o.Cause = c.order.timeout, causeByName("NO_ANSWER"), "NO_ANSWER"
		}
	}
	if !c.wait(max(ring, 20*time.Millisecond)) {
		return false, ring > 0
	}
	if o.Cause == "" {
		c.mu.Lock()
		c.answered = time.Now()
		c.mu.Unlock()
		c.advance("answer")
		return true, false
	}
	c.mu.Lock()
	c.cause = cause
	c.mu.Unlock()
	switch {
	case ring > 0:
	case slices.Contains(c.sw.config.GatewaysDown, c.gateway):
		c.advance("unreachable")
	default:
		c.advance("refused")
	}
	c.hangup(cause, false)
	return false, ring > 0
}

// application runs what originate asked for, after answer.
func (c *call) application() {
	todo := []application{c.order.app}
	if x := c.order.extn; x != nil {
		if todo = c.route(x[0], x[1], x[2]); len(todo) == 0 {
			c.hangup(causeByName("NO_ROUTE_DESTINATION"), false)
			return
		}
	}
	for _, app := range todo {
		if app.uuid = c.sw.newUUID(); app.name == "socket" {
			c.socket(app)
			continue
		}
		c.execute(app)
	}
}

// hangup takes the channel down; only the first time counts.
func (c *call) hangup(cause hangupCause, remote bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isDown() || c.dead() {
		return
	}
	c.cause = cause
	c.step("down")
	if remote {
		c.step("remote")
	}
	c.fireLocked(channelHangup, nil)
	close(c.down)
}

// report ends the channel: its account, its hook, its last event.
func (c *call) report() {
	defer close(c.gone)
	c.hangup(causeByName("NORMAL_CLEARING"), false)
	c.fire(stateHangup, nil)
	c.mu.Lock()
	c.ended = time.Now()
	c.mu.Unlock()
	c.fire(stateReporting, nil)
	c.advance("reported")
	if hook := c.hook("api_hangup_hook"); hook != "" && !c.dead() {
		c.sw.apiCommand(c.expand(hook))
	}
	if hook := c.hook("api_reporting_hook"); hook != "" && !c.dead() {
		c.sw.apiCommand(c.expand(hook))
	}
	c.fire(hangupComplete, nil)
	c.note(Entry{Kind: "end", Cause: c.why().name})
	c.sw.mu.Lock()
	if c.sw.calls[c.uuid] == c {
		delete(c.sw.calls, c.uuid)
	}
	c.sw.mu.Unlock()
	c.mu.Lock()
	l := c.link
	c.mu.Unlock()
	if l != nil && !l.ending() {
		c.leave(l)
	}
}
