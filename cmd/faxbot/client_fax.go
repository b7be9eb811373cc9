package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// faxView is a fax as the daemon tells it; what is null is zero.
type faxView struct {
	ID, To, Status, State, Cause, Error string
	Pages                               int
	CreatedAt                           time.Time `json:"created_at"`
	DueAt                               time.Time `json:"due_at"`
	ConfirmedPages                      int       `json:"confirmed_pages"`
	Seconds                             float64
	Sheets                              []struct {
		Page    int
		Ink     float64
		Seconds float64
	}
	Warnings, Tags []string
	Cancelling     bool `json:"cancel_requested"`
	Progress       struct{ Page int }
	Attempts       []struct {
		Attempt          int
		State, Cause     string
		Message, Gateway string
		Pages, Rate      int
		ECM, T38         bool
		RemoteStation    string `json:"remote_station"`
		RemoteMachine    string `json:"remote_machine"`
		Witnesses        struct {
			Decided              string
			Agreed, Contradicted []string
		}
		CreatedAt time.Time `json:"created_at"`
	}
}

type sendCommand struct {
	client      `embed:""`
	following   `embed:""`
	Files       []string `arg:"" name:"file" placeholder:"FILE" predictor:"file" help:"PDF, text or picture; - reads standard input. Several are one fax."`
	To          string   `required:"" placeholder:"NUMBER" help:"Number to dial."`
	Wait        bool     `help:"Follow the fax to its end."`
	From        string   `placeholder:"NUMBER" help:"Calling number."`
	Header      string   `placeholder:"TEXT" help:"Printed above each page."`
	StationID   string   `name:"station-id" placeholder:"TEXT" help:"Shown on the other machine's display."`
	Gateway     string   `placeholder:"NAME" help:"Way out to the telephone network; several with commas between them, the preferred first."`
	Window      string   `placeholder:"HH:MM-HH:MM" help:"Hours in which to call, by the clock at the number; or always."`
	Priority    string   `placeholder:"N" help:"0 (last) to 255 (first)."`
	MaxAttempts string   `name:"max-attempts" placeholder:"N" help:"Calls at the most."`
	SendAt      string   `name:"send-at" placeholder:"TIME" help:"Not before, for instance 2030-01-31T12:00:00Z."`
	Deadline    string   `placeholder:"TIME" help:"No new call after."`
	Resolution  string   `placeholder:"NAME" help:"standard, fine or superfine (fine)."`
	Pages       string   `placeholder:"PAGES" help:"Which pages are sent, for instance 1-3,5,8- (all)."`
	Darkness    string   `placeholder:"N" help:"Of greys and colours: -3 (lightest) to 3 (darkest)."`
	Cover       string   `placeholder:"NAME" help:"Design of a cover page; plain is built in (none)."`
	CoverTo     string   `name:"cover-to" placeholder:"TEXT" help:"Who the cover says it is for (the number)."`
	CoverFrom   string   `name:"cover-from" placeholder:"TEXT" help:"Who the cover says it is from."`
	Subject     string   `placeholder:"TEXT" help:"On the cover."`
	Message     string   `placeholder:"TEXT" help:"On the cover."`
	Tag         []string `placeholder:"WORD" help:"To find the fax by; may be repeated."`
	Purge       bool     `name:"purge-on-success" help:"Delete the documents as soon as the fax is delivered."`
	Hold        bool     `help:"Call nobody before the fax is released: its pages can be looked at first."`
	Once        string   `name:"idempotency-key" placeholder:"WORD" help:"The same word with the same fax sends it once (a new word)."`
}

// Help is shown below the flags.
func (sendCommand) Help() string { return statuses }

// Run sends a fax.
func (c sendCommand) Run(s streams) error {
	for _, name := range c.Files {
		if name == "-" {
			continue
		}
		if st, err := os.Stat(name); err != nil {
			return err
		} else if st.IsDir() {
			return fmt.Errorf("%s is a folder; name files", name)
		}
	}
	once := cmp.Or(c.Once, rand.Text())
	body, kind := c.form(s.in)
	defer body.Close()
	var d faxView
	text, err := c.ask(http.MethodPost, "/fax", http.Header{"Content-Type": {kind}, "Idempotency-Key": {once}}, body, &d)
	if err != nil {
		if !isRefused(err) && !errors.As(err, new(*settingsError)) {
			err = fmt.Errorf("%w\nto try again without sending it twice, add --idempotency-key %s", err, once)
		}
		return err
	}
	if c.Wait {
		return c.follow(s.out, d.ID, c.Timeout, false)
	}
	return c.print(s.out, text, func() error {
		_, err := fmt.Fprintf(s.out, "%s accepted; faxbot watch %s follows it\n", d.ID, d.ID)
		return err
	})
}

// form streams the multipart form; whoever reads it closes it.
func (c sendCommand) form(in io.Reader) (io.ReadCloser, string) {
	r, w := io.Pipe()
	form := multipart.NewWriter(w)
	go func() { w.CloseWithError(c.fill(form, in)) }() // ends with r
	return r, form.FormDataContentType()
}

func (c sendCommand) fill(form *multipart.Writer, in io.Reader) error {
	for _, f := range [][2]string{
		{"to", c.To},
		{"from", c.From},
		{"header", c.Header},
		{"station_id", c.StationID},
		{"gateway", c.Gateway},
		{"window", c.Window},
		{"priority", c.Priority},
		{"max_attempts", c.MaxAttempts},
		{"send_at", c.SendAt},
		{"deadline", c.Deadline},
		{"resolution", c.Resolution},
		{"pages", c.Pages},
		{"darkness", c.Darkness},
		{"cover", c.Cover},
		{"cover_to", c.CoverTo},
		{"cover_from", c.CoverFrom},
		{"cover_subject", c.Subject},
		{"cover_message", c.Message},
		{"tags", strings.Join(c.Tag, ",")},
		{"purge_on_success", map[bool]string{true: "true"}[c.Purge]},
		{"hold", map[bool]string{true: "true"}[c.Hold]},
	} {
		if f[1] == "" {
			continue
		}
		if err := form.WriteField(f[0], f[1]); err != nil {
			return err
		}
	}
	for _, name := range c.Files {
		part, err := form.CreateFormFile("file", filepath.Base(name))
		if err != nil {
			return err
		}
		if err := copyFile(part, name, in); err != nil {
			return err
		}
	}
	return form.Close()
}

func copyFile(to io.Writer, name string, in io.Reader) error {
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return err
		}
		defer file.Close()
		in = file
	}
	_, err := io.Copy(to, in)
	return err
}

type listCommand struct {
	client `embed:""`
	Status string   `placeholder:"STATUS" predictor:"status" help:"queued, in_progress, SUCCESS, FAILED or disabled."`
	State  []string `placeholder:"STATE" predictor:"state" help:"A finer state, as held or retry; may be repeated."`
	To     string   `placeholder:"NUMBER" help:"Only faxes to this number."`
	Tag    []string `placeholder:"WORD" help:"Only faxes with this tag; may be repeated."`
	Limit  int      `default:"20" placeholder:"N" help:"How many at the most; 0 for all (${default})."`
}

// Run lists faxes, the latest first.
func (c listCommand) Run(s streams) error {
	const most = 200 // that the daemon sends at once
	query := url.Values{"state": c.State, "tag": c.Tag}
	for name, value := range map[string]string{"status": c.Status, "to": c.To} {
		if value != "" {
			query.Set(name, value)
		}
	}
	table := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	if !c.JSON {
		fmt.Fprintln(table, "ID\tTO\tSTATUS\tSTATE\tPAGES\tSUBMITTED\tWHY")
	}
	for left := c.Limit; ; {
		query.Set("limit", strconv.Itoa(most))
		if c.Limit > 0 {
			query.Set("limit", strconv.Itoa(min(left, most)))
		}
		var page struct {
			Faxes []json.RawMessage
			Next  string
		}
		if _, err := c.ask(http.MethodGet, "/fax?"+query.Encode(), nil, nil, &page); err != nil {
			return err
		}
		for _, text := range page.Faxes {
			if err := c.print(s.out, text, func() error { return row(table, text) }); err != nil {
				return err
			}
		}
		if left -= len(page.Faxes); page.Next == "" || c.Limit > 0 && left <= 0 {
			return table.Flush()
		}
		query.Set("after", page.Next)
	}
}

// row is one fax of a list.
func row(table io.Writer, text json.RawMessage) error {
	var d faxView
	if err := json.Unmarshal(text, &d); err != nil {
		return err
	}
	_, err := fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", d.ID, d.To, d.Status, d.State, d.pages(d.ConfirmedPages),
		d.CreatedAt.Local().Format(time.DateTime), visible(d.Error))
	return err
}

func (d faxView) pages(done int) string {
	if d.Pages == 0 {
		return "-"
	}
	return fmt.Sprintf("%d/%d", done, d.Pages)
}

func countPages(n int) string {
	if n == 1 {
		return "1 page"
	}
	return fmt.Sprintf("%d pages", n)
}

// named is a command about one fax.
type named struct {
	client `embed:""`
	ID     string `arg:"" name:"id" placeholder:"ID" help:"Id of the fax."`
}

func (n named) path() string { return "/fax/" + url.PathEscape(n.ID) }

type showCommand struct {
	named     `embed:""`
	Recording int `placeholder:"CALL" help:"Print what was said between FreeSWITCH and the daemon in this call (1 is the first), for faxbot replay; for administrators."`
}

// Run shows a fax and its calls.
func (c showCommand) Run(s streams) error {
	if c.Recording != 0 {
		return c.record(s.out)
	}
	var d faxView
	text, err := c.ask(http.MethodGet, c.path(), nil, nil, &d)
	if err != nil {
		return err
	}
	return c.print(s.out, text, func() error { return d.show(s.out) })
}

// record prints the recording of a call.
func (c showCommand) record(out io.Writer) error {
	path := fmt.Sprintf("/admin/fax-jobs/%s/attempts/%d/recording", url.PathEscape(c.ID), c.Recording)
	answer, err := c.open(context.Background(), http.MethodGet, path, nil, nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, err = io.Copy(out, answer.Body)
	return err
}

func (d faxView) show(out io.Writer) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "id\t%s\nto\t%s\nstatus\t%s (%s)\npages\t%s\nsubmitted\t%s\n",
		d.ID, d.To, d.Status, d.State, d.pages(d.Progress.Page), d.CreatedAt.Local().Format(time.DateTime))
	if d.State == "retry" {
		fmt.Fprintf(t, "next call\t%s\n", d.DueAt.Local().Format(time.DateTime))
	}
	if d.Error != "" {
		fmt.Fprintf(t, "why\t%s (%s)\n", visible(d.Error), d.Cause)
	}
	if len(d.Tags) > 0 {
		fmt.Fprintf(t, "tags\t%s\n", visible(strings.Join(d.Tags, ", ")))
	}
	if d.Seconds > 0 {
		fmt.Fprintf(t, "on the line\tabout %s\n", time.Duration(d.Seconds)*time.Second)
	}
	for _, p := range d.Sheets {
		fmt.Fprintf(t, "page %d\t%.0f s, %.1f %% ink\n", p.Page, p.Seconds, 100*p.Ink)
	}
	for _, w := range d.Warnings {
		fmt.Fprintf(t, "beware\t%s\n", visible(w))
	}
	for _, a := range d.Attempts {
		how := cmp.Or(a.Cause, a.State)
		if a.Rate > 0 {
			how += fmt.Sprintf(", %d bit/s", a.Rate)
		}
		if station := strings.TrimSpace(a.RemoteStation); station != "" {
			how += fmt.Sprintf(", station %q", visible(station))
		}
		if a.RemoteMachine != "" {
			how += fmt.Sprintf(", machine %q", visible(a.RemoteMachine))
		}
		fmt.Fprintf(t, "call %d\t%s  %s, %s\n", a.Attempt, a.CreatedAt.Local().Format(time.DateTime), how, countPages(a.Pages))
		if w := a.Witnesses; w.Decided != "" {
			said := "by " + w.Decided
			if len(w.Agreed) > 0 {
				said += "; so say " + strings.Join(w.Agreed, ", ")
			}
			if len(w.Contradicted) > 0 {
				said += "; contradicted by " + strings.Join(w.Contradicted, ", ")
			}
			fmt.Fprintf(t, "\t%s\n", said)
		}
	}
	return t.Flush()
}

type cancelCommand struct {
	named `embed:""`
}

// Run cancels a fax.
func (c cancelCommand) Run(s streams) error {
	var d faxView
	text, err := c.ask(http.MethodDelete, c.path(), nil, nil, &d)
	if err != nil {
		return err
	}
	return c.print(s.out, text, func() error {
		what := map[bool]string{true: "its call is being hung up", false: "it is " + d.State}[d.Cancelling && d.State != "cancelled"]
		_, err := fmt.Fprintf(s.out, "%s: %s\n", d.ID, what)
		return err
	})
}

type releaseCommand struct {
	named `embed:""`
}

// Run sends a held fax on its way again.
func (c releaseCommand) Run(s streams) error {
	var d faxView
	text, err := c.ask(http.MethodPost, c.path()+"/release", nil, nil, &d)
	if err != nil {
		return err
	}
	return c.print(s.out, text, func() error {
		_, err := fmt.Fprintf(s.out, "%s: it is %s\n", d.ID, d.State)
		return err
	})
}

type resendCommand struct {
	named     `embed:""`
	following `embed:""`
	To        string `placeholder:"NUMBER" help:"Another number (the same)."`
	Wait      bool   `help:"Follow the new fax to its end."`
}

// Help is shown below the flags.
func (resendCommand) Help() string { return statuses }

// Run submits the documents of a fax again.
func (c resendCommand) Run(s streams) error {
	var d faxView
	text, err := c.askJSON(http.MethodPost, c.path()+"/resend", map[string]string{"to": c.To}, &d)
	if err != nil {
		return err
	}
	if c.Wait {
		return c.follow(s.out, d.ID, c.Timeout, false)
	}
	return c.print(s.out, text, func() error {
		_, err := fmt.Fprintf(s.out, "%s accepted; faxbot watch %s follows it\n", d.ID, d.ID)
		return err
	})
}
