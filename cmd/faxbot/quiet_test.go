package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Strangers get a few lines of each kind; nobody else loses one, and what is
// left out is counted.
func TestStrangersDoNotFillTheLog(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	h := newQuiet(slog.NewTextHandler(&text, nil)).WithAttrs([]slog.Attr{slog.String("part", "x")})
	began := time.Now()
	say := func(after time.Duration, level slog.Level, message string, attrs ...slog.Attr) {
		t.Helper()
		r := slog.NewRecord(began.Add(after), level, message, 0)
		r.AddAttrs(attrs...)
		if err := h.Handle(context.Background(), r); err != nil {
			t.Fatal(err)
		}
	}
	peer := func(i int) slog.Attr { return slog.String("peer", fmt.Sprint("192.0.2.", i)) }
	for i := range 100 {
		say(0, slog.LevelWarn, "connection cut", peer(i), slog.String("reason", "malformed"))
		say(0, slog.LevelWarn, "connection cut", peer(i), slog.String("reason", "slow"))
		say(0, slog.LevelWarn, "the disk is nearly full")
		say(0, slog.LevelInfo, "connection taken", peer(i))
	}
	say(quietFor/2, slog.LevelWarn, "connection cut", peer(0), slog.String("reason", "malformed"))
	for what, want := range map[string]int{"reason=malformed": quietAfter, "reason=slow": quietAfter, "nearly full": 100, "taken": 100, "left_out": 0} {
		if got := strings.Count(text.String(), what); got != want {
			t.Errorf("%q: %d lines, want %d", what, got, want)
		}
	}
	text.Reset()
	say(quietFor+time.Second, slog.LevelInfo, "anything") // the attack is over
	for _, want := range []string{`kind="connection cut malformed" left_out=91`, `kind="connection cut slow" left_out=90`, "anything"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %s in\n%s", want, &text)
		}
	}
	text.Reset()
	say(quietFor+2*time.Second, slog.LevelWarn, "connection cut", peer(1), slog.String("reason", "slow"))
	say(3*quietFor, slog.LevelInfo, "anything")
	if strings.Contains(text.String(), "left_out") || !strings.Contains(text.String(), "reason=slow") {
		t.Errorf("a new time begins: %s", &text)
	}
}

// It is so in the daemon, at the event socket and at the door of REST; the
// figures know all of them.
func TestHostilePeersCostFewLines(t *testing.T) {
	t.Parallel()
	h := build(t, "100")
	const many = 60
	socket := h.serve.await(`for="answered calls" address=(\S+)`)
	for range many {
		conn, err := net.Dial("tcp", socket)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
		_ = conn.SetReadDeadline(time.Now().Add(waiting))
		for buffer := make([]byte, 512); err == nil; {
			_, err = conn.Read(buffer)
		}
		conn.Close()
	}
	stranger := *h
	stranger.key = "a-word-that-nobody-prints"
	for range many {
		stranger.ask(http.MethodGet, h.rest+"/fax", "", nil)
	}
	for _, line := range []string{`level=WARN msg="connection cut"`, `level=WARN msg="sign-in failed"`} {
		if n := strings.Count(h.serve.output(), line); n < 1 || n > quietAfter {
			t.Errorf("%d lines of %s", n, line)
		}
	}
	counted := 0
	for line := range strings.Lines(get(t, h.inner+"/metrics")) {
		if strings.HasPrefix(line, "faxbot_socket_refused_total{") {
			n := 0
			_, _ = fmt.Sscan(line[strings.LastIndex(line, " "):], &n)
			counted += n
		}
	}
	if counted != many {
		t.Errorf("%d connections are counted, not %d", counted, many)
	}
}
