package freeswitch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"faxbot/events"
)

// Host decides which calls are served.
type Host interface {
	// Admit is asked once a connection has said who it is. It returns nil for
	// a call that it does not expect, and must not believe a word before it has
	// compared the token.
	Admit(call *Call, said *events.Connected) Session
}

// Session is the owner's side of one call. Its methods are called from the
// call's goroutine, one at a time.
type Session interface {
	// Fax returns what to send. It is called when the call is ready, right
	// before txfax is told to run; what it has to make durable must be durable
	// when it returns. An error hangs the call up.
	Fax(ctx context.Context) (Fax, error)
	// Event is told everything the call says, in order.
	Event(ev events.Event)
	// Gone says that nothing more will be heard over this connection. err is
	// nil after events.CallEnded; otherwise the call may be alive.
	Gone(err error)
}

// Fax is what a call is to do.
type Fax struct {
	TIFF string // path, as the switch sees it
	// Before are api commands to run first; an error answer to one is reported
	// to Refused and does not stop the fax.
	Before  []string
	Refused func(command, answer string)
}

// Timers are the watchdogs of a call. Each is longer than what spandsp itself
// waits (t30.c: T1 35 s, T0 60 s, T2 7 s, T4 3.45 s and three tries of each
// command, T5 65 s), so that its verdict is heard before ours.
type Timers struct {
	Negotiation time.Duration // from txfax to the first sign of a fax machine; default 75 s
	Page        time.Duration // between two signs of life after that; default 70 s and 3 min for a black page
	Result      time.Duration // from the verdict to the hangup, then we hang up; default 2 s
	Hangup      time.Duration // from our hangup to the end of the call; default 10 s
}

// PageTimeout is how long a call may be silent while it sends.
func PageTimeout(t Timers) time.Duration { return t.withDefaults().Page }

func (t Timers) withDefaults() Timers {
	def := func(v *time.Duration, d time.Duration) {
		if *v <= 0 {
			*v = d
		}
	}
	def(&t.Negotiation, 75*time.Second)
	def(&t.Page, 70*time.Second+3*time.Minute)
	def(&t.Result, 2*time.Second)
	def(&t.Hangup, 10*time.Second)
	return t
}

// Call is one answered call that connected to us. One goroutine reads and
// decides; any other may Hangup.
type Call struct {
	conn   net.Conn
	reader *frameReader
	limits Limits
	timers Timers
	uuid   string

	write   sync.Mutex
	hanging sync.Once
}

// The ways a call's connection ends too early.
var (
	// ErrStalled means that a watchdog expired twice: the call was hung up and
	// still did not end.
	ErrStalled = errors.New("the call did not end after it was hung up")
	// ErrNotAsync means that the socket application ran in sync mode, in which
	// nothing is heard of a fax.
	ErrNotAsync = errors.New(`the socket application runs without "async full": in originate it must be quoted, '&socket(HOST:PORT async full)'`)
)

// serveCall drives one connection to its end and returns why it ended, nil for
// a call that was heard out.
func serveCall(ctx context.Context, conn net.Conn, limits Limits, timers Timers, count func(), host Host) error {
	c := &Call{conn: conn, limits: limits, timers: timers, reader: newFrameReader(conn, limits, count)}
	said, err := c.handshake()
	if err != nil {
		return err
	}
	session := host.Admit(c, said)
	if session == nil {
		return &refusal{NoSuchCall, "no live call has this token"}
	}
	if !said.Async || !said.Full {
		c.hangup()
		session.Gone(ErrNotAsync)
		return &refusal{NotAsync, ErrNotAsync.Error()}
	}
	err = c.run(ctx, session)
	session.Gone(err)
	return err
}

// handshake asks the peer who it is; all of it must arrive within
// Limits.Handshake.
func (c *Call) handshake() (*events.Connected, error) {
	deadline := time.Now().Add(c.limits.Handshake)
	c.conn.SetReadDeadline(deadline)
	if err := c.send("connect\n\n"); err != nil {
		return nil, err
	}
	f, err := c.reader.next()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, &refusal{HandshakeSlow, fmt.Sprintf("no answer to connect within %s", c.limits.Handshake)}
	}
	if err != nil {
		return nil, err
	}
	if f.kind() != commandReply {
		return nil, &refusal{Malformed, fmt.Sprintf("connect was answered with %.40q", f.kind())}
	}
	ev, err := events.Parse(f.head)
	said, ok := ev.(*events.Connected)
	if err != nil || !ok || said.UUID == "" || strings.ContainsAny(said.UUID, "\r\n ") {
		return nil, &refusal{Malformed, "the answer to connect does not describe a channel"}
	}
	c.uuid = said.UUID
	return said, nil
}

// subscribe is the cheapest complete set: myevents would add ten events of
// 2 to 8 KB and leave out the fax engine's. Without the filter, other calls'
// events would come too.
const subscribe = "linger\n\n" +
	"event plain CHANNEL_EXECUTE_COMPLETE CHANNEL_HANGUP CHANNEL_HANGUP_COMPLETE " +
	"CUSTOM spandsp::txfaxnegociateresult spandsp::txfaxpageresult spandsp::txfaxresult\n\n" +
	"filter Unique-ID "

// run is the life of an admitted call.
func (c *Call) run(ctx context.Context, session Session) error {
	if err := c.send(subscribe + c.uuid + "\n\n"); err != nil {
		return err
	}
	w := watch{call: c, session: session}
	for _, command := range []string{"linger", "event", "filter"} {
		answer, err := w.reply()
		if err != nil {
			return err
		}
		if !strings.HasPrefix(answer, "+OK") {
			c.hangup()
			return fmt.Errorf("the switch answered %s with %.80q: %w", command, answer, ErrNotAsync)
		}
	}
	if w.ended {
		return c.exit()
	}
	fax, err := session.Fax(ctx)
	if err != nil {
		c.hangup()
		return fmt.Errorf("not sent: %w", err)
	}
	if err := c.begin(&w, fax); err != nil {
		return err
	}
	if err := w.toTheEnd(); err != nil {
		return err
	}
	return c.exit()
}

// begin sends the preparing commands and txfax in one piece, and reads the
// answers.
func (c *Call) begin(w *watch, fax Fax) error {
	if strings.ContainsAny(fax.TIFF, "\r\n") {
		return fmt.Errorf("document path %q has a line break", fax.TIFF)
	}
	var b strings.Builder
	for _, command := range fax.Before {
		b.WriteString("api " + command + "\n\n")
	}
	b.WriteString("sendmsg\ncall-command: execute\nexecute-app-name: txfax\nexecute-app-arg: " + fax.TIFF + "\n\n")
	if err := c.send(b.String()); err != nil {
		return err
	}
	for _, command := range fax.Before {
		answer, err := w.reply()
		if err != nil {
			return err
		}
		if !strings.HasPrefix(answer, "+OK") && fax.Refused != nil {
			fax.Refused(command, strings.TrimSpace(answer))
		}
	}
	answer, err := w.reply()
	if err == nil && !strings.HasPrefix(answer, "+OK") {
		c.hangup()
		err = fmt.Errorf("txfax was refused: %.80q", answer)
	}
	return err
}

// exit gives the lingering connection up.
func (c *Call) exit() error {
	c.send("exit\n\n")
	return nil
}

// Hangup ends the call, also while a fax runs; it takes effect within
// milliseconds, and the verdict of what was sent still follows.
func (c *Call) Hangup() { c.hangup() }

func (c *Call) hangup() {
	c.hanging.Do(func() {
		c.send("sendmsg\ncall-command: hangup\nhangup-cause: " + hangupByUs + "\n\n")
		// The reader may be waiting for something that will not come any more.
		c.conn.SetReadDeadline(time.Now().Add(c.timers.Hangup))
	})
}

// send writes a command whole, or breaks the connection.
func (c *Call) send(command string) error {
	c.write.Lock()
	defer c.write.Unlock()
	c.conn.SetWriteDeadline(time.Now().Add(c.limits.Write))
	_, err := io.WriteString(c.conn, command)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.conn.Close()
		return &refusal{WriteSlow, fmt.Sprintf("a command was not taken within %s", c.limits.Write)}
	}
	return err
}
