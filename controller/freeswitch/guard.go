package freeswitch

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fiorix/go-eventsocket/eventsocket"
)

// commander sends commands to the switch, one at a time, over a go-eventsocket
// connection that a guard stands before:
//
//	commander ── go-eventsocket ── 127.0.0.1 ── guard ── frameReader ── switch
//
// The guard reads the switch's messages under Limits, drops every one that is
// not an answer, and passes each answer on as an api/response that begins with
// mark: never short, never "-E", never a type that the library does not know.
// So nothing the switch says can end the process, an error reply is a value,
// and an empty reply is one too.
type commander struct {
	conn  *eventsocket.Connection
	guard *guard
	send  sync.Mutex
}

// mark is longer than what the library reads of a body without looking at its
// length.
const mark = "+ "

// dialCommander connects and authenticates, within timeout. When the connection
// ends, for whatever reason, ended is called with it.
func dialCommander(ctx context.Context, ended func(error), addr, password string, limits Limits, timeout time.Duration) (*commander, error) {
	up, replies, err := dialSwitch(ctx, addr, password, limits, timeout)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("relay for commands: %w", err), up.Close())
	}
	g := &guard{listener: listener, ticket: rand.Text(), up: up, replies: replies, ended: ended, done: make(chan struct{})}
	context.AfterFunc(ctx, func() { g.end(ctx.Err()) })
	go g.run(timeout)
	conn, err := eventsocket.Dial(listener.Addr().String(), g.ticket)
	if err != nil {
		g.end(fmt.Errorf("commands to %s: %w", addr, err))
		<-g.done
		return nil, err
	}
	return &commander{conn: conn, guard: g}, nil
}

var errLinkClosed = errors.New("the command link is closed")

// do sends one command, with any further header lines, and returns the body of
// the answer as the switch sent it, or the text of its Reply-Text. When no
// answer comes within timeout the connection is closed: a late one would
// answer the next command.
func (c *commander) do(command string, timeout time.Duration) (string, error) {
	c.send.Lock()
	defer c.send.Unlock()
	select {
	case <-c.guard.done: // the library would wait for a minute
		return "", errLinkClosed
	default:
	}
	late := time.AfterFunc(timeout, func() {
		c.guard.end(fmt.Errorf("%w: no answer to a command within %s", errStill, timeout))
	})
	defer late.Stop()
	c.guard.awaited.Store(true)
	ev, err := c.conn.Send(command)
	if err != nil {
		c.close()
		return "", fmt.Errorf("%w: %w", errLinkClosed, err)
	}
	return strings.TrimPrefix(ev.Body, mark), nil
}

// close ends both connections; a waiting do returns.
func (c *commander) close() {
	c.guard.end(errLinkClosed)
	<-c.guard.done
	c.conn.Close()
}

// guard is the relay between the library and the switch. It admits one client,
// which must know the ticket.
type guard struct {
	listener net.Listener
	ticket   string
	up       net.Conn
	replies  *frameReader
	ended    func(error)
	done     chan struct{} // closed when the relay has ended
	awaited  atomic.Bool   // a command waits for its answer
	once     sync.Once

	mu   sync.Mutex
	down net.Conn
}

// dialSwitch opens an authenticated connection to the switch's own event
// socket (mod_event_socket.c, listener_run).
func dialSwitch(ctx context.Context, addr, password string, limits Limits, timeout time.Duration) (net.Conn, *frameReader, error) {
	dialer := net.Dialer{Timeout: timeout, KeepAliveConfig: limits.keepAlive(), Control: unanswered(timeout)}
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, nil, err
	}
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	conn.SetDeadline(time.Now().Add(timeout))
	fr := newFrameReader(conn, &limits, nil)
	if err := authenticate(conn, fr, password); err != nil {
		conn.Close()
		return nil, nil, fmt.Errorf("%s: %w", addr, err)
	}
	conn.SetDeadline(time.Time{})
	return conn, fr, nil
}

// The ways in which a switch cannot be talked to, beside those of the network.
var (
	ErrPassword = errors.New("FreeSWITCH refused the password; FREESWITCH_ESL_PASSWORD must be the one in event_socket.conf.xml")
	ErrACL      = errors.New("FreeSWITCH refused this address; allow it with apply-inbound-acl in event_socket.conf.xml")
	ErrSilent   = errors.New("the connection is taken, and nothing is said: another program listens there, or mod_event_socket hangs")
	ErrStranger = errors.New("this is not a FreeSWITCH event socket")
)

func authenticate(conn net.Conn, fr *frameReader, password string) error {
	f, err := fr.next()
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("%w: %w", ErrSilent, err)
	case err != nil:
		return fmt.Errorf("%w: no greeting: %w", ErrStranger, err)
	case f.kind() == "text/rude-rejection":
		return ErrACL
	case f.kind() != authRequest:
		return fmt.Errorf("%w: it greets with %.40q", ErrStranger, f.kind())
	}
	if _, err := fmt.Fprintf(conn, "auth %s\n\n", password); err != nil {
		return err
	}
	if f, err = fr.next(); err != nil {
		return fmt.Errorf("no answer to the password: %w", err)
	}
	if !bytes.HasPrefix(f.header("Reply-Text"), []byte("+OK")) {
		return ErrPassword
	}
	return nil
}

// run relays until either side ends.
func (g *guard) run(timeout time.Duration) {
	defer close(g.done)
	down, err := g.admit(timeout)
	if err != nil {
		g.end(fmt.Errorf("relay for commands: %w", err))
		return
	}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_, err := io.Copy(g.up, down)
		g.end(errors.Join(errors.New("the relay has ended"), err))
	}()
	g.end(g.relayReplies(down))
	<-sent
}

// admit waits for the library to connect and present the ticket.
func (g *guard) admit(timeout time.Duration) (net.Conn, error) {
	g.listener.(*net.TCPListener).SetDeadline(time.Now().Add(timeout))
	for {
		conn, err := g.listener.Accept()
		if err != nil {
			return nil, err
		}
		conn.SetDeadline(time.Now().Add(time.Second)) // the library is on this machine, and knows what to say
		g.mu.Lock()
		g.down = conn
		g.mu.Unlock()
		if g.welcome(conn) {
			conn.SetDeadline(time.Time{})
			g.listener.Close()
			return conn, nil
		}
		conn.Close() // a stranger on this machine
	}
}

func (g *guard) welcome(conn net.Conn) bool {
	if _, err := io.WriteString(conn, "Content-Type: "+authRequest+"\r\n\r\n"); err != nil {
		return false
	}
	want := []byte("auth " + g.ticket + "\r\n\r\n")
	got := make([]byte, len(want))
	if _, err := io.ReadFull(conn, got); err != nil || subtle.ConstantTimeCompare(got, want) != 1 {
		return false
	}
	_, err := io.WriteString(conn, "Content-Type: command/reply\r\nReply-Text: +OK accepted\r\n\r\n")
	return err == nil
}

// relayReplies passes answers on. One that nobody asked for means that answers
// and commands are out of step, which only a new connection mends.
func (g *guard) relayReplies(down net.Conn) error {
	for {
		f, err := g.replies.next()
		if err != nil {
			return err
		}
		var said []byte
		switch f.kind() {
		case commandReply:
			said = f.header("Reply-Text")
		case apiResponse:
			said = f.body
		default:
			continue
		}
		if !g.awaited.CompareAndSwap(true, false) {
			return &refusal{Malformed, fmt.Sprintf("an answer that nobody asked for: %.40q", said)}
		}
		if _, err := fmt.Fprintf(down, "Content-Type: %s\nContent-Length: %d\n\n%s%s", apiResponse, len(mark)+len(said), mark, said); err != nil {
			return err
		}
	}
}

// end closes all connections, and says why, once.
func (g *guard) end(why error) {
	g.once.Do(func() {
		g.listener.Close()
		g.up.Close()
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.down != nil {
			g.down.Close()
		}
		g.ended(fmt.Errorf("commands: %w", why))
	})
}
