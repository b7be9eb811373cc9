package freeswitch

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"syscall"
	"time"
)

// frame is one message of the event socket protocol: a head of "Name: value"
// lines up to a blank one, and as many bytes of body as its Content-Length
// says. Both are slices of the reader's buffer and die with the next call of
// next.
type frame struct {
	head, body []byte
}

// header returns the value of the first header of that name, not unescaped;
// nil when there is none, and not nil when it is empty. Heads of frames are short, except the reply to
// "connect", which events.Parse reads.
func (f frame) header(name string) []byte {
	for rest := f.head; len(rest) > 0; {
		var line []byte
		line, rest = cutLine(rest)
		if len(line) > len(name) && line[len(name)] == ':' && bytes.EqualFold(line[:len(name)], []byte(name)) {
			value := bytes.TrimLeft(line[len(name)+1:], " \t")
			return line[len(line)-len(value):]
		}
	}
	return nil
}

// kind returns the Content-Type.
func (f frame) kind() string {
	// The switch's own words need no allocation.
	switch v := f.header("Content-Type"); string(v) {
	case eventPlain:
		return eventPlain
	case commandReply:
		return commandReply
	case apiResponse:
		return apiResponse
	case disconnectNotice:
		return disconnectNotice
	default:
		return string(v)
	}
}

const (
	eventPlain       = "text/event-plain"
	commandReply     = "command/reply"
	apiResponse      = "api/response"
	disconnectNotice = "text/disconnect-notice"
	authRequest      = "auth/request"
)

func cutLine(b []byte) (line, rest []byte) {
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		line, rest = b[:i], b[i+1:]
	} else {
		line = b
	}
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	return line, rest
}

// frameReader reads frames off a connection or a recording. It owns a buffer only while bytes
// of an unfinished frame are in it: a connection that waits holds none.
//
// A frameReader belongs to one goroutine.
type frameReader struct {
	src    io.Reader
	raw    syscall.RawConn // nil when src has no file descriptor
	ready  func(fd uintptr) bool
	limits *Limits
	count  func() // called for each frame
	tape   *tape  // nil when the call is not recorded

	buf  []byte // from buffers, or larger; nil while nothing is pending
	r, w int    // buf[r:w] is unread
	seen int    // buf[r:r+seen] holds no end of head
	got  int    // what readOnce read
	err  error  // and why it failed

	tokens float64 // of the bucket behind Limits.Frames
	filled time.Time
}

// bufferSize holds every message of an ordinary fax call whole.
const bufferSize = 16 << 10

var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

func newFrameReader(src io.Reader, limits *Limits, count func()) *frameReader {
	fr := &frameReader{src: src, limits: limits, count: count, tokens: float64(limits.Frames), filled: time.Now()}
	if sc, ok := src.(syscall.Conn); ok {
		fr.raw, _ = sc.SyscallConn()
		fr.ready = fr.readOnce
	}
	return fr
}

// next returns the next frame, waiting for it under the connection's read
// deadline. Errors of the peer are *refusal; the end of the stream is io.EOF
// between frames and io.ErrUnexpectedEOF within one.
func (fr *frameReader) next() (frame, error) {
	if err := fr.await(); err != nil {
		return frame{}, err
	}
	return fr.read()
}

// await waits for the first byte of a frame. It is where quiet calls spend
// their lives, so it and its callers keep their stacks small.
func (fr *frameReader) await() error {
	// Blank lines between messages are tolerated, as mod_event_socket does.
	for {
		for fr.r < fr.w && (fr.buf[fr.r] == '\n' || fr.buf[fr.r] == '\r') {
			fr.r++
		}
		if fr.r < fr.w {
			return nil
		}
		if err := fr.fill(1); err != nil {
			return err
		}
	}
}

// read reads the frame that has begun.
func (fr *frameReader) read() (frame, error) {
	headLen, sep, err := fr.readHead()
	if err != nil {
		return frame{}, err
	}
	f := frame{head: fr.buf[fr.r : fr.r+headLen]}
	n, err := contentLength(f.header("Content-Length"), fr.limits.BodyBytes)
	if err != nil {
		return frame{}, err
	}
	total := headLen + sep + n
	if err := fr.need(total); err != nil {
		return frame{}, err
	}
	f.head = fr.buf[fr.r : fr.r+headLen]
	f.body = fr.buf[fr.r+headLen+sep : fr.r+total]
	fr.tape.add(true, fr.buf[fr.r:fr.r+total])
	fr.r += total
	fr.seen = 0
	if !fr.allow() {
		return frame{}, &refusal{TooFast, fmt.Sprintf("more than %d messages per second", fr.limits.Frames)}
	}
	if fr.count != nil {
		fr.count()
	}
	return f, nil
}

// readHead fills the buffer until it holds a whole head, and returns its
// length (with the last line's end) and the length of the blank line.
func (fr *frameReader) readHead() (head, blank int, err error) {
	for {
		b := fr.buf[fr.r:fr.w]
		if head, blank = endOfHead(b, fr.seen); blank > 0 {
			if head > fr.limits.HeadBytes {
				break
			}
			if n := bytes.Count(b[:head], []byte{'\n'}); n > fr.limits.HeadLines {
				return 0, 0, &refusal{TooManyLines, fmt.Sprintf("a head of %d lines; %d are allowed", n, fr.limits.HeadLines)}
			}
			return head, blank, nil
		}
		if len(b) > fr.limits.HeadBytes {
			break
		}
		fr.seen = max(len(b)-3, 0)
		if err := fr.fill(len(b) + 1); err != nil {
			return 0, 0, err
		}
	}
	return 0, 0, &refusal{HeadTooLarge, fmt.Sprintf("a head of more than %d bytes", fr.limits.HeadBytes)}
}

// endOfHead finds the blank line in b, which has none before from. Lines end
// with LF or CR LF.
func endOfHead(b []byte, from int) (head, blank int) {
	for i := from; i < len(b); {
		j := bytes.IndexByte(b[i:], '\n')
		if j < 0 {
			break
		}
		i += j + 1
		switch rest := b[i:]; {
		case len(rest) > 0 && rest[0] == '\n':
			return i, 1
		case len(rest) > 1 && rest[0] == '\r' && rest[1] == '\n':
			return i, 2
		}
	}
	return 0, 0
}

func contentLength(v []byte, limit int) (int, error) {
	if v == nil {
		return 0, nil
	}
	n := 0
	for _, c := range v {
		if c < '0' || c > '9' {
			return 0, &refusal{Malformed, fmt.Sprintf("Content-Length %.20q", v)}
		}
		if n = n*10 + int(c-'0'); n > limit {
			return 0, &refusal{BodyTooLarge, fmt.Sprintf("a body of more than %d bytes", limit)}
		}
	}
	if len(v) == 0 {
		return 0, &refusal{Malformed, "empty Content-Length"}
	}
	return n, nil
}

// need fills the buffer until n unread bytes are in it.
func (fr *frameReader) need(n int) error {
	for have := fr.w - fr.r; have < n; have = fr.w - fr.r {
		// A length that is only announced costs no memory yet.
		if err := fr.fill(min(n, max(2*have, bufferSize))); err != nil {
			return err
		}
	}
	return nil
}

// fill reads once, into a buffer that has room for n unread bytes.
func (fr *frameReader) fill(n int) error {
	if fr.r == fr.w {
		fr.release()
	}
	fr.reserve(n)
	var got int
	var err error
	if fr.raw == nil {
		if fr.buf == nil {
			fr.buf = buffers.Get().(*[bufferSize]byte)[:]
		}
		got, err = fr.src.Read(fr.buf[fr.w:])
	} else {
		got, err = fr.readReady()
	}
	fr.w += got
	if got > 0 {
		return nil
	}
	if err == io.EOF && fr.r < fr.w {
		err = io.ErrUnexpectedEOF
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// readReady waits until the connection is readable and only then takes a
// buffer, so that thousands of quiet calls cost no memory.
func (fr *frameReader) readReady() (int, error) {
	if err := fr.raw.Read(fr.ready); err != nil {
		return 0, err
	}
	if fr.err == nil && fr.got <= 0 {
		return 0, io.EOF
	}
	return max(fr.got, 0), fr.err
}

// readOnce reads what there is; false when there is nothing yet. It is made a
// value once, since a closure for each read would cost more than the read.
func (fr *frameReader) readOnce(fd uintptr) bool {
	borrowed := fr.buf == nil
	if borrowed {
		fr.buf = buffers.Get().(*[bufferSize]byte)[:]
	}
	for {
		fr.got, fr.err = syscall.Read(int(fd), fr.buf[fr.w:])
		if fr.err != syscall.EINTR {
			break
		}
	}
	if fr.err == syscall.EAGAIN {
		if borrowed {
			fr.release()
		}
		return false
	}
	return true
}

// reserve makes room for n unread bytes, moving or growing the buffer only
// when it must. A buffer of another size than the pool's is dropped once it is
// empty.
func (fr *frameReader) reserve(n int) {
	if fr.buf == nil {
		return // the pool's size will do
	}
	if len(fr.buf)-fr.r >= n && fr.w < len(fr.buf) {
		return
	}
	unread := fr.buf[fr.r:fr.w]
	if n > len(fr.buf) || len(unread) == len(fr.buf) {
		larger := make([]byte, max(n, len(unread)+bufferSize))
		copy(larger, unread)
		fr.putBack()
		fr.buf = larger
	} else {
		copy(fr.buf, unread)
	}
	fr.r, fr.w = 0, len(unread)
}

// release gives the buffer up; nothing unread may be in it.
func (fr *frameReader) release() {
	fr.putBack()
	fr.buf, fr.r, fr.w, fr.seen = nil, 0, 0, 0
}

func (fr *frameReader) putBack() {
	if len(fr.buf) == bufferSize {
		buffers.Put((*[bufferSize]byte)(fr.buf))
	}
}

// allow takes a token of the bucket behind Limits.Frames.
func (fr *frameReader) allow() bool {
	if fr.tokens < 1 {
		now := time.Now()
		perSecond := float64(fr.limits.Frames)
		fr.tokens = min(perSecond, fr.tokens+now.Sub(fr.filled).Seconds()*perSecond)
		fr.filled = now
		if fr.tokens < 1 {
			return false
		}
	}
	fr.tokens--
	return true
}
