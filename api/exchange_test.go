package api

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"faxbot/controller/fax"
)

// oneConn is a listener with one connection of a net.Pipe, whose deadlines
// follow the clock of a synctest bubble.
type oneConn struct{ conns chan net.Conn }

func (l oneConn) Accept() (net.Conn, error) {
	c, ok := <-l.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}
func (l oneConn) Close() error   { return nil }
func (l oneConn) Addr() net.Addr { return &net.TCPAddr{} }

// talk serves one handler that reads its whole body, and returns what the
// client gets, and after how long.
func talk(t *testing.T, client func(c net.Conn)) (got string, took time.Duration) {
	t.Helper()
	a := New(Config{})
	server := a.Server(a.observe(a.handler(route{serve: func(w http.ResponseWriter, r *http.Request, _ principal) error {
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			return err
		}
		time.Sleep(5 * time.Minute) // a deadline that was left behind would end the request
		if err := r.Context().Err(); err != nil {
			return err
		}
		reply(w, 200, n)
		return nil
	}})))
	l := oneConn{make(chan net.Conn, 1)}
	ours, theirs := net.Pipe()
	l.conns <- theirs
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(l) }()
	began := time.Now()
	var clients sync.WaitGroup
	clients.Go(func() { client(ours) })
	res, err := http.ReadResponse(bufio.NewReader(ours), nil)
	if err != nil {
		got = err.Error()
	} else {
		body, _ := io.ReadAll(res.Body)
		got = fmt.Sprintf("%d %s", res.StatusCode, body)
	}
	took = time.Since(began)
	ours.Close()
	close(l.conns)
	server.Close()
	<-done
	clients.Wait()
	return got, took
}

const upload = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"

func TestSlowClients(t *testing.T) {
	drip := func(size int, every time.Duration) func(net.Conn) {
		return func(c net.Conn) {
			_, err := io.WriteString(c, upload)
			for sent := 0; sent < 100000 && err == nil; sent += size {
				time.Sleep(every)
				_, err = c.Write(make([]byte, min(size, 100000-sent)))
			}
		}
	}
	for _, c := range []struct {
		name   string
		client func(net.Conn)
		want   string
		took   time.Duration
	}{
		{"slow and honest", drip(10000, 15*time.Second), "200 100000", 450 * time.Second},
		{"stalls", func(c net.Conn) { _, _ = io.WriteString(c, upload+"xxx") }, "408 ", 30 * time.Second},
		{"trickles", drip(1, time.Second), "408 ", time.Minute},
		{"never ends its headers", func(c net.Conn) { _, _ = io.WriteString(c, "POST / HTTP/1.1\r\nHost: x\r\n") }, "unexpected EOF", 10 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				got, took := talk(t, c.client)
				if !strings.HasPrefix(got, c.want) || took < c.took || took > c.took+2*time.Second {
					t.Errorf("%q after %s, want %q after %s", got, took, c.want, c.took)
				}
			})
		})
	}
}

func TestPanics(t *testing.T) {
	t.Parallel()
	a := New(Config{})
	var log strings.Builder
	a.log = slog.New(slog.NewTextHandler(&log, nil))
	serve := func(h http.HandlerFunc) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		a.observe(h).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		return w
	}
	w := serve(func(http.ResponseWriter, *http.Request) { panic("the cat did it") })
	if w.Code != 500 || strings.Contains(w.Body.String(), "cat") || !strings.Contains(w.Body.String(), `"code":"internal"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if !strings.Contains(log.String(), "the cat did it") || !strings.Contains(log.String(), "exchange_test.go") {
		t.Errorf("the log says only %s", log.String())
	}
	func() {
		defer func() {
			if recover() != http.ErrAbortHandler { //nolint:errorlint // the very value
				t.Error("half a reply was ended as if it were whole")
			}
		}()
		serve(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte("half"))
			panic("too late")
		})
	}()
}

func TestEveryProblemHasAStatus(t *testing.T) {
	t.Parallel()
	for _, p := range []fax.Problem{
		fax.Invalid, fax.BadNumber, fax.BadDocument, fax.Unsupported, fax.TooLarge, fax.NotFound, fax.Conflict,
		fax.Unauthorized, fax.Forbidden, fax.RateLimited, fax.Unavailable, fax.Internal,
	} {
		if statuses[p] == 0 {
			t.Errorf("%s has no status", p)
		}
	}
	w := httptest.NewRecorder()
	New(Config{}).fail(w, httptest.NewRequest("GET", "/", nil), fmt.Errorf("secret: %w", io.ErrUnexpectedEOF))
	if w.Code != 500 || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("an unknown error shows: %d %s", w.Code, w.Body)
	}
}

func TestScopes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		has  []scope
		asks scope
		may  bool
	}{
		{[]scope{everything}, faxSend, true},
		{[]scope{faxRead}, faxRead, true},
		{[]scope{faxRead}, faxSend, false},
		{nil, faxRead, false},
	} {
		if got := (principal{scopes: c.has}).may(c.asks); got != c.may {
			t.Errorf("%v may %s: %v", c.has, c.asks, got)
		}
	}
}

func TestBuckets(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBuckets(0.5, 2)
		for _, want := range []time.Duration{0, 0, 2 * time.Second, 2 * time.Second} {
			if wait := b.take("a"); wait != want {
				t.Errorf("wait %s, want %s", wait, want)
			}
		}
		if b.take("b") != 0 || b.empty("a") != 2*time.Second {
			t.Error("names share a bucket")
		}
		time.Sleep(2 * time.Second)
		if b.empty("a") != 0 || b.take("a") != 0 || b.take("a") == 0 {
			t.Error("a token came neither late nor early")
		}
		for i := range 10 * generation { // names without end are forgotten
			b.take(fmt.Sprint(i))
		}
		if n := len(b.young) + len(b.old); n > 2*generation {
			t.Errorf("%d buckets are kept", n)
		}
	})
}

// One client has one address, whatever its port; an IPv6 client has a whole
// network of them.
func TestClientAddress(t *testing.T) {
	t.Parallel()
	for remote, want := range map[string]string{
		"192.0.2.1:5": "192.0.2.1", "[::ffff:192.0.2.1]:5": "192.0.2.1", "[2001:db8::1:2:3:4]:5": "2001:db8::/64",
		"[2001:db8::9:9:9:9]:77": "2001:db8::/64", "[fe80::1%eth0]:5": "fe80::/64", "@": "unknown", "": "unknown",
	} {
		if got := clientAddress(&http.Request{RemoteAddr: remote}); got != want {
			t.Errorf("%s: %s, want %s", remote, got, want)
		}
	}
}
