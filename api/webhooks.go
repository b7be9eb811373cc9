package api

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"time"

	"faxbot/controller"
	"faxbot/controller/fax"
)

// Sender sends webhooks from the outbox.
type Sender interface {
	// Check refuses a URL that nothing could be sent to.
	Check(url string) error
	// Test sends a message to an endpoint now and says what came of it.
	Test(ctx context.Context, e controller.Endpoint) error
	// NewSecret makes one that signs.
	NewSecret() string
}

func (a *API) webhookRoutes() []route {
	return []route{
		{"GET /admin/webhook-endpoints", keysManage, a.listEndpoints},
		{"POST /admin/webhook-endpoints", keysManage, a.addEndpoint},
		{"GET /admin/webhook-endpoints/{endpoint}", keysManage, a.findEndpoint},
		{"PATCH /admin/webhook-endpoints/{endpoint}", keysManage, a.changeEndpoint},
		{"DELETE /admin/webhook-endpoints/{endpoint}", keysManage, a.removeEndpoint},
		{"POST /admin/webhook-endpoints/{endpoint}/rotate", keysManage, a.rotateEndpoint},
		{"POST /admin/webhook-endpoints/{endpoint}/test", keysManage, a.testEndpoint},
		{"GET /admin/webhooks/dead", keysManage, a.deadWebhooks},
		{"POST /admin/webhooks/{id}/replay", keysManage, a.replayWebhook},
	}
}

// endpointView is somebody who is told of every fax. Of its URL only the host
// is shown: the rest may be a secret.
type endpointView struct {
	ID             *string            `json:"id"` // null for one of the settings, which cannot be changed here
	Target         string             `json:"target"`
	Events         []controller.Event `json:"events"` // null for all
	Enabled        bool               `json:"enabled"`
	Note           *string            `json:"note"`
	Source         string             `json:"source"`           // "stored", or the name of the setting
	OldSecretUntil *string            `json:"old_secret_until"` // while two are valid
	CreatedAt      *string            `json:"created_at"`
	UpdatedAt      *string            `json:"updated_at"`
}

func endpointViewOf(e controller.Endpoint) endpointView {
	v := endpointView{
		ID: &e.ID, Target: hostOf(e.URL), Events: e.Events, Enabled: e.Enabled, Note: orNull(e.Note),
		Source: string(FromStored), CreatedAt: stamp(e.CreatedAt), UpdatedAt: stamp(e.UpdatedAt),
	}
	if time.Now().Before(e.OldUntil) {
		v.OldSecretUntil = stamp(e.OldUntil)
	}
	return v
}

// newSecretView is an endpoint on the only occasions on which its secret is told.
type newSecretView struct {
	endpointView
	Secret string `json:"secret"`
}

func hostOf(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	return u.Host
}

// listEndpoints answers GET /admin/webhook-endpoints.
func (a *API) listEndpoints(w http.ResponseWriter, r *http.Request, _ principal) error {
	stored, err := a.config.Controller.Endpoints().List(r.Context())
	if err != nil {
		return err
	}
	list := []endpointView{}
	for _, e := range stored {
		list = append(list, endpointViewOf(e))
	}
	for _, url := range a.terms.Load().Webhooks {
		list = append(list, endpointView{Target: hostOf(url), Enabled: true, Source: "FAXBOT_WEBHOOK_URLS"})
	}
	reply(w, http.StatusOK, list)
	return nil
}

// endpointRequest is what somebody wants of an endpoint; nil leaves it as it is.
type endpointRequest struct {
	URL     *string             `json:"url"`
	Events  *[]controller.Event `json:"events"` // empty for all
	Enabled *bool               `json:"enabled"`
	Note    *string             `json:"note"`
}

// edit does what is asked to an endpoint, or refuses it.
func (a *API) edit(asked endpointRequest, e *controller.Endpoint) error {
	if asked.URL != nil {
		if err := a.config.Sender.Check(*asked.URL); err != nil {
			return err
		}
		if slices.Contains(a.terms.Load().Webhooks, *asked.URL) {
			return &fax.Error{Problem: fax.Conflict, Detail: "This address is told already: it is in the setting FAXBOT_WEBHOOK_URLS"}
		}
		e.URL = *asked.URL
	}
	if asked.Events != nil {
		for _, event := range *asked.Events {
			if !slices.Contains(controller.Events, event) {
				return fax.Errorf(badField, "Invalid events: use some of %v", controller.Events)
			}
		}
		e.Events = nil
		if len(*asked.Events) > 0 {
			e.Events = *asked.Events
		}
	}
	if asked.Enabled != nil {
		e.Enabled = *asked.Enabled
	}
	if asked.Note != nil {
		if len(*asked.Note) > maxKeyNote {
			return fax.Errorf(badField, "Invalid note: use at most %d bytes", maxKeyNote)
		}
		e.Note = *asked.Note
	}
	return nil
}

// addEndpoint answers POST /admin/webhook-endpoints.
func (a *API) addEndpoint(w http.ResponseWriter, r *http.Request, _ principal) error {
	var asked endpointRequest
	if err := readJSON(r, &asked); err != nil {
		return err
	}
	if asked.URL == nil {
		return &fax.Error{Problem: missing, Detail: "Missing url"}
	}
	e := controller.Endpoint{Enabled: true, Secret: a.config.Sender.NewSecret()}
	if err := a.edit(asked, &e); err != nil {
		return err
	}
	e, err := a.config.Controller.Endpoints().Add(r.Context(), e)
	if err != nil {
		return err
	}
	reply(w, http.StatusOK, newSecretView{endpointViewOf(e), e.Secret})
	return nil
}

// findEndpoint answers GET /admin/webhook-endpoints/{endpoint}.
func (a *API) findEndpoint(w http.ResponseWriter, r *http.Request, _ principal) error {
	e, err := a.config.Controller.Endpoints().Find(r.Context(), r.PathValue("endpoint"))
	if err != nil {
		return err
	}
	reply(w, http.StatusOK, endpointViewOf(e))
	return nil
}

// changeEndpoint answers PATCH /admin/webhook-endpoints/{endpoint}.
func (a *API) changeEndpoint(w http.ResponseWriter, r *http.Request, _ principal) error {
	var asked endpointRequest
	if err := readJSON(r, &asked); err != nil {
		return err
	}
	e, err := a.config.Controller.Endpoints().Change(r.Context(), r.PathValue("endpoint"), controller.EndpointChanged,
		func(e *controller.Endpoint) error { return a.edit(asked, e) })
	if err != nil {
		return err
	}
	reply(w, http.StatusOK, endpointViewOf(e))
	return nil
}

// removeEndpoint answers DELETE /admin/webhook-endpoints/{endpoint}.
func (a *API) removeEndpoint(w http.ResponseWriter, r *http.Request, _ principal) error {
	if err := a.config.Controller.Endpoints().Remove(r.Context(), r.PathValue("endpoint")); err != nil {
		return err
	}
	reply(w, http.StatusOK, map[string]string{"status": "ok"})
	return nil
}

// How long an old secret signs beside the new one, in hours.
const (
	defaultOverlap = 24
	maxOverlap     = 30 * 24
)

// rotateEndpoint answers POST /admin/webhook-endpoints/{endpoint}/rotate.
func (a *API) rotateEndpoint(w http.ResponseWriter, r *http.Request, _ principal) error {
	asked := struct {
		Hours int `json:"overlap_hours"`
	}{defaultOverlap}
	if err := readJSON(r, &asked); err != nil {
		return err
	}
	if asked.Hours < 0 || asked.Hours > maxOverlap {
		return fax.Errorf(badField, "Invalid overlap_hours: use 0 to %d", maxOverlap)
	}
	fresh := a.config.Sender.NewSecret()
	e, err := a.config.Controller.Endpoints().Change(r.Context(), r.PathValue("endpoint"), controller.EndpointRotated,
		func(e *controller.Endpoint) error {
			e.Secret, e.OldSecret, e.OldUntil = fresh, e.Secret, time.Now().Add(time.Duration(asked.Hours)*time.Hour)
			return nil
		})
	if err != nil {
		return err
	}
	reply(w, http.StatusOK, newSecretView{endpointViewOf(e), e.Secret})
	return nil
}

// testEndpoint answers POST /admin/webhook-endpoints/{endpoint}/test.
func (a *API) testEndpoint(w http.ResponseWriter, r *http.Request, _ principal) error {
	e, err := a.config.Controller.Endpoints().Find(r.Context(), r.PathValue("endpoint"))
	if err != nil {
		return err
	}
	began, detail := time.Now(), ""
	if err := a.config.Sender.Test(r.Context(), e); err != nil {
		detail = err.Error()
	}
	reply(w, http.StatusOK, map[string]any{"delivered": detail == "", "detail": orNull(detail), "seconds": time.Since(began).Seconds()})
	return nil
}

// deadView is a message that was given up.
type deadView struct {
	ID        string    `json:"id"`
	Event     string    `json:"event"`
	Fax       fax.JobID `json:"fax_id"`
	Target    string    `json:"target"` // the host; the rest of a URL may be a secret
	Tries     int       `json:"tries"`
	Error     *string   `json:"error"`
	CreatedAt *string   `json:"created_at"`
	DeadAt    *string   `json:"dead_at"`
}

func deadViewOf(m controller.Message) deadView {
	return deadView{
		ID: m.ID, Event: string(m.Event), Fax: m.Job.ID, Target: hostOf(m.URL), Tries: m.Tries,
		Error: orNull(m.Error), CreatedAt: stamp(m.MadeAt), DeadAt: stamp(m.DeadAt),
	}
}

// deadWebhooks answers GET /admin/webhooks/dead.
func (a *API) deadWebhooks(w http.ResponseWriter, r *http.Request, _ principal) error {
	dead, err := a.config.Controller.Outbox().Dead(r.Context(), maxLimit)
	if err != nil {
		return err
	}
	endpoints, err := a.config.Controller.Endpoints().List(r.Context())
	if err != nil {
		return err
	}
	urls := map[string]string{}
	for _, e := range endpoints {
		urls[e.ID] = e.URL
	}
	list := make([]deadView, len(dead))
	for i, m := range dead {
		if url, ok := urls[m.URL]; ok {
			m.URL = url
		}
		list[i] = deadViewOf(m)
	}
	reply(w, http.StatusOK, list)
	return nil
}

// replayWebhook answers POST /admin/webhooks/{id}/replay.
func (a *API) replayWebhook(w http.ResponseWriter, r *http.Request, _ principal) error {
	if err := a.config.Controller.Outbox().Replay(r.Context(), r.PathValue("id")); err != nil {
		return err
	}
	reply(w, http.StatusOK, map[string]string{"status": "ok"})
	return nil
}
