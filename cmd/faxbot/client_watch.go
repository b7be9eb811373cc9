package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/mattn/go-isatty"
)

// following is how long a fax is followed.
type following struct {
	Timeout time.Duration `default:"0s" placeholder:"TIME" help:"How long to follow it, for instance 10m; 0s to its end (${default})."`
}

type watchCommand struct {
	named     `embed:""`
	following `embed:""`
}

// Help is shown below the flags.
func (watchCommand) Help() string {
	return "With --json every change is one line.\n\n" + statuses
}

// Run follows a fax to its end.
func (c watchCommand) Run(s streams) error {
	return c.follow(s.out, c.ID, c.Timeout, true)
}

// Connections that break are made again, this often in a row.
const (
	comeBack    = time.Second
	breaksInRow = 30
)

// follow tells of a fax until it has ended; the outcome is nil when it was
// delivered. With JSON, each says whether every change is told or the end only.
func (c client) follow(out io.Writer, id string, timeout time.Duration, each bool) error {
	ctx, cancel := context.WithCancel(context.Background())
	if timeout > 0 {
		ctx, cancel = context.WithTimeout(ctx, timeout)
	}
	defer cancel()
	w := &watcher{out: out, json: c.JSON, each: each, live: !c.JSON && isTerminal(out)}
	for breaks := 0; ; {
		events := w.events
		err := c.listen(ctx, id, w)
		switch {
		case w.over != nil:
			return w.conclude()
		case ctx.Err() != nil:
			w.endBar()
			return &outcome{exitUnfinished, fmt.Sprintf("fax %s has not ended within %s", id, timeout)}
		case isRefused(err) && err.(*refusal).status < 500, errors.As(err, new(*settingsError)): //nolint:errorlint // isRefused knows
			return err
		}
		if breaks++; w.events > events {
			breaks = 0
		}
		if breaks >= breaksInRow {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(comeBack):
		}
	}
}

// listen reads one stream of events to its end.
func (c client) listen(ctx context.Context, id string, w *watcher) error {
	answer, err := c.open(ctx, http.MethodGet, "/fax/"+url.PathEscape(id)+"/events", http.Header{"Accept": {"text/event-stream"}}, nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			if err := w.hear(json.RawMessage(data)); err != nil {
				return err
			}
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return errors.New("the daemon ended the stream")
}

// watcher tells a person what is new of a fax.
type watcher struct {
	out        io.Writer
	json, each bool
	live       bool // a person looks on: a new bar takes the place of the one before
	inBar      bool // the last line is a bar, and not ended yet

	events int
	last   faxView
	text   json.RawMessage
	over   *faxView // once it has ended, or is held
}

func (w *watcher) hear(text json.RawMessage) error {
	var d faxView
	if err := json.Unmarshal(text, &d); err != nil {
		return err
	}
	w.events++
	w.text = text
	switch d.State {
	case "done", "failed", "cancelled", "held":
		w.over = &d
	}
	if w.json {
		if w.each {
			fmt.Fprintf(w.out, "%s\n", text)
		}
	} else {
		w.tell(d)
	}
	w.last = d
	if w.over != nil {
		return io.EOF
	}
	return nil
}

func (w *watcher) tell(d faxView) {
	say := func(format string, args ...any) {
		w.endBar()
		fmt.Fprintf(w.out, "%s  fax %s  "+format+"\n", append([]any{time.Now().Format(time.TimeOnly), d.ID[max(0, len(d.ID)-6):]}, args...)...)
	}
	if w.events == 1 {
		say("to %s", d.To)
	}
	if d.Pages > 0 && w.last.Pages == 0 {
		say("%s", countPages(d.Pages))
	}
	if n := len(d.Attempts); n > len(w.last.Attempts) && (d.State == "dialing" || d.State == "sending") {
		say("dialling, call %d", d.Attempts[n-1].Attempt)
	}
	if d.State == "sending" && w.last.State != "sending" {
		say("answered")
	}
	for page := w.last.Progress.Page + 1; page <= d.Progress.Page; page++ {
		if w.live {
			fmt.Fprintf(w.out, "\r\x1b[K%s  page %d of %d", bar(page, d.Pages), page, d.Pages)
			w.inBar = true
			continue
		}
		say("page %d of %d arrived  %s", page, d.Pages, bar(page, d.Pages))
	}
	if d.State == "retry" && w.last.State != "retry" {
		say("not yet (%s): %s Next call at %s.", d.Cause, visible(d.Error), d.DueAt.Local().Format(time.TimeOnly))
	}
	if d.State == "done" {
		say("SUCCESS: %d of %d pages confirmed", d.ConfirmedPages, d.Pages)
	}
}

// endBar ends the line of a bar.
func (w *watcher) endBar() {
	if w.inBar {
		fmt.Fprintln(w.out)
	}
	w.inBar = false
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

// conclude makes the end of a fax into an outcome.
func (w *watcher) conclude() error {
	w.endBar()
	if w.json && !w.each {
		fmt.Fprintf(w.out, "%s\n", w.text)
	}
	d := *w.over
	why := fmt.Sprintf("fax %s: %s (%s): %s", d.ID, d.State, d.Cause, visible(d.Error))
	switch d.State {
	case "failed":
		return &outcome{exitUndelivered, why}
	case "cancelled":
		return &outcome{exitCancelled, why}
	case "held":
		return &outcome{exitHeld, why + "\nwhen that is mended: faxbot release " + d.ID}
	}
	return nil
}
