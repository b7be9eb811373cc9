package webhook

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"faxbot/controller/fax"
	"faxbot/controller/store"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// judged hears messages and has the library of the specification judge their
// signatures.
type judged struct {
	t       *testing.T
	secrets []string // every one of them must do
	strange string   // this one must not
	heard   []payload
}

func (j *judged) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	text, _ := io.ReadAll(r.Body)
	for _, s := range append(j.secrets, j.strange) {
		judge, err := standard.NewWebhook(s)
		if err != nil {
			j.t.Error(err)
			return
		}
		if err := judge.Verify(text, r.Header); (err == nil) != (s != j.strange) {
			j.t.Errorf("the signature judged by %s: %v", s, err)
		}
	}
	var p payload
	if err := json.Unmarshal(text, &p); err != nil {
		j.t.Error(err)
	}
	j.heard = append(j.heard, p)
}

// An endpoint has a secret of its own. While it is rotated two are valid; after
// that time the new one alone.
func TestEndpointSecretsRotate(t *testing.T) {
	t.Parallel()
	db := open(t)
	s := newSender(t, db, Terms{Secrets: []string{secret}, AllowPrivate: true})
	first, next := s.NewSecret(), s.NewSecret()
	j := &judged{t: t, secrets: []string{first}, strange: secret}
	server := httptest.NewServer(j)
	defer server.Close()
	e, err := db.Endpoints().Add(t.Context(), store.Endpoint{URL: server.URL, Enabled: true, Secret: first})
	if err != nil {
		t.Fatal(err)
	}
	job := fax.Job{ID: fax.NewJobID(), To: "+15551230001", Documents: 1}
	if _, _, err := db.Create(t.Context(), job, store.Idempotency{}); err != nil {
		t.Fatal(err)
	}
	if err := db.Prepared(t.Context(), job.ID, fax.Facts{Sheets: make([]fax.Sheet, 1)}); err != nil {
		t.Fatal(err)
	}
	list, err := db.Outbox().Claim(t.Context(), time.Now().Add(time.Second), time.Now(), 10)
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	deliver := func() {
		t.Helper()
		if err := s.deliver(t.Context(), list[0]); err != nil {
			t.Error(err)
		}
	}
	rotate := func(until time.Time) {
		t.Helper()
		e, err = db.Endpoints().Change(t.Context(), e.ID, store.EndpointRotated, func(e *store.Endpoint) error {
			e.Secret, e.OldSecret, e.OldUntil = next, first, until
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	deliver()
	rotate(time.Now().Add(time.Hour))
	j.secrets = []string{first, next}
	deliver()
	if err := s.Test(t.Context(), e); err != nil {
		t.Error(err)
	}
	rotate(time.Now())
	j.secrets, j.strange = []string{next}, first
	deliver()
	if len(j.heard) != 4 || j.heard[1].Type != store.EventQueued || j.heard[2].Type != store.EventTest || j.heard[3].Data.ID != job.ID {
		t.Errorf("heard %+v", j.heard)
	}

	// Nobody is told what nobody wants any more; it can be replayed.
	disable := func(e *store.Endpoint) error { e.Enabled = false; return nil }
	if _, err := db.Endpoints().Change(t.Context(), e.ID, store.EndpointChanged, disable); err != nil {
		t.Fatal(err)
	}
	s.send(t.Context(), list[0])
	if dead, err := db.Outbox().Dead(t.Context(), 10); err != nil || len(dead) != 1 || dead[0].Error != "the webhook is disabled" {
		t.Errorf("dead: %+v, %v", dead, err)
	}
	if err := db.Endpoints().Remove(t.Context(), e.ID); err != nil {
		t.Fatal(err)
	}
	if err := s.deliver(t.Context(), list[0]); err != errRemoved { //nolint:errorlint // the very value
		t.Error(err)
	}
	if len(j.heard) != 4 {
		t.Errorf("then heard %+v", j.heard[4:])
	}
}
