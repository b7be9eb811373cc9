package simulator

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// peer is the other end of an event socket: what a controller would be. It
// reads in the background and keeps replies and events apart, each in order.
type peer struct {
	t    testing.TB
	conn net.Conn

	mu      sync.Mutex
	arrived sync.Cond
	replies []string
	events  []string // and notices
	over    bool
}

func newPeer(t testing.TB, conn net.Conn) *peer {
	p := &peer{t: t, conn: conn}
	p.arrived.L = &p.mu
	done := make(chan struct{})
	go func() { defer close(done); p.read() }()
	t.Cleanup(func() { conn.Close(); <-done })
	return p
}

func (p *peer) read() {
	in := bufio.NewReader(p.conn)
	for {
		text, err := readRaw(in)
		p.mu.Lock()
		switch {
		case err != nil:
			p.over = true
		case strings.Contains(text, "text/event-plain") || kindOf(text) == "notice":
			p.events = append(p.events, text)
		default:
			p.replies = append(p.replies, text)
		}
		p.arrived.Broadcast()
		p.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// readRaw reads one message, byte for byte.
func readRaw(in *bufio.Reader) (string, error) {
	var b strings.Builder
	length := 0
	for {
		ln, err := in.ReadString('\n')
		if err != nil {
			return "", err
		}
		b.WriteString(ln)
		if v, ok := strings.CutPrefix(ln, "Content-Length: "); ok {
			length, _ = strconv.Atoi(strings.TrimSpace(v))
		}
		if ln == "\n" {
			break
		}
	}
	body := make([]byte, length)
	_, err := io.ReadFull(in, body)
	return b.String() + string(body), err
}

func (p *peer) write(text string) {
	p.t.Helper()
	if _, err := p.conn.Write([]byte(text)); err != nil {
		p.t.Fatal(err)
	}
}

// send writes a command and reads past its reply's order: replies are taken
// with reply or next.
func (p *peer) send(command string) { p.t.Helper(); p.write(command + "\n\n") }

// ask sends a command and returns the next reply.
func (p *peer) ask(command string) string {
	p.t.Helper()
	p.send(command)
	return p.reply()
}

// api asks and returns the body.
func (p *peer) api(command string) string {
	p.t.Helper()
	_, body, _ := strings.Cut(p.ask("api "+command), "\n\n")
	return body
}

func (p *peer) take(from *[]string, pick func(string) bool, what string) string {
	p.t.Helper()
	expired := false
	alarm := time.AfterFunc(patience, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		expired = true
		p.arrived.Broadcast()
	})
	defer alarm.Stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		for i, text := range *from {
			if pick(text) {
				*from = append((*from)[:i:i], (*from)[i+1:]...)
				return text
			}
		}
		if expired || p.over {
			var have []string
			for _, text := range append(p.replies, p.events...) {
				have = append(have, kindOf(text))
			}
			p.t.Fatalf("no %s came (closed: %v); waiting: %q", what, p.over, have)
		}
		p.arrived.Wait()
	}
}

// reply takes the next reply.
func (p *peer) reply() string {
	p.t.Helper()
	return p.take(&p.replies, func(string) bool { return true }, "reply")
}

// next takes the next message, which must be of this kind.
func (p *peer) next(kind string) string {
	p.t.Helper()
	from := &p.events
	switch kind {
	case "reply", "api":
		from = &p.replies
	case "CHANNEL_DATA":
		return p.reply()
	}
	text := p.take(from, func(string) bool { return true }, kind)
	if got := kindOf(text); got != kind {
		p.t.Fatalf("got %s, want %s:\n%.300s", got, kind, text)
	}
	return text
}

// event takes the first event of this kind that carries all these parts,
// wherever it stands.
func (p *peer) event(kind string, parts ...string) string {
	p.t.Helper()
	return p.take(&p.events, func(text string) bool {
		for _, part := range parts {
			if !strings.Contains(text, part) {
				return false
			}
		}
		return kindOf(text) == kind
	}, kind)
}

// kinds lists the kinds of the events that wait.
func (p *peer) kinds() (list []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, text := range p.events {
		list = append(list, kindOf(text))
	}
	return list
}

// closed waits for the end of the connection.
func (p *peer) closed() {
	p.t.Helper()
	alarm := time.AfterFunc(patience, func() { p.conn.Close() })
	p.mu.Lock()
	defer p.mu.Unlock()
	for !p.over {
		p.arrived.Wait()
	}
	if !alarm.Stop() {
		p.t.Fatal("the connection was not closed")
	}
}

// kindOf names a message: an event, "reply", "api" or "notice".
func kindOf(text string) string {
	field := func(name string) string {
		_, rest, _ := strings.Cut("\n"+text, "\n"+name+": ")
		v, _, _ := strings.Cut(rest, "\n")
		return v
	}
	switch {
	case field("Event-Subclass") != "":
		return decode(field("Event-Subclass"))
	case field("Event-Name") != "":
		return field("Event-Name")
	case strings.Contains(text, "text/disconnect-notice"):
		return "notice"
	case strings.Contains(text, "api/response"):
		return "api"
	}
	return "reply"
}

// value reads a header of an event or reply.
func value(text, name string) string {
	_, rest, _ := strings.Cut("\n"+text, "\n"+name+": ")
	v, _, _ := strings.Cut(rest, "\n")
	return decode(v)
}

// dial opens a command link.
func dial(t testing.TB, s *Switch) *peer {
	t.Helper()
	conn, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	p := newPeer(t, conn)
	if got := p.reply(); got != "Content-Type: auth/request\n\n" {
		t.Fatalf("greeted with %q", got)
	}
	if got := value(p.ask("auth ClueCon"), "Reply-Text"); got != "+OK accepted" {
		t.Fatalf("auth: %s", got)
	}
	return p
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func accept(t testing.TB, l net.Listener) *peer {
	t.Helper()
	_ = l.(*net.TCPListener).SetDeadline(time.Now().Add(patience))
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return newPeer(t, conn)
}

// writeTIFF makes a fax document: directories as they must be, pages of
// nothing.
func writeTIFF(t testing.TB, path string, pages int) {
	t.Helper()
	writePages(t, path, pages, 1728, 1)
}

func writePages(t testing.TB, path string, pages, width, bits int) {
	t.Helper()
	le := binary.LittleEndian
	out := []byte("II*\x00\x08\x00\x00\x00")
	for p := range pages {
		entry := func(tag, kind uint16, value uint32) {
			out = le.AppendUint16(out, tag)
			out = le.AppendUint16(out, kind)
			out = le.AppendUint32(out, 1)
			out = le.AppendUint32(out, value)
		}
		const entries = 9
		start := uint32(len(out))
		end := start + 2 + entries*12 + 4
		out = le.AppendUint16(out, entries)
		entry(256, 4, uint32(width))
		entry(257, 4, 2156)
		entry(258, 3, uint32(bits))
		entry(259, 3, 4)
		entry(277, 3, 1)
		entry(279, 4, 24541)
		entry(282, 5, end)
		entry(283, 5, end+8)
		entry(296, 3, 2)
		next := end + 16
		if p == pages-1 {
			next = 0
		}
		out = le.AppendUint32(out, next)
		for _, dpi := range []uint32{204, 196} {
			out = le.AppendUint32(le.AppendUint32(out, dpi), 1)
		}
	}
	if err := os.WriteFile(path, out, 0o600); err != nil {
		t.Fatal(err)
	}
}
