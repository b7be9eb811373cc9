package freeswitch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"faxbot/events"
)

// LinkConfig says where a switch is and how to talk to it.
type LinkConfig struct {
	Name     string // for logs and metrics; one of few
	Address  string // HOST:PORT of its event socket
	Password string
	Limits   Limits
	// Timeout bounds connecting and each command; default 10 s, at most 50. After a
	// command has timed out both connections are made anew.
	Timeout time.Duration
	// Heartbeat is how long the switch may go without a HEARTBEAT, whatever else
	// it says, before the link counts as broken; it sends one every 20 s. Default
	// 65 s.
	Heartbeat time.Duration
	Logger    *slog.Logger
	Metrics   *Metrics
}

// Link is our side of one switch: commands go out, events come in.
type Link struct {
	config LinkConfig
	heard  func(events.Event)
	linked func(Meeting)
	pause  func(lived time.Duration) time.Duration // before the next try

	mu       sync.Mutex
	address  string
	password string
	commands *commander // nil while the link is down
	core     string
	up       time.Duration // of the switch, as it has last told
	back     int           // how often its uptime went back with the same Core-UUID
	stood    bool          // it has stood still since the link last came up
	lastErr  error
	anew     context.CancelCauseFunc // ends the session; nil while there is none
	moved    chan struct{}           // there is a new address or password to try
}

// Meeting is what the link has found when it has come up.
type Meeting struct {
	// Core tells one process of the switch from another: its Core-UUID, and
	// "+1" and so on behind it when it has lost what it knew all the same.
	Core string
	// StoodStill says that the link ended because the switch said nothing any
	// more while its connection stood: it hung, or was stopped.
	StoodStill bool
}

var (
	errStill = errors.New("the switch stands still")
	errAnew  = errors.New("the switch was started anew")
)

// ErrLinkDown is returned while there is no connection to the switch.
var ErrLinkDown = errors.New("no command link to FreeSWITCH")

// NewLink returns a link that is not yet connected. heard is called for every
// event, in order, from one goroutine, and must not wait for commands of the
// same link. linked is called, from that goroutine too, each time the link has
// come up.
func NewLink(c LinkConfig, heard func(events.Event), linked func(Meeting)) *Link {
	c.Limits = c.Limits.withDefaults()
	c.Limits.Frames = 1 << 20 // all calls of the switch report here
	if c.Timeout <= 0 {
		c.Timeout = 10 * time.Second
	}
	c.Timeout = min(c.Timeout, 50*time.Second) // go-eventsocket's own is a minute
	if c.Heartbeat <= 0 {
		c.Heartbeat = 65 * time.Second
	}
	c.Logger = c.Logger.With("switch", c.Name)
	c.Metrics.linkUp.WithLabelValues(c.Name).Set(0)
	return &Link{
		config: c, heard: heard, linked: linked, pause: new(backoff).next, lastErr: errors.New("not yet connected"),
		address: c.Address, password: c.Password, moved: make(chan struct{}, 1),
	}
}

// Address is where the link leads to, HOST:PORT.
func (l *Link) Address() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.address
}

// errMoved ends a session whose address or password is no longer wanted.
var errMoved = errors.New("the address or the password of FreeSWITCH has been changed")

// Move leads the link to another address, or to the same with another password,
// at once; with the same two it does nothing.
func (l *Link) Move(address, password string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.address == address && l.password == password {
		return
	}
	l.address, l.password = address, password
	if l.anew != nil {
		l.commands, l.lastErr = nil, errMoved
		l.anew(errMoved)
	}
	select {
	case l.moved <- struct{}{}:
	default:
	}
}

// Run keeps the link up until ctx ends, connecting again with growing, jittered
// pauses. It returns nil: a switch that cannot be reached is no reason to die.
func (l *Link) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		began := time.Now()
		err := l.session(ctx)
		if ctx.Err() != nil {
			break
		}
		l.config.Logger.Warn("command link is down; trying again", "address", l.Address(), "error", err)
		select {
		case <-ctx.Done():
		case <-l.moved:
		case <-time.After(l.pause(time.Since(began))):
		}
	}
	return nil
}

// backoff is how long to wait before the next try.
type backoff time.Duration

// The first and the longest pause, give or take a half.
const firstPause, longestPause = 250 * time.Millisecond, 15 * time.Second

// next returns the pause after a session that lived so long.
func (b *backoff) next(lived time.Duration) time.Duration {
	pause := max(time.Duration(*b), firstPause)
	if lived > longestPause {
		pause = firstPause
	}
	*b = backoff(min(2*pause, longestPause))
	return pause/2 + rand.N(pause)
}

// session lives as long as both connections do, and says why they ended.
func (l *Link) session(ctx context.Context) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	l.mu.Lock()
	c := l.config
	c.Address, c.Password, l.anew = l.address, l.password, end
	select {
	case <-l.moved: // this session goes there
	default:
	}
	l.mu.Unlock()
	err := l.connectAndListen(ctx, c, end)
	if why := context.Cause(ctx); why != nil {
		err = why // the rest follows from it
	}
	l.config.Metrics.cut(err)
	l.config.Metrics.linkUp.WithLabelValues(l.config.Name).Set(0)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stood = l.stood || l.commands != nil && errors.Is(err, errStill)
	l.commands, l.lastErr, l.anew = nil, err, nil
	return err
}

func (l *Link) connectAndListen(ctx context.Context, c LinkConfig, end func(error)) (err error) {
	conn, fr, err := dialSwitch(ctx, c.Address, c.Password, c.Limits, c.Timeout)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	fr.count = c.Metrics.frames.Inc
	conn.SetDeadline(time.Now().Add(c.Timeout))
	if err := l.subscribe(conn, fr); err != nil {
		return err
	}
	// Events are subscribed to before the first command, so that no answer to
	// one can be missed.
	commands, err := dialCommander(ctx, end, c.Address, c.Password, c.Limits, c.Timeout)
	if err != nil {
		return err
	}
	defer commands.close()
	defer func() { end(err) }() // before close, which would be the reason otherwise
	found, err := l.meet(commands, c.Timeout)
	if err != nil {
		return err
	}
	c.Metrics.linkUp.WithLabelValues(c.Name).Set(1)
	c.Logger.Info("command link is up", "address", c.Address, "core", found.Core)
	l.linked(found)
	return l.listen(conn, fr, c.Heartbeat)
}

// meet asks the switch which process it is, and how long it is up. Core-UUID is
// another one after each start (switch_core.c, switch_core_init_and_modload), but
// not when a machine is put back to a snapshot: then only its uptime shows it.
func (l *Link) meet(commands *commander, timeout time.Duration) (Meeting, error) {
	core, err := commands.do("api global_getvar core_uuid", timeout)
	if err != nil {
		return Meeting{}, err
	}
	text, err := commands.do("api uptime s", timeout)
	if err != nil {
		return Meeting{}, err
	}
	seconds, unsaid := strconv.ParseUint(strings.TrimSpace(text), 10, 32)
	up := time.Duration(seconds) * time.Second
	core = strings.TrimSpace(core)
	l.mu.Lock()
	defer l.mu.Unlock()
	before, _, _ := strings.Cut(l.core, "+")
	switch {
	case before != core:
		l.back = 0
	case unsaid == nil && up < l.up.Truncate(time.Second):
		l.back++
	}
	if l.core = core; l.back > 0 {
		l.core = fmt.Sprintf("%s+%d", core, l.back)
	}
	found := Meeting{Core: l.core, StoodStill: l.stood}
	l.commands, l.up, l.stood, l.lastErr = commands, up, false, nil
	return found, nil
}

// listen passes events on until the switch has no heartbeat any more, or is
// another process.
func (l *Link) listen(conn net.Conn, fr *frameReader, heartbeat time.Duration) error {
	conn.SetReadDeadline(time.Now().Add(heartbeat))
	for {
		f, err := fr.next()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return fmt.Errorf("%w: no heartbeat within %s", errStill, heartbeat)
		}
		if err != nil {
			return fmt.Errorf("events: %w", err)
		}
		ev, is := l.tell(f).(*events.Heartbeat)
		if !is {
			continue
		}
		conn.SetReadDeadline(time.Now().Add(heartbeat))
		if !l.goesOn(ev) {
			return errAnew
		}
	}
}

// goesOn says that a heartbeat is of the process that the link has met.
func (l *Link) goesOn(beat *events.Heartbeat) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	core, _, _ := strings.Cut(l.core, "+")
	if beat.Core != "" && beat.Core != core || beat.Up > 0 && beat.Up < l.up {
		return false
	}
	l.up = max(l.up, beat.Up)
	return true
}

func (l *Link) subscribe(conn net.Conn, fr *frameReader) error {
	const command = "event plain BACKGROUND_JOB CHANNEL_HANGUP_COMPLETE HEARTBEAT " +
		"CUSTOM spandsp::txfaxpageresult spandsp::txfaxresult\n\n"
	if _, err := io.WriteString(conn, command); err != nil {
		return err
	}
	for {
		f, err := fr.next()
		if err != nil {
			return fmt.Errorf("subscribing to events: %w", err)
		}
		if f.kind() != commandReply {
			l.tell(f) // the first events may overtake the answer
			continue
		}
		if answer := f.header("Reply-Text"); !bytes.HasPrefix(answer, []byte("+OK")) {
			return fmt.Errorf("the switch did not accept the subscription to events: %.80q", answer)
		}
		return nil
	}
}

// tell passes an event on and returns it. Messages of unknown type and broken
// events are passed over: nil.
func (l *Link) tell(f frame) events.Event {
	if f.kind() != eventPlain {
		return nil
	}
	ev, err := events.Parse(f.body)
	if err != nil {
		l.config.Logger.Warn("unreadable event passed over", "error", err)
		return nil
	}
	l.heard(ev)
	return ev
}

// Up returns nil while the link is up, and the reason while it is not.
func (l *Link) Up() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.commands == nil {
		return fmt.Errorf("%w at %s: %w", ErrLinkDown, l.address, l.lastErr)
	}
	return nil
}

// Core returns Meeting.Core as of the last time the link came up; empty before.
func (l *Link) Core() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.core
}

// do sends a command with any further header lines; see commander.do.
func (l *Link) do(lines ...string) (string, error) {
	for _, line := range lines {
		if strings.ContainsAny(line, "\r\n") {
			return "", fmt.Errorf("%.100q has a line break and cannot be sent", line)
		}
	}
	l.mu.Lock()
	commands := l.commands
	l.mu.Unlock()
	if commands == nil {
		return "", l.Up()
	}
	return commands.do(strings.Join(lines, "\n"), l.config.Timeout)
}

// Originate has the switch place a call in the background. The background job
// gets the attempt's own id, so that its outcome (events.OriginateEnded) is
// known even if this answer is never read. After an error it is not known
// whether the switch dials.
func (l *Link) Originate(attempt, originate string) error {
	answer, err := l.do("bgapi "+originate, "Job-UUID: "+attempt)
	if err != nil {
		return err
	}
	if !strings.HasPrefix(answer, "+OK") || !strings.Contains(answer, attempt) {
		return fmt.Errorf("bgapi was refused: %.100q", answer)
	}
	return nil
}

// Exists says whether the channel is alive. It is exact; "show channels" lags.
func (l *Link) Exists(uuid string) (bool, error) {
	answer, err := l.do("api uuid_exists " + uuid)
	if err != nil {
		return false, err
	}
	switch strings.TrimSpace(answer) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, fmt.Errorf("uuid_exists answered %.100q", answer)
}

// Kill hangs a channel up, whatever it does. A channel that is gone is no
// error.
func (l *Link) Kill(uuid string) error {
	_, err := l.do("api uuid_kill " + uuid + " " + hangupByUs)
	return err
}

// hangupByUs is the hangup cause of calls that we end.
const hangupByUs = "MANAGER_REQUEST"

// API sends an api command and returns its answer, "-ERR …" included.
func (l *Link) API(command string) (string, error) { return l.do("api " + command) }
