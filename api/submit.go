package api

import (
	"fmt"
	"net/http"

	"faxbot/controller/fax"
)

// submit answers POST /fax. All that can be refused from the headers is, before
// the body is read; the rest as soon as the part has come that is at fault.
func (a *API) submit(w http.ResponseWriter, r *http.Request, who principal) error {
	parts, err := multipartOf(r)
	if err != nil {
		return err
	}
	key, err := idempotencyKey(r)
	if err != nil {
		return err
	}
	terms := a.terms.Load()
	if r.ContentLength > terms.MaxBytes+formOverhead {
		return fax.Errorf(fax.TooLarge, "The documents are larger than %s", megabytes(terms.MaxBytes))
	}
	reception, err := a.config.Controller.Receive(r.Context())
	if err != nil {
		return err
	}
	defer reception.Abort()
	f, err := terms.fields.read(r.Context(), parts, reception)
	if err != nil {
		return err
	}
	job, again, err := a.config.Controller.Submit(r.Context(), reception, f.submission(who, key))
	if err != nil {
		return err
	}
	accepted(w, job, again)
	return nil
}

// accepted tells of a fax that is kept; again, that it was before.
func accepted(w http.ResponseWriter, job fax.Job, again bool) {
	w.Header().Set("Location", "/fax/"+string(job.ID))
	if again {
		w.Header().Set("Idempotent-Replayed", "true")
	}
	reply(w, http.StatusAccepted, viewOf(job))
}

func idempotencyKey(r *http.Request) (string, error) {
	key := r.Header.Get("Idempotency-Key")
	if len(key) > maxKey || !printable(key) {
		return "", fax.Errorf(badField, "Invalid Idempotency-Key: use at most %d printable characters", maxKey)
	}
	return key, nil
}

// maxKey is the longest Idempotency-Key.
const maxKey = 255

func megabytes(n int64) string { return fmt.Sprintf("%.4g MB", float64(n)/(1<<20)) }
