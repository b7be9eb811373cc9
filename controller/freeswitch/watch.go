package freeswitch

import (
	"errors"
	"os"
	"time"

	"faxbot/events"
)

// watch reads what a call says and keeps the watchdog: the read deadline of its
// connection, set anew by each sign of life.
type watch struct {
	call    *Call
	session Session

	faxing bool // machines have met
	judged bool // the fax engine has spoken
	hung   bool // a watchdog has hung the call up
	ended  bool // CHANNEL_HANGUP_COMPLETE was heard
}

// reply returns the text of the next answer to a command, passing events on
// that come before it. Answers come in the order of the commands.
func (w *watch) reply() (string, error) {
	w.call.conn.SetReadDeadline(time.Now().Add(w.call.limits.Handshake))
	for {
		f, err := w.call.reader.next()
		if err != nil {
			return "", err
		}
		switch f.kind() {
		case commandReply:
			return string(f.header("Reply-Text")), nil
		case apiResponse:
			return string(f.body), nil
		default:
			w.tell(f)
		}
	}
}

// toTheEnd listens until the call has ended. When a watchdog expires it hangs
// the call up, once, and listens on for the verdict.
func (w *watch) toTheEnd() error {
	w.arm(w.call.timers.Negotiation)
	for !w.ended {
		f, err := w.call.reader.next()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			if w.hung {
				return ErrStalled
			}
			w.hung = true
			w.call.hangup()
			w.arm(w.call.timers.Hangup)
			continue
		}
		if err != nil {
			return err
		}
		w.tell(f)
	}
	return nil
}

func (w *watch) arm(d time.Duration) { w.call.conn.SetReadDeadline(time.Now().Add(d)) }

// tell passes an event on and sets the watchdog by it. Messages of unknown
// type, broken events and events of other channels are passed over; a
// disconnect notice is not the end of the stream.
func (w *watch) tell(f frame) {
	if f.kind() != eventPlain {
		return
	}
	ev, err := events.Parse(f.body)
	if err != nil || ev.Call() != w.call.uuid {
		return
	}
	w.session.Event(ev)
	timers := w.call.timers
	switch ev := ev.(type) {
	case *events.Negotiated, *events.PageConfirmed:
		w.faxing = true
		if !w.judged && !w.hung {
			w.arm(timers.Page)
		}
	case *events.ApplicationEnded:
		// txfax may also return without the engine having started; either way
		// there is nothing more to wait for.
		if ev.Application == "txfax" {
			w.verdict()
		}
	case *events.FaxEnded, *events.Hangup:
		// Upstream issue 3044: the channel can stay up for minutes after this.
		w.verdict()
	case *events.CallEnded:
		w.ended = true
	}
}

func (w *watch) verdict() {
	if !w.judged {
		w.judged = true
		if !w.hung {
			w.arm(w.call.timers.Result)
		}
	}
}
