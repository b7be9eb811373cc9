package freeswitch

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"

	"faxbot/controller/logtest"
)

// Each limit holds from the first byte on, is configurable, and is counted
// under its own reason.
func TestLimitsBeforeAnybodyIsKnown(t *testing.T) {
	t.Parallel()
	const short = 50 * time.Millisecond
	for name, c := range map[string]struct {
		limits Limits
		said   string
		want   Reason
	}{
		"silence":                 {Limits{Handshake: short}, "", HandshakeSlow},
		"half an answer":          {Limits{Handshake: short}, hello(callID)[:40], HandshakeSlow},
		"endless blank lines":     {Limits{Handshake: short}, strings.Repeat("\n", 1000), HandshakeSlow},
		"endless notices":         {Limits{Frames: 10}, strings.Repeat("Content-Type: text/disconnect-notice\n\n", 11), TooFast},
		"endless header":          {Limits{HeadBytes: 1000}, strings.Repeat("x", 2000), HeadTooLarge},
		"too many headers":        {Limits{HeadLines: 5}, hello(callID), TooManyLines},
		"a large body":            {Limits{}, "Content-Length: 5000\n\n", BodyTooLarge},
		"negative length":         {Limits{}, "Content-Type: command/reply\nContent-Length: -1\n\n", Malformed},
		"an unknown type":         {Limits{}, "Content-Type: text/unheard-of\n\n", Malformed},
		"a short reply":           {Limits{}, "Content-Type: command/reply\nReply-Text: \n\n", Malformed},
		"a web browser":           {Limits{}, "GET / HTTP/1.1\r\nHost: fax\r\n\r\n", Malformed},
		"an event, not an answer": {Limits{}, event("CHANNEL_DATA", uuidOf(callID)), Malformed},
		"no uuid":                 {Limits{}, hello(""), Malformed},
		"a uuid with commands":    {Limits{}, hello("x%0a%0aapi%20shutdown"), Malformed},
		"no token":                {Limits{}, strings.Replace(hello(callID), "token: t", "token:", 1), NoSuchCall},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, c.limits, Timers{})
			p := h.dial()
			p.hear("connect")
			io.WriteString(p.conn, c.said)
			p.cut()
			eventually(t, "counted as "+string(c.want), func() bool { return refused(t, h.registry, c.want) == 1 })
			if len(h.calls) > 0 {
				t.Error("a call was admitted")
			}
		})
	}
}

// The same limits hold later, for a call that is known.
func TestLimitsOfAnAdmittedCall(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		limits Limits
		said   string
		want   Reason
	}{
		"too fast":       {Limits{Frames: 20}, strings.Repeat(event("X"), 40), TooFast},
		"a large body":   {Limits{BodyBytes: 100}, "Content-Length: 101\n\n", BodyTooLarge},
		"endless header": {Limits{HeadBytes: 500}, strings.Repeat("a: b\n", 200), HeadTooLarge},
		"rubbish":        {Limits{}, "Content-Length: ten\n\n", Malformed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, c.limits, Timers{})
			p, g := h.connect()
			p.say(subscribed)
			p.hear("sendmsg")
			io.WriteString(p.conn, c.said)
			p.cut()
			_, err := g.heard()
			var r *refusal
			if !errors.As(err, &r) || r.reason != c.want {
				t.Errorf("gone with %v, want %s", err, c.want)
			}
			eventually(t, "counted", func() bool { return refused(t, h.registry, c.want) == 1 })
		})
	}
}

// A peer that does not read what we say is not waited for.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Limits{Write: 50 * time.Millisecond}, Timers{})
	for range 20 {
		h.fax.Before = append(h.fax.Before, strings.Repeat("x", 1<<20))
	}
	p, g := h.connect()
	p.say(subscribed)
	var r *refusal
	if _, err := g.heard(); !errors.As(err, &r) || r.reason != WriteSlow {
		t.Fatalf("gone with %v", err)
	}
	eventually(t, "counted", func() bool { return refused(t, h.registry, WriteSlow) == 1 })
}

// Connections are counted, in all and by address, and places become free.
func TestConnectionLimits(t *testing.T) {
	t.Parallel()
	for reason, limits := range map[Reason]Limits{
		TooMany:        {Connections: 2},
		TooManyAddress: {PerAddress: 2},
	} {
		h := newHouse(t, limits, Timers{})
		first, second, third := h.dial(), h.dial(), h.dial()
		third.cut()
		first.hear("connect")
		second.hear("connect")
		if n := refused(t, h.registry, reason); n != 1 {
			t.Errorf("%s was counted %d times", reason, n)
		}
		first.conn.Close()
		eventually(t, "a free place", func() bool {
			p := h.dial()
			defer p.conn.Close()
			_, err := p.in.next()
			return err == nil
		})
	}
}

func TestAllowList(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	l, err := Listen(ListenerConfig{
		Address: "127.0.0.1:0", Allow: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")},
		Logger: logtest.Logger(t), Metrics: NewMetrics(reg),
	})
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, listener: l, registry: reg}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- l.Serve(ctx, h) }()
	p := h.dial()
	if _, err := p.in.next(); err == nil {
		t.Error("a stranger was spoken to")
	}
	if n := refused(t, reg, NotAllowed); n != 1 {
		t.Errorf("counted %d times", n)
	}
	cancel()
	<-done
}

// A peer that vanished without a word is noticed by TCP itself.
func TestKeepAlive(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Limits{KeepAlive: 12 * time.Second}, Timers{})
	_, g := h.connect()
	raw, err := g.call.conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) {
		for option, want := range map[[2]int]int{
			{unix.SOL_SOCKET, unix.SO_KEEPALIVE}: 1, {unix.IPPROTO_TCP, unix.TCP_KEEPIDLE}: 12,
			{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL}: 4, {unix.IPPROTO_TCP, unix.TCP_KEEPCNT}: 3,
		} {
			if got, err := unix.GetsockoptInt(int(fd), option[0], option[1]); err != nil || got != want {
				t.Errorf("option %v is %d, %v; want %d", option, got, err, want)
			}
		}
	})
}

// The end of the listener is the end of every connection, at once.
func TestServeEndsAllCalls(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Limits{}, Timers{})
	h.dial().hear("connect")
	p, g := h.connect()
	p.say(subscribed)
	p.hear("sendmsg")
	h.stop()
	if _, err := g.heard(); err == nil {
		t.Error("a call that was cut counts as ended")
	}
}

// starveEnv makes the test binary a listener that runs out of files.
const starveEnv = "FAXBOT_TEST_STARVE"

// Too many open files do not end the listener: it waits, counts, and serves
// when there are files again.
func TestOutOfFiles(t *testing.T) {
	t.Parallel()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), starveEnv+"=1")
	child.Stderr = os.Stderr
	in, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	next := func() string {
		if !lines.Scan() {
			t.Fatal("the listener has died")
		}
		return lines.Text()
	}
	addr := next()
	var peers []*peer
	for range 8 {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		peers = append(peers, newPeer(t, conn))
	}
	if got := next(); got != "starving" {
		t.Fatal(got)
	}
	fmt.Fprintln(in, "files")
	for _, p := range peers {
		p.hear("connect")
	}
	in.Close()
	if err := child.Wait(); err != nil {
		t.Error(err)
	}
}

// starved is the child of TestOutOfFiles.
func starved() int {
	fail := func(err error) int {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	m := NewMetrics(prometheus.NewRegistry())
	l, err := Listen(ListenerConfig{Address: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler), Metrics: m})
	if err != nil {
		return fail(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- l.Serve(ctx, &house{}) }()
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		return fail(err)
	}
	few := files
	few.Cur = 16
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few); err != nil {
		return fail(err)
	}
	var hoard []*os.File
	for {
		f, err := os.Open("/dev/null")
		if errors.Is(err, syscall.EMFILE) {
			break
		}
		if err != nil {
			return fail(err)
		}
		hoard = append(hoard, f)
	}
	fmt.Println(l.Addr())
	counted := prometheus.NewRegistry()
	counted.MustRegister(m.refused)
	for n := 0.0; n < 3; {
		families, err := counted.Gather()
		if err != nil {
			return fail(err)
		}
		for _, one := range families[0].GetMetric() {
			if one.GetLabel()[0].GetValue() == string(AcceptFailed) {
				n = one.GetCounter().GetValue()
			}
		}
		time.Sleep(time.Millisecond)
	}
	fmt.Println("starving")
	in := bufio.NewReader(os.Stdin)
	if _, err := in.ReadString('\n'); err != nil {
		return fail(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		return fail(err)
	}
	for _, f := range hoard {
		f.Close()
	}
	io.Copy(io.Discard, in)
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		return fail(err)
	}
	return 0
}
