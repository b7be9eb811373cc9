package api

import (
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"faxbot/controller/fax"
)

// pace is how slow a client may be.
type pace struct {
	idle    time.Duration // without a byte, in either direction
	grace   time.Duration // before a body has to keep to perSec
	perSec  int64         // bytes
	linger  time.Duration // how long the rest of a refused body is thrown away
	discard int64         // and how much of it, at most
}

var defaultPace = pace{
	idle: 30 * time.Second, grace: time.Minute, perSec: 512,
	linger: 10 * time.Second, discard: 32 << 20,
}

// formOverhead is what a request may have beside its files.
const formOverhead = 1 << 20

// exchange is one request and its reply. It notes the status, and it looks
// after the body of a request that is answered before it was read: the reply
// goes out at once, the connection is closed, and until the client has seen the
// reply its bytes are thrown away, for a limited time. Closing at once would
// reset the connection and take the reply with it (RFC 9112, 9.6).
type exchange struct {
	http.ResponseWriter
	control *http.ResponseController
	pace    pace
	body    *body
	status  int    // 0 until the reply begins
	err     error  // what was refused, for the log
	key     string // that the request was sent with, for the log
	waits   bool   // the client sends its body only when asked to
}

func (a *API) newExchange(w http.ResponseWriter, r *http.Request) *exchange {
	x := &exchange{
		ResponseWriter: w, control: http.NewResponseController(w), pace: a.pace,
		waits: strings.EqualFold(r.Header.Get("Expect"), "100-continue"),
	}
	x.body = &body{from: r.Body, x: x, left: a.terms.Load().MaxBytes + formOverhead, ended: r.Body == nil || r.Body == http.NoBody}
	if !x.body.ended {
		r.Body = x.body
	}
	return x
}

// Unwrap is for http.ResponseController.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

func (x *exchange) WriteHeader(status int) {
	if x.status == 0 && status >= 200 {
		x.status = status
		if !x.body.ended {
			x.Header().Set("Connection", "close") // else the server would read on before it replies
		}
	}
	x.ResponseWriter.WriteHeader(status)
}

func (x *exchange) Write(p []byte) (int, error) {
	if x.status == 0 {
		x.WriteHeader(http.StatusOK)
	}
	_ = x.control.SetWriteDeadline(time.Now().Add(x.pace.idle)) // a recorder has none
	return x.ResponseWriter.Write(p)
}

// expect sets how large the body may be.
func (x *exchange) expect(bytes int64) { x.body.left = bytes }

// part ends the exchange.
func (x *exchange) part() {
	if x.body.ended {
		return
	}
	_ = x.control.Flush()
	_ = x.control.SetReadDeadline(time.Now().Add(x.pace.linger))
	if x.waits && !x.body.begun { // reading would ask for the body
		return
	}
	_, _ = io.CopyN(io.Discard, x.body.from, x.pace.discard)
}

// body is the body of a request. A client may be slow as long as bytes flow;
// one that stalls, trickles, breaks off or sends too much gets a *fax.Error.
type body struct {
	from  io.ReadCloser
	x     *exchange
	left  int64 // bytes that may still come
	read  int64
	since time.Time // of the first Read
	begun bool
	ended bool // it was read to its end
}

func (b *body) Read(p []byte) (int, error) {
	if b.ended {
		return 0, io.EOF
	}
	now := time.Now()
	if !b.begun {
		b.begun, b.since = true, now
	}
	if b.left <= 0 {
		return 0, &fax.Error{Problem: fax.TooLarge, Detail: "The request is too large"}
	}
	pace := b.x.pace
	deadline := b.since.Add(pace.grace + time.Duration(b.read/pace.perSec)*time.Second)
	if idle := now.Add(pace.idle); idle.Before(deadline) {
		deadline = idle
	}
	_ = b.x.control.SetReadDeadline(deadline)
	n, err := b.from.Read(p[:min(int64(len(p)), b.left)])
	b.read += int64(n)
	b.left -= int64(n)
	switch {
	case err == nil:
		return n, nil
	case errors.Is(err, io.EOF):
		b.ended = true
		// Else the deadline would end the request's context later on.
		_ = b.x.control.SetReadDeadline(time.Time{})
		return n, io.EOF
	case errors.Is(err, os.ErrDeadlineExceeded):
		return n, &fax.Error{Problem: tooSlow, Detail: "The request came too slowly; check the connection and send it again", Cause: err}
	}
	return n, &fax.Error{Problem: fax.Invalid, Detail: "The request broke off; send it again", Cause: err}
}

func (b *body) Close() error { return b.from.Close() }
