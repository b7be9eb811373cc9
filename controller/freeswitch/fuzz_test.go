package freeswitch

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/textproto"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"faxbot/events"
)

// addMessages makes every kind of message of the recordings a seed.
func addMessages(f *testing.F, add func(message []byte)) {
	f.Helper()
	seen := map[string]bool{}
	for _, path := range recordings(f) {
		for _, m := range frames(f, bytes.Join(switchSaid(f, path), nil)) {
			name := string((frame{head: m}).header("Event-Name")) + (frame{head: m}).kind()
			if _, body, ok := bytes.Cut(m, []byte("\n\n")); ok {
				name += string((frame{head: body}).header("Event-Name")) + string((frame{head: body}).header("Event-Subclass"))
			}
			if !seen[name] {
				seen[name] = true
				add(m)
			}
		}
	}
}

// Whatever bytes come, in whatever packets: the same messages, within the
// limits, and no byte of them that was not sent.
func FuzzFrames(f *testing.F) {
	addMessages(f, func(m []byte) { f.Add(m) })
	f.Add([]byte(reply("+OK") + answer("") + event("X") + "\r\n\n"))
	f.Add([]byte("Content-Length: 5\r\n\r\nab"))
	limits := Limits{HeadBytes: 9000, HeadLines: 250, BodyBytes: 12000, Frames: 50}.withDefaults()
	f.Fuzz(func(t *testing.T, b []byte) {
		type message struct{ head, body string }
		read := func(r io.Reader) (all []message, err error) {
			fr := newFrameReader(r, &limits, nil)
			for {
				f, err := fr.next()
				if err != nil {
					return all, err
				}
				all = append(all, message{string(f.head), string(f.body)})
			}
		}
		whole, err := read(bytes.NewReader(b))
		var r *refusal
		if err != io.EOF && err != io.ErrUnexpectedEOF && !errors.As(err, &r) {
			t.Fatalf("%v", err)
		}
		total := 0
		for _, m := range whole {
			if len(m.head) > limits.HeadBytes || strings.Count(m.head, "\n") > limits.HeadLines || len(m.body) > limits.BodyBytes {
				t.Fatalf("beyond the limits: %d, %d", len(m.head), len(m.body))
			}
			total += len(m.head) + len(m.body)
		}
		if total > len(b) || len(whole) > limits.Frames {
			t.Fatalf("%d bytes in %d messages, of %d", total, len(whole), len(b))
		}
		for how, r := range map[string]io.Reader{
			"byte by byte": iotest.OneByteReader(bytes.NewReader(b)),
			"in halves":    iotest.HalfReader(bytes.NewReader(b)),
		} {
			// What is cut off for may be noticed earlier in a smaller piece.
			got, pieceErr := read(r)
			if !reflect.DeepEqual(got, whole) || (pieceErr == nil) != (err == nil) {
				t.Fatalf("%s: %d messages, %v; in one piece %d, %v", how, len(got), pieceErr, len(whole), err)
			}
		}
	})
}

// Where the standard library reads a head, we find the same values.
func FuzzHeader(f *testing.F) {
	addMessages(f, func(m []byte) {
		head, body, _ := bytes.Cut(m, []byte("\n\n"))
		f.Add(head, "content-length")
		f.Add(body, "unique-id")
	})
	f.Fuzz(func(t *testing.T, head []byte, name string) {
		got := (frame{head: head}).header(name)
		if len(got) > len(head) {
			t.Fatalf("%q is longer than the head", got)
		}
		want, err := textproto.NewReader(bufio.NewReader(io.MultiReader(bytes.NewReader(head), strings.NewReader("\r\n\r\n")))).ReadMIMEHeader()
		if err != nil || bytes.Contains(head, []byte("\n ")) || bytes.Contains(head, []byte("\n\t")) || bytes.Contains(head, []byte("\n\n")) || bytes.Contains(head, []byte("\n\r")) {
			return // folded lines are unknown to FreeSWITCH; a head has no blank line
		}
		for key, values := range want {
			if strings.EqualFold(key, name) && strings.Trim(values[0], " \t\r") != strings.Trim(string(got), " \t\r") {
				t.Fatalf("%s is %q; the standard library says %q", name, got, values[0])
			}
		}
	})
}

// knock admits whoever knows the token, and remembers whom.
type knock struct{ said *events.Connected }

const secretToken = "5f4dcc3b5aa765d61d8327deb882cf99"

func (k *knock) Admit(_ *Call, said *events.Connected) Session {
	if said.Token != secretToken {
		return nil
	}
	k.said = said
	return &guest{gone: make(chan error, 1)}
}

// Whoever is admitted has said the token and a uuid that can be put into a
// command, in one answer to connect within the limits.
func FuzzHandshake(f *testing.F) {
	f.Add([]byte(strings.Replace(hello(callID), "token: t", "token: "+secretToken, 1)))
	f.Add([]byte(strings.Replace(hello("%0a%0aapi"), "token: t", "token: "+secretToken, 1)))
	f.Add([]byte(hello(callID)))
	for _, path := range recordings(f) {
		connect, _ := bare(f, path)
		f.Add(bytes.Replace(connect, []byte("\n"), []byte("\nvariable_faxbot_token: "+secretToken+"\n"), 1))
	}
	limits := Limits{}.withDefaults()
	timers := Timers{}.withDefaults()
	f.Fuzz(func(t *testing.T, b []byte) {
		conn := &script{Reader: bytes.NewReader(b)}
		c := &Call{conn: conn, limits: &limits, timers: &timers, reader: newFrameReader(conn, &limits, nil)}
		var k knock
		session, err := c.introduce(&k)
		if (session == nil) == (err == nil) {
			t.Fatalf("session %v, error %v", session, err)
		}
		if session == nil {
			return
		}
		if !bytes.Contains(b, []byte("variable_faxbot_token:")) || k.said.UUID == "" || strings.ContainsAny(k.said.UUID, "\r\n ") || !k.said.Async || !k.said.Full {
			t.Fatalf("admitted as %+v", k.said)
		}
		if got := conn.said.String(); got != "connect\n\n" {
			t.Fatalf("said %q", got)
		}
	})
}
