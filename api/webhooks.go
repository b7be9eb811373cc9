package api

import (
	"net/http"
	"net/url"

	"faxbot/controller"
	"faxbot/controller/fax"
)

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
	host := ""
	if u, err := url.Parse(m.URL); err == nil {
		host = u.Host
	}
	return deadView{
		ID: m.ID, Event: string(m.Event), Fax: m.Job.ID, Target: host, Tries: m.Tries,
		Error: orNull(m.Error), CreatedAt: stamp(m.MadeAt), DeadAt: stamp(m.DeadAt),
	}
}

// deadWebhooks answers GET /admin/webhooks/dead.
func (a *API) deadWebhooks(w http.ResponseWriter, r *http.Request, _ principal) error {
	dead, err := a.config.Controller.Outbox().Dead(r.Context(), maxLimit)
	if err != nil {
		return err
	}
	list := make([]deadView, len(dead))
	for i, m := range dead {
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
