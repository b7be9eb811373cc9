package freeswitch

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"faxbot/events"
)

var unlimited = Limits{Frames: 1 << 30}.withDefaults()

// heard reads everything and returns the events, as text that compares.
func heard(tb testing.TB, r io.Reader, limits Limits) (all []string, err error) {
	tb.Helper()
	fr := newFrameReader(r, &limits, nil)
	for {
		f, err := fr.next()
		if err != nil {
			return all, err
		}
		block := f.body
		if f.kind() != eventPlain {
			block = f.head
		}
		ev, err := events.Parse(block)
		if err != nil {
			body := bytes.ReplaceAll(f.body, []byte("\r\n"), []byte("\n"))
			all = append(all, fmt.Sprintf("%s %q %q", f.kind(), f.header("Reply-Text"), body))
			continue
		}
		all = append(all, fmt.Sprintf("%T %+v", ev, ev))
	}
}

// However the switch's bytes are cut into packets, the same is heard.
func TestPacketsMeanNothing(t *testing.T) {
	t.Parallel()
	for _, path := range recordings(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			whole := bytes.Join(switchSaid(t, path), nil)
			want, err := heard(t, bytes.NewReader(whole), unlimited)
			if err != io.EOF || len(want) < 5 {
				t.Fatalf("%d messages, %v", len(want), err)
			}
			check := func(how string, r io.Reader) {
				t.Helper()
				if got, err := heard(t, r, unlimited); err != io.EOF || !reflect.DeepEqual(got, want) {
					t.Fatalf("%s: %d messages of %d, %v", how, len(got), len(want), err)
				}
			}
			check("byte by byte", iotest.OneByteReader(bytes.NewReader(whole)))
			check("with the end of the stream", iotest.DataErrReader(bytes.NewReader(whole)))
			check("over TCP", overTCP(t, whole, 1021))
			check("with CR LF", iotest.HalfReader(bytes.NewReader(withCRLF(t, whole))))
		})
	}
}

// A cut can only matter to the message that it cuts and to the next one, so
// each kind of message, with a short one behind it, is cut at every byte.
func TestEverySplit(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, path := range recordings(t) {
		for i, first := range frames(t, bytes.Join(switchSaid(t, path), nil)) {
			_, body, _ := bytes.Cut(first, []byte("\n\n"))
			ev, _ := events.Parse(body)
			kind := fmt.Sprintf("%T %s", ev, (frame{head: first}).kind())
			if seen[kind] {
				continue
			}
			seen[kind] = true
			both := append(bytes.Clone(first), reply("+OK")...)
			want, _ := heard(t, bytes.NewReader(both), unlimited)
			if len(want) != 2 {
				t.Fatalf("%q", want)
			}
			for cut := range both {
				r := io.MultiReader(bytes.NewReader(both[:cut]), bytes.NewReader(both[cut:]))
				if got, err := heard(t, r, unlimited); err != io.EOF || !reflect.DeepEqual(got, want) {
					t.Fatalf("%s, message %d, cut at byte %d: %q, %v", path, i+1, cut, got, err)
				}
			}
		}
	}
	if len(seen) < 12 {
		t.Errorf("only %d kinds of messages in the recordings", len(seen))
	}
}

// frames cuts what a switch said into its messages.
func frames(tb testing.TB, said []byte) (all [][]byte) {
	tb.Helper()
	for len(said) > 0 {
		end := bytes.Index(said, []byte("\n\n")) + 2
		if end < 2 {
			break
		}
		if v := (frame{head: said[:end]}).header("Content-Length"); v != nil {
			n, err := strconv.Atoi(string(v))
			if err != nil {
				tb.Fatal(err)
			}
			end += n
		}
		all = append(all, said[:end])
		said = said[end:]
	}
	return all
}

// withCRLF ends every line of every head with CR LF, and every line of an
// event too.
func withCRLF(tb testing.TB, said []byte) []byte {
	tb.Helper()
	var out bytes.Buffer
	for _, f := range frames(tb, said) {
		head, body, _ := bytes.Cut(f, []byte("\n\n"))
		body = bytes.ReplaceAll(body, []byte("\n"), []byte("\r\n"))
		for line := range strings.Lines(string(head) + "\n") {
			line = strings.TrimSuffix(line, "\n")
			if strings.HasPrefix(line, "Content-Length:") {
				line = fmt.Sprintf("Content-Length: %d", len(body))
			}
			out.WriteString(line + "\r\n")
		}
		out.WriteString("\r\n")
		out.Write(body)
	}
	return out.Bytes()
}

// overTCP sends b over a real connection, in packets of that many bytes.
func overTCP(tb testing.TB, b []byte, packet int) net.Conn {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	out, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		tb.Fatal(err)
	}
	in, err := l.Accept()
	if err != nil {
		tb.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		defer out.Close()
		for len(b) > 0 {
			n := min(packet, len(b))
			if _, err := out.Write(b[:n]); err != nil {
				done <- err
				return
			}
			b = b[n:]
		}
		done <- nil
	}()
	tb.Cleanup(func() {
		in.Close()
		<-done
	})
	return in
}

// What a peer can do wrong, and the reason it is cut off for.
func TestHostileFrames(t *testing.T) {
	t.Parallel()
	limits := Limits{HeadBytes: 2000, HeadLines: 20, BodyBytes: 3000, Frames: 5}.withDefaults()
	ok := "Content-Type: command/reply\nReply-Text: +OK\n\n"
	for name, c := range map[string]struct {
		said string
		want Reason
	}{
		"head without end":                {strings.Repeat("x", 1<<16), HeadTooLarge},
		"lines without end":               {strings.Repeat("a: b\n", 1<<14), HeadTooLarge},
		"head one byte too long":          {"a: " + strings.Repeat("x", 2000-3) + "\n\n", HeadTooLarge},
		"too many lines":                  {strings.Repeat("a: b\n", 21) + "\n", TooManyLines},
		"body too large":                  {"Content-Length: 3001\n\n", BodyTooLarge},
		"length beyond any number":        {"Content-Length: 99999999999999999999999999\n\n", BodyTooLarge},
		"negative length":                 {"Content-Length: -1\n\n", Malformed},
		"length in hexadecimal":           {"Content-Length: 0x10\n\n", Malformed},
		"length with a plus sign":         {"Content-Length: +1\n\n", Malformed},
		"empty length":                    {"Content-Length:\n\n", Malformed},
		"more messages than the limit":    {strings.Repeat(ok, 6), TooFast},
		"lengths that contradict, first":  {"Content-Length: -5\nContent-Length: 0\n\n", Malformed},
		"a length that only claims to be": {"content-length: 1 1\n\n", Malformed},
	} {
		_, err := heard(t, strings.NewReader(c.said), limits)
		var r *refusal
		if !errors.As(err, &r) || r.reason != c.want {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	for name, c := range map[string]struct {
		said string
		want error
	}{
		"nothing":                    {"", io.EOF},
		"blank lines":                {"\n\r\n\n", io.EOF},
		"the limit of everything":    {strings.Repeat(ok, 5), io.EOF},
		"head of the longest kind":   {"a: " + strings.Repeat("x", 2000-4) + "\n\n", io.EOF},
		"as many lines as may be":    {strings.Repeat("a: b\n", 20) + "\n", io.EOF},
		"body of the longest kind":   {"Content-Length: 3000\n\n" + strings.Repeat("\n", 3000), io.EOF},
		"unknown type":               {"Content-Type: text/unheard-of\nContent-Length: 3\n\nabc" + ok, io.EOF},
		"no type, no colon, no name": {"hello\n: world\n:\n\n" + ok, io.EOF},
		"cut in the head":            {"Content-Type: comm", io.ErrUnexpectedEOF},
		"cut before the blank line":  {"Content-Type: command/reply\n", io.ErrUnexpectedEOF},
		"cut in the body":            {"Content-Length: 4\n\nabc", io.ErrUnexpectedEOF},
	} {
		if _, err := heard(t, strings.NewReader(c.said), limits); err != c.want {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// A length that is announced, and not sent, costs nothing.
func TestAnnouncedLengthCostsNothing(t *testing.T) {
	t.Parallel()
	limits := Limits{BodyBytes: 1 << 30}.withDefaults()
	fr := newFrameReader(strings.NewReader("Content-Length: 1000000000\n\nshort"), &limits, nil)
	if _, err := fr.next(); err != io.ErrUnexpectedEOF {
		t.Fatal(err)
	}
	if len(fr.buf) > 2*bufferSize {
		t.Errorf("%d bytes were set aside", len(fr.buf))
	}
}

func TestHeader(t *testing.T) {
	t.Parallel()
	f := frame{head: []byte("Content-Type: text/event-plain\r\nX: 1\nx: 2\nEmpty:\nNo-Space:v\nX-Long: 3\n: nameless\n")}
	for name, want := range map[string]string{
		"content-type": "text/event-plain", "X": "1", "Empty": "", "No-Space": "v", "x-long": "3",
	} {
		if got := f.header(name); got == nil || string(got) != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got := f.header("Missing"); got != nil {
		t.Errorf("a header that is not there: %q", got)
	}
}

// A connection that waits holds no buffer, also after a large message.
func TestQuietConnectionHoldsNoBuffer(t *testing.T) {
	t.Parallel()
	large := fmt.Sprintf("Content-Length: %d\n\n%s", 5*bufferSize, strings.Repeat("x", 5*bufferSize))
	fr := newFrameReader(strings.NewReader(large), &unlimited, nil)
	if _, err := fr.next(); err != nil {
		t.Fatal(err)
	}
	if _, err := fr.next(); err != io.EOF {
		t.Fatal(err)
	}
	if len(fr.buf) > bufferSize {
		t.Errorf("%d bytes are held", len(fr.buf))
	}
}

// The most that reading one event may allocate.
const maxAllocs = 6

func TestReaderAllocations(t *testing.T) {
	event := hangupComplete(t)
	const n = 200
	fr := newFrameReader(overTCP(t, bytes.Repeat(event, n+1), 1<<20), &unlimited, nil)
	got := testing.AllocsPerRun(n-1, func() {
		f, err := fr.next()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := events.Parse(f.body); err != nil {
			t.Fatal(err)
		}
	})
	if got > maxAllocs {
		t.Errorf("%.1f allocations for a CHANNEL_HANGUP_COMPLETE; at most %d", got, maxAllocs)
	}
}
