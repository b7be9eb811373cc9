package api

import (
	"net/http"
	"net/netip"

	"faxbot/controller/fax"
	"faxbot/dialplan"
)

// freeswitchFile is a file of FreeSWITCH's configuration folder.
type freeswitchFile struct {
	Path   string        `json:"path"` // below that folder
	Part   dialplan.Part `json:"part"`
	Secret bool          `json:"secret"` // nobody but FreeSWITCH may read it
	Text   string        `json:"text"`
}

// freeswitchFiles answers POST /admin/freeswitch-files: what a FreeSWITCH must be
// told about this daemon as it is now, secrets and all. Of the carrier, nothing
// is kept.
func (a *API) freeswitchFiles(w http.ResponseWriter, r *http.Request, _ principal) error {
	var asked struct {
		Switch   string   `json:"switch"`
		Shell    bool     `json:"shell"`
		From     []string `json:"from"`
		Carrier  string   `json:"carrier"`
		Username string   `json:"username"`
		Password string   `json:"password"`
	}
	if err := readJSON(r, &asked); err != nil {
		return err
	}
	site, err := a.config.Settings.Site(asked.Switch)
	if err != nil {
		return err
	}
	site.Shell = asked.Shell
	site.Gateway.Proxy, site.Gateway.Username, site.Gateway.Password = asked.Carrier, asked.Username, asked.Password
	for _, text := range asked.From {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			return &fax.Error{Problem: badField, Detail: "Invalid from: use networks like 10.0.0.5/32", Cause: err}
		}
		site.From = append(site.From, network)
	}
	files, err := dialplan.Files(site)
	if err != nil {
		return err
	}
	list, left := []freeswitchFile{}, []string{}
	for _, f := range files {
		list = append(list, freeswitchFile{f.Path, f.Part, f.Secret, string(f.Text)})
	}
	for _, why := range dialplan.Left(site) {
		left = append(left, why.Error())
	}
	reply(w, http.StatusOK, map[string]any{"files": list, "left_out": left})
	return nil
}
