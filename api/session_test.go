package api_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"faxbot/controller/fax"
)

// signIn returns the header with which a browser goes on after it has shown
// its key.
func (s *stand) signIn(key string) map[string]string {
	s.t.Helper()
	a := s.do(request{
		method: "POST", path: "/session", body: fmt.Appendf(nil, `{"key":%q}`, key),
		header: map[string]string{"X-API-Key": "", "Content-Type": "application/json", "Sec-Fetch-Site": "same-origin"},
	}).ok(200)
	cookie, err := http.ParseSetCookie(a.header.Get("Set-Cookie"))
	if err != nil || !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode || cookie.Path != "/" {
		s.t.Fatalf("Set-Cookie: %q, %v", a.header.Get("Set-Cookie"), err)
	}
	if strings.Contains(a.header.Get("Set-Cookie"), key) || strings.Contains(string(a.body), key) {
		s.t.Error("the key came back")
	}
	return map[string]string{"X-API-Key": "", "Cookie": cookie.Name + "=" + cookie.Value, "Sec-Fetch-Site": "same-origin"}
}

func with(header map[string]string, name, value string) map[string]string {
	more := map[string]string{name: value}
	for k, v := range header {
		if k != name {
			more[k] = v
		}
	}
	return more
}

// A browser that has shown a key may do what the key may, and what the key may
// not it may not either.
func TestSession(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	if a := s.do(request{method: "GET", path: "/session", header: map[string]string{"X-API-Key": ""}}).ok(200); len(a.fields["scopes"].([]any)) != 0 {
		t.Errorf("a stranger may %s", a.body)
	}
	id := s.send(number)

	all := s.signIn(key)
	s.do(request{method: "GET", path: "/fax/" + id, header: all}).ok(200)
	s.do(request{method: "GET", path: "/admin/overview", header: all}).ok(200)

	made := s.do(request{method: "POST", path: "/admin/api-keys", body: []byte(`{"name":"desk","scopes":["fax:read"]}`), header: map[string]string{"Content-Type": "application/json"}}).ok(200)
	desk := s.signIn(made.fields["token"].(string))
	if a := s.do(request{method: "GET", path: "/session", header: desk}).ok(200); fmt.Sprint(a.fields["scopes"]) != "[fax:read]" || a.fields["admin"] != false {
		t.Errorf("%s", a.body)
	}
	s.do(request{method: "GET", path: "/fax/" + id, header: desk}).want(404, fax.NotFound)
	s.do(request{method: "DELETE", path: "/fax/" + id, header: desk}).want(403, fax.Forbidden)
	s.do(request{method: "GET", path: "/admin/overview", header: desk}).want(401, fax.Unauthorized)

	// What becomes of the key becomes of the session.
	s.do(request{method: "DELETE", path: "/admin/api-keys/" + made.fields["key_id"].(string)}).ok(200)
	s.do(request{method: "GET", path: "/fax", header: desk}).want(401, fax.Unauthorized)

	s.do(request{method: "DELETE", path: "/session", header: all}).ok(204)
	s.do(request{method: "GET", path: "/fax", header: all}).want(401, fax.Unauthorized)
}

func TestSignInRefused(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	for _, body := range []string{`{"key":"wrong"}`, `{"key":""}`, `{}`, ``} {
		a := s.do(request{method: "POST", path: "/session", body: []byte(body), header: map[string]string{"X-API-Key": "", "Content-Type": "application/json", "Sec-Fetch-Site": "same-origin"}})
		if a.want(401, fax.Unauthorized); a.header.Get("Set-Cookie") != "" {
			t.Errorf("%q gets a cookie", body)
		}
	}
	for _, made := range []string{"faxbot_session=", "faxbot_session=" + strings.Repeat("A", 43), "faxbot_session=" + key} {
		s.do(request{method: "GET", path: "/fax", header: map[string]string{"X-API-Key": "", "Cookie": made}}).want(401, fax.Unauthorized)
	}
}

// A page of another site cannot have a visitor's browser change anything.
func TestSessionFromAnotherSite(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	id := s.send(number)
	session := s.signIn(key)
	for what, header := range map[string]map[string]string{
		"another site":      with(session, "Sec-Fetch-Site", "cross-site"),
		"a sibling":         with(session, "Sec-Fetch-Site", "same-site"),
		"an old browser":    with(with(session, "Sec-Fetch-Site", ""), "Origin", "http://evil.example"),
		"a sandboxed frame": with(with(session, "Sec-Fetch-Site", ""), "Origin", "null"),
		"nobody says where": with(session, "Sec-Fetch-Site", ""),
	} {
		if a := s.do(request{method: "DELETE", path: "/fax/" + id, header: header}); a.status != 403 {
			t.Errorf("%s: %d %s", what, a.status, a.body)
		}
	}
	for _, method := range []string{"POST", "DELETE"} {
		s.do(request{method: method, path: "/session", body: []byte(`{"key":"` + key + `"}`), header: map[string]string{"Content-Type": "application/json", "Sec-Fetch-Site": "cross-site"}}).want(403, fax.Forbidden)
	}
	s.do(request{method: "DELETE", path: "/fax/" + id, header: with(with(session, "Sec-Fetch-Site", ""), "Origin", "http://"+s.public)})
}

// The cookie travels through TLS only, where the browser came through TLS.
func TestSessionBehindTLS(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	for proto, want := range map[string]bool{"https": true, "": false} {
		a := s.do(request{method: "POST", path: "/session", body: []byte(`{"key":"` + key + `"}`), header: map[string]string{
			"Content-Type": "application/json", "Sec-Fetch-Site": "same-origin", "X-Forwarded-Proto": proto,
		}}).ok(200)
		if got := strings.Contains(a.header.Get("Set-Cookie"), "; Secure"); got != want {
			t.Errorf("X-Forwarded-Proto %q: %q", proto, a.header.Get("Set-Cookie"))
		}
	}
}

// The page is served with its files, and says what it may load.
func TestConsole(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	page := s.do(request{method: "GET", path: "/", header: map[string]string{"X-API-Key": ""}}).ok(200)
	if policy := page.header.Get("Content-Security-Policy"); page.header.Get("Content-Type") != "text/html; charset=utf-8" || strings.Contains(policy, "unsafe") {
		t.Errorf("%v", page.header)
	}
	// Every module is named in the page, so that none waits for another one to
	// be read.
	files, err := filepath.Glob("console/assets/*.*")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	kinds := map[string]string{".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
	small := 0
	for _, f := range append(files, "console/assets/vendor/preact.js") {
		name := strings.TrimPrefix(f, "console/assets/")
		if name == "index.html" {
			continue
		}
		address := regexp.MustCompile(`"(/console/[0-9a-f]{16}/` + regexp.QuoteMeta(name) + `)"`).FindSubmatch(page.body)
		if address == nil {
			t.Errorf("the page does not name %s", name)
			continue
		}
		a := s.do(request{method: "GET", path: string(address[1]), header: map[string]string{"X-API-Key": ""}}).ok(200)
		if kind := a.header.Get("Content-Type"); kind != kinds[filepath.Ext(name)] {
			t.Errorf("%s: %q", name, kind)
		}
		small += gzipped(t, a.body)
	}
	if small += gzipped(t, page.body); small > 150<<10 {
		t.Errorf("all of it has %d bytes gzipped; at most 150 KiB is wanted", small)
	}
	t.Logf("%d bytes gzipped", small)
	for _, path := range []string{"/console/", "/console/app.js", "/console/0000000000000000/app.js", "/console/../go.mod"} {
		s.get(path).want(404, fax.NotFound)
	}
	s.do(request{method: "GET", path: "/", internal: true}).want(404, fax.NotFound)
}

func gzipped(t *testing.T, b []byte) int {
	t.Helper()
	var small bytes.Buffer
	w := gzip.NewWriter(&small)
	_, err := w.Write(b)
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return small.Len()
}

// sse reads a stream of server-sent events.
type sse struct {
	t     *testing.T
	lines *bufio.Scanner
}

func follow(t *testing.T, s *stand, path string, header map[string]string) *sse {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+s.public+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range header {
		r.Header.Set(k, v)
	}
	res, err := s.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	return &sse{t, bufio.NewScanner(res.Body)}
}

// next is the next event; "" at the end.
func (e *sse) next() (event string, data map[string]any) {
	e.t.Helper()
	for e.lines.Scan() {
		name, value, _ := strings.Cut(e.lines.Text(), ": ")
		switch {
		case name == "event":
			event = value
		case name == "data":
			if err := json.Unmarshal([]byte(value), &data); err != nil {
				e.t.Fatal(err)
			}
		case name == "" && event != "":
			return event, data
		}
	}
	return "", nil
}

// A list that is looked at changes by itself.
func TestListLives(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	made := s.do(request{method: "POST", path: "/admin/api-keys", body: []byte(`{"name":"other"}`), header: map[string]string{"Content-Type": "application/json"}}).ok(200)
	all := follow(t, s, "/events", map[string]string{"X-API-Key": key})
	other := follow(t, s, "/events", map[string]string{"X-API-Key": made.fields["token"].(string)})
	for _, stream := range []*sse{all, other} {
		if first, _ := stream.next(); first != "reload" {
			t.Errorf("the stream begins with %q", first)
		}
	}
	id := s.send(number)
	seen := map[string]bool{}
	for event, data := all.next(); event != ""; event, data = all.next() {
		if data["id"] != id {
			t.Fatalf("%s %v", event, data)
		}
		seen[fmt.Sprint(data["state"])] = true
		if data["state"] == "done" {
			if p := data["progress"].(map[string]any); p["page"] != p["pages"] {
				t.Errorf("done with %v", p)
			}
			break
		}
	}
	if !seen["done"] {
		t.Errorf("seen: %v", seen)
	}
	// The other key's faxes are nobody's business. Its own comes, first of all.
	own := s.submit(map[string]string{"X-API-Key": made.fields["token"].(string)}, field("to", "+15551230077"), text("Hello\n")).ok(202).id()
	if _, data := other.next(); data["id"] != own {
		t.Errorf("the other key hears of %v", data)
	}
}

func TestSearch(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	good := s.send("+1 (555) 123-0001")
	bad := s.send("+1555991001") // does not exist
	s.until(good, fax.Done)
	s.until(bad, fax.Failed)
	hour := time.Hour
	at := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(time.RFC3339) }
	tagged := s.submit(nil, field("to", "+4930123456"), field("tags", "ward-7"), text("Hello\n")).ok(202).id()
	for query, want := range map[string][]string{
		"q=ward-7&limit=9":                  {tagged},
		"q=x%25":                            {},
		"q=" + good:                         {good},
		"q=" + strings.ToUpper(good):        {good},
		"q=%2B1555123":                      {good},
		"q=1555123":                         {good},
		"q=(555)":                           {},
		"q=1-555":                           {bad, good},
		"q=99":                              {},
		"cause=bad_number":                  {bad},
		"cause=busy":                        {},
		"state=done&q=1555":                 {good},
		"since=" + at(-hour):                {tagged, bad, good},
		"since=" + at(hour):                 {},
		"until=" + at(-hour):                {},
		"until=" + at(hour):                 {tagged, bad, good},
		"q=1555&limit=1&until=" + at(+hour): {bad},
	} {
		got := []string{}
		for _, f := range s.get("/fax?" + query).ok(200).fields["faxes"].([]any) {
			got = append(got, f.(map[string]any)["id"].(string))
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v, want %v", query, got, want)
		}
	}
	for _, query := range []string{"cause=wrong", "since=yesterday", "until=1"} {
		s.get("/fax?"+query).want(422, "invalid_field")
	}
}

// What the operator's page counts is what happened.
func TestOverviewAndStatistics(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.until(s.send(number), fax.Done)
	s.until(s.send("+1555991001"), fax.Failed)
	held := s.until(s.send("+1555992042"), fax.Failed, fax.Held, fax.Retry) // spandsp cannot read the file
	o := s.get("/admin/overview").ok(200)
	if g := o.fields["gateways"].([]any)[0].(map[string]any); g["name"] != "carrier" || g["state"] != "working" {
		t.Errorf("gateway %v", g)
	}
	if sw := o.fields["switches"].([]any)[0].(map[string]any); sw["up"] != true || sw["detail"] != nil || sw["address"] != s.sim.Addr() {
		t.Errorf("switch %v", sw)
	}
	calls := map[string]float64{}
	for _, p := range s.get("/admin/statistics?hours=2").ok(200).fields["periods"].([]any) {
		period := p.(map[string]any)
		calls[period["cause"].(string)] += period["calls"].(float64)
	}
	if calls["ok"] != 1 || calls["bad_number"] != 1 || calls["document"] == 0 {
		t.Errorf("calls %v; the last fax: %s", calls, held.body)
	}
	for _, hours := range []string{"0", "-1", "1000", "x"} {
		s.get("/admin/statistics?hours="+hours).want(422, "invalid_field")
	}
}
