package api_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"faxbot/controller"
	"faxbot/controller/fax"
	"faxbot/controller/webhook"

	"github.com/prometheus/client_golang/prometheus"
)

// withWebhooks gives the stand a sender, as the daemon has one.
func withWebhooks(t *testing.T, terms webhook.Terms) func(*settings) {
	t.Helper()
	return func(c *settings) {
		s, err := webhook.New(webhook.Config{Terms: terms, Logger: c.api.Logger, Registerer: prometheus.NewRegistry()})
		if err != nil {
			t.Fatal(err)
		}
		c.api.Sender, c.api.Webhooks = s, []string{"https://configured.example/secret"}
	}
}

func (s *stand) patch(path, body string) *answer {
	s.t.Helper()
	return s.do(request{method: "PATCH", path: path, body: []byte(body), header: map[string]string{"Content-Type": "application/json"}})
}

// Administrators add, change and remove whom every fax is told to; the secret
// is shown once, the address never whole.
func TestEndpoints(t *testing.T) {
	t.Parallel()
	s := newStand(t, withWebhooks(t, webhook.Terms{}))
	const all = "/admin/webhook-endpoints"
	a := s.post(all, `{"url":"https://one.example/secret","events":["fax.delivered","fax.failed"],"note":"the archive"}`, nil).ok(200)
	id, first := a.fields["id"].(string), a.fields["secret"].(string)
	if a.fields["target"] != "one.example" || a.fields["enabled"] != true || a.fields["source"] != "stored" || !strings.HasPrefix(first, "whsec_") {
		t.Errorf("%s", a.body)
	}
	list := s.get(all).ok(200)
	var views []map[string]any
	if err := json.Unmarshal(list.body, &views); err != nil || len(views) != 2 {
		t.Fatalf("%s", list.body)
	}
	if views[0]["note"] != "the archive" || views[1]["id"] != nil || views[1]["target"] != "configured.example" || views[1]["source"] != "FAXBOT_WEBHOOK_URLS" {
		t.Errorf("%s", list.body)
	}
	if a := s.patch(all+"/"+id, `{"events":[],"enabled":false}`).ok(200); a.fields["events"] != nil || a.fields["enabled"] != false || a.fields["note"] != "the archive" {
		t.Errorf("%s", a.body)
	}
	a = s.post(all+"/"+id+"/rotate", `{"overlap_hours":2}`, nil).ok(200)
	until, err := time.Parse(time.RFC3339, a.fields["old_secret_until"].(string))
	if in := time.Until(until); err != nil || in < 119*time.Minute || in > 2*time.Hour || a.fields["secret"] == first {
		t.Errorf("%s", a.body)
	}
	if a := s.post(all+"/"+id+"/rotate", `{"overlap_hours":0}`, nil).ok(200); a.fields["old_secret_until"] != nil {
		t.Errorf("a secret that was taken: %s", a.body)
	}
	if one := s.get(all + "/" + id).ok(200); strings.Contains(string(one.body)+string(s.get(all).body)+s.log.String(), "whsec_") || strings.Contains(string(one.body), "secret\"") {
		t.Errorf("a secret is shown: %s", one.body)
	}
	// Nothing listens there, and it is private: the test says so, and is a
	// reply like any other.
	if _, err := s.ctl.Endpoints().Change(t.Context(), id, "webhook.changed", aimAt("http://127.0.0.1:1/")); err != nil {
		t.Fatal(err)
	}
	if a := s.post(all+"/"+id+"/test", "", nil).ok(200); a.fields["delivered"] != false || !strings.Contains(a.fields["detail"].(string), "private") {
		t.Errorf("%s", a.body)
	}
	s.do(request{method: "DELETE", path: all + "/" + id}).ok(200)
	for _, gone := range []*answer{s.get(all + "/" + id), s.patch(all+"/"+id, `{}`), s.post(all+"/"+id+"/rotate", "", nil), s.post(all+"/"+id+"/test", "", nil)} {
		gone.want(404, fax.NotFound, "Webhook not found")
	}
	var deeds []string
	for _, r := range s.get("/admin/logs?q=" + id).ok(200).fields["items"].([]any) {
		deeds = append(deeds, r.(map[string]any)["event"].(string))
	}
	if got := strings.Join(deeds, " "); got != "webhook.removed webhook.changed webhook.rotated webhook.rotated webhook.changed webhook.added" {
		t.Errorf("recorded: %s", got)
	}
}

func aimAt(url string) func(*controller.Endpoint) error {
	return func(e *controller.Endpoint) error { e.URL = url; return nil }
}

func TestEndpointsAreRefused(t *testing.T) {
	t.Parallel()
	s := newStand(t, withWebhooks(t, webhook.Terms{}))
	const all = "/admin/webhook-endpoints"
	id := s.post(all, `{"url":"https://one.example"}`, nil).ok(200).fields["id"].(string)
	for body, want := range map[string]struct {
		status int
		code   fax.Problem
	}{
		`{}`:                                                  {422, "missing_field"},
		`{"url":"one.example"}`:                               {400, fax.Invalid},
		`{"url":"http://127.0.0.1/"}`:                         {400, fax.Invalid},
		`{"url":"http://localhost:80/"}`:                      {400, fax.Invalid},
		`{"url":"http://[::1]/"}`:                             {400, fax.Invalid},
		`{"url":"http://169.254.169.254"}`:                    {400, fax.Invalid},
		`{"url":"http://[::ffff:10.0.0.1]/"}`:                 {400, fax.Invalid},
		`{"url":"https://one.example"}`:                       {409, fax.Conflict},
		`{"url":"https://configured.example/secret"}`:         {409, fax.Conflict},
		`{"url":"https://two.example","events":["fax.read"]}`: {422, "invalid_field"},
		`{"url":"https://two.example","note":"` + strings.Repeat("x", 1001) + `"}`: {422, "invalid_field"},
		`{"url":7}`: {422, "invalid_field"},
		`nonsense`:  {422, "invalid_field"},
	} {
		s.post(all, body, nil).want(want.status, want.code)
		if want.code != "missing_field" && body != `{"url":"https://one.example"}` {
			s.patch(all+"/"+id, body).want(want.status, want.code)
		}
	}
	s.post(all+"/"+id+"/rotate", `{"overlap_hours":721}`, nil).want(422, "invalid_field")
	if a := s.get(all + "/" + id).ok(200); a.fields["target"] != "one.example" || a.fields["updated_at"] != a.fields["created_at"] {
		t.Errorf("a refusal changed it: %s", a.body)
	}
	_, token := s.newKey(`{}`)
	for _, r := range []request{
		{method: "GET", path: all},
		{method: "POST", path: all},
		{method: "GET", path: all + "/" + id},
		{method: "PATCH", path: all + "/" + id},
		{method: "DELETE", path: all + "/" + id},
		{method: "POST", path: all + "/" + id + "/rotate"},
		{method: "POST", path: all + "/" + id + "/test"},
		{method: "PUT", path: "/admin/settings"},
		{method: "POST", path: "/admin/settings/validate"},
	} {
		r.header = as(token)
		s.do(r).want(401, fax.Unauthorized, "Admin authentication failed")
	}
}

// A failed sign-in is in the audit log with the id of the key, and a crowd of
// them does not fill it.
func TestFailedSignInsAreRecorded(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	id, token := s.newKey(`{}`)
	s.do(request{method: "DELETE", path: "/admin/api-keys/" + id}).ok(200)
	s.do(request{method: "GET", path: "/fax", header: as(token)}).want(401, fax.Unauthorized)
	s.do(request{method: "GET", path: "/fax", header: as("a word that nobody prints")}).want(401, fax.Unauthorized)
	s.report("a word that nobody prints", `{}`).want(401, fax.Unauthorized)
	s.do(request{method: "GET", path: "/fax", header: as("")}).want(401, fax.Unauthorized) // nothing was guessed
	a := s.get("/admin/logs?event=sign_in.failed").ok(200)
	items := a.fields["items"].([]any)
	if len(items) != 3 {
		t.Fatalf("%s", a.body)
	}
	for i, want := range []struct{ key, route any }{{nil, "POST /_internal/freeswitch/outbound_result"}, {nil, "GET /fax"}, {id, "GET /fax"}} {
		r := items[i].(map[string]any)
		if r["key_id"] != want.key || r["detail"] != want.route || r["address"] != "127.0.0.1" {
			t.Errorf("%v", r)
		}
	}
}
