package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"faxbot/controller/fax"
)

// Problems that only HTTP knows.
const (
	wrongMethod fax.Problem = "method_not_allowed"
	missing     fax.Problem = "missing_field" // a required part of a form
	badField    fax.Problem = "invalid_field" // a part of a form or query with a wrong value
	tooSlow     fax.Problem = "request_timeout"
	gone        fax.Problem = "client_closed" // nobody reads the reply; for the log
)

// statuses is the one table that turns refusals into HTTP statuses.
var statuses = map[fax.Problem]int{
	fax.Invalid:      http.StatusBadRequest,
	fax.BadNumber:    http.StatusBadRequest,
	fax.BadDocument:  http.StatusBadRequest, // a status that every old client knows
	fax.Unsupported:  http.StatusUnsupportedMediaType,
	fax.TooLarge:     http.StatusRequestEntityTooLarge,
	fax.NotFound:     http.StatusNotFound,
	fax.Conflict:     http.StatusConflict,
	fax.Unauthorized: http.StatusUnauthorized,
	fax.Forbidden:    http.StatusForbidden,
	fax.RateLimited:  http.StatusTooManyRequests,
	fax.Unavailable:  http.StatusServiceUnavailable,
	fax.Internal:     http.StatusInternalServerError,

	wrongMethod: http.StatusMethodNotAllowed,
	missing:     http.StatusUnprocessableEntity,
	badField:    http.StatusUnprocessableEntity,
	tooSlow:     http.StatusRequestTimeout,
	gone:        499, // nginx's number for it
}

// unavailableFor is what Retry-After says when nobody knows better.
const unavailableFor = 30 * time.Second

// later is a refusal that ends after a known time.
type later struct {
	wait time.Duration
	error
}

func (l *later) Unwrap() error { return l.error }

// refusal is the body of every reply that is not a success.
type refusal struct {
	Detail string      `json:"detail"`
	Code   fax.Problem `json:"code"`
}

// fail answers with what err says, if it may be shown.
func (a *API) fail(w http.ResponseWriter, r *http.Request, err error) {
	if x, ok := w.(*exchange); ok {
		x.err = err
		if x.status != 0 { // too late: the reply has begun
			return
		}
	}
	shown := &fax.Error{Problem: fax.Internal, Detail: "Internal error; the log of the server has the reason"}
	if !errors.As(err, &shown) && errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		shown = &fax.Error{Problem: gone, Detail: "The client closed the connection"}
	}
	status, known := statuses[shown.Problem]
	if !known {
		status = http.StatusInternalServerError
	}
	wait := time.Duration(0)
	if l := (*later)(nil); errors.As(err, &l) {
		wait = l.wait
	} else if shown.Problem == fax.Unavailable {
		wait = unavailableFor
	}
	if wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(wait.Seconds())))))
	}
	if shown.Problem == fax.Unauthorized {
		w.Header()["Www-Authenticate"] = []string{"ApiKey", "Bearer"}
	}
	reply(w, status, refusal{shown.Detail, shown.Problem})
}

// reply sends v as JSON.
func reply(w http.ResponseWriter, status int, v any) {
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(v); err != nil {
		panic(err) // our own types only
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(b.Len()))
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // a client that is gone needs no reply
}
