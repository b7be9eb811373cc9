package simulator

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"time"
)

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
	if c.sw.config.Broken.Lonely {
		return nil
	}
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
		l.async, l.full = slices.Contains(argv[1:], "async"), slices.Contains(argv[1:], "full")
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
	*space = f.body(*space, c.sw.library.template(channelData, c.history))
	l.write(*space)
	c.sw.recycle(space)
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
	seconds := choose(stay < 0, -1, int(stay/time.Second))
	l.write(fmt.Appendf(nil, "Content-Type: text/disconnect-notice\nControlled-Session-UUID: %s\n"+
		"Content-Disposition: linger\nChannel-Name: sofia/tx/%s\nLinger-Time: %d\nContent-Length: 0\n\n",
		c.uuid, c.number, seconds))
	if stay < 0 {
		return
	}
	if c.sw.config.Speed > 0 { // a peer cannot be faster than its network
		stay = max(c.sw.scaled(stay), min(stay, 2*time.Second))
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
	app.data = c.expand(app.data)
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
	c.set(name, c.expand(value)) // again (mod_dptools.c, base_set)
}

func (c *call) sleep(ms string) {
	if d, err := time.ParseDuration(ms + "ms"); err == nil {
		c.wait(d)
	}
}
