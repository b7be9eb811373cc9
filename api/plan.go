package api

import (
	"maps"
	"net/http"
	"slices"
	"time"

	"faxbot/controller/fax"
	"faxbot/controller/plan"
	"faxbot/controller/store"
)

func (a *API) planRoutes() []route {
	return []route{
		{"GET /fax/{id}/plan", faxRead, a.plan},
		{"GET /destinations/{number}", faxRead, a.destination},
		{"DELETE /destinations/{number}", keysManage, a.forget},
	}
}

// planView is what will happen to a fax.
type planView struct {
	State    fax.State       `json:"state"`
	Text     string          `json:"text"` // all of it, for a person
	Why      *string         `json:"why"`
	CallAt   *string         `json:"call_at"` // null: none is planned, or it has no time, or it is under way
	Gateway  *string         `json:"gateway"`
	Settings *fax.Parameters `json:"parameters"`
	Changes  []reasonView    `json:"changes"`
	Waits    []reasonView    `json:"waits"`
	Ahead    int             `json:"ahead"`
	Pages    int             `json:"pages_left"`
	Pace     float64         `json:"seconds_per_page"`
	Learned  bool            `json:"seconds_per_page_learned"`
	DoneAt   *string         `json:"done_at"`
	Deadline *string         `json:"deadline"`
}

// reasonView is a difference and the evidence for it.
type reasonView struct {
	Change fax.Change `json:"change"`
	Text   string     `json:"text"`
	Cause  *fax.Cause `json:"cause"`
	Calls  int        `json:"calls"`
	Number bool       `json:"remembered"` // of the number; else from this fax's own calls
	Since  *string    `json:"since"`
	Until  *string    `json:"until"`
}

func reasonsOf(list []fax.Reason) []reasonView {
	views := []reasonView{}
	for _, r := range list {
		views = append(views, reasonView{r.Change, r.String(), orNull(r.Cause), r.Calls, r.Number, stamp(r.Since), stamp(r.Until)})
	}
	return views
}

func planViewOf(f plan.Forecast, now time.Time) planView {
	v := planView{
		State: f.State, Text: f.Text(now), Why: orNull(f.Why), CallAt: stamp(f.At), Changes: []reasonView{}, Waits: reasonsOf(f.Waits),
		Ahead: f.Ahead, Pages: f.Pages, Pace: f.Pace, Learned: f.Learned, DoneAt: stamp(f.Done), Deadline: stamp(f.Deadline),
	}
	if f.Call != nil {
		v.Gateway, v.Settings, v.Changes = orNull(f.Call.Gateway), &f.Call.Parameters, reasonsOf(f.Call.Reasons)
	}
	return v
}

// plan answers GET /fax/{id}/plan.
func (a *API) plan(w http.ResponseWriter, r *http.Request, who principal) error {
	id, err := fax.ParseJobID(r.PathValue("id"))
	if err != nil {
		return err
	}
	if _, _, err := a.known(r, who, id); err != nil {
		return err
	}
	f, err := a.config.Controller.Plan(r.Context(), id)
	if err != nil {
		return err
	}
	reply(w, http.StatusOK, planViewOf(f, time.Now()))
	return nil
}

// destinationView is what is remembered of a number.
type destinationView struct {
	Number      fax.Number `json:"number"`
	Delivered   int        `json:"delivered"`
	DeliveredAt *string    `json:"delivered_at"`
	NotAFax     int        `json:"not_a_fax"`
	Failing     int        `json:"failing"`
	RestUntil   *string    `json:"rest_until"`
	wayView                // through any gateway
	Gateways    []wayView  `json:"gateways"`
	Remote      *string    `json:"remote_station"`
	Machine     *string    `json:"remote_machine"`
	ForgottenAt *string    `json:"forgotten_at"` // when nobody calls it any more
}

// wayView is how calls to a number go, through one gateway or through any.
type wayView struct {
	Gateway   string          `json:"gateway,omitempty"`
	Good      *fax.Parameters `json:"last_good"`
	Limits    []limitView     `json:"limits"`
	Pace      *float64        `json:"seconds_per_page"`
	UpdatedAt *string         `json:"updated_at"`
}

type limitView struct {
	Name   string    `json:"name"`
	Cause  fax.Cause `json:"cause"`
	Calls  int       `json:"calls"`
	Proven bool      `json:"proven"`
	Since  *string   `json:"since"`
	Until  *string   `json:"until"`
}

func destinationViewOf(n fax.Number, d fax.Destination) destinationView {
	v := destinationView{
		Number: n, Delivered: d.Delivered, DeliveredAt: stamp(d.DeliveredAt), NotAFax: d.NotAFax, Failing: d.Failing,
		RestUntil: stamp(d.RestUntil), wayView: wayViewOf("", d.Way), Gateways: []wayView{},
		Remote: orNull(d.RemoteStation), Machine: orNull(d.RemoteMachine), ForgottenAt: stamp(d.UpdatedAt.Add(plan.Memory)),
	}
	for _, gateway := range slices.Sorted(maps.Keys(d.Ways)) {
		v.Gateways = append(v.Gateways, wayViewOf(gateway, d.Ways[gateway]))
	}
	return v
}

func wayViewOf(gateway string, w fax.Way) wayView {
	v := wayView{Gateway: gateway, Good: w.Good, Limits: []limitView{}, Pace: orNull(w.PageSeconds), UpdatedAt: stamp(w.UpdatedAt)}
	for _, name := range slices.Sorted(maps.Keys(w.Limits)) {
		l := w.Limits[name]
		v.Limits = append(v.Limits, limitView{name, l.Cause, l.Calls, l.Proven, stamp(l.Since), stamp(l.Since.Add(plan.Memory))})
	}
	return v
}

// destination answers GET /destinations/{number}. Whoever is no administrator
// learns of numbers that he has sent a fax to.
func (a *API) destination(w http.ResponseWriter, r *http.Request, who principal) error {
	number, err := fax.ParseNumber(r.PathValue("number"))
	if err != nil {
		return err
	}
	if !who.admin() {
		own, err := a.config.Controller.List(r.Context(), store.Filter{Owner: who.owner, To: number, Limit: 1})
		if err != nil {
			return err
		}
		if len(own) == 0 {
			return &fax.Error{Problem: fax.NotFound, Detail: "Nothing is remembered of this number"}
		}
	}
	known, err := a.config.Controller.Destination(r.Context(), number)
	if err != nil {
		return err
	}
	reply(w, http.StatusOK, destinationViewOf(number, known))
	return nil
}

// forget answers DELETE /destinations/{number}.
func (a *API) forget(w http.ResponseWriter, r *http.Request, _ principal) error {
	number, err := fax.ParseNumber(r.PathValue("number"))
	if err == nil {
		err = a.config.Controller.Forget(r.Context(), number)
	}
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
