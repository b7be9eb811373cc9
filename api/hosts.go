package api

import (
	"math"
	"net/http"
)

// hostView is a daemon of the fleet, as it last told.
type hostView struct {
	Name     string           `json:"name"`
	Version  string           `json:"version"`
	Since    *string          `json:"since"`
	Silent   float64          `json:"silent_seconds"`
	Alive    bool             `json:"alive"`
	Draining bool             `json:"draining"`
	Live     int              `json:"live_calls"`
	Switches []hostSwitchView `json:"switches"`
}

type hostSwitchView struct {
	Name     string   `json:"name"`
	Up       bool     `json:"up"`
	Socket   string   `json:"socket"`
	Gateways []string `json:"gateways"` // none for all
}

// hosts answers GET /admin/hosts.
func (a *API) hosts(w http.ResponseWriter, r *http.Request, _ principal) error {
	list, alive, err := a.config.Controller.Fleet(r.Context())
	if err != nil {
		return err
	}
	views := make([]hostView, len(list))
	for i, h := range list {
		views[i] = hostView{
			Name: h.Name, Version: h.Version, Since: stamp(h.Since), Silent: math.Round(h.Silent.Seconds()*10) / 10, Alive: alive(h),
			Draining: h.Draining, Live: h.Calls, Switches: []hostSwitchView{},
		}
		for _, s := range h.Switches {
			views[i].Switches = append(views[i].Switches, hostSwitchView{s.Name, s.Up, s.Socket, append([]string{}, s.Gateways...)})
		}
	}
	reply(w, http.StatusOK, map[string]any{"hosts": views})
	return nil
}
