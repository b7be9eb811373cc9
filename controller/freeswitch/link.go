package freeswitch

import (
	"context"
	"errors"
	"fmt"
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
	// Timeout bounds connecting and each command; default 10 s. After a
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

	mu       sync.Mutex
	commands *commander // nil while the link is down
	core     string
	lastErr  error
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
	if c.Heartbeat <= 0 {
		c.Heartbeat = 65 * time.Second
	}
	c.Logger = c.Logger.With("switch", c.Name)
	c.Metrics.linkUp.WithLabelValues(c.Name).Set(0)
	return &Link{config: c, heard: heard, linked: linked, lastErr: errors.New("not yet connected")}
}

// Run keeps the link up until ctx ends, connecting again with growing, jittered
// pauses. It returns nil: a switch that cannot be reached is no reason to die.
func (l *Link) Run(ctx context.Context) error {
	const first, longest = 250 * time.Millisecond, 15 * time.Second
	pause := first
	for ctx.Err() == nil {
		began := time.Now()
		err := l.session(ctx)
		if ctx.Err() != nil {
			break
		}
		if time.Since(began) > longest {
			pause = first
		}
		l.config.Logger.Warn("command link is down; trying again", "address", l.config.Address, "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(pause/2 + rand.N(pause)):
		}
		pause = min(2*pause, longest)
	}
	return nil
}

// session lives as long as both connections do.
func (l *Link) session(ctx context.Context) error {
	err := l.connectAndListen(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.commands, l.lastErr = nil, err
	l.config.Metrics.linkUp.WithLabelValues(l.config.Name).Set(0)
	return err
}

func (l *Link) connectAndListen(ctx context.Context) error {
	c := l.config
	conn, fr, err := dialSwitch(c.Address, c.Password, c.Limits, c.Timeout)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if fr.count = nil; c.Metrics != nil {
		fr.count = c.Metrics.frames.Inc
	}
	const subscribe = "event plain BACKGROUND_JOB CHANNEL_HANGUP_COMPLETE HEARTBEAT " +
		"CUSTOM spandsp::txfaxpageresult spandsp::txfaxresult\n\n"
	conn.SetDeadline(time.Now().Add(c.Timeout))
	if _, err := conn.Write([]byte(subscribe)); err != nil {
		return err
	}
	if f, err := fr.next(); err != nil || !strings.HasPrefix(string(f.header("Reply-Text")), "+OK") {
		return fmt.Errorf("the switch did not accept the subscription to events: %q, %w", f.header("Reply-Text"), err)
	}
	// Events are subscribed to before the first command, so that no answer to
	// one can be missed.
	commands, err := dialCommander(c.Address, c.Password, c.Limits, c.Timeout)
	if err != nil {
		return err
	}
	defer commands.close()
	// A broken command connection breaks the link.
	broken := make(chan struct{})
	defer close(broken)
	go func() {
		select {
		case <-commands.guard.done:
			conn.Close()
		case <-broken:
		}
	}()
	core, err := commands.do("api global_getvar core_uuid", c.Timeout)
	if err != nil {
		return err
	}
	core = strings.TrimSpace(core)
	conn.SetDeadline(time.Time{})
	l.mu.Lock()
	l.commands, l.core, l.lastErr = commands, core, nil
	l.mu.Unlock()
	c.Metrics.linkUp.WithLabelValues(c.Name).Set(1)
	c.Logger.Info("command link is up", "address", c.Address, "core", core)
	l.linked(core)
	return l.listen(ctx, conn, fr)
}

func (l *Link) listen(ctx context.Context, conn net.Conn, fr *frameReader) error {
	for {
		conn.SetReadDeadline(time.Now().Add(l.config.Heartbeat))
		f, err := fr.next()
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("events: %w", err)
		}
		if f.kind() != eventPlain {
			continue
		}
		ev, err := events.Parse(f.body)
		if err != nil {
			l.config.Logger.Warn("unreadable event passed over", "error", err)
			continue
		}
		l.heard(ev)
	}
}

// Up returns nil while the link is up, and the reason while it is not.
func (l *Link) Up() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.commands == nil {
		return fmt.Errorf("%w at %s: %w", ErrLinkDown, l.config.Address, l.lastErr)
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

// do sends a command; see commander.do.
func (l *Link) do(command string) (string, error) {
	l.mu.Lock()
	commands := l.commands
	l.mu.Unlock()
	if commands == nil {
		return "", l.Up()
	}
	return commands.do(command, l.config.Timeout)
}

// Originate has the switch place a call in the background. The background job
// gets the attempt's own id, so that its outcome (events.OriginateEnded) is
// known even if this answer is never read. After an error it is not known
// whether the switch dials.
func (l *Link) Originate(attempt, originate string) error {
	answer, err := l.do("bgapi " + originate + "\nJob-UUID: " + attempt)
	if err != nil {
		return err
	}
	if !strings.HasPrefix(answer, "+OK") {
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
