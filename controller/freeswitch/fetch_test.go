package freeswitch

import (
	"strings"
	"testing"
	"time"
)

// A switch that fetches the TIFF is told to send what it fetched, and nothing
// when it has not.
func TestFetchedTIFF(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer    string // to the fetch; "" for none
		path      string // that is sent; "" for none
		unfetched string
	}{
		"fetched":    {answer: answer("/var/cache/7a/41.tif"), path: "/var/cache/7a/41.tif"},
		"refused":    {answer: answer("-ERR\n"), unfetched: "-ERR"},
		"no command": {answer: answer("-ERR http_get Command not found!\n"), unfetched: "-ERR http_get Command not found!"},
		"no words":   {answer: answer("\n"), unfetched: ""},
		"two lines":  {answer: answer("/a.tif\nexecute-app-name: system"), unfetched: "/a.tif\nexecute-app-name: system"},
		"silence":    {unfetched: "no answer within 50ms"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, Limits{}, Timers{Fetch: 50 * time.Millisecond, Negotiation: time.Minute})
			told := make(chan string, 1)
			h.fax.Before = []string{"before"}
			h.fax.Fetch = "http_get http://10.0.0.5/x.tif"
			h.fax.Unfetched = func(answer string) { told <- answer }
			p, g := h.connect()
			p.say(subscribed)
			p.hear("api before")
			p.hear("api http_get http://10.0.0.5/x.tif")
			p.say(answer("+OK\n"), c.answer)
			if c.path != "" {
				if got := p.hear("sendmsg"); !strings.Contains(got, "execute-app-name: txfax\nexecute-app-arg: "+c.path+"\n") {
					t.Errorf("%q", got)
				}
				p.say(reply("+OK"), theEnd())
				p.hear("exit")
				g.want(nil, "CallEnded")
				return
			}
			if got := <-told; got != c.unfetched {
				t.Errorf("told %q, want %q", got, c.unfetched)
			}
			if got := p.hear("sendmsg"); !strings.Contains(got, "call-command: hangup") {
				t.Errorf("%q", got)
			}
			p.say(reply("+OK"), theEnd())
			p.hear("")
		})
	}
}

// The far end may hang up while the switch fetches.
func TestCallEndsWhileTheSwitchFetches(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Limits{}, Timers{})
	h.fax.Fetch, h.fax.Unfetched = "http_get http://10.0.0.5/x.tif", func(answer string) { t.Errorf("unfetched: %q", answer) }
	p, g := h.connect()
	p.say(subscribed)
	p.hear("api http_get")
	p.say(theEnd(), answer("/var/cache/7a/41.tif"))
	p.hear("exit")
	g.want(nil, "CallEnded")
}
