package api_test

import (
	"strconv"
	"strings"
	"testing"

	"faxbot/controller/fax"
)

func TestKeys(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	nobody := strings.Repeat("0", 32)
	for _, r := range []request{
		{method: "POST", path: "/fax"},
		{method: "GET", path: "/fax"},
		{method: "GET", path: "/fax/" + nobody},
		{method: "DELETE", path: "/fax/" + nobody},
		{method: "POST", path: "/fax/" + nobody + "/release"},
	} {
		for _, given := range []string{"", "wrong", key + "x"} {
			r.header = map[string]string{"X-API-Key": given}
			a := s.do(r).want(401, fax.Unauthorized, "Invalid or missing API key")
			if string(a.body) != `{"detail":"Invalid or missing API key","code":"unauthorized"}`+"\n" {
				t.Errorf("%s", a.body)
			}
		}
		r.header = nil
		if a := s.do(r); a.status == 401 {
			t.Errorf("%s %s with the key: %s", r.method, r.path, a.body)
		}
	}
	open := map[string]string{"X-API-Key": ""}
	for _, path := range []string{"/health", "/health/ready", "/openapi.json", "/openapi.yaml"} {
		if a := s.do(request{method: "GET", path: path, header: open}); a.status == 401 {
			t.Errorf("%s needs a key", path)
		}
	}
}

func TestNoKeyLetsNobodyIn(t *testing.T) {
	t.Parallel()
	s := newStand(t, func(c *settings) { c.api.Key = "" })
	for _, given := range []string{"", "x"} {
		s.do(request{method: "GET", path: "/fax", header: map[string]string{"X-API-Key": given}}).want(401, fax.Unauthorized)
	}
}

func TestInsecureNoAuth(t *testing.T) {
	t.Parallel()
	s := newStand(t, func(c *settings) { c.api.Key, c.api.InsecureNoAuth = "", true })
	s.do(request{method: "GET", path: "/fax", header: map[string]string{"X-API-Key": ""}}).ok(200)
	// A web page somewhere must not fax through the browser of a colleague.
	a := s.submit(map[string]string{"X-API-Key": "", "Sec-Fetch-Site": "cross-site"}, field("to", number), text("Spam\n"))
	a.want(403, fax.Forbidden)
}

// Whoever guesses has to wait; whoever has been let in from there before does
// not.
func TestGuessing(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.get("/fax").ok(200)
	guess := func(i int) *answer {
		return s.do(request{method: "GET", path: "/fax", header: map[string]string{"X-API-Key": "guess" + strconv.Itoa(i)}})
	}
	for i := 0; ; i++ {
		a := guess(i)
		if i < 20 {
			a.want(401, fax.Unauthorized)
			continue
		}
		if a.status == 401 && i < 200 { // it took us so long that another guess was free
			continue
		}
		a.want(429, fax.RateLimited)
		if after, err := strconv.Atoi(a.header.Get("Retry-After")); err != nil || after < 1 || after > 3 {
			t.Errorf("Retry-After %q", a.header.Get("Retry-After"))
		}
		break
	}
	s.get("/fax").ok(200)
	s.do(request{method: "GET", path: "/fax", header: map[string]string{"X-API-Key": ""}}).want(401, fax.Unauthorized)
	s.get("/health").ok(200)
}

// Paths and methods that do not exist are answered fast, in JSON, to everybody.
func TestUnknown(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	for _, r := range []request{
		{method: "GET", path: "/plugins"},
		{method: "POST", path: "/nothing"},
		{method: "GET", path: "/fax/"},
		{method: "GET", path: "//fax"},
		{method: "GET", path: "/health/../fax"},
		{method: "GET", path: "/fax/..%2f..%2fetc%2fpasswd"},
		{method: "GET", path: "/metrics"},
		{method: "GET", path: "/fax/1/2/3"},
		{method: "GET", path: "/fax", internal: true},
	} {
		r.header = map[string]string{"X-API-Key": ""}
		s.do(r).want(404, fax.NotFound, "Not Found")
	}
	for path, allow := range map[string]string{"/fax": "POST, GET", "/health": "GET", "/fax/" + strings.Repeat("0", 32): "GET, DELETE"} {
		a := s.do(request{method: "PUT", path: path}).want(405, "method_not_allowed", "Method Not Allowed")
		if a.header.Get("Allow") != allow {
			t.Errorf("%s: Allow: %q", path, a.header.Get("Allow"))
		}
	}
	for _, id := range []string{"1", "a%2fb", strings.Repeat("0", 32), strings.Repeat("A", 32), strings.Repeat("x", 5000), "%00"} {
		s.get("/fax/"+id).want(404, fax.NotFound, "Job not found")
	}
}

// The log and the metrics hold no number, key, name or text of anybody.
func TestDiscretion(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	a := s.submit(nil, field("to", number), part{"file", "divorce.txt", "text/plain", "Dear lawyer\n"}, field("header", "Doe Ltd"))
	s.until(a.ok(202).id(), fax.Done)
	s.get("/fax?to=%2B15551230001").ok(200)
	s.get("/fax/+15551230001").want(404, fax.NotFound)
	s.get("/15551230001?key="+key).want(404, fax.NotFound)
	if reply := raw(t, s.public, "+15551230001 /fax HTTP/1.1\r\nHost: x\r\n\r\n"); !strings.HasPrefix(reply, "HTTP/1.1 405 ") {
		t.Errorf("an invented method: %q", reply)
	}
	s.submit(nil, field("to", "+15551230001;x"), text("x\n")).want(400, fax.BadNumber)
	s.do(request{method: "GET", path: "/fax", header: map[string]string{"X-API-Key": "guessed-key"}}).want(401, fax.Unauthorized)
	s.report("no-secret", `{"job_id":"x"}`).want(401, fax.Unauthorized)
	metrics := s.do(request{method: "GET", path: "/metrics", internal: true}).ok(200)
	told := s.log.String() + string(metrics.body)
	for _, private := range []string{"5551230001", key, secret, "guessed-key", "no-secret", "divorce", "Dear lawyer", "Doe Ltd"} {
		if i := strings.Index(told, private); i >= 0 {
			t.Errorf("%q is told: …%s…", private, told[max(0, i-100):min(len(told), i+100)])
		}
	}
	for _, counted := range []string{
		`faxbot_http_requests_total{class="2xx",route="POST /fax"} 1`,
		`faxbot_http_requests_total{class="4xx",route="POST /fax"} 1`,
		`faxbot_http_requests_total{class="4xx",route="unknown"} 1`,
		`faxbot_http_request_seconds_count{route="POST /fax"} 2`,
	} {
		if !strings.Contains(string(metrics.body), counted+"\n") {
			t.Errorf("/metrics lacks %s", counted)
		}
	}
}
