package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"faxbot/controller/fax"
	"faxbot/events"
)

// stage shows a demo to the person before the terminal.
type stage struct {
	out      io.Writer
	key      string
	keyIsNew bool // nobody but us knows it
	known    map[fax.JobID]*shown
}

// shown is what has been said of a fax, so that nothing is said twice.
type shown struct {
	said  map[string]bool
	pages int
	call  fax.AttemptID
}

func (s *stage) say(format string, args ...any) { fmt.Fprintf(s.out, format+"\n", args...) }

func (s *stage) introduce(to string) {
	s.say("Faxbot %s: a test fax of three pages to %s.", version(), to)
	s.say("FreeSWITCH and the telephone line are SIMULATED: nobody is called. All else is real.")
	s.say("")
}

// show tells what a notice adds to what is known.
func (s *stage) show(n events.Notice) {
	job := n.Job
	if s.known == nil {
		s.known = map[fax.JobID]*shown{}
	}
	k := s.known[job.ID]
	if k == nil {
		k = &shown{said: map[string]bool{}}
		s.known[job.ID] = k
	}
	if n.Attempt.ID != "" && n.Attempt.ID != k.call {
		*k = shown{said: k.said, call: n.Attempt.ID}
	}
	once := func(what, format string, args ...any) {
		if !k.said[what] {
			k.said[what] = true
			s.say("%s  fax %s  "+format, append([]any{n.At.Format("15:04:05.0"), short(job.ID)}, args...)...)
		}
	}
	call := func(what string) string { return string(k.call) + what }

	once("received", "received, to %s", job.To)
	if job.Pages > 0 {
		once("pages", "%d pages drawn as fax lines", job.Pages)
	}
	if k.call != "" {
		once(call("dial"), "dialling %s, call %d", job.To, n.Attempt.Ordinal)
		if n.Attempt.Answered() {
			once(call("answer"), "answered")
		}
		if n.Line.Rate > 0 {
			once(call("line"), "a fax machine: %s", describe(n.Line))
		}
		for n.Attempt.Result.Pages > k.pages {
			k.pages++
			page := n.Attempt.Parameters.StartPage + k.pages
			once(call(fmt.Sprint("page", page)), "page %d of %d arrived  %s", page, job.Pages, bar(page, job.Pages))
		}
	}
	switch {
	case job.State == fax.Done:
		once("end", "SUCCESS: %d of %d pages confirmed, %.1f s after it was submitted", job.Confirmed, job.Pages, n.At.Sub(job.CreatedAt).Seconds())
	case job.State.Terminal():
		once("end", "%s (%s): %s", job.Status(), job.Cause, job.Error)
	case job.State == fax.Held:
		once(call("held"), "held (%s): %s", job.Cause, job.Error)
	case job.State == fax.Retry:
		once(call("retry"), "not yet (%s): %s Next call at %s.", job.Cause, job.Error, job.DueAt.Local().Format(time.TimeOnly))
	}
}

// conclude says where to look next.
func (s *stage) conclude(c *demoCommand, d *daemon, job fax.Job) {
	key, note := s.key, ""
	if !s.keyIsNew {
		key, note = "$API_KEY", " (the one in API_KEY)"
	}
	s.say("")
	if job.State == fax.Done {
		s.say("  What arrived   %s", d.documents.TIFF(job.ID))
	}
	s.say("  REST           %s", d.public.url())
	s.say("  API key        %s%s", key, note)
	s.say("  Metrics        %s/metrics", d.internal.url())
	s.say("  Log            %s", filepath.Join(c.Dir, "faxbot.log"))
	if c.Once {
		return
	}
	s.say("")
	s.say("Send another (+1555991017 is busy, +1555993001 hangs up in page 2; see faxbot demo --help):")
	s.say("")
	s.say("  curl -H \"X-API-Key: %s\" -F to=+15551230002 -F file=@%s %s/fax", key, c.document(), d.public.url())
	s.say("")
	s.say("Ctrl-C ends.")
	s.say("")
}

// short is enough of an id to tell faxes apart: its last digits, since the
// first are the time.
func short(id fax.JobID) string { return string(id[max(0, len(id)-6):]) }

// describe says how two machines talk.
func describe(l events.Line) string {
	way, care := "G.711", "no error correction"
	if l.T38 {
		way = "T.38"
	}
	if l.ECM {
		care = "error correction"
	}
	text := fmt.Sprintf("%s, %d bit/s, %s", way, l.Rate, care)
	if l.RemoteStation != "" {
		text += fmt.Sprintf(", station %q", strings.TrimSpace(l.RemoteStation))
	}
	return text
}

func bar(done, of int) string {
	const width = 24
	if of <= 0 || done > of {
		return ""
	}
	filled := width * done / of
	return strings.Repeat("█", filled) + strings.Repeat("░", width-filled)
}
