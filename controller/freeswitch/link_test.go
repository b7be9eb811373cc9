package freeswitch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"faxbot/controller/logtest"
	"faxbot/events"

	"github.com/prometheus/client_golang/prometheus"
)

// exchange is a switch of which a test is every word.
type exchange struct {
	t        *testing.T
	listener net.Listener
	link     *Link
	registry *prometheus.Registry
	events   chan events.Event
	linked   chan Meeting
	stop     func() // returns when the link has ended
}

func newExchange(t *testing.T, c LinkConfig) *exchange {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	x := &exchange{t: t, listener: l, registry: prometheus.NewRegistry(), events: make(chan events.Event, 100), linked: make(chan Meeting, 100)}
	if c.Address == "" {
		c.Address = l.Addr().String()
	}
	c.Name, c.Password, c.Logger, c.Metrics = "test", "secret", logtest.Logger(t, "auth secret"), NewMetrics(x.registry)
	x.link = NewLink(c, func(ev events.Event) { x.events <- ev }, func(found Meeting) { x.linked <- found })
	x.link.pause = func(time.Duration) time.Duration { return time.Millisecond }
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := x.link.Run(ctx); err != nil {
			t.Errorf("the link gave up: %v", err)
		}
	}()
	x.stop = func() { cancel(); <-done }
	t.Cleanup(func() {
		x.stop()
		l.Close()
	})
	return x
}

func (x *exchange) accept() *peer {
	x.t.Helper()
	conn, err := x.listener.Accept()
	if err != nil {
		x.t.Fatal(err)
	}
	return newPeer(x.t, conn)
}

const authRequested = "Content-Type: auth/request\n\n"

// accepted is the next connection that gives the password. Those that the link
// has given up meanwhile are passed over.
func (x *exchange) accepted() *peer {
	x.t.Helper()
	for {
		p := x.accept()
		io.WriteString(p.conn, authRequested)
		if f, err := p.in.next(); err == nil {
			if got := string(f.head); !strings.HasPrefix(got, "auth secret") {
				x.t.Fatalf("heard %q", got)
			}
			p.say(reply("+OK accepted"))
			return p
		}
	}
}

// up answers until the link is up.
func (x *exchange) up(core string) (listening, commands *peer) {
	x.t.Helper()
	listening, commands = x.meet(core, "100")
	if got := <-x.linked; got.Core != core {
		x.t.Fatalf("linked to %q", got.Core)
	}
	return listening, commands
}

// meet is a switch that is up for so many seconds.
func (x *exchange) meet(core, up string) (listening, commands *peer) {
	x.t.Helper()
	listening = x.accepted()
	listening.hear("event plain")
	listening.say(reply("+OK event listener enabled plain"))
	commands = x.accepted()
	commands.hear("api global_getvar core_uuid")
	commands.say(answer(core))
	commands.hear("api uptime s")
	commands.say(answer(up))
	return listening, commands
}

func TestLink(t *testing.T) {
	t.Parallel()
	x := newExchange(t, LinkConfig{})
	if err := x.link.Up(); !errors.Is(err, ErrLinkDown) {
		t.Errorf("before it is up: %v", err)
	}
	if _, err := x.link.API("status"); !errors.Is(err, ErrLinkDown) {
		t.Errorf("before it is up: %v", err)
	}
	listening, commands := x.up("core-1")
	if err := x.link.Up(); err != nil || x.link.Core() != "core-1" {
		t.Errorf("%v, %q", err, x.link.Core())
	}
	listening.say(event("HEARTBEAT", "Core-UUID: core-1"), event("BACKGROUND_JOB", "Job-UUID: "+callID))
	if ev, ok := (<-x.events).(*events.Heartbeat); !ok || ev.Core != "core-1" {
		t.Errorf("%T", ev)
	}
	if ev := <-x.events; ev.Call() != callID {
		t.Errorf("%+v", ev)
	}
	// Any answer is a value, however short, and goes with its command.
	for _, said := range []string{"", "+", "-", "-E", "-ERR no reply\n", "%", "true", strings.Repeat("x", 100_000), "a\n\nContent-Type: x\n\n"} {
		go func() {
			commands.hear("api ask")
			commands.say(answer(said))
		}()
		if got, err := x.link.API("ask"); err != nil || got != said {
			t.Errorf("answered %.30q: got %.30q, %v", said, got, err)
		}
		if strings.Contains(said, "\n") {
			continue
		}
		said = strings.TrimSpace(said)
		go func() {
			commands.hear("api ask")
			commands.say(reply(said))
		}()
		if got, err := x.link.API("ask"); len(said) < 50_000 && (err != nil || got != said) {
			t.Errorf("replied %.30q: got %.30q, %v", said, got, err)
		}
		if len(said) > 50_000 { // a reply is a head, and heads are shorter
			_, commands = x.up("core-1")
		}
	}
}

func TestLinkCommands(t *testing.T) {
	t.Parallel()
	x := newExchange(t, LinkConfig{})
	_, commands := x.up("core")
	ask := func(want, said string, do func() error) error {
		t.Helper()
		heard := make(chan string, 1)
		go func() {
			heard <- commands.hear("")
			commands.say(said)
		}()
		err := do()
		if got := strings.ReplaceAll(<-heard, "\r", ""); got != want+"\n" {
			t.Errorf("said %q, want %q", got, want)
		}
		return err
	}
	originate := func() error { return x.link.Originate(callID, "originate x y") }
	if err := ask("bgapi originate x y\nJob-UUID: "+callID, reply("+OK Job-UUID: "+callID), originate); err != nil {
		t.Error(err)
	}
	if err := ask("bgapi originate x y\nJob-UUID: "+callID, reply("+OK Job-UUID: "+stranger), originate); err == nil {
		t.Error("the answer to another originate was believed")
	}
	if err := ask("bgapi originate x y\nJob-UUID: "+callID, reply("-ERR not now"), originate); err == nil {
		t.Error("a refusal was taken for success")
	}
	for said, want := range map[string]string{"true": "true", "false": "false", "-USAGE: <uuid>": "neither", "": "neither"} {
		var alive bool
		err := ask("api uuid_exists "+callID, answer(said), func() (err error) {
			alive, err = x.link.Exists(callID)
			return err
		})
		if got := map[bool]string{true: fmt.Sprint(alive), false: "neither"}[err == nil]; got != want {
			t.Errorf("%q means %s", said, got)
		}
	}
	if err := ask("api uuid_kill "+callID+" MANAGER_REQUEST", answer("-ERR No such channel!\n"), func() error { return x.link.Kill(callID) }); err != nil {
		t.Errorf("a channel that is gone: %v", err)
	}
	for _, err := range []error{
		x.link.Originate(callID, "originate x\n\napi shutdown"),
		x.link.Originate("a\nb: c", "originate x"),
		x.link.Kill("x\r\n\r\napi shutdown"),
	} {
		if err == nil || !strings.Contains(err.Error(), "line break") {
			t.Errorf("a second command in the first: %v", err)
		}
	}
}

// What may come instead of a switch. None of it ends the daemon, and the next
// time a switch is there it is used.
func TestGarbageOnTheLink(t *testing.T) {
	t.Parallel()
	endless := strings.Repeat("x: y\n", 1<<15)
	garbage := map[string]string{
		"unknown type":             "Content-Type: text/unheard-of\nContent-Length: 2\n\nhi",
		"short reply":              "Content-Type: command/reply\nReply-Text: x\n\n",
		"empty reply":              "Content-Type: command/reply\nReply-Text:\n\n",
		"no reply text":            "Content-Type: command/reply\n\n",
		"short error":              "Content-Type: command/reply\nReply-Text: -E\n\n",
		"short body":               "Content-Type: api/response\nContent-Length: 1\n\n-",
		"negative length":          "Content-Type: api/response\nContent-Length: -1\n\n",
		"length that is no number": "Content-Type: api/response\nContent-Length: x\n\n",
		"huge length":              "Content-Type: api/response\nContent-Length: 9999999999\n\n",
		"endless header":           endless,
		"unsolicited replies":      strings.Repeat(reply("+OK")+answer("true"), 50),
		"broken event":             "Content-Type: text/event-plain\nContent-Length: 3\n\n\n\n\n",
		"event of a JSON kind":     "Content-Type: text/event-json\nContent-Length: 2\n\n[]",
		"rude rejection":           "Content-Type: text/rude-rejection\nContent-Length: 24\n\nAccess Denied, go away.\n",
		"notice":                   "Content-Type: text/disconnect-notice\nContent-Length: 0\n\n",
		"header without colon":     "hello\n\n",
		"binary":                   "\x00\xff\x16\x03\x01\x00\n\n",
		"a web server":             "HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\nContent-Length: 0\r\n\r\n",
		"half a greeting":          "Content-Type: auth/req",
		"half a body":              "Content-Type: api/response\nContent-Length: 10\n\nhalf",
		"nothing":                  "",
	}
	// When it comes: as the greeting, as the answer to the password, to the
	// subscription, to a command, among events, or unasked.
	stages := map[string]func(x *exchange, said string) *peer{
		"greeting": func(x *exchange, said string) *peer {
			p := x.accept()
			io.WriteString(p.conn, said)
			return p
		},
		"password": func(x *exchange, said string) *peer {
			p := x.accept()
			io.WriteString(p.conn, authRequested+said)
			return p
		},
		"subscription": func(x *exchange, said string) *peer {
			p := x.accepted()
			io.WriteString(p.conn, said)
			return p
		},
		"second connection": func(x *exchange, said string) *peer {
			p := x.accepted()
			p.hear("event")
			p.say(reply("+OK"))
			p2 := x.accept()
			io.WriteString(p2.conn, said)
			p2.conn.CloseWrite()
			return p
		},
		"events": func(x *exchange, said string) *peer {
			listening, _ := x.up("core")
			io.WriteString(listening.conn, said)
			return listening
		},
		"answer": func(x *exchange, said string) *peer {
			_, commands := x.up("core")
			go func() {
				commands.in.next()
				io.WriteString(commands.conn, said)
				commands.conn.CloseWrite()
			}()
			x.link.API("ask") // any answer or error will do, but not another's
			return commands
		},
		"unasked": func(x *exchange, said string) *peer {
			_, commands := x.up("core")
			io.WriteString(commands.conn, said)
			return commands
		},
	}
	for stage, meet := range stages {
		t.Run(stage, func(t *testing.T) {
			t.Parallel()
			x := newExchange(t, LinkConfig{})
			for _, said := range garbage {
				p := meet(x, said)
				p.conn.CloseWrite() // when it has not been cut yet
				p.cut()
				if len(x.events) > 0 {
					t.Fatalf("%q was taken for an event", said)
				}
				for len(x.linked) > 0 {
					<-x.linked
				}
			}
			x.up("the real one")
			if err := x.link.Up(); err != nil {
				t.Error(err)
			}
			x.stop()
		})
	}
}

// A peer that is silent at any point is given up after Timeout, or Heartbeat.
func TestSilentLink(t *testing.T) {
	t.Parallel()
	const short = 500 * time.Millisecond // the peer of the test, on a busy machine, must be quicker
	x := newExchange(t, LinkConfig{Timeout: short, Heartbeat: time.Minute})
	x.accept().cut()
	p := x.accept()
	p.say(authRequested)
	p.hear("auth")
	p.cut()
	p = x.accepted()
	p.hear("event plain")
	p.cut()
	_, commands := x.up("core")
	waited := make(chan error, 3)
	for range cap(waited) {
		go func() {
			_, err := x.link.API("ask")
			waited <- err
		}()
	}
	commands.hear("api ask")
	for range cap(waited) {
		if err := <-waited; !errors.Is(err, errLinkClosed) && !errors.Is(err, ErrLinkDown) {
			t.Errorf("no answer: %v", err)
		}
	}
	// The late answer belongs to a connection that is gone.
	io.WriteString(commands.conn, answer("late"))
	_, commands = x.up("core-2")
	go func() {
		commands.hear("api ask")
		commands.say(answer("in time"))
	}()
	if got, err := x.link.API("ask"); got != "in time" {
		t.Errorf("%q, %v", got, err)
	}
	x.stop()

	x = newExchange(t, LinkConfig{Heartbeat: short})
	listening, _ := x.up("core")
	listening.cut()
	x.up("core")
}

// A switch that talks on without a heartbeat hangs all the same. When the link is
// up again it is told so, once; a connection that broke is another thing.
func TestStandingStill(t *testing.T) {
	t.Parallel()
	x := newExchange(t, LinkConfig{Heartbeat: 500 * time.Millisecond})
	met := func(still bool) (listening *peer) {
		t.Helper()
		listening, _ = x.meet("core", "100")
		if got := <-x.linked; got.StoodStill != still {
			t.Fatalf("stood still: %t", got.StoodStill)
		}
		return listening
	}
	over := make(chan struct{})
	var hearing sync.WaitGroup
	hearing.Go(func() {
		for {
			select {
			case <-x.events:
			case <-over:
				return
			}
		}
	})
	defer hearing.Wait()
	defer close(over)
	listening := met(false)
	for x.link.Up() == nil {
		if _, err := io.WriteString(listening.conn, event("BACKGROUND_JOB", "Job-UUID: "+callID)); err != nil {
			break
		}
	}
	met(true).conn.Close()
	met(false)
}

// A heartbeat of another process, or of one whose uptime went back, ends the
// session; what the link finds then has another name, so that nobody takes it
// for the switch that knew the calls.
func TestUptimeWentBack(t *testing.T) {
	t.Parallel()
	x := newExchange(t, LinkConfig{})
	for n, c := range []struct{ core, up, name, beat string }{
		{"core-1", "100", "core-1", "Core-UUID: core-1\nUptime-msec: 3000000000"},
		{"core-1", "3000001", "core-1", "Core-UUID: core-1\nUptime-msec: 50000"},
		{"core-1", "51", "core-1+1", "Core-UUID: core-1\nUptime-msec: 40000"},
		{"core-1", "41", "core-1+2", "Core-UUID: core-2\nUptime-msec: 90000"},
		{"core-2", "1", "core-2", "Core-UUID: core-2\nUptime-msec: 60000"},
		{"core-2", "2", "core-2+1", "Core-UUID: core-2\nUptime-msec: 60000"},
	} {
		listening, commands := x.meet(c.core, c.up)
		if got := <-x.linked; got.Core != c.name || x.link.Core() != c.name || got.StoodStill {
			t.Errorf("%d: met %+v, want %s", n, got, c.name)
		}
		listening.say(event("HEARTBEAT", c.beat))
		<-x.events
		if n == 0 || n >= 4 { // it goes on; the connection breaks
			listening.conn.Close()
		}
		commands.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := commands.in.next(); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("%d: the session goes on", n)
		}
	}
}

// An answer that nobody asked for shows that answers and commands are out of
// step.
func TestUnaskedAnswerBreaksTheLink(t *testing.T) {
	t.Parallel()
	x := newExchange(t, LinkConfig{})
	listening, commands := x.up("core")
	commands.say(answer("surprise"))
	commands.cut()
	listening.cut()
	x.up("core")
	if n := refused(t, x.registry, Malformed); n != 1 {
		t.Errorf("counted %d times", n)
	}
}

// The reason why there is no link is one that an operator can act on.
func TestWhyTheLinkIsDown(t *testing.T) {
	t.Parallel()
	for want, meet := range map[string]func(x *exchange){
		"FREESWITCH_ESL_PASSWORD": func(x *exchange) {
			p := x.accept()
			p.say(authRequested)
			p.hear("auth")
			p.say(reply("-ERR invalid"))
			p.cut()
		},
		"apply-inbound-acl": func(x *exchange) {
			p := x.accept()
			p.say("Content-Type: text/rude-rejection\nContent-Length: 24\n\nAccess Denied, go away.\n")
			p.cut()
		},
		"not a FreeSWITCH event socket": func(x *exchange) {
			p := x.accept()
			p.say("220 mail.example.com ESMTP\r\n\r\n")
			p.cut()
		},
		"subscription": func(x *exchange) {
			p := x.accepted()
			p.hear("event")
			p.say(reply("-ERR no keywords supplied"))
			p.cut()
		},
	} {
		x := newExchange(t, LinkConfig{})
		meet(x)
		eventually(t, want, func() bool { return strings.Contains(x.link.Up().Error(), want) })
		x.stop()
	}
	// A typing error is no reason to die, either.
	for _, address := range []string{"no such host.invalid:8021", "127.0.0.1:1", "127.0.0.1", "::::"} {
		x := newExchange(t, LinkConfig{Address: address})
		eventually(t, "another try", func() bool { return !strings.Contains(x.link.Up().Error(), "not yet") })
		x.stop()
	}
}

// The events of a busy switch may overtake the answer to the subscription.
func TestEventsBeforeTheSubscriptionIsAnswered(t *testing.T) {
	t.Parallel()
	x := newExchange(t, LinkConfig{})
	p := x.accepted()
	p.hear("event plain")
	p.say(event("HEARTBEAT"), reply("+OK event listener enabled plain"))
	if ev, ok := (<-x.events).(*events.Heartbeat); !ok {
		t.Errorf("%T", ev)
	}
	x.accepted().hear("api global_getvar")
}

// Stopping does not wait for a peer that says nothing.
func TestLinkStopsAtOnce(t *testing.T) {
	t.Parallel()
	for name, meet := range map[string]func(x *exchange){
		"before the greeting": func(x *exchange) { x.accept() },
		"at the subscription": func(x *exchange) { x.accepted().hear("event") },
		"at the second":       func(x *exchange) { p := x.accepted(); p.hear("event"); p.say(reply("+OK")); x.accept() },
		"at the first command": func(x *exchange) {
			p := x.accepted()
			p.hear("event")
			p.say(reply("+OK"))
			x.accepted().hear("api")
		},
		"when it is up": func(x *exchange) { x.up("core") },
	} {
		x := newExchange(t, LinkConfig{Timeout: 50 * time.Second})
		meet(x)
		began := time.Now()
		x.stop()
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("%s: %s", name, took)
		}
	}
}

// Only the library, which knows the ticket, gets through the relay.
func TestRelayAdmitsNoStranger(t *testing.T) {
	t.Parallel()
	x := newExchange(t, LinkConfig{Address: "127.0.0.1:1"})
	out, in := net.Pipe()
	defer in.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	g := &guard{listener: l, ticket: "right", up: out, replies: newFrameReader(out, &x.link.config.Limits, nil), ended: func(err error) { ended <- err }, done: make(chan struct{})}
	go g.run(20 * time.Second)
	for _, said := range []string{"auth wrong\r\n\r\n", "auth \r\n\r\n", strings.Repeat("x", 100)} {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		p := newPeer(t, conn)
		p.say(said)
		p.cut()
	}
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	p := newPeer(t, conn)
	p.say("auth right\r\n\r\n")
	p.hear("Content-Type: auth/request")
	p.hear("Content-Type: command/reply")
	if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
		t.Error("a second client could connect")
	}
	g.end(io.EOF)
	<-g.done
	<-ended
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	var b backoff
	var got []time.Duration
	for _, lived := range []time.Duration{0, 0, 0, 0, 0, 0, 0, 0, time.Minute, 0} {
		base := max(time.Duration(b), firstPause)
		if lived > longestPause {
			base = firstPause
		}
		if p := b.next(lived); p < base/2 || p >= base*3/2 {
			t.Errorf("pause %s, not around %s", p, base)
		}
		got = append(got, base)
	}
	const ms = time.Millisecond
	want := []time.Duration{250 * ms, 500 * ms, 1000 * ms, 2000 * ms, 4000 * ms, 8000 * ms, 15000 * ms, 15000 * ms, 250 * ms, 500 * ms}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%v", got)
	}
}
