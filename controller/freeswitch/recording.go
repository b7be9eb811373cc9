package freeswitch

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"faxbot/events"
)

// Message is one piece of a recorded conversation with a switch.
type Message struct {
	FromSwitch bool
	At         time.Duration // since the beginning
	Data       []byte
}

// maxRecorded bounds one message of a recording.
const maxRecorded = 4 << 20

// ReadRecording reads a recording: each message begins with a line
// "<< SECONDS BYTES" (from the switch) or ">> SECONDS BYTES" (to it), followed
// by exactly that many bytes and a newline. What stands in a message of "--" is a
// remark, and left out.
func ReadRecording(r io.Reader) ([]Message, error) {
	in := bufio.NewReader(r)
	var all []Message
	for {
		line, err := in.ReadString('\n')
		if err == io.EOF && line == "" {
			return all, nil
		}
		var arrow string
		var seconds float64
		var n int
		if _, serr := fmt.Sscanf(line, "%2s %f %d\n", &arrow, &seconds, &n); serr != nil || n < 0 || n > maxRecorded || arrow != "<<" && arrow != ">>" && arrow != "--" {
			return nil, fmt.Errorf("message %d of the recording begins with %.60q; want \"<< SECONDS BYTES\" or \">> SECONDS BYTES\"", len(all)+1, line)
		}
		data := make([]byte, n)
		if _, err := io.ReadFull(in, data); err != nil {
			return nil, fmt.Errorf("message %d of the recording ends too early: %w", len(all)+1, err)
		}
		if c, err := in.ReadByte(); err == nil && c != '\n' {
			return nil, fmt.Errorf("message %d of the recording is longer than its %d bytes", len(all)+1, n)
		}
		if arrow == "--" {
			continue
		}
		all = append(all, Message{FromSwitch: arrow == "<<", At: time.Duration(seconds * float64(time.Second)), Data: data})
	}
}

// Events reads what the switch said in a recording, as a Call or a Link reads
// it, and calls heard for each event in order.
func Events(recording []Message, heard func(events.Event)) error {
	var said bytes.Buffer
	for _, m := range recording {
		if m.FromSwitch {
			said.Write(m.Data)
		}
	}
	limits := Limits{Frames: 1 << 30}.withDefaults()
	for fr := newFrameReader(&said, &limits, nil); ; {
		f, err := fr.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("the recording cannot be read: %w", err)
		}
		block := f.body
		if f.kind() == commandReply && f.header("Event-Name") != nil {
			block = f.head // the answer to connect
		} else if f.kind() != eventPlain {
			continue
		}
		if ev, err := events.Parse(block); err == nil {
			heard(ev)
		}
	}
}
