package api_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"faxbot/controller"
	"faxbot/controller/fax"
)

// as is a header with a key.
func as(token string) map[string]string { return map[string]string{"X-API-Key": token} }

func (s *stand) post(path, body string, header map[string]string) *answer {
	s.t.Helper()
	h := map[string]string{"Content-Type": "application/json"}
	for k, v := range header {
		h[k] = v
	}
	return s.do(request{method: "POST", path: path, body: []byte(body), header: h})
}

// newKey makes a key and returns its id and token.
func (s *stand) newKey(body string) (id, token string) {
	s.t.Helper()
	a := s.post("/admin/api-keys", body, nil).ok(200)
	return a.fields["key_id"].(string), a.fields["token"].(string)
}

func (s *stand) keys() []map[string]any {
	s.t.Helper()
	var list []map[string]any
	if err := json.Unmarshal(s.get("/admin/api-keys").ok(200).body, &list); err != nil {
		s.t.Fatal(err)
	}
	return list
}

func TestKeyOpensWhatItsScopesSay(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	_, sender := s.newKey(`{"name":"Sender","scopes":["fax:send"]}`)
	_, reader := s.newKey(`{"scopes":["fax:read"]}`)
	a := s.submit(as(sender), field("to", number), text("x\n")).ok(202)
	s.submit(as(reader), field("to", number), text("x\n")).want(403, fax.Forbidden, "Insufficient scope: fax:send required")
	s.do(request{method: "GET", path: "/fax/" + a.id(), header: as(sender)}).want(403, fax.Forbidden, "Insufficient scope: fax:read required")
	s.do(request{method: "GET", path: "/fax", header: as(reader)}).ok(200)
	for _, key := range []string{sender, reader, "", "nonsense"} {
		s.do(request{method: "GET", path: "/admin/api-keys", header: as(key)}).want(401, fax.Unauthorized, "Admin authentication failed")
	}
	_, admin := s.newKey(`{"scopes":["keys:manage"]}`)
	s.do(request{method: "GET", path: "/admin/api-keys", header: as(admin)}).ok(200)
	if told := s.log.String(); strings.Contains(told, sender[22:]) || strings.Contains(told, "Sender") {
		t.Error("the log holds a token or a name")
	}
}

// A key sees the faxes that were submitted with it, an administrator all.
func TestKeySeesItsOwnFaxes(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	_, anna := s.newKey(`{"owner":"Anna"}`)
	_, bert := s.newKey(`{"owner":"Bert"}`)
	id := s.submit(as(anna), field("to", number), text("x\n")).ok(202).id()
	s.until(id, fax.Done)
	for method, path := range map[string]string{"GET": "/fax/" + id, "DELETE": "/fax/" + id, "POST": "/fax/" + id + "/release"} {
		s.do(request{method: method, path: path, header: as(bert)}).want(404, fax.NotFound, "Job not found")
	}
	s.do(request{method: "GET", path: "/fax/" + id, header: as(anna)}).ok(200)
	count := func(token string) int {
		return len(s.do(request{method: "GET", path: "/fax", header: as(token)}).ok(200).fields["faxes"].([]any))
	}
	if a, b, all := count(anna), count(bert), count(key); a != 1 || b != 0 || all != 1 {
		t.Errorf("listed for Anna %d, for Bert %d, for the administrator %d", a, b, all)
	}
}

func TestKeyIsRevokedAndRotated(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	list := func(token string) *answer { return s.do(request{method: "GET", path: "/fax", header: as(token)}) }
	id, first := s.newKey(`{"name":"Desk","note":"on the left"}`)
	if s.keys()[0]["last_used_at"] != nil {
		t.Error("used before its first use")
	}
	for range 3 {
		list(first).ok(200)
	}
	if k := s.keys()[0]; k["last_used_at"] == nil || k["name"] != "Desk" || k["note"] != "on the left" || k["key_id"] != id {
		t.Errorf("used: %v", k)
	}
	second := s.post("/admin/api-keys/"+id+"/rotate", "", nil).ok(200).fields["token"].(string)
	list(first).want(401, fax.Unauthorized, "Invalid or missing API key")
	list(second).ok(200)
	s.do(request{method: "DELETE", path: "/admin/api-keys/" + id}).ok(200)
	list(second).want(401, fax.Unauthorized, "Invalid or missing API key")
	if s.keys()[0]["revoked_at"] == nil {
		t.Error("the list does not know that the key is revoked")
	}
	s.post("/admin/api-keys/"+id+"/rotate", "", nil).want(404, fax.NotFound, "Key not found")
	s.do(request{method: "DELETE", path: "/admin/api-keys/nobody"}).want(404, fax.NotFound, "Key not found")
}

// Python's hash lets its key in, until it expires.
func TestStoredKey(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	const token = "fbk_live_0123456789ab__secret_-that_python_hashed-0123456789ABCDE"
	_, err := s.ctl.Keys().Create(t.Context(), controller.Key{
		ID: "0123456789ab", Scopes: []string{"fax:read"}, ExpiresAt: time.Now().Add(time.Hour),
		Hash: "scrypt$AAECAwQFBgcICQoLDA0ODw$YXDADIHiZOrR0FX3UmiO-9UuPs0wTPE3YL9VOF-RMbQ$n=16384$r=8$p=1",
	})
	if err != nil {
		t.Fatal(err)
	}
	s.do(request{method: "GET", path: "/fax", header: as(token)}).ok(200)
	_, err = s.ctl.Keys().Create(t.Context(), controller.Key{
		ID: "old", Scopes: []string{"*"}, ExpiresAt: time.Now().Add(-time.Second),
		Hash: "scrypt$AAECAwQFBgcICQoLDA0ODw$YXDADIHiZOrR0FX3UmiO-9UuPs0wTPE3YL9VOF-RMbQ$n=16384$r=8$p=1",
	})
	if err != nil {
		t.Fatal(err)
	}
	s.do(request{method: "GET", path: "/fax", header: as(strings.Replace(token, "0123456789ab", "old", 1))}).want(401, fax.Unauthorized)
}

func TestKeyRequests(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	if a := s.post("/admin/api-keys", "", nil).ok(200); string(a.body) == "" || a.fields["name"] != nil || len(a.fields["scopes"].([]any)) != 2 {
		t.Errorf("an empty request: %s", a.body)
	}
	if a := s.post("/admin/api-keys", `{"expires_at":"2099-01-31T12:00:00","colour":"blue"}`, nil).ok(200); a.fields["expires_at"] != "2099-01-31T12:00:00.000000Z" {
		t.Errorf("%s", a.body)
	}
	for body, detail := range map[string]string{
		`{`:                                     "The body is not valid JSON",
		`{"name":7}`:                            "Invalid name: a number is not what is expected",
		`{"name":"a\nb"}`:                       "Invalid name: use at most 100 bytes of printable text",
		`{"expires_at":"2001-01-01T00:00:00Z"}`: "Invalid expires_at: use a time in the future like 2030-01-31T12:00:00Z",
		`{"scopes":["everything"]}`:             "Invalid scopes: use some of [* fax:send fax:read inbound:list inbound:read keys:manage]",
	} {
		s.post("/admin/api-keys", body, nil).want(422, "invalid_field", detail)
	}
	s.post("/admin/api-keys", `"`+strings.Repeat("x", 70_000)+`"`, nil).want(413, fax.TooLarge)
}

// Administrators weigh keys; nonsense is refused.
func TestKeyIsWeighed(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	id, token := s.newKey(`{"weight":3}`)
	plain, _ := s.newKey(`{}`)
	weigh := func(id, body string, header map[string]string) *answer {
		h := map[string]string{"Content-Type": "application/json"}
		for k, v := range header {
			h[k] = v
		}
		return s.do(request{method: "PATCH", path: "/admin/api-keys/" + id, body: []byte(body), header: h})
	}
	weights := func() map[string]any {
		all := map[string]any{}
		for _, k := range s.keys() {
			all[k["key_id"].(string)] = k["weight"]
		}
		return all
	}
	if w := weights(); w[id] != 3.0 || w[plain] != 1.0 {
		t.Errorf("%v", w)
	}
	if a := weigh(id, `{"weight":7}`, nil).ok(200); a.fields["weight"] != 7.0 || weights()[id] != 7.0 {
		t.Errorf("%s", a.body)
	}
	for _, wrong := range []string{`{}`, `{"weight":0}`, `{"weight":11}`, `{"weight":"1"}`} {
		if a := weigh(id, wrong, nil); a.status != 422 {
			t.Errorf("%s: %d %s", wrong, a.status, a.body)
		}
	}
	s.post("/admin/api-keys", `{"weight":0}`, nil).want(422, "invalid_field")
	weigh("nobody", `{"weight":2}`, nil).want(404, fax.NotFound, "Key not found")
	weigh(id, `{"weight":2}`, as(token)).want(401, fax.Unauthorized)
}
