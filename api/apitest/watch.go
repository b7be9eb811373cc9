package apitest

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
)

// Handler checks what a handler within the test answers.
func (c *Check) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !c.begin() {
			next.ServeHTTP(w, r)
			return
		}
		defer c.running.Done()
		// What the handler makes of its request is not what was sent.
		sent := r.Clone(r.Context())
		body := &heard{ReadCloser: r.Body, ended: r.Body == http.NoBody}
		if !body.ended {
			r.Body = body
		}
		said := &said{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(said, r)
		c.check(exchange{sent, body.bytes.Bytes(), body.ended, said.status, w.Header().Clone(), said.bytes.Bytes()})
	})
}

type heard struct {
	io.ReadCloser
	bytes bytes.Buffer
	ended bool
}

func (h *heard) Read(p []byte) (int, error) {
	n, err := h.ReadCloser.Read(p)
	h.bytes.Write(p[:n])
	h.ended = h.ended || err == io.EOF
	return n, err
}

type said struct {
	http.ResponseWriter
	begun  bool
	status int
	bytes  bytes.Buffer
}

// Unwrap is for http.ResponseController.
func (s *said) Unwrap() http.ResponseWriter { return s.ResponseWriter }

func (s *said) WriteHeader(status int) {
	if !s.begun && status >= 200 {
		s.begun, s.status = true, status
	}
	s.ResponseWriter.WriteHeader(status)
}

func (s *said) Write(p []byte) (int, error) {
	s.begun = true
	s.bytes.Write(p)
	return s.ResponseWriter.Write(p)
}

// Tap returns an address whose connections go on to another one, of a process
// that the test has started, and checks what goes to and fro. The bytes pass
// unchanged.
func (c *Check) Tap(address string) string {
	c.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		c.t.Fatal(err)
	}
	var open sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	keep := func(conn net.Conn) {
		mu.Lock()
		defer mu.Unlock()
		conns = append(conns, conn)
	}
	open.Go(func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			to, err := net.Dial("tcp", address)
			if err != nil { // it has ended, and this is how that looks
				from.Close()
				continue
			}
			keep(from)
			keep(to)
			open.Go(func() { c.pass(from, to) })
		}
	})
	c.t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, conn := range conns {
			conn.Close()
		}
		mu.Unlock()
		open.Wait()
	})
	return l.Addr().String()
}

// pass lets one connection through and then judges it.
func (c *Check) pass(client, server net.Conn) {
	defer client.Close()
	defer server.Close()
	var up, down bytes.Buffer
	var both sync.WaitGroup
	copying := func(to, from net.Conn, kept *bytes.Buffer) {
		both.Go(func() {
			if _, err := io.Copy(io.MultiWriter(kept, to), from); err != nil {
				_, _ = io.Copy(io.Discard, from) // a client may still be sending when it is refused
			}
			_ = to.(*net.TCPConn).CloseWrite()
		})
	}
	copying(server, client, &up)
	copying(client, server, &down)
	both.Wait()
	requests, replies := bufio.NewReader(&up), bufio.NewReader(&down)
	for c.one(requests, replies) {
	}
}

// one judges the next exchange of a connection, if there is one more.
func (c *Check) one(requests, replies *bufio.Reader) (more bool) {
	r, err := http.ReadRequest(requests)
	if err != nil || !c.begin() {
		return false
	}
	defer c.running.Done()
	body, broken := io.ReadAll(r.Body)
	answer, err := http.ReadResponse(replies, r)
	for err == nil && answer.StatusCode < 200 {
		answer, err = http.ReadResponse(replies, r)
	}
	if err != nil { // the test has ended one of them
		return false
	}
	defer answer.Body.Close()
	reply, err := io.ReadAll(answer.Body)
	if err != nil && !strings.HasPrefix(answer.Header.Get("Content-Type"), "text/event-stream") {
		return false
	}
	c.check(exchange{r, body, broken == nil, answer.StatusCode, answer.Header, reply})
	return broken == nil && err == nil
}
