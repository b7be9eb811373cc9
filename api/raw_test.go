package api_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// waitFor polls something that tells nobody when it changes.
func waitFor(t testing.TB, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); {
		if time.Now().After(end) {
			t.Fatal("waited in vain")
		}
		<-time.After(5 * time.Millisecond)
	}
}

// raw sends bytes and returns what comes back until the end of the reply's
// headers.
func raw(t testing.TB, addr, request string) string {
	t.Helper()
	c := dial(t, addr)
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	return head(t, bufio.NewReader(c))
}

func dial(t testing.TB, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c
}

func head(t testing.TB, r *bufio.Reader) string {
	t.Helper()
	var b strings.Builder
	for {
		line, err := r.ReadString('\n')
		b.WriteString(line)
		if err != nil {
			t.Fatalf("%v after %q", err, b.String())
		}
		if line == "\r\n" {
			return b.String()
		}
	}
}

// 200 MB are announced; the verdict comes before one byte of them, and before
// the daemon gives up waiting for the first.
func TestVerdictBeforeTheBody(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	const upload = "POST /fax HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n"
	const key = "X-API-Key: " + key + "\r\n"
	for name, c := range map[string]struct{ request, status string }{
		"no key":                      {upload + "Content-Length: 200000000\r\n\r\n", "401"},
		"a wrong key":                 {upload + "X-API-Key: guess\r\nContent-Length: 200000000\r\n\r\n", "401"},
		"no key, chunked":             {upload + "Transfer-Encoding: chunked\r\n\r\n", "401"},
		"no key, a small body":        {upload + "Content-Length: 300\r\n\r\n", "401"},
		"no key, asks first":          {upload + "Expect: 100-continue\r\nContent-Length: 200000000\r\n\r\n", "401"},
		"too large":                   {upload + key + "Content-Length: 200000000\r\n\r\n", "413"},
		"too large, asks first":       {upload + key + "Expect: 100-continue\r\nContent-Length: 200000000\r\n\r\n", "413"},
		"welcome, asks first":         {upload + key + "Expect: 100-continue\r\nContent-Length: 300\r\n\r\n", "100"},
		"a wrong number":              {upload + key + "Content-Length: 1000000\r\n\r\n--b\r\nContent-Disposition: form-data; name=\"to\"\r\n\r\n123\r\n--b\r\n", "400"},
		"a wrong secret":              {"POST /_internal/freeswitch/outbound_result HTTP/1.1\r\nHost: x\r\nX-Internal-Secret: guess\r\nContent-Length: 300\r\n\r\n", "401"},
		"an unknown path":             {"POST /plugins HTTP/1.1\r\nHost: x\r\nContent-Length: 300\r\n\r\n", "404"},
		"health with a body":          {"GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: 300\r\n\r\n", "200"},
		"a method that does not work": {"PUT /fax HTTP/1.1\r\nHost: x\r\nContent-Length: 300\r\n\r\n", "405"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reply := raw(t, s.public, c.request)
			if !strings.HasPrefix(reply, "HTTP/1.1 "+c.status+" ") {
				t.Errorf("%q, want %s", reply, c.status)
			}
			if c.status != "100" && !strings.Contains(reply, "Connection: close\r\n") {
				t.Errorf("the connection would stay open: %q", reply)
			}
		})
	}
}

// A client that sends all before it reads gets the reply nevertheless.
func TestRefusedUploadSeesTheReply(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	for name, c := range map[string]struct{ key, status string }{"stranger": {"guess", "401"}, "too large": {key, "413"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := dial(t, s.public)
			const size = 20 << 20
			_, err := io.WriteString(conn, "POST /fax HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\nX-API-Key: "+
				c.key+"\r\nContent-Length: 20971520\r\n\r\n")
			if err == nil {
				_, err = io.CopyN(conn, zeros{}, size)
			}
			if err != nil {
				t.Fatalf("sending: %v", err)
			}
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			if err != nil || !strings.HasPrefix(res.Status, c.status) || !strings.Contains(string(body), `"detail":`) {
				t.Errorf("%s %q %v", res.Status, body, err)
			}
		})
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// The connection goes on after replies that had no body to refuse.
func TestKeepAlive(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	c := dial(t, s.public)
	r := bufio.NewReader(c)
	for range 3 {
		if _, err := io.WriteString(c, "GET /plugins HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if b, _ := io.ReadAll(res.Body); res.StatusCode != 404 || string(b) != `{"detail":"Not Found","code":"not_found"}`+"\n" {
			t.Errorf("%d %s", res.StatusCode, b)
		}
	}
}
