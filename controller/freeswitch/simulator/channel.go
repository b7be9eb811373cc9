package simulator

import (
	"bytes"
	"strings"
	"time"
)

// advance takes the channel a step further.
func (c *call) advance(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.step(name)
}

// step records a step; c.mu is held. What a step sets again moves to the end
// of the list, so an earlier turn of the same step no longer matters; and so
// histories, and the templates made for them, stay few.
func (c *call) step(name string) {
	lib := c.sw.library
	drop := []byte{byte(lib.step(name))}
	if name == "pcmu" { // the same two variables
		drop = append(drop, byte(lib.step("l16")))
	}
	kept := make([]byte, 0, len(c.history)+1)
	for _, s := range c.history {
		if !bytes.ContainsRune(drop, rune(s)) {
			kept = append(kept, s)
		}
	}
	c.history = append(kept, drop[0])
}

// fire sends an event of this channel.
func (c *call) fire(k kind, app *application) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fireLocked(k, app)
}

func (c *call) fireLocked(k kind, app *application) {
	if !c.dead() {
		c.sw.fire(k, facts{call: c, app: app})
	}
}

// dead says that the process this channel lived in has crashed.
func (c *call) dead() bool { return c.life.over.Err() != nil }

func (c *call) isDown() bool {
	select {
	case <-c.down:
		return true
	default:
		return false
	}
}

func (c *call) why() hangupCause {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cause
}

// wait lets time pass on the line, and obeys requests meanwhile. It returns
// false at once when the channel goes down.
func (c *call) wait(d time.Duration) bool {
	var end <-chan time.Time
	if d != forever {
		if d = c.sw.scaled(d); d <= 0 {
			c.drain()
			return !c.isDown() && !c.dead()
		}
		timer := time.NewTimer(d)
		defer timer.Stop()
		end = timer.C
	}
	for {
		select {
		case <-end:
			return !c.isDown() && !c.dead()
		case <-c.down:
			return false
		case <-c.life.over.Done():
			return false
		case r := <-c.requests:
			c.do(r)
		}
	}
}

// scaled is a time on the line in real time; none at all at speed 0.
func (s *Switch) scaled(d time.Duration) time.Duration {
	if s.config.Speed <= 0 {
		return 0
	}
	return time.Duration(float64(d) / s.config.Speed)
}

// set sets a variable as uuid_setvar does: nothing is expanded.
func (c *call) set(name, value string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.vars = put(c.vars, name, "")
	c.sets = put(c.sets, name, value)
	if !bytes.ContainsRune(c.history, rune(c.sw.library.step("set"))) {
		c.step("set")
	}
}

// told is a channel variable that the switch was told; "" when it was not.
func (c *call) told(name string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, list := range [][]setting{c.sets, c.vars} {
		for _, v := range list {
			if v.name == name {
				return v.value
			}
		}
	}
	return ""
}

// hook is a command that was set on the live channel. One that came with
// originate does nothing: its ${…} were expanded before there was a fax.
func (c *call) hook(name string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, v := range c.sets {
		if v.name == name {
			return v.value
		}
	}
	return ""
}

// value is any channel variable; "" when there is none.
func (c *call) value(name string) string {
	if v := c.told(name); v != "" {
		return v
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, v := range c.sw.library.variables(c.history) {
		if v.name == name {
			f := facts{sw: c.sw, at: time.Now(), call: c}
			text := string(f.body(nil, c.sw.library.cut(v.text)))
			_, value, _ := strings.Cut(strings.TrimSuffix(text, "\n"), ": ")
			return decode(value)
		}
	}
	return ""
}

func (c *call) cutLink() {
	c.mu.Lock()
	l := c.link
	c.mu.Unlock()
	if l != nil {
		l.cut()
	}
}

// note writes an entry into the ledger.
func (c *call) note(e Entry) {
	if c.dead() || c.order.null { // nothing went over a line
		return
	}
	e.Time, e.UUID, e.Number, e.Gateway = time.Now(), c.uuid, c.number, c.gateway
	e.Job, e.Attempt = c.told("faxbot_job_id"), c.told("faxbot_attempt_id")
	if err := c.sw.ledger.add(e); err != nil {
		c.sw.log.Error("cannot write the ledger", "error", err)
	}
}
