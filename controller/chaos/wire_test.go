package chaos_test

import (
	"bytes"
	"net"
	"strings"
	"sync"
	"time"
)

// wire is a TCP proxy between daemon and switch. It knows the words of the
// event socket well enough to do something exactly when they pass.
type wire struct {
	address  string // where it listens
	listener net.Listener
	target   func() string // "" while nothing listens there; a path is a Unix socket
	held     sync.RWMutex  // for writing: nothing passes
	caller   side          // whom those who connect want to reach

	mu    sync.Mutex
	shuts int // how often it has been shut and not been opened again
	open  map[net.Conn]struct{}
	traps []*trap
	work  sync.WaitGroup
}

// side is where bytes flow to.
type side bool

const (
	toSwitch side = true
	toDaemon side = false
)

// trap does something once, when text passes for the nth time. An empty text
// is a connection that begins. What goes to the switch arrives after do, what
// goes to the daemon before; unless lose is set, then it never arrives.
type trap struct {
	toward side
	text   string
	nth    int
	lose   bool
	do     func()

	once sync.Once
}

func newWire(caller side, target func() string) (*wire, error) {
	return newWireAt("127.0.0.1:0", caller, target)
}

// newWireAt listens at an address, or at a path.
func newWireAt(address string, caller side, target func() string) (*wire, error) {
	w := &wire{address: address, target: target, caller: caller, shuts: 1, open: map[net.Conn]struct{}{}}
	return w, w.listen()
}

// listen takes back one shut, and listens when that was the last.
func (w *wire) listen() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.shuts--; w.shuts > 0 {
		return nil
	}
	l, err := net.Listen(network(w.address), w.address)
	if err != nil {
		return err
	}
	w.listener, w.address = l, l.Addr().String()
	w.work.Add(1)
	go w.accept(l)
	return nil
}

func network(address string) string {
	if strings.HasPrefix(address, "/") {
		return "unix"
	}
	return "tcp"
}

func (w *wire) addr() string { return w.address }

func (w *wire) close() {
	w.shut()
	w.work.Wait()
}

// shut breaks every connection and refuses new ones, until listen is called as
// often.
func (w *wire) shut() {
	w.mu.Lock()
	w.shuts++
	w.listener.Close()
	w.mu.Unlock()
	w.cut()
}

// hold lets nothing pass until free is called, and breaks nothing.
func (w *wire) hold() (free func()) {
	w.held.Lock()
	return sync.OnceFunc(w.held.Unlock)
}

// disarm takes the traps away.
func (w *wire) disarm() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.traps = nil
}

// stream is a TCP or a Unix connection.
type stream interface {
	net.Conn
	CloseWrite() error
}

// cut breaks every connection.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.open {
		c.Close()
	}
}

func (w *wire) set(t *trap) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.traps = append(w.traps, t)
}

func (w *wire) accept(l net.Listener) {
	defer w.work.Done()
	for {
		from, err := l.Accept()
		if err != nil {
			return
		}
		w.work.Add(1)
		go func() {
			defer w.work.Done()
			defer from.Close()
			w.join(from.(stream))
		}()
	}
}

// join connects from, who called, with the target.
func (w *wire) join(from stream) {
	sprung, _ := w.spring(w.caller, nil, nil)
	run(sprung)
	target := w.target()
	conn, err := net.DialTimeout(network(target), target, 5*time.Second)
	if err != nil {
		if tcp, is := from.(*net.TCPConn); is {
			_ = tcp.SetLinger(0) // as if nobody had listened
		}
		return
	}
	to := conn.(stream)
	w.mu.Lock()
	w.open[from], w.open[to] = struct{}{}, struct{}{}
	w.mu.Unlock()
	var both sync.WaitGroup
	daemon, sw := from, to
	if w.caller == toDaemon {
		daemon, sw = to, from
	}
	both.Add(2)
	go func() { defer both.Done(); w.pump(daemon, sw, toSwitch) }()
	go func() { defer both.Done(); w.pump(sw, daemon, toDaemon) }()
	both.Wait()
	w.mu.Lock()
	delete(w.open, from)
	delete(w.open, to)
	w.mu.Unlock()
	from.Close()
	to.Close()
}

// pump passes bytes on until an end is closed.
func (w *wire) pump(from, to stream, toward side) {
	defer to.CloseWrite() //nolint:errcheck // the peer may be dead
	var seen []byte
	chunk := make([]byte, 16<<10)
	for {
		n, err := from.Read(chunk)
		if n > 0 {
			seen = append(seen, chunk[:n]...)
			sprung, lose := w.spring(toward, seen[:len(seen)-n], chunk[:n])
			if toward == toSwitch || lose {
				run(sprung)
			}
			if lose {
				return
			}
			w.held.RLock()
			_, err := to.Write(chunk[:n])
			w.held.RUnlock()
			if err != nil {
				return
			}
			if toward == toDaemon {
				run(sprung)
			}
			seen = append(seen[:0], seen[max(0, len(seen)-longestText):]...)
		}
		if err != nil {
			return
		}
	}
}

// longestText bounds what a trap may look for.
const longestText = 64

func run(traps []*trap) {
	for _, t := range traps {
		t.once.Do(t.do)
	}
}

// spring returns the traps that now goes off, after before has passed already.
func (w *wire) spring(toward side, before, now []byte) (sprung []*trap, lose bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, t := range w.traps {
		times := 0
		switch {
		case now == nil && t.text == "":
			times = 1
		case now != nil && t.text != "" && t.toward == toward:
			tail := before[max(0, len(before)-len(t.text)+1):]
			times = bytes.Count(append(bytes.Clone(tail), now...), []byte(t.text))
		}
		if times == 0 || t.nth <= 0 {
			continue
		}
		if t.nth -= times; t.nth <= 0 {
			sprung = append(sprung, t)
			lose = lose || t.lose
		}
	}
	return sprung, lose
}
