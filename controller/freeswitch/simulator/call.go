package simulator

import (
	"fmt"
	"net"
	"strings"
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
	down := contains(s.config.GatewaysDown, o.gateway)
	if o.gateway != "" && s.config.Gateways != nil && !down && !contains(s.config.Gateways, o.gateway) {
		return nil, "INVALID_GATEWAY"
	}
	id := o.get("origination_uuid")
	if id == "" {
		id = s.newUUID()
	}
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
	if s.dialled[o.number] <= outcome.BusyBefore {
		outcome = Outcome{Cause: "USER_BUSY"}
	}
	if outcome.Cause != "" && causeByName(outcome.Cause).withoutChannel() {
		return nil, outcome.Cause
	}
	c = &call{
		sw: s, life: s.life, order: o, outcome: outcome, vars: o.vars,
		uuid: id, gateway: o.gateway, number: o.number, caller: o.get("origination_caller_id_number"),
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

func contains(list []string, s string) bool {
	for _, e := range list {
		if e == s {
			return true
		}
	}
	return false
}

func (c *call) run(done func(string)) {
	c.note(Entry{Kind: "dial"})
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
	case contains(c.sw.config.GatewaysDown, c.gateway):
		c.advance("unreachable")
	default:
		c.advance("refused")
	}
	c.hangup(cause, false)
	return false, ring > 0
}

// application runs what originate asked for, after answer.
func (c *call) application() {
	app := c.order.app
	if c.order.extn != nil {
		known := false
		if find := c.sw.config.Extension; find != nil {
			app.name, app.data, known = find(c.order.extn[0], c.order.extn[1], c.order.extn[2])
		}
		if !known {
			c.hangup(causeByName("NO_ROUTE_DESTINATION"), false)
			return
		}
	}
	app.uuid = c.sw.newUUID()
	switch app.name {
	case "socket":
		c.socket(app)
	case "park":
		c.wait(forever)
	default:
		c.execute(app)
	}
}

// socket is the socket application: connect, and be told what to do
// (mod_event_socket.c, socket_function).
func (c *call) socket(app application) {
	argv := separate(app.data, ' ', 80)
	c.mu.Lock()
	c.app, c.socketArgs = app, app.data
	c.mu.Unlock()
	if len(argv) == 0 {
		return
	}
	c.advance("socket")
	c.fire(channelExecute, &app)
	if c.outcome.Line == NoConnect {
		c.wait(forever)
		return
	}
	l := c.call(argv)
	if l == nil {
		return
	}
	select {
	case <-c.connected:
	case <-l.over:
	case <-c.down:
	case <-c.life.over.Done():
	}
	c.serve(l)
	if l.async {
		c.fire(channelUnpark, nil)
	}
	if c.isDown() && !l.lingers() {
		c.leave(l)
	}
	c.drain()
	c.fire(executeComplete, &app)
}

// serve obeys the connection until the call or the connection ends. A request
// under way is finished first: a fax outlives its controller.
func (c *call) serve(l *link) {
	for {
		select {
		case <-c.down:
			return
		case <-c.life.over.Done():
			return
		default:
		}
		select {
		case r := <-c.requests:
			c.do(r)
		case <-l.over:
			return
		case <-c.down:
			return
		case <-c.life.over.Done():
			return
		}
	}
}

// drain does what was still asked for when the channel went down.
func (c *call) drain() {
	for {
		select {
		case r := <-c.requests:
			c.do(r)
		default:
			return
		}
	}
}

// call connects to the first host of "H1:P1|H2:P2" that listens.
func (c *call) call(argv []string) *link {
	dialer := net.Dialer{Timeout: 10 * time.Second}
	for _, host := range strings.Split(argv[0], "|") {
		name, _, err := net.SplitHostPort(host)
		if err != nil {
			name, host = host, net.JoinHostPort(host, "8084")
		}
		c.mu.Lock()
		c.socketHost = name
		c.mu.Unlock()
		conn, err := dialer.DialContext(c.life.over, "tcp", host)
		if err != nil {
			c.sw.log.Info("nothing listens at the socket address", "address", host, "uuid", c.uuid, "error", err)
			continue
		}
		l := newLink(c.sw, conn, c)
		l.async, l.full = contains(argv[1:], "async"), contains(argv[1:], "full")
		c.mu.Lock()
		c.link = l
		c.mu.Unlock()
		c.sw.serve(l)
		return l
	}
	return nil
}

// connect answers the command of that name with all that is known.
func (c *call) connect(l *link) {
	c.mu.Lock()
	f := facts{sw: c.sw, at: time.Now(), seq: c.sw.sequence.Add(1), call: c, link: l}
	space := c.sw.buffer()
	*space = f.body((*space)[:0], c.sw.library.template(channelData, c.history))
	l.write(string(*space))
	c.sw.space.Put(space)
	c.mu.Unlock()
	l.mu.Lock()
	first := !l.connected
	l.connected = true
	l.mu.Unlock()
	if !first {
		return
	}
	if l.async {
		c.fire(channelPark, nil)
	}
	close(c.connected)
}

// leave tells the connection of a call that is over: linger, or goodbye.
func (c *call) leave(l *link) {
	l.hold(false)
	if l.packets == NoNotice {
		l.end()
		return
	}
	if !l.lingers() {
		l.farewell()
		return
	}
	l.mu.Lock()
	stay := l.lingering
	l.mu.Unlock()
	seconds := int(stay / time.Second)
	l.write(fmt.Sprintf("Content-Type: text/disconnect-notice\nControlled-Session-UUID: %s\n"+
		"Content-Disposition: linger\nChannel-Name: sofia/tx/%s\nLinger-Time: %d\nContent-Length: 0\n\n",
		c.uuid, c.number, max(seconds, -1)))
	if stay < 0 {
		return
	}
	if speed := c.sw.config.Speed; speed > 0 {
		stay = time.Duration(float64(stay) / speed)
	}
	timer := time.NewTimer(stay)
	defer timer.Stop()
	select {
	case <-timer.C:
		l.farewell()
	case <-l.over:
	}
}

func (l *link) lingers() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.linger
}

// send hands a request to the channel's goroutine; false when it has too many.
func (c *call) send(r request) bool {
	select {
	case c.requests <- r:
		return true
	default:
		return false
	}
}

// do carries a request out (switch_ivr.c, switch_ivr_parse_event).
func (c *call) do(r request) {
	if r.done != nil {
		defer r.done()
	}
	if r.app != nil {
		c.execute(*r.app)
		return
	}
	m := r.message
	switch strings.ToLower(m.get("call-command")) {
	case "execute":
		app := application{name: m.get("execute-app-name"), data: m.get("execute-app-arg"), uuid: m.get("event-uuid")}
		if app.data == "" && strings.EqualFold(m.get("content-type"), "text/plain") {
			app.data = m.body
		}
		if app.uuid == "" {
			app.uuid = c.sw.newUUID()
		}
		if app.name != "" {
			c.execute(app)
		}
	case "hangup":
		cause := m.get("hangup-cause")
		c.hangup(causeByName(choose(cause == "", "NORMAL_CLEARING", cause)), false)
	}
}

// execute runs an application on the channel.
func (c *call) execute(app application) {
	if c.isDown() && app.name != "db" { // others need a live channel
		return
	}
	run, known := map[string]func(string){
		"txfax":      c.txfax,
		"set":        c.assign,
		"export":     c.assign,
		"unset":      func(name string) { c.set(name, "") },
		"hangup":     func(cause string) { c.hangup(causeByName(choose(cause == "", "NORMAL_CLEARING", cause)), false) },
		"sleep":      c.sleep,
		"park":       func(string) { c.wait(forever) },
		"db":         func(args string) { c.sw.memory.db(args) },
		"answer":     func(string) {},
		"pre_answer": func(string) {},
		"log":        func(string) {},
	}[app.name]
	if !known {
		c.hangup(causeByName("DESTINATION_OUT_OF_ORDER"), false)
		return
	}
	c.mu.Lock()
	c.app = app
	c.mu.Unlock()
	c.advance("execute")
	c.fire(channelExecute, &app)
	c.advance("run")
	run(app.data)
	c.fire(executeComplete, &app)
	c.advance("done")
}

func (c *call) assign(pair string) {
	name, value, _ := strings.Cut(pair, "=")
	c.set(name, c.expand(value))
}

func (c *call) sleep(ms string) {
	if d, err := time.ParseDuration(ms + "ms"); err == nil {
		c.wait(d)
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
	if hook := c.told("api_reporting_hook"); hook != "" && !c.dead() {
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
