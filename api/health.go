package api

import (
	"context"
	"net/http"
	"sync"
	"time"

	"faxbot/controller/doctor"
)

// health answers GET /health: the process is alive. It asks nobody, so nothing
// can hold it up.
func (a *API) health(w http.ResponseWriter, _ *http.Request, _ principal) error {
	reply(w, http.StatusOK, map[string]string{"status": "ok"})
	return nil
}

// readiness keeps the last answer for a moment: everybody may ask, and the
// checks cost more than a question.
type readiness struct {
	mu       sync.Mutex
	at       time.Time
	findings []doctor.Finding
}

const (
	readyFor = time.Second
	readyIn  = 5 * time.Second
)

func (k *readiness) ask(ctx context.Context, patient doctor.Patient) []doctor.Finding {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.findings == nil || time.Since(k.at) > readyFor {
		// One client that hangs up must not spoil the answer of the others.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readyIn)
		defer cancel()
		k.findings, k.at = doctor.Ready(ctx, patient), time.Now()
	}
	return k.findings
}

// checked is one check as clients see it.
type checked struct {
	OK     bool    `json:"ok"`
	Detail *string `json:"detail"`
}

// readyz answers GET /health/ready.
func (a *API) readyz(details bool) func(http.ResponseWriter, *http.Request, principal) error {
	return func(w http.ResponseWriter, r *http.Request, _ principal) error {
		ok, checks := judged(a.ready.ask(r.Context(), a.config.Controller.Patient()), details)
		status, word := http.StatusOK, "ready"
		if !ok {
			status, word = http.StatusServiceUnavailable, "not_ready"
		}
		reply(w, status, map[string]any{"status": word, "checks": checks})
		return nil
	}
}
