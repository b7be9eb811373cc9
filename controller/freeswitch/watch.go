package freeswitch

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"faxbot/events"
)

// watch reads what a call says and keeps the watchdog: the read deadline of its
// connection, set anew by each sign of life.
type watch struct {
	call    *Call
	session Session

	answers int  // to commands, so far
	faxing  bool // machines have met
	judged  bool // the fax engine has spoken, or never will
	ended   bool // CHANNEL_HANGUP_COMPLETE was heard
}

// reply returns the text of the next answer to a command, passing events on
// that come before it. Answers come in the order of the commands; "-ERR …" is
// one, and so is silence.
func (w *watch) reply() (string, error) { return w.replyWithin(w.call.limits.Handshake) }

// fetched returns where the switch has put the TIFF that it was told to fetch.
func (w *watch) fetched(fax Fax) (string, error) {
	answer, err := w.replyWithin(w.call.timers.Fetch)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		answer = "no answer within " + w.call.timers.Fetch.String()
	} else if err != nil {
		return "", err
	}
	path := strings.TrimSpace(answer)
	if err == nil && path != "" && !strings.HasPrefix(path, "-") && !strings.ContainsAny(path, "\r\n") {
		return path, nil
	}
	fax.Unfetched(path)
	return "", fmt.Errorf("the switch did not fetch the TIFF: %.80q", path)
}

func (w *watch) replyWithin(d time.Duration) (string, error) {
	w.call.arm(d)
	for {
		f, err := w.call.reader.next()
		if err != nil {
			return "", fmt.Errorf("waiting for answer %d: %w", w.answers+1, err)
		}
		var answer string
		switch f.kind() {
		case commandReply:
			answer = string(f.header("Reply-Text"))
		case apiResponse:
			answer = string(f.body)
		default:
			w.tell(f)
			continue
		}
		if w.answers++; !w.call.isHangup(w.answers) {
			return answer, nil
		}
	}
}

// toTheEnd listens until the call has ended. When the watchdog expires it hangs
// the call up, once, and listens on for the verdict.
func (w *watch) toTheEnd() error {
	w.arm()
	for !w.ended {
		err := w.call.reader.await()
		if err == nil {
			err = w.heed()
		}
		switch {
		case err == nil:
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return err
		case !w.call.hangup() && w.call.overdue():
			return ErrStalled
		}
	}
	return nil
}

func (w *watch) heed() error {
	f, err := w.call.reader.read()
	if err == nil {
		w.tell(f)
	}
	return err
}

// arm sets the watchdog by what is known of the call.
func (w *watch) arm() {
	timers := w.call.timers
	switch {
	case w.judged:
		w.call.arm(timers.Result)
	case w.faxing:
		w.call.arm(timers.Page)
	default:
		w.call.arm(timers.Negotiation)
	}
}

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
	switch ev := ev.(type) {
	case *events.Negotiated, *events.PageConfirmed:
		w.faxing = true
		if !w.judged {
			w.arm()
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
		w.arm()
	}
}
