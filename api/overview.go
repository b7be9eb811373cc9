package api

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"faxbot/controller"
	"faxbot/controller/doctor"
	"faxbot/controller/fax"
)

// overviewView is how things stand.
type overviewView struct {
	Timestamp *string           `json:"timestamp"`
	Open      map[fax.State]int `json:"open"`
	Waits     float64           `json:"queue_age_seconds"`
	Gateways  []gatewayView     `json:"gateways"`
	Switches  []switchView      `json:"switches"`
	Alarms    []alarm           `json:"alarms"`
}

type gatewayView struct {
	Name      string  `json:"name"`
	State     string  `json:"state"`
	Live      int     `json:"live_calls"`
	Channels  int     `json:"channels"`
	CPS       float64 `json:"calls_per_second"`
	RestUntil *string `json:"rest_until"`
}

// switchView is a FreeSWITCH of the daemon that answers.
type switchView struct {
	Name     string  `json:"name"`
	Address  string  `json:"address"`
	Up       bool    `json:"up"`
	Detail   *string `json:"detail"` // why it is not
	Live     int     `json:"live_calls"`
	Channels *int    `json:"channels"` // null without a limit
}

// alarm is something that a person should look at.
type alarm struct {
	What string `json:"what"`
	Do   string `json:"do"`
}

// overview answers GET /admin/overview.
func (a *API) overview(w http.ResponseWriter, r *http.Request, _ principal) error {
	o, err := a.config.Controller.Overview(r.Context())
	if err != nil {
		return err
	}
	findings := a.ready.ask(r.Context(), a.config.Controller.Patient())
	v := overviewView{
		Timestamp: stamp(time.Now()), Open: o.Open, Waits: o.Waits.Seconds(),
		Gateways: []gatewayView{}, Switches: []switchView{}, Alarms: alarms(o, findings),
	}
	for _, g := range o.Gateways {
		v.Gateways = append(v.Gateways, gatewayView{g.Name, g.State, g.Live, g.Channels, g.CPS, stamp(g.RestUntil)})
	}
	for _, s := range o.Switches {
		one := switchView{Name: s.Name, Address: s.Address, Up: s.Down == nil, Live: s.Live, Channels: orNull(s.Channels)}
		if s.Down != nil {
			one.Detail = orNull(s.Down.Error())
		}
		v.Switches = append(v.Switches, one)
	}
	reply(w, http.StatusOK, v)
	return nil
}

// lateAfter is how long a due fax may wait before somebody should know.
const lateAfter = 15 * time.Minute

// alarms says what is wrong now, and what to do about it.
func alarms(o controller.Overview, findings []doctor.Finding) []alarm {
	list := []alarm{}
	add := func(do, what string, args ...any) { list = append(list, alarm{fmt.Sprintf(what, args...), do}) }
	for _, f := range findings {
		if f.Outcome == doctor.Fails {
			add("To mend it: "+f.Mend, "The check %q fails: %s", f.Check, f.Found)
		}
	}
	for _, g := range o.Gateways {
		switch g.State {
		case "misconfigured":
			add("Correct its account or its settings in FreeSWITCH; its faxes wait, and one is tried now and then.", "The gateway %s refuses our calls.", g.Name)
		case "resting", "probing":
			add("Ask the carrier, or wait: it is tried now and then, and other gateways take its faxes meanwhile.", "The gateway %s takes no calls.", g.Name)
		}
	}
	for _, s := range o.Switches {
		if s.Down != nil && len(o.Switches) > 1 { // the only one is among the checks
			add("See whether it runs, and whether it is reached; the others take its faxes meanwhile.", "The FreeSWITCH %s is down: %v", s.Name, s.Down)
		}
	}
	if n := o.Open[fax.Held]; n > 0 {
		add("Look at each, then release or cancel it.", "%d held: faxes that wait for a person.", n)
	}
	if o.Waits > lateAfter {
		add("See whether the gateways have free channels, and whether FreeSWITCH is reached.", "The longest due fax has waited %s for its call.", o.Waits.Round(time.Minute))
	}
	if o.Dead > 0 {
		add("See what their receivers answered, then send them again.", "%d webhook messages were given up.", o.Dead)
	}
	return list
}

// periodView is what the calls of one hour came to.
type periodView struct {
	Hour    *string   `json:"hour"`
	Gateway string    `json:"gateway"`
	Cause   fax.Cause `json:"cause"`
	Calls   int       `json:"calls"`
	Pages   int       `json:"pages"`
}

// maxHours is a month; nobody reads more from a chart.
const maxHours = 31 * 24

// statistics answers GET /admin/statistics.
func (a *API) statistics(w http.ResponseWriter, r *http.Request, _ principal) error {
	hours := 24
	if s := r.URL.Query().Get("hours"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > maxHours {
			return &fax.Error{Problem: badField, Detail: fmt.Sprintf("Invalid hours: use 1 to %d", maxHours)}
		}
		hours = n
	}
	since := time.Now().Truncate(time.Hour).Add(-time.Duration(hours-1) * time.Hour)
	periods, err := a.config.Controller.Statistics(r.Context(), since)
	if err != nil {
		return err
	}
	list := make([]periodView, len(periods))
	for i, p := range periods {
		list[i] = periodView{stamp(p.Hour), p.Gateway, p.Cause, p.Calls, p.Pages}
	}
	reply(w, http.StatusOK, map[string]any{"since": stamp(since), "periods": list})
	return nil
}
