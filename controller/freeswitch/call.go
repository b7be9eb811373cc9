package freeswitch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"faxbot/events"
)

// Host decides which calls are served.
type Host interface {
	// Admit is asked once a connection has said who it is. It returns nil for
	// a call that it does not expect, which is hung up, and must not believe a
	// word before it has compared the token.
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
	// Fetch, for a switch that does not see our files, is an api command that
	// brings the TIFF there and is answered with its path; TIFF then counts for
	// nothing. When the answer is no path Unfetched is told it, and the call is
	// hung up.
	Fetch     string
	Unfetched func(answer string)
	// Before are api commands to run first; an error answer to one is reported
	// to Refused and does not stop the fax.
	Before  []string
	Refused func(command, answer string)
}

// Timers are the watchdogs of a call. Each is longer than what spandsp itself
// waits (t30.c: T1 35 s, T0 60 s, T2 7 s, T4 3.45 s and three tries of each
// command, T5 65 s), so that its verdict is heard before ours.
type Timers struct {
	Fetch       time.Duration // until the switch has the TIFF; default 30 s, since the far end's T1 is 35 s
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
	def(&t.Fetch, 30*time.Second)
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
	limits *Limits // the listener's
	timers *Timers
	uuid   string

	// The read deadline is the call's watchdog. Once the call is hung up nothing
	// moves it any more: it is over by then.
	clock sync.Mutex
	over  time.Time // zero until then

	write    sync.Mutex // held while a command is sent
	asked    int        // commands sent since "connect"
	hangupNo int        // which of them was the hangup; 0 for none
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

// serve drives the connection to its end and returns why it ended, nil for a
// call that was heard out.
func (c *Call) serve(ctx context.Context, host Host) error {
	session, err := c.introduce(host)
	if err != nil {
		return err
	}
	err = c.run(ctx, session)
	session.Gone(err)
	return err
}

// introduce finds out whose call this is.
func (c *Call) introduce(host Host) (Session, error) {
	said, err := c.handshake()
	if err != nil {
		return nil, err
	}
	c.reader.limits = c.limits
	if c.reader.tape != nil {
		c.reader.tape.token = said.Token
	}
	session := host.Admit(c, said)
	if session == nil {
		c.hangup() // the connection's end alone would leave it to its dialplan
		return nil, &refusal{NoSuchCall, "no live call has this token"}
	}
	if !said.Async || !said.Full {
		c.hangup()
		session.Gone(ErrNotAsync)
		return nil, &refusal{NotAsync, ErrNotAsync.Error()}
	}
	return session, nil
}

// handshake asks the peer who it is; all of it must arrive within
// Limits.Handshake.
func (c *Call) handshake() (*events.Connected, error) {
	deadline := time.Now().Add(c.limits.Handshake)
	c.conn.SetReadDeadline(deadline)
	if err := c.send(0, "connect\n\n"); err != nil {
		return nil, err
	}
	f, err := c.reader.next()
	for err == nil && f.kind() == disconnectNotice {
		f, err = c.reader.next() // the caller was quicker
	}
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

// Variable asks for a variable of the channel, "" when it has none. Only
// Host.Admit may, which decides with it whether the peer is who it says.
func (c *Call) Variable(name string) (string, error) {
	c.conn.SetReadDeadline(time.Now().Add(c.limits.Handshake))
	if err := c.send(0, "getvar "+name+"\n\n"); err != nil {
		return "", err
	}
	f, err := c.reader.next()
	for err == nil && f.kind() == disconnectNotice {
		f, err = c.reader.next()
	}
	if err == nil && f.kind() != commandReply {
		err = &refusal{Malformed, fmt.Sprintf("getvar was answered with %.40q", f.kind())}
	}
	if err != nil {
		return "", err
	}
	return string(f.header("Reply-Text")), nil
}

// subscribe is the cheapest complete set: myevents would add ten events of
// 2 to 8 KB and leave out the fax engine's. Without the filter, other calls'
// events would come too.
const subscribe = "linger\n\n" +
	"event plain CHANNEL_EXECUTE_COMPLETE CHANNEL_HANGUP CHANNEL_HANGUP_COMPLETE " +
	"CUSTOM spandsp::txfaxnegociateresult spandsp::txfaxpageresult spandsp::txfaxresult\n\n" +
	"filter Unique-ID "

// run is the life of an admitted call. It returns nil when the end of the call
// was heard.
func (c *Call) run(ctx context.Context, session Session) error {
	w := watch{call: c, session: session}
	err := c.drive(ctx, &w)
	var cut *refusal
	if errors.As(err, &cut) {
		return err
	}
	if err != nil {
		c.hangup()
	}
	// The end is worth hearing also of a call that we give up.
	if late := w.toTheEnd(); err == nil {
		err = late
	}
	if !w.ended {
		return err
	}
	c.send(1, "exit\n\n") // the connection lingers until then
	return nil
}

// drive subscribes to the call's events and has the fax sent.
func (c *Call) drive(ctx context.Context, w *watch) error {
	if err := c.send(3, subscribe+c.uuid+"\n\n"); err != nil {
		return err
	}
	for _, command := range []string{"linger", "event", "filter"} {
		answer, err := w.reply()
		if err != nil {
			return err
		}
		if !strings.HasPrefix(answer, "+OK") {
			return fmt.Errorf("the switch answered %s with %.80q: %w", command, answer, ErrNotAsync)
		}
	}
	if w.ended {
		return nil
	}
	fax, err := w.session.Fax(ctx)
	if err != nil {
		return fmt.Errorf("not sent: %w", err)
	}
	return c.begin(w, fax)
}

// begin sends the preparing commands and txfax in one piece, unless the switch
// has to fetch the TIFF in between, and reads the answers.
func (c *Call) begin(w *watch, fax Fax) error {
	commands := slices.Clone(fax.Before)
	if fax.Fetch != "" {
		commands = append(commands, fax.Fetch)
	}
	var b strings.Builder
	for _, command := range commands {
		b.WriteString("api " + command + "\n\n")
	}
	asked := len(commands)
	if fax.Fetch == "" {
		b.WriteString(txfax(fax.TIFF))
		asked++
	}
	if strings.ContainsAny(strings.Join(commands, "")+fax.TIFF, "\r\n") {
		return fmt.Errorf("%q has a line break and cannot be sent", append(commands, fax.TIFF))
	}
	if err := c.send(asked, b.String()); err != nil {
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
	if fax.Fetch != "" {
		path, err := w.fetched(fax)
		if err != nil || w.ended {
			return err
		}
		if err := c.send(1, txfax(path)); err != nil {
			return err
		}
	}
	answer, err := w.reply()
	if err == nil && !strings.HasPrefix(answer, "+OK") {
		err = fmt.Errorf("txfax was refused: %.80q", answer)
	}
	return err
}

func txfax(path string) string {
	return "sendmsg\ncall-command: execute\nexecute-app-name: txfax\nexecute-app-arg: " + path + "\n\n"
}

// Hangup ends the call, also while a fax runs; it takes effect within
// milliseconds, and the verdict of what was sent still follows.
func (c *Call) Hangup() { c.hangup() }

// hangup does so once, and gives the call Timers.Hangup to end. It reports
// whether it was the first to.
func (c *Call) hangup() bool {
	c.clock.Lock()
	first := c.over.IsZero()
	if first {
		c.over = time.Now().Add(c.timers.Hangup)
		c.conn.SetReadDeadline(c.over)
	}
	c.clock.Unlock()
	if first {
		c.send(1, hangup)
	}
	return first
}

const hangup = "sendmsg\ncall-command: hangup\nhangup-cause: " + hangupByUs + "\n\n"

// arm sets the watchdog, unless the call is being hung up.
func (c *Call) arm(d time.Duration) {
	c.clock.Lock()
	defer c.clock.Unlock()
	if c.over.IsZero() {
		c.conn.SetReadDeadline(time.Now().Add(d))
	}
}

// overdue says that the call was hung up and should have ended by now.
func (c *Call) overdue() bool {
	c.clock.Lock()
	defer c.clock.Unlock()
	return !c.over.IsZero() && !time.Now().Before(c.over)
}

// send writes so many commands whole. A peer that does not take them is cut
// off. That a connection is closed is no error here: what the peer said before
// may still be unread, so the reader finds its end.
func (c *Call) send(commands int, text string) error {
	c.write.Lock()
	defer c.write.Unlock()
	c.asked += commands
	if text == hangup {
		c.hangupNo = c.asked
	}
	if c.reader.tape != nil {
		c.reader.tape.add(false, []byte(text))
	}
	c.conn.SetWriteDeadline(time.Now().Add(c.limits.Write))
	if _, err := io.WriteString(c.conn, text); errors.Is(err, os.ErrDeadlineExceeded) {
		c.conn.Close()
		return &refusal{WriteSlow, fmt.Sprintf("a command was not taken within %s", c.limits.Write)}
	}
	return nil
}

// isHangup says that the command of that number was our hangup, which may stand
// between any two others.
func (c *Call) isHangup(no int) bool {
	c.write.Lock()
	defer c.write.Unlock()
	return no == c.hangupNo
}
