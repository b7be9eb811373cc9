package api

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"faxbot/controller"
	"faxbot/controller/fax"
)

// view is a fax as clients see it. The first block is what every client of
// Faxbot reads; nothing in it may change or be left out.
type view struct {
	ID          fax.JobID  `json:"id"`
	To          fax.Number `json:"to"`
	Status      fax.Status `json:"status"`
	Error       *string    `json:"error"`
	Pages       *int       `json:"pages"` // null until they are counted
	Backend     string     `json:"backend"`
	ProviderSID *string    `json:"provider_sid"`
	CreatedAt   *string    `json:"created_at"`
	UpdatedAt   *string    `json:"updated_at"`

	State       fax.State  `json:"state"`
	Cause       *fax.Cause `json:"cause"`
	Confirmed   int        `json:"confirmed_pages"`
	Documents   int        `json:"documents"`
	From        *string    `json:"from"`
	StationID   *string    `json:"station_id"`
	Header      *string    `json:"header"`
	Gateway     *string    `json:"gateway"`
	Window      *string    `json:"window"`
	Priority    int        `json:"priority"`
	MaxAttempts *int       `json:"max_attempts"` // null: the defaults
	Dials       int        `json:"dials"`
	Tries       int        `json:"tries"`
	DueAt       *string    `json:"due_at"`
	Deadline    *string    `json:"deadline"`
	Cancelling  bool       `json:"cancel_requested"`
	Resolution  string     `json:"resolution"`
	PageRange   *string    `json:"page_range"` // as it was chosen; null: all pages
	Darkness    int        `json:"darkness"`
	Cover       *string    `json:"cover"` // the name of its design
	Tags        []string   `json:"tags"`
	Purge       bool       `json:"purge_on_success"`
}

// detailed is a fax with its calls.
type detailed struct {
	view
	Attempts []attempt `json:"attempts"`
	Progress progress  `json:"progress"`
	Seconds  *float64  `json:"seconds"` // all pages on the line, about; null until they are made
	Sheets   []sheet   `json:"sheets"`
	Warnings []string  `json:"warnings"`
}

// sheet is one page.
type sheet struct {
	Page int `json:"page"`
	fax.Sheet
	Blank bool `json:"blank"`
}

// progress counts the pages that the far end has confirmed so far.
type progress struct {
	Page  int  `json:"page"`
	Pages *int `json:"pages"`
}

// attempt is one call.
type attempt struct {
	ID         fax.AttemptID    `json:"id"`
	Ordinal    int              `json:"attempt"`
	State      fax.AttemptState `json:"state"`
	Cause      *fax.Cause       `json:"cause"`
	Message    *string          `json:"message"`
	Code       *int             `json:"code"` // of the fax engine (T.30); null when no fax ran
	Gateway    string           `json:"gateway"`
	Pages      int              `json:"pages"` // confirmed in this call
	Rate       *int             `json:"rate"`
	ECM        *bool            `json:"ecm"`
	T38        *bool            `json:"t38"`
	Remote     *string          `json:"remote_station"`
	Machine    *string          `json:"remote_machine"`
	Parameters fax.Parameters   `json:"parameters"`
	Reasons    []reasonView     `json:"reasons"`
	Witnesses  *testimony       `json:"witnesses"` // null until the call has ended, and where they are not known
	CreatedAt  *string          `json:"created_at"`
	AnsweredAt *string          `json:"answered_at"`
	EndedAt    *string          `json:"ended_at"`
}

// testimony is on whose word the result of a call stands.
type testimony struct {
	Decided      fax.Witness   `json:"decided"`
	Agreed       []fax.Witness `json:"agreed"`
	Contradicted []fax.Witness `json:"contradicted"`
}

func viewOf(j fax.Job) view {
	return view{
		ID: j.ID, To: j.To, Status: j.Status(), Error: orNull(j.Error), Pages: orNull(j.Pages),
		Backend: "freeswitch", CreatedAt: stamp(j.CreatedAt), UpdatedAt: stamp(j.UpdatedAt),

		State: j.State, Cause: orNull(j.Cause), Confirmed: j.Confirmed, Documents: j.Documents,
		From: orNull(j.Options.CallerID), StationID: orNull(j.Options.StationID),
		Header: orNull(j.Options.Header), Gateway: orNull(j.Options.Gateway), Window: orNull(j.Options.Window),
		Priority: j.Priority, MaxAttempts: orNull(j.MaxAttempts), Dials: j.Dials, Tries: j.Tries,
		DueAt: stamp(j.DueAt), Deadline: stamp(j.Deadline), Cancelling: j.CancelAsked,

		Resolution: cmp.Or(j.Options.Resolution, "fine"), PageRange: orNull(string(j.Options.Pages)), Darkness: j.Options.Darkness,
		Cover: orNull(j.Options.Cover.Name), Tags: append([]string{}, j.Options.Tags.List()...), Purge: j.Options.PurgeOnSuccess,
	}
}

func detailedOf(j fax.Job, calls []fax.Attempt, facts fax.Facts) detailed {
	d := detailed{
		view: viewOf(j), Attempts: []attempt{}, Progress: progress{j.Confirmed, orNull(j.Pages)},
		Seconds: orNull(facts.Seconds), Sheets: []sheet{}, Warnings: append([]string{}, facts.Warnings...),
	}
	for i, s := range facts.Sheets {
		d.Sheets = append(d.Sheets, sheet{i + 1, s, s.Blank})
	}
	for _, c := range calls {
		d.Attempts = append(d.Attempts, attemptOf(c))
		if c.State != fax.AttemptEnded {
			d.Progress.Page = max(d.Progress.Page, c.Parameters.StartPage+c.Result.Pages)
		}
	}
	return d
}

func attemptOf(c fax.Attempt) attempt {
	v := attempt{
		ID: c.ID, Ordinal: c.Ordinal, State: c.State, Gateway: c.Gateway, Pages: c.Result.Pages,
		Parameters: c.Parameters, Reasons: reasonsOf(c.Reasons), CreatedAt: stamp(c.CreatedAt), AnsweredAt: stamp(c.AnsweredAt), EndedAt: stamp(c.EndedAt),
	}
	if c.State != fax.AttemptEnded {
		return v
	}
	if said := c.Result.Witnesses; said.Decided != "" {
		v.Witnesses = &testimony{said.Decided, append([]fax.Witness{}, said.Agreed...), append([]fax.Witness{}, said.Contradicted...)}
	}
	v.Cause, v.Message = orNull(c.Result.Cause), orNull(c.Result.Cause.Advice().Tell)
	if c.Result.Code != fax.NoCode {
		v.Code, v.Rate, v.ECM, v.T38 = &c.Result.Code, orNull(c.Result.Rate), &c.Result.ECM, &c.Result.T38
		v.Remote, v.Machine = orNull(c.Result.RemoteStation), orNull(c.Result.RemoteMachine)
	}
	return v
}

// orNull is null for a zero value.
func orNull[T comparable](v T) *T {
	if v == *new(T) {
		return nil
	}
	return &v
}

// stamp is RFC 3339 in UTC, always with microseconds, so that texts sort as
// times do and old parsers read them.
func stamp(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := t.UTC().Format("2006-01-02T15:04:05.000000Z")
	return &s
}

var noSuchJob = &fax.Error{Problem: fax.NotFound, Detail: "Job not found"}

// named is the fax that a request is about. One of another key does not exist
// for whoever asks.
func (a *API) named(r *http.Request, who principal) (fax.JobID, error) {
	id, err := fax.ParseJobID(r.PathValue("id"))
	if err != nil || who.admin() {
		return id, err
	}
	_, _, err = a.known(r, who, id)
	return id, err
}

// known reads a fax and its calls.
func (a *API) known(r *http.Request, who principal, id fax.JobID) (fax.Job, []fax.Attempt, error) {
	job, calls, err := a.config.Controller.Find(r.Context(), id)
	if err == nil && !who.sees(job) {
		err = noSuchJob
	}
	return job, calls, err
}

// find answers GET /fax/{id}.
func (a *API) find(w http.ResponseWriter, r *http.Request, who principal) error {
	id, err := fax.ParseJobID(r.PathValue("id"))
	if err != nil {
		return err
	}
	job, calls, facts, err := a.config.Controller.Look(r.Context(), id)
	if err == nil && !who.sees(job) {
		err = noSuchJob
	}
	if err != nil {
		return err
	}
	reply(w, http.StatusOK, detailedOf(job, calls, facts))
	return nil
}

// cancel answers DELETE /fax/{id}: 200 with the fax as it ended, or 202 while a
// call is being hung up.
func (a *API) cancel(w http.ResponseWriter, r *http.Request, who principal) error {
	id, err := a.named(r, who)
	if err != nil {
		return err
	}
	job, err := a.config.Controller.Cancel(r.Context(), id)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if !job.State.Terminal() {
		status = http.StatusAccepted
	}
	reply(w, status, viewOf(job))
	return nil
}

// release answers POST /fax/{id}/release.
func (a *API) release(w http.ResponseWriter, r *http.Request, who principal) error {
	return a.move(w, r, who, a.config.Controller.Release)
}

// hold answers POST /fax/{id}/hold.
func (a *API) hold(w http.ResponseWriter, r *http.Request, who principal) error {
	return a.move(w, r, who, a.config.Controller.Hold)
}

func (a *API) move(w http.ResponseWriter, r *http.Request, who principal, move func(context.Context, fax.JobID) (fax.Job, error)) error {
	id, err := a.named(r, who)
	if err != nil {
		return err
	}
	job, err := move(r.Context(), id)
	if err != nil {
		return err
	}
	reply(w, http.StatusOK, viewOf(job))
	return nil
}

// page is one page of a list, the latest submitted first. Next is the value of
// "after" for the page that follows; null on the last one.
type page struct {
	Faxes []view     `json:"faxes"`
	Next  *fax.JobID `json:"next"`
}

const (
	defaultLimit = 50
	maxLimit     = 200
)

// list answers GET /fax.
func (a *API) list(w http.ResponseWriter, r *http.Request, who principal) error {
	f, err := filterOf(r)
	if err != nil {
		return err
	}
	if !who.admin() {
		f.Owner = who.owner
	}
	limit := f.Limit
	f.Limit++ // one more tells whether there are more
	jobs, err := a.config.Controller.List(r.Context(), f)
	if err != nil {
		return err
	}
	p := page{Faxes: []view{}}
	if len(jobs) > limit {
		jobs = jobs[:limit]
		p.Next = &jobs[limit-1].ID
	}
	for _, j := range jobs {
		p.Faxes = append(p.Faxes, viewOf(j))
	}
	reply(w, http.StatusOK, p)
	return nil
}

// filterOf reads the query of a list. Unknown names are ignored.
func filterOf(r *http.Request) (controller.Filter, error) {
	f, q := controller.Filter{Limit: defaultLimit}, r.URL.Query()
	wrong := func(name, rule string) (controller.Filter, error) {
		return f, &fax.Error{Problem: badField, Detail: fmt.Sprintf("Invalid %s: %s", name, rule)}
	}
	if s := fax.Status(q.Get("status")); s != "" {
		if !slices.Contains(fax.Statuses, s) {
			return wrong("status", fmt.Sprintf("use one of %v", fax.Statuses))
		}
		f.Status = s
	}
	for _, s := range q["state"] {
		if !slices.Contains(fax.States, fax.State(s)) {
			return wrong("state", fmt.Sprintf("use one of %v", fax.States))
		}
		f.States = append(f.States, fax.State(s))
	}
	if s := q.Get("limit"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > maxLimit {
			return wrong("limit", fmt.Sprintf("use 1 to %d", maxLimit))
		}
		f.Limit = n
	}
	f.Tags = q["tag"]
	if s := q.Get("after"); s != "" {
		id, err := fax.ParseJobID(s)
		if err != nil {
			return wrong("after", "use the \"next\" of the page before")
		}
		f.After = id
	}
	if s := q.Get("to"); s != "" {
		number, err := fax.ParseNumber(s)
		if err != nil {
			return f, err
		}
		f.To = number
	}
	if c := fax.Cause(q.Get("cause")); c != "" {
		if !slices.Contains(fax.Causes, c) {
			return wrong("cause", fmt.Sprintf("use one of %v", fax.Causes))
		}
		f.Cause = c
	}
	for name, at := range map[string]*time.Time{"since": &f.Since, "until": &f.Until} {
		if s := q.Get(name); s != "" {
			t, err := time.Parse(time.RFC3339, s)
			if err != nil {
				return wrong(name, "use a time like 2030-01-31T12:00:00Z")
			}
			*at = t
		}
	}
	search(&f, strings.TrimSpace(q.Get("q")))
	return f, nil
}

// search is what a person types who looks for a fax: a number or how it
// begins, an id, or else a tag.
func search(f *controller.Filter, q string) {
	digits := separators.Replace(q)
	if id, err := fax.ParseJobID(strings.ToLower(q)); err == nil {
		f.ID = id
	} else if strings.Trim(digits, "+0123456789") == "" {
		f.Begins = digits
	} else {
		f.Tags = append(f.Tags, q)
	}
}

// separators may stand between the digits of a number.
var separators = strings.NewReplacer(" ", "", ".", "", "-", "", "(", "", ")", "", "/", "")
