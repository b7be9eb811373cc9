package simulator

import (
	"bufio"
	"errors"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// link is one connection of the event socket: a command link, or the
// connection that a call made. Its reader is one goroutine; a second one lives
// only while there is something to write.
type link struct {
	sw   *Switch
	conn net.Conn
	call *call // whose connection this is; nil for a command link

	async, full bool // of a call's connection: never change
	over        chan struct{}

	mu       sync.Mutex
	out      *[]byte // to be written; nil when there is nothing
	held     []byte  // events that wait for a reply, or for the end of a fax
	flushing bool
	closing  bool // close when everything is written
	cutOff   bool
	packets  Line // Split, Coalesced or NoNotice; else as TCP likes
	holding  bool // events go to held

	listening bool // events were asked for
	all       bool
	names     []string // of events
	classes   []string // of CUSTOM events
	mine      *call    // myevents
	filters   []filter

	linger    bool
	lingering time.Duration // negative: until exit
	connected bool
}

// filter is one filter command: name is a header.
type filter struct {
	name, value string
}

// message is one command as it came over the socket.
type message struct {
	command string
	headers []setting
	body    string
}

func (m *message) get(name string) string {
	for _, h := range m.headers {
		if strings.EqualFold(h.name, name) {
			return h.value
		}
	}
	return ""
}

const (
	maxCommand = 1 << 20 // bytes of one command; FreeSWITCH takes ten times that
	maxUnsent  = 64 << 20
	goodbye    = "Disconnected, goodbye.\nSee you at ClueCon! http://www.cluecon.com/\n"
)

func newLink(s *Switch, conn net.Conn, c *call) *link {
	l := &link{sw: s, conn: conn, call: c, over: make(chan struct{})}
	if c != nil {
		l.packets = c.outcome.Line
	}
	return l
}

// run reads and obeys commands until the connection ends.
func (l *link) run() {
	defer close(l.over)
	defer l.conn.Close()
	in := bufio.NewReaderSize(l.conn, 512)
	if l.call == nil && l.broken(in) {
		return
	}
	if l.call == nil && !l.authenticate(in) {
		l.farewell()
		_, _ = io.Copy(io.Discard, in)
		return
	}
	for {
		m, err := readMessage(in)
		if err != nil {
			return
		}
		l.sw.goes()
		if l.ending() || l.call == nil && l.sw.config.Broken.Stalls {
			continue // the peer is being told goodbye, or nothing any more
		}
		if !l.obey(m) {
			l.farewell()
		}
	}
}

func (l *link) authenticate(in *bufio.Reader) bool {
	l.write([]byte("Content-Type: auth/request\n\n"))
	for {
		m, err := readMessage(in)
		if err != nil {
			return false
		}
		password, isAuth := strings.CutPrefix(m.command, "auth ")
		switch {
		case isAuth && password == l.sw.config.Password:
			l.reply("+OK accepted")
			return true
		case isAuth:
			l.reply("-ERR invalid")
			return false
		case strings.HasPrefix(m.command, "exit"):
			l.reply("+OK bye")
			return false
		}
		// FreeSWITCH leaves its loop here with nothing said, and then obeys
		// nobody: the peer waits for ever. Saying so is kinder to a test.
		l.reply("-ERR command not found")
	}
}

// readMessage reads lines up to an empty one, and a body if Content-Length
// says so.
func readMessage(in *bufio.Reader) (*message, error) {
	m := &message{}
	for size := 0; ; {
		text, err := readLine(in, maxCommand-size)
		if err != nil {
			return nil, err
		}
		size += len(text) + 1
		switch {
		case text == "" && m.command == "":
		case text == "":
			n, _ := strconv.Atoi(m.get("content-length"))
			if n < 0 || n > maxCommand {
				return nil, errors.New("content-length out of range")
			}
			body := make([]byte, n)
			if _, err := io.ReadFull(in, body); err != nil {
				return nil, err
			}
			m.body = string(body)
			return m, nil
		case m.command == "":
			m.command = text
		default:
			if name, value, ok := strings.Cut(text, ":"); ok {
				m.headers = append(m.headers, setting{name, strings.TrimLeft(value, " ")})
			}
		}
	}
}

func readLine(in *bufio.Reader, most int) (string, error) {
	var long []byte
	for {
		part, err := in.ReadSlice('\n')
		if len(long)+len(part) > most {
			return "", errors.New("command too long")
		}
		if err == nil && long == nil {
			return strings.TrimRight(string(part), "\r\n"), nil
		}
		long = append(long, part...)
		if err == nil {
			return strings.TrimRight(string(long), "\r\n"), nil
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return "", err
		}
	}
}

// offer sends an event if this link listens to it.
func (l *link) offer(r *rendered) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.wants(r) {
		return
	}
	text := r.message()
	if l.out != nil && len(*l.out)+len(l.held)+len(text) > maxUnsent {
		l.sw.log.Warn("event lost: the peer does not read", "peer", l.conn.RemoteAddr())
		return
	}
	if l.holding {
		l.held = append(l.held, text...)
		return
	}
	l.send(text)
}

func (l *link) wants(r *rendered) bool {
	if !l.listening || l.closing {
		return false
	}
	a, c := about[r.k], r.f.call
	if !l.all && (!slices.Contains(l.names, a.name) || a.subclass != "" && !slices.Contains(l.classes, a.subclass)) {
		return false
	}
	if l.mine != nil && l.mine != c {
		return false
	}
	if len(l.filters) == 0 {
		return true
	}
	for _, f := range l.filters {
		if strings.EqualFold(f.name, "Unique-ID") {
			if c != nil && strings.EqualFold(f.value, c.uuid) {
				return true
			}
			continue
		}
		if v, ok := header(r.message(), f.name); ok && strings.EqualFold(v, f.value) {
			return true
		}
	}
	return false
}

// header finds a header in an event's text.
func header(text []byte, name string) (string, bool) {
	for text := string(text); text != ""; {
		var ln string
		ln, text, _ = strings.Cut(text, "\n")
		if k, v, ok := strings.Cut(ln, ": "); ok && strings.EqualFold(k, name) {
			return decode(v), true
		}
	}
	return "", false
}

// ownOnly says that no event of another call can reach this link.
func (l *link) ownOnly() bool {
	if !l.listening || l.mine != nil {
		return l.call != nil
	}
	if l.call == nil || len(l.filters) == 0 {
		return false
	}
	return !slices.ContainsFunc(l.filters, func(f filter) bool {
		return !strings.EqualFold(f.name, "Unique-ID") || !strings.EqualFold(f.value, l.call.uuid)
	})
}

// reply answers a command.
func (l *link) reply(text string) {
	l.write([]byte("Content-Type: command/reply\nReply-Text: " + text + "\n\n"))
}

// write sends a reply or a notice; it does not keep text.
func (l *link) write(text []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.send(text)
}

// hold keeps events back, or lets them go.
func (l *link) hold(on bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.holding = on
	if !on && len(l.held) > 0 {
		l.send(l.held)
		l.held = nil
	}
}

// send queues bytes; l.mu is held.
func (l *link) send(text []byte) {
	if l.cutOff || l.closing {
		return
	}
	if l.out == nil {
		l.out = l.sw.buffer()
	}
	*l.out = append(*l.out, text...)
	if !l.flushing {
		l.flushing = true
		l.sw.work.Add(1)
		go l.flush()
	}
}

func (l *link) flush() {
	defer l.sw.work.Done()
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.out != nil && !l.cutOff {
		out := l.out
		l.out = nil
		split := l.packets == Split
		l.mu.Unlock()
		err := l.put(*out, split)
		l.sw.recycle(out)
		l.mu.Lock()
		if err != nil {
			l.cutOff = true
		}
	}
	l.flushing = false
	if l.closing {
		l.bow()
	}
}

func (l *link) put(out []byte, split bool) (err error) {
	l.sw.goes()
	for i := 0; split && i < len(out) && err == nil; i++ {
		_, err = l.conn.Write(out[i : i+1])
	}
	if !split {
		_, err = l.conn.Write(out)
	}
	return err
}

// farewell tells the peer goodbye and closes once that is written.
func (l *link) farewell() {
	text := "Content-Type: text/disconnect-notice\n"
	if l.call != nil {
		text += "Controlled-Session-UUID: " + l.call.uuid + "\nContent-Disposition: disconnect\n"
	}
	text += "Content-Length: " + strconv.Itoa(len(goodbye)) + "\n\n" + goodbye
	l.mu.Lock()
	defer l.mu.Unlock()
	l.send(l.held)
	l.held = nil
	l.send([]byte(text))
	l.close()
}

// close ends the link when all is written; l.mu is held.
func (l *link) close() {
	if l.closing {
		return
	}
	l.closing = true
	if !l.flushing {
		l.bow()
	}
}

// bow closes our half, so that the peer can read to the end, and waits a
// moment for its half.
func (l *link) bow() {
	if t, ok := l.conn.(*net.TCPConn); ok {
		_ = t.CloseWrite()
	}
	_ = l.conn.SetReadDeadline(time.Now().Add(time.Second))
}

// end closes the link without a notice.
func (l *link) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.close()
}

func (l *link) ending() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closing
}

// cut breaks the connection at once.
func (l *link) cut() {
	l.mu.Lock()
	l.cutOff = true
	l.mu.Unlock()
	if t, ok := l.conn.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	l.conn.Close()
}
