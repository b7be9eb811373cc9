package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"faxbot/controller"
	"faxbot/controller/fax"
	"faxbot/dialplan"
)

// Settings are what the daemon works with: defaults, beneath them what
// administrators have stored, and above all environment and flags.
type Settings interface {
	// List returns all of them in the order of the help.
	List() []Setting
	// Change stores all of these texts or none; nil takes what is stored back.
	// With dry it only says what would be wrong. Flaws belong to settings that
	// cannot be used; the error is a refusal of the whole.
	Change(ctx context.Context, texts map[string]*string, dry bool) ([]Flaw, error)
	// Trial is what calls would be placed by with these texts, before anything
	// is stored.
	Trial(texts map[string]*string) (controller.Policy, []Flaw, error)
	// Site is what a FreeSWITCH must be told about the daemon as it is now; "" is
	// the first one.
	Site(name string) (dialplan.Site, error)
	// Export is an environment file of all settings but the secrets, which it
	// names.
	Export() string
}

// Setting is one setting as administrators see it.
type Setting struct {
	Name    string `json:"name"` // of the environment variable, or the flag if there is none
	Flag    string `json:"flag"`
	Group   string `json:"group"`
	Help    string `json:"help"`
	Secret  bool   `json:"secret"`
	Value   any    `json:"value"`   // in force; "set" or "unset" for a secret
	Default any    `json:"default"` // null when there is none
	Source  Source `json:"source"`  // of the value
	Stored  bool   `json:"stored"`  // also when the environment prevails
	Applies Effect `json:"applies"`
	Pending any    `json:"pending"` // what the next start brings, if that is another value
}

// Source is where the value of a setting comes from.
type Source string

// Every Source there is.
const (
	FromDefault     Source = "default"
	FromStored      Source = "stored"
	FromEnvironment Source = "environment"
	FromFlag        Source = "flag"
)

// Effect says when a stored value takes effect.
type Effect string

// Every Effect there is.
const (
	Now       Effect = "now"
	NextStart Effect = "restart"
	Never     Effect = "never" // it cannot be stored
)

// Flaw is why a setting cannot be used.
type Flaw struct {
	Setting string `json:"setting"`
	Detail  string `json:"detail"`
}

func (a *API) settingRoutes() []route {
	return []route{
		{"GET /admin/config", keysManage, a.adminConfig},
		{"GET /admin/settings", keysManage, a.listSettings},
		{"PUT /admin/settings", keysManage, a.changeSettings},
		{"POST /admin/settings/validate", keysManage, a.validateSettings},
		{"GET /admin/settings/export", keysManage, a.exportSettings},
		{"POST /admin/freeswitch-files", keysManage, a.freeswitchFiles},
	}
}

// adminConfig answers GET /admin/config: the settings in short.
func (a *API) adminConfig(w http.ResponseWriter, _ *http.Request, _ principal) error {
	all := map[string]any{}
	for _, s := range a.config.Settings.List() {
		all[s.Name] = s.Value
		if s.Secret {
			all[s.Name] = s.Value == "set"
		}
	}
	reply(w, http.StatusOK, map[string]any{"backend": "freeswitch", "version": a.config.Version, "settings": all})
	return nil
}

// listSettings answers GET /admin/settings.
func (a *API) listSettings(w http.ResponseWriter, _ *http.Request, _ principal) error {
	reply(w, http.StatusOK, map[string]any{"settings": a.config.Settings.List()})
	return nil
}

// changeSettings answers PUT /admin/settings: those that are named are stored,
// all or none, and the others stay.
func (a *API) changeSettings(w http.ResponseWriter, r *http.Request, who principal) error {
	texts, err := settingsOf(r)
	if err != nil {
		return err
	}
	flaws, err := a.config.Settings.Change(r.Context(), texts, false)
	if err != nil {
		return err
	}
	if len(flaws) > 0 {
		return flawed("Nothing was changed", flaws)
	}
	return a.listSettings(w, r, who)
}

func flawed(what string, flaws []Flaw) error {
	var lines []string
	for _, f := range flaws {
		lines = append(lines, f.Detail)
	}
	return &fax.Error{Problem: badField, Detail: what + ": " + strings.Join(lines, "; ")}
}

// validateSettings answers POST /admin/settings/validate: what PUT would say.
func (a *API) validateSettings(w http.ResponseWriter, r *http.Request, _ principal) error {
	texts, err := settingsOf(r)
	if err != nil {
		return err
	}
	flaws, err := a.config.Settings.Change(r.Context(), texts, true)
	if err != nil {
		return err
	}
	reply(w, http.StatusOK, map[string]any{"valid": len(flaws) == 0, "errors": append([]Flaw{}, flaws...)})
	return nil
}

// exportSettings answers GET /admin/settings/export.
func (a *API) exportSettings(w http.ResponseWriter, _ *http.Request, _ principal) error {
	w.Header().Set("Content-Disposition", `attachment; filename="faxbot.env"`)
	return send(w, "text/plain; charset=utf-8", []byte(a.config.Settings.Export()))
}

// settingsOf reads an object of settings, by the names of their environment
// variables, as the texts that would stand there.
func settingsOf(r *http.Request) (map[string]*string, error) {
	var raw json.RawMessage
	if err := readJSON(r, &raw); err != nil {
		return nil, err
	}
	return textsOf(raw)
}

func textsOf(raw json.RawMessage) (map[string]*string, error) {
	var given map[string]any
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if err := decoder.Decode(&given); err != nil || given == nil {
		return nil, &fax.Error{Problem: badField, Detail: `The body must be an object such as {"FAX_HEADER": "Doe Ltd"}`, Cause: err}
	}
	texts := map[string]*string{}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		text, ok := textOf(given[name])
		if !ok {
			return nil, fax.Errorf(badField, "Invalid %.100q: use a text, a number, true, false, a list of texts, or null", name)
		}
		texts[name] = text
	}
	return texts, nil
}

func textOf(v any) (*string, bool) {
	text := "" // counts as unset, as in the environment
	switch v := v.(type) {
	case nil:
		return nil, true
	case string:
		text = v
	case json.Number:
		text = v.String()
	case bool:
		text = fmt.Sprint(v)
	case []any:
		var list []string
		for _, entry := range v {
			s, ok := entry.(string)
			if !ok {
				return nil, false
			}
			list = append(list, strings.ReplaceAll(s, ",", `\,`))
		}
		text = strings.Join(list, ",")
	default:
		return nil, false
	}
	if text == "" {
		return nil, true
	}
	return &text, true
}
