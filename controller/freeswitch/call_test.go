package freeswitch

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"faxbot/events"
)

// Answers come in the order of the commands, with events before, between and
// after them, and one of the answers is a refusal, another is silence.
func TestAnswersInOrderWhileEventsInterleave(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Limits{}, Timers{})
	var mu sync.Mutex
	var refusals []string
	h.fax.Before = []string{"one", "two", "three"}
	h.fax.Refused = func(command, answer string) {
		mu.Lock()
		defer mu.Unlock()
		refusals = append(refusals, command+": "+answer)
	}
	p, g := h.connect()
	page := event("CUSTOM", "Event-Subclass: spandsp%3A%3Atxfaxpageresult", uuidOf(callID), "fax-document-transferred-pages: 1")
	p.say(page, reply("+OK"), page, reply("+OK"), reply("+OK"), page)
	for _, command := range h.fax.Before {
		p.hear("api " + command)
	}
	if got := p.hear("sendmsg"); !strings.Contains(got, "execute-app-name: txfax\nexecute-app-arg: /fax/1.tif\n") {
		t.Fatalf("%q", got)
	}
	p.say(page, answer("+OK\n"), page, answer("-ERR No such channel!\n"), answer(""), page, reply("+OK"), theEnd())
	p.hear("exit")
	g.want(nil, "PageConfirmed", "PageConfirmed", "PageConfirmed", "PageConfirmed", "PageConfirmed", "PageConfirmed", "CallEnded")
	mu.Lock()
	defer mu.Unlock()
	if want := []string{"two: -ERR No such channel!", "three: "}; !reflect.DeepEqual(refusals, want) {
		t.Errorf("refused: %q, want %q", refusals, want)
	}
}

// Whatever is not an event of this call, in a form that can be read, is passed
// over: messages of unknown type, notices (which come twice), events of other
// calls and broken ones.
func TestNoiseIsPassedOver(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Limits{}, Timers{})
	p, g := h.connect()
	noise := "Content-Type: text/disconnect-notice\nContent-Disposition: linger\nContent-Length: 0\n\n" +
		"Content-Type: text/disconnect-notice\nContent-Length: 67\n\nDisconnected, goodbye.\nSee you at ClueCon! http://www.cluecon.com/\n" +
		"Content-Type: text/unheard-of\nContent-Length: 4\n\n\n\n\n\n" +
		"Content-Type: log/data\nContent-Length: 2\n\nhi" +
		"no type at all\n\n" + "\n\r\n" +
		event("CHANNEL_HANGUP_COMPLETE", uuidOf(stranger)) +
		event("CHANNEL_HANGUP_COMPLETE") +
		event("CHANNEL_HANGUP_COMPLETE", "Unique-ID: %zz"+callID) +
		"Content-Length: 7\nContent-Type: text/event-plain\n\nrubbish" +
		"Content-Length: 0\nContent-Type: text/event-plain\n\n"
	p.say(noise, reply("+OK"), noise, reply("+OK"), noise, reply("+OK"))
	p.hear("sendmsg")
	p.say(noise, reply("+OK"), noise, theEnd())
	p.hear("exit")
	g.want(nil, "CallEnded")
}

// A switch may close right after its last word, with our commands unread.
func TestNothingIsLostWhenThePeerClosesAtOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Limits{}, Timers{})
	for range 50 {
		p, g := h.connect()
		fax := event("CUSTOM", "Event-Subclass: spandsp%3A%3Atxfaxresult", uuidOf(callID), "fax-success: 1")
		p.say(subscribed, reply("+OK"), fax, theEnd())
		p.conn.Close()
		g.want(nil, "FaxEnded", "CallEnded")
	}
}

// A call that ends before it is our turn is heard out, too.
func TestCallerIsQuicker(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Limits{}, Timers{})
	p, g := h.connect()
	p.say(theEnd(), subscribed)
	p.hear("exit")
	g.want(nil, "CallEnded")

	p = h.dial()
	p.say("Content-Type: text/disconnect-notice\nContent-Length: 0\n\n", hello(callID))
	g = <-h.calls
	p.conn.CloseWrite()
	p.hear("connect")
	g.want(io.EOF)
}

// A cut connection is not the end of a call.
func TestCutConnection(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Limits{}, Timers{})
	for said, want := range map[string]error{
		"":                         io.EOF,
		"Content-Length: 5\n\nabc": io.ErrUnexpectedEOF,
		"Content-Type: text/ev":    io.ErrUnexpectedEOF,
		event("CHANNEL_HANGUP", uuidOf(stranger)): io.EOF,
	} {
		p, g := h.connect()
		p.say(subscribed)
		p.hear("sendmsg")
		p.say(reply("+OK"), said)
		p.conn.CloseWrite()
		g.want(want)
	}
}

// Our hangup may stand between any two commands; its answer is nobody else's.
func TestHangupBetweenCommands(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Limits{}, Timers{})
	h.fax.Before = []string{"one"}
	h.fax.Refused = func(command, answer string) { t.Errorf("%s: %s", command, answer) }
	p, g := h.connect()
	g.call.Hangup()
	g.call.Hangup()
	if got := p.hear("sendmsg"); !strings.Contains(got, "call-command: hangup\nhangup-cause: MANAGER_REQUEST\n") {
		t.Fatalf("%q", got)
	}
	p.say(subscribed, reply("+OK hung up"))
	p.hear("api one")
	p.hear("sendmsg")
	p.say(answer("+OK"), reply("+OK"), theEnd())
	p.hear("exit")
	g.want(nil, "CallEnded")
}

// A call that is given up is hung up, and its end still heard.
func TestGivenUpCallIsHeardOut(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Limits{}, Timers{})
	h.faxErr = errors.New("the database is full")
	p, g := h.connect()
	p.say(subscribed)
	p.hear("sendmsg\ncall-command: hangup")
	p.say(reply("+OK"), theEnd())
	p.hear("exit")
	g.want(nil, "CallEnded")

	h.faxErr = nil
	p, g = h.connect()
	p.say(subscribed)
	p.hear("sendmsg\ncall-command: execute")
	p.say(reply("-ERR no such application"))
	p.hear("sendmsg\ncall-command: hangup")
	p.conn.CloseWrite()
	if _, err := g.heard(); err == nil || !strings.Contains(err.Error(), "no such application") {
		t.Errorf("gone with %v", err)
	}
}

// A socket application without "async full" cannot report a fax: the call is
// hung up, and the operator told what to mend.
func TestSocketNotAsync(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Limits{}, Timers{})
	p := h.dial()
	p.hear("connect")
	p.say(strings.Replace(hello(callID), "async", "static", 1))
	p.hear("sendmsg\ncall-command: hangup")
	p.cut()
	(<-h.calls).want(ErrNotAsync)
	if n := refused(t, h.registry, NotAsync); n != 1 {
		t.Errorf("counted %d times", n)
	}
	// The same when it only shows at the first command.
	p, g := h.connect()
	p.say(reply("-ERR command not found"))
	p.hear("sendmsg\ncall-command: hangup")
	p.conn.CloseWrite()
	g.want(ErrNotAsync)
}

// The watchdog of each phase hangs the call up, listens on for the verdict, and
// gives up in the end.
func TestWatchdogs(t *testing.T) {
	t.Parallel()
	const soon, never = 30 * time.Millisecond, time.Hour
	page := event("CUSTOM", "Event-Subclass: spandsp%3A%3Atxfaxpageresult", uuidOf(callID))
	verdict := event("CUSTOM", "Event-Subclass: spandsp%3A%3Atxfaxresult", uuidOf(callID), "fax-success: 1")
	for name, c := range map[string]struct {
		timers Timers
		said   string
		heard  []string
	}{
		"no negotiation":           {Timers{Negotiation: soon, Page: never, Result: never}, "", nil},
		"stalls in a page":         {Timers{Negotiation: never, Page: soon, Result: never}, page, []string{"PageConfirmed"}},
		"stays up after the fax":   {Timers{Negotiation: never, Page: never, Result: soon}, page + verdict, []string{"PageConfirmed", "FaxEnded"}},
		"verdict, then more pages": {Timers{Negotiation: never, Page: never, Result: soon}, verdict + page, []string{"FaxEnded", "PageConfirmed"}},
		"hung up, but not gone":    {Timers{Negotiation: never, Page: never, Result: soon}, event("CHANNEL_HANGUP", uuidOf(callID)), []string{"Hangup"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.timers.Hangup = never
			h := newHouse(t, Limits{}, c.timers)
			p, g := h.connect()
			p.say(subscribed)
			p.hear("sendmsg\ncall-command: execute")
			p.say(reply("+OK"), c.said)
			p.hear("sendmsg\ncall-command: hangup")
			p.say(reply("+OK"), page, theEnd())
			p.hear("exit")
			g.want(nil, append(c.heard, "PageConfirmed", "CallEnded")...)

			// The same, said before txfax is answered.
			p, g = h.connect()
			p.say(subscribed)
			p.hear("sendmsg\ncall-command: execute")
			p.say(c.said, reply("+OK"))
			p.hear("sendmsg\ncall-command: hangup")
			p.say(theEnd())
			g.want(nil, append(c.heard, "CallEnded")...)
		})
	}
	t.Run("never ends", func(t *testing.T) {
		t.Parallel()
		h := newHouse(t, Limits{}, Timers{Negotiation: soon, Hangup: soon})
		p, g := h.connect()
		p.say(subscribed, reply("+OK"))
		p.hear("sendmsg\ncall-command: execute")
		p.hear("sendmsg\ncall-command: hangup")
		g.want(ErrStalled)
	})
	t.Run("pages after our hangup do not win time", func(t *testing.T) {
		t.Parallel()
		h := newHouse(t, Limits{}, Timers{Negotiation: never, Page: never, Result: never, Hangup: soon})
		p, g := h.connect()
		p.say(subscribed, reply("+OK"))
		p.hear("sendmsg\ncall-command: execute")
		g.call.Hangup()
		p.say(page)
		g.want(ErrStalled, "PageConfirmed")
	})
}

// Each recorded call, said again to a Call, in one piece and byte by byte.
func TestRecordedCalls(t *testing.T) {
	t.Parallel()
	for path, want := range map[string][]string{
		"success-t38-1page":           {"Negotiated", "PageConfirmed", "FaxEnded", "Hangup", "ApplicationEnded", "CallEnded"},
		"success-t38-3pages":          {"Negotiated", "PageConfirmed", "PageConfirmed", "PageConfirmed", "FaxEnded", "CallEnded"},
		"failure-far-end-hangs-up":    {"Negotiated", "FaxEnded", "ApplicationEnded", "CallEnded"},
		"failure-voice-answered":      {"FaxEnded", "ApplicationEnded", "CallEnded"},
		"failure-document-missing":    {"ApplicationEnded", "CallEnded"},
		"failure-document-unreadable": {"Negotiated", "FaxEnded", "ApplicationEnded", "CallEnded"},
	} {
		for how, packet := range map[string]int{"in one piece": 1 << 20, "byte by byte": 1} {
			t.Run(path+" "+how, func(t *testing.T) {
				t.Parallel()
				connect, said := bare(t, "testdata/recordings/"+path+".txt")
				ev, err := events.Parse(connect)
				uuid := ev.Call()
				if err != nil || uuid == "" {
					t.Fatal(err)
				}
				connect = bytes.Replace(connect, []byte("\n"), []byte("\nvariable_faxbot_token: t\n"), 1)
				h := newHouse(t, Limits{}, Timers{})
				p := h.dial()
				all := string(connect) + subscribed + reply("+OK") + string(bytes.Join(said, nil))
				for i := 0; i < len(all); i += packet {
					if _, err := io.WriteString(p.conn, all[i:min(len(all), i+packet)]); err != nil {
						break // the call has ended, and with it the interest in it
					}
				}
				p.conn.CloseWrite()
				g := <-h.calls
				got, gone := g.heard()
				for _, name := range want {
					i := 0
					for i < len(got) && got[i] != name {
						i++
					}
					if i == len(got) {
						t.Errorf("%s was not heard in its place", name)
					}
				}
				if gone != nil || got[len(got)-1] != "CallEnded" {
					t.Errorf("heard %v, gone with %v", got, gone)
				}
			})
		}
	}
}
