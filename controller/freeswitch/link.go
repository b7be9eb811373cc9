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
	// Heartbeat is how long the switch may be silent before the link counts as
	// broken; it sends HEARTBEAT every 20 s. Default 65 s.
	Heartbeat time.Duration
	Logger    *slog.Logger
	Metrics   *Metrics
}

// Link is our side of one switch: commands go out, events come in.
type Link struct {
	config LinkConfig
	heard  func(events.Event)
	linked func(core string)
	pause  func(lived time.Duration) time.Duration // before the next try

	mu       sync.Mutex
	address  string
	password string
	commands *commander // nil while the link is down
	core     string
	lastErr  error
	anew     context.CancelCauseFunc // ends the session; nil while there is none
	moved    chan struct{}           // there is a new address or password to try
}

// ErrLinkDown is returned while there is no connection to the switch.
var ErrLinkDown = errors.New("no command link to FreeSWITCH")

// NewLink returns a link that is not yet connected. heard is called for every
// event, in order, from one goroutine, and must not wait for commands of the
// same link. linked is called, from that goroutine too, each time the link has
// come up, with the Core-UUID of the switch, which changes when it restarts.
func NewLink(c LinkConfig, heard func(events.Event), linked func(core string)) *Link {
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
	core, err := commands.do("api global_getvar core_uuid", c.Timeout)
	if err != nil {
		return err
	}
	core = strings.TrimSpace(core)
	l.mu.Lock()
	l.commands, l.core, l.lastErr = commands, core, nil
	l.mu.Unlock()
	c.Metrics.linkUp.WithLabelValues(c.Name).Set(1)
	c.Logger.Info("command link is up", "address", c.Address, "core", core)
	l.linked(core)
	for {
		conn.SetReadDeadline(time.Now().Add(c.Heartbeat))
		f, err := fr.next()
		if err != nil {
			return fmt.Errorf("events: %w", err)
		}
		l.tell(f)
	}
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

// tell passes an event on. Messages of unknown type and broken events are
// passed over.
func (l *Link) tell(f frame) {
	if f.kind() != eventPlain {
		return
	}
	ev, err := events.Parse(f.body)
	if err != nil {
		l.config.Logger.Warn("unreadable event passed over", "error", err)
		return
	}
	l.heard(ev)
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

// Core returns the Core-UUID of the switch as of the last time the link came
// up; empty before.
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
