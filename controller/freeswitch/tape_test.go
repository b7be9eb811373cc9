package freeswitch

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"
)

// A tape keeps the beginning and the end of a long call, and says what it left
// out; no secret is on it.
func TestTape(t *testing.T) {
	tp := &tape{began: time.Now(), token: "00ff00ff"}
	tp.add(false, []byte("connect\n\n"))
	tp.add(true, []byte("variable_faxbot_token: 00ff00ff\nvariable_api_hangup_hook: curl%20sesame\r\nvariable_sip_auth_password: sesame\nOther: 00ff00ff sesam\n\n"))
	const events = 1000
	for i := range events {
		tp.add(true, fmt.Appendf(nil, "Event: %d\n%s\n\n", i, strings.Repeat("x", 5000)))
	}
	held := 0
	for _, m := range append(tp.head, tp.tail...) {
		held += cost(m)
	}
	text := tp.text()
	if held > tapeHead+tapeTail || len(text) > tapeHead+tapeTail {
		t.Errorf("%d bytes are held, %d written", held, len(text))
	}
	all, err := ReadRecording(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if all[0].FromSwitch || string(all[0].Data) != "connect\n\n" {
		t.Errorf("%q", all[0].Data)
	}
	const masked = "variable_faxbot_token: ********\nvariable_api_hangup_hook: *************\r\nvariable_sip_auth_password: ******\nOther: ******** sesam\n\n"
	if string(all[1].Data) != masked {
		t.Errorf("%s", all[1].Data)
	}
	var kept int
	for i, m := range all[2:] {
		var n int
		if _, err := fmt.Sscanf(string(m.Data), "Event: %d\n", &n); err != nil {
			t.Fatal(err)
		}
		if i == 0 && n != 0 || i == len(all)-3 && n != events-1 {
			t.Errorf("message %d is event %d", i, n)
		}
		kept++
	}
	if want := fmt.Sprintf("\n%d messages with ", events-kept); kept == events || !bytes.Contains(text, []byte(want)) {
		t.Errorf("%d of %d events are kept, and it is not said", kept, events)
	}
}

// More calls than may be are not recorded, until one of those has ended.
func TestTapesAreCounted(t *testing.T) {
	l := &Listener{}
	if l.newTape() != nil {
		t.Error("nobody asked for it")
	}
	l.Record(2)
	first, second := l.newTape(), l.newTape()
	if first == nil || second == nil || l.newTape() != nil {
		t.Error("not two tapes")
	}
	l.giveBack(nil) // of a call that was not recorded
	l.giveBack(first)
	if l.newTape() == nil || l.newTape() != nil {
		t.Error("a tape that was given back is not used again")
	}
}
