package freeswitch

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"time"
)

// Bounds of what is kept of one call. A call of a few pages says 100 KB; the
// verdict and the end are in the last 55.
const (
	tapeHead = 192 << 10
	tapeTail = 64 << 10
)

// tape keeps what is said on a call's connection: how it begins, and how it
// ends. A nil tape keeps nothing.
type tape struct {
	began time.Time
	token string // of the call; it is not shown

	mu         sync.Mutex
	head, tail []Message
	headBytes  int
	tailBytes  int
	lost       int // messages left out between the two
	lostBytes  int
}

func (t *tape) add(fromSwitch bool, data []byte) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	m := Message{FromSwitch: fromSwitch, At: time.Since(t.began), Data: bytes.Clone(data)}
	if t.tail == nil && t.headBytes+cost(m) <= tapeHead {
		t.head = append(t.head, m)
		t.headBytes += cost(m)
		return
	}
	t.tail = append(t.tail, m)
	for t.tailBytes += cost(m); t.tailBytes > tapeTail; t.tail = t.tail[1:] {
		first := t.tail[0]
		t.tailBytes -= cost(first)
		t.lost, t.lostBytes = t.lost+1, t.lostBytes+len(first.Data)
		t.tail[0] = Message{} // the array may live on
	}
}

// cost is about what a message takes of the memory.
func cost(m Message) int { return len(m.Data) + 64 }

// text is the recording, as ReadRecording reads it.
func (t *tape) text() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	var b bytes.Buffer
	block := func(arrow string, at time.Duration, data []byte) {
		fmt.Fprintf(&b, "%s %.3f %d\n%s\n", arrow, at.Seconds(), len(data), data)
	}
	for i, m := range append(t.head[:len(t.head):len(t.head)], t.tail...) {
		if i == len(t.head) && t.lost > 0 {
			block("--", m.At, fmt.Appendf(nil, "%d messages with %d bytes are left out here", t.lost, t.lostBytes))
		}
		block(map[bool]string{true: "<<", false: ">>"}[m.FromSwitch], m.At, t.masked(m.Data))
	}
	return b.Bytes()
}

// masked hides the call's token, and what a dialplan may have put into
// variables: the secret of the result hook, passwords. Nothing gets longer or
// shorter, so that lengths stay true.
func (t *tape) masked(data []byte) []byte {
	data = bytes.Clone(data)
	hide := func(secret []byte) {
		for i := range secret {
			secret[i] = '*'
		}
	}
	for i := 0; t.token != ""; {
		j := bytes.Index(data[i:], []byte(t.token))
		if j < 0 {
			break
		}
		hide(data[i+j:][:len(t.token)])
		i += j + len(t.token)
	}
	for rest := data; len(rest) > 0; {
		var line []byte
		line, rest = cutLine(rest)
		if name, value, ok := bytes.Cut(line, []byte(": ")); ok && secretive(string(name)) {
			hide(value)
		}
	}
	return data
}

// secretive says whether the value of a header is nobody's business.
func secretive(name string) bool {
	name, variable := strings.CutPrefix(strings.ToLower(name), "variable_")
	if !variable {
		return false
	}
	for _, part := range []string{"hook", "password", "secret", "token", "sip_auth"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}

// Recording returns what was said on the connection so far, as ReadRecording
// reads it and with secrets masked; nil when the call is not recorded.
func (c *Call) Recording() []byte {
	if c.reader.tape == nil {
		return nil
	}
	return c.reader.tape.text()
}

// Record has so many calls at once recorded from now on; others are not.
func (l *Listener) Record(calls int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tapes = calls
}

// newTape returns nil when as many as may be are in use.
func (l *Listener) newTape() *tape {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.taping >= l.tapes {
		return nil
	}
	l.taping++
	return &tape{began: time.Now()}
}

func (l *Listener) giveBack(t *tape) {
	if t != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.taping--
	}
}
