package freeswitch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"faxbot/controller/logtest"
	"faxbot/events"

	"github.com/prometheus/client_golang/prometheus"
)

// The uuid of the call in success-t38-1page.txt, and of nobody.
const stranger = "00000000-0000-4000-8000-000000000000"

// house is a listener with a host that admits every call that says a token.
type house struct {
	t        *testing.T
	listener *Listener
	registry *prometheus.Registry
	calls    chan *guest
	stop     func() // returns when every call is gone
	before   func() // called by Fax, if set
	fax      Fax
	faxErr   error
}

// guest is the session of one call.
type guest struct {
	h    *house
	call *Call
	said *events.Connected

	mu     sync.Mutex
	events []string
	faxing chan struct{} // closed when Fax is called
	gone   chan error
}

func (g *guest) Fax(context.Context) (Fax, error) {
	if g.h.before != nil {
		g.h.before()
	}
	close(g.faxing)
	return g.h.fax, g.h.faxErr
}

func (g *guest) Event(ev events.Event) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.events = append(g.events, strings.TrimPrefix(fmt.Sprintf("%T", ev), "*events."))
}

func (g *guest) Gone(err error) { g.gone <- err }

// heard is what was said until the call was gone, and why that was.
func (g *guest) heard() ([]string, error) {
	err := <-g.gone
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.events, err
}

func (h *house) Admit(call *Call, said *events.Connected) Session {
	if said.Token == "" {
		return nil
	}
	g := &guest{h: h, call: call, said: said, faxing: make(chan struct{}), gone: make(chan error, 1)}
	h.calls <- g
	return g
}

func newHouse(t *testing.T, limits Limits, timers Timers) *house {
	t.Helper()
	h := &house{t: t, calls: make(chan *guest, 100), registry: prometheus.NewRegistry(), fax: Fax{TIFF: "/fax/1.tif"}}
	var err error
	h.listener, err = Listen(ListenerConfig{
		Address: "127.0.0.1:0", Limits: limits, Timers: timers,
		Logger: logtest.Logger(t), Metrics: NewMetrics(h.registry),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.listener.Serve(ctx, h) }()
	h.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Serve: %v", err)
		}
	})
	t.Cleanup(h.stop)
	return h
}

// refused is how many connections were cut for that reason.
func refused(tb testing.TB, reg *prometheus.Registry, r Reason) int {
	tb.Helper()
	families, err := reg.Gather()
	if err != nil {
		tb.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if f.GetName() == "faxbot_socket_refused_total" && l.GetValue() == string(r) {
					return int(m.GetCounter().GetValue())
				}
			}
		}
	}
	tb.Fatalf("no such reason: %s", r)
	return 0
}

// eventually waits for something that will be true.
func eventually(tb testing.TB, what string, is func() bool) {
	tb.Helper()
	for end := time.Now().Add(20 * time.Second); !is(); {
		if time.Now().After(end) {
			tb.Fatalf("in vain: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// peer is what connects to the listener, or listens for a link: the switch, or
// somebody who is not.
type peer struct {
	t    testing.TB
	conn *net.TCPConn
	in   *frameReader
}

func newPeer(t testing.TB, conn net.Conn) *peer {
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	t.Cleanup(func() { conn.Close() })
	return &peer{t: t, conn: conn.(*net.TCPConn), in: newFrameReader(conn, &unlimited, nil)}
}

func (h *house) dial() *peer {
	h.t.Helper()
	conn, err := net.Dial("tcp", h.listener.Addr().String())
	if err != nil {
		h.t.Fatal(err)
	}
	return newPeer(h.t, conn)
}

// say writes, in one piece.
func (p *peer) say(texts ...string) {
	p.t.Helper()
	if _, err := io.WriteString(p.conn, strings.Join(texts, "")); err != nil {
		p.t.Fatalf("the daemon does not listen any more: %v", err)
	}
}

// hear waits for a command that begins so, and returns all of it.
func (p *peer) hear(begin string) string {
	p.t.Helper()
	f, err := p.in.next()
	if err != nil || !strings.HasPrefix(string(f.head), begin) {
		p.t.Fatalf("heard %q, %v; want %q", f.head, err, begin)
	}
	return string(f.head)
}

// cut waits until the daemon has closed the connection.
func (p *peer) cut() {
	p.t.Helper()
	if _, err := io.Copy(io.Discard, p.conn); err != nil && errors.Is(err, context.DeadlineExceeded) {
		p.t.Fatal("the connection was not closed")
	}
}

// What a switch says.
func reply(text string) string { return "Content-Type: command/reply\nReply-Text: " + text + "\n\n" }

func answer(body string) string {
	return fmt.Sprintf("Content-Type: api/response\nContent-Length: %d\n\n%s", len(body), body)
}

func event(name string, lines ...string) string {
	body := "Event-Name: " + name + "\n" + strings.Join(lines, "\n") + "\n\n"
	return fmt.Sprintf("Content-Length: %d\nContent-Type: text/event-plain\n\n%s", len(body), body)
}

// uuidOf is the line that names a call.
func uuidOf(uuid string) string { return "Unique-ID: " + uuid }

// hello is the answer to connect of a call that is ours.
func hello(uuid string) string {
	return "Event-Name: CHANNEL_DATA\n" + uuidOf(uuid) + "\nvariable_faxbot_token: t\n" +
		"Content-Type: command/reply\nReply-Text: +OK\nSocket-Mode: async\nControl: full\n\n"
}

const callID = "6ba7b810-9dad-41d1-80b4-00c04fd430c8"

// connect is a call that has said hello and was subscribed to.
func (h *house) connect() (*peer, *guest) {
	h.t.Helper()
	p := h.dial()
	p.hear("connect")
	p.say(hello(callID))
	g := <-h.calls
	p.hear("linger")
	p.hear("event plain")
	if got := p.hear("filter"); !strings.Contains(got, "Unique-ID "+callID) {
		h.t.Fatalf("filter is %q", got)
	}
	return p, g
}

const subscribed = "Content-Type: command/reply\nReply-Text: +OK will linger\n\n" +
	"Content-Type: command/reply\nReply-Text: +OK event listener enabled plain\n\n" +
	"Content-Type: command/reply\nReply-Text: +OK filter added. [Unique-ID]=[x]\n\n"

func theEnd() string {
	return event("CHANNEL_HANGUP_COMPLETE", uuidOf(callID), "Hangup-Cause: NORMAL_CLEARING")
}

// want compares what a session heard.
func (g *guest) want(err error, names ...string) {
	g.h.t.Helper()
	got, gone := g.heard()
	if !reflect.DeepEqual(got, names) || !errors.Is(gone, err) {
		g.h.t.Fatalf("heard %v, gone with %v; want %v, %v", got, gone, names, err)
	}
}

// bare is what the recorded switch said in all, without the answers to
// commands.
func bare(tb testing.TB, path string) (connect []byte, said [][]byte) {
	tb.Helper()
	for _, f := range frames(tb, bytes.Join(switchSaid(tb, path), nil)) {
		switch kind := (frame{head: f}).kind(); {
		case connect == nil && kind == commandReply:
			connect = f
		case kind != commandReply && kind != apiResponse:
			said = append(said, f)
		}
	}
	return connect, said
}

// script is a connection that says what it was given and notes what it hears.
type script struct {
	*bytes.Reader
	net.Conn
	said bytes.Buffer
}

func (s *script) Read(p []byte) (int, error)       { return s.Reader.Read(p) }
func (s *script) Write(p []byte) (int, error)      { return s.said.Write(p) }
func (s *script) Close() error                     { return nil }
func (s *script) SetReadDeadline(time.Time) error  { return nil }
func (s *script) SetWriteDeadline(time.Time) error { return nil }
