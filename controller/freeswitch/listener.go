package freeswitch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"
)

// ListenerConfig says where calls connect, and who may.
type ListenerConfig struct {
	Address string         // HOST:PORT; port 0 picks a free one
	Allow   []netip.Prefix // addresses of switches; empty allows loopback only
	Limits  Limits
	Timers  Timers
	Logger  *slog.Logger
	Metrics *Metrics
}

// Listener takes the connections of answered calls.
type Listener struct {
	config    ListenerConfig
	strangers Limits // of a connection that has not said who it is
	tcp       *net.TCPListener

	mu       sync.Mutex
	open     map[net.Conn]struct{}
	from     map[netip.Addr]int
	stranger Stranger
	tapes    int // calls that may be recorded at once
	taping   int // and are
	sessions sync.WaitGroup
}

// Stranger is whom the allow list has turned away.
type Stranger struct {
	Times int        // so far
	Last  netip.Addr // the last one's address
}

// Stranger tells whom the allow list has turned away so far.
func (l *Listener) Stranger() Stranger {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stranger
}

// Listen binds the address. Nothing is accepted before Serve.
func Listen(c ListenerConfig) (*Listener, error) {
	c.Limits = c.Limits.withDefaults()
	c.Timers = c.Timers.withDefaults()
	if len(c.Allow) == 0 {
		c.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	}
	l, err := net.Listen("tcp", c.Address)
	if err != nil {
		return nil, fmt.Errorf("event socket for calls: %w", err)
	}
	strangers := c.Limits
	strangers.BodyBytes = min(c.Limits.BodyBytes, maxNotice)
	return &Listener{
		config: c, strangers: strangers, tcp: l.(*net.TCPListener),
		open: map[net.Conn]struct{}{}, from: map[netip.Addr]int{},
	}, nil
}

// maxNotice bounds the bodies of what may come before the answer to "connect",
// which has none.
const maxNotice = 1024

// Addr returns the bound address.
func (l *Listener) Addr() net.Addr { return l.tcp.Addr() }

// Close gives the address up without serving.
func (l *Listener) Close() error { return l.tcp.Close() }

// Serve accepts calls and runs each against host until ctx ends; then it closes
// every connection and returns when all have ended. Errors of accepting, such
// as too many open files, are counted and waited out.
func (l *Listener) Serve(ctx context.Context, host Host) error {
	stop := context.AfterFunc(ctx, func() {
		l.tcp.Close()
		l.mu.Lock()
		defer l.mu.Unlock()
		for c := range l.open {
			c.Close()
		}
	})
	defer stop()
	defer l.sessions.Wait()
	const shortest, longest = 5 * time.Millisecond, time.Second
	pause := shortest
	for {
		conn, err := l.tcp.AcceptTCP()
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return ctx.Err()
			}
			l.refuse(AcceptFailed)
			l.config.Logger.Error("cannot accept calls for the moment", "error", err)
			select {
			case <-ctx.Done():
			case <-time.After(pause):
			}
			pause = min(2*pause, longest)
			continue
		}
		pause = shortest
		peer, why := l.admit(ctx, conn)
		if why != "" {
			l.refuse(why)
			l.config.Logger.Debug("connection refused", "peer", conn.RemoteAddr(), "reason", why)
			conn.Close()
			continue
		}
		go l.serve(ctx, conn, peer, host)
	}
}

func (l *Listener) refuse(r Reason) { l.config.Metrics.cut(&refusal{reason: r}) }

// admit counts the connection in, or says why not.
func (l *Listener) admit(ctx context.Context, conn *net.TCPConn) (netip.Addr, Reason) {
	peer := conn.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()
	allowed := false
	for _, p := range l.config.Allow {
		allowed = allowed || p.Contains(peer)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case !allowed:
		l.stranger = Stranger{l.stranger.Times + 1, peer}
		return peer, NotAllowed
	case len(l.open) >= l.config.Limits.Connections:
		return peer, TooMany
	case l.from[peer] >= l.config.Limits.PerAddress:
		return peer, TooManyAddress
	case ctx.Err() != nil:
		return peer, TooMany
	}
	l.open[conn] = struct{}{}
	l.from[peer]++
	l.sessions.Add(1)
	l.config.Metrics.live.Inc()
	return peer, ""
}

func (l *Listener) leave(conn *net.TCPConn, peer netip.Addr) {
	conn.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, conn)
	if l.from[peer]--; l.from[peer] == 0 {
		delete(l.from, peer)
	}
	l.config.Metrics.live.Dec()
	l.sessions.Done()
}

func (l *Listener) serve(ctx context.Context, conn *net.TCPConn, peer netip.Addr, host Host) {
	defer l.leave(conn, peer)
	call := l.newCall(conn)
	call.reader.tape = l.newTape()
	defer l.giveBack(call.reader.tape)
	if err := call.serve(ctx, host); err != nil {
		l.cut(peer, err)
	}
}

func (l *Listener) newCall(conn *net.TCPConn) *Call {
	conn.SetKeepAliveConfig(l.config.Limits.keepAlive())
	return &Call{
		conn: conn, limits: &l.config.Limits, timers: &l.config.Timers,
		reader: newFrameReader(conn, &l.strangers, l.config.Metrics.frames.Inc),
	}
}

// cut counts and logs what a peer did wrong.
func (l *Listener) cut(peer netip.Addr, err error) {
	if r := l.config.Metrics.cut(err); r != nil {
		l.config.Logger.Warn("connection cut", "peer", peer, "reason", r.reason, "error", r.detail)
	}
}
