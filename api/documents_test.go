package api_test

import (
	"bytes"
	"fmt"
	"image/png"
	"strings"
	"testing"
	"time"

	"faxbot/controller"
	"faxbot/controller/fax"
	"faxbot/controller/freeswitch/simulator"
)

func TestResend(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	a := s.submit(nil, field("to", number), text("Hello\n"), field("header", "Doe Ltd"), field("priority", "7")).ok(202)
	first := a.id()
	s.until(first, fax.Done)
	again := s.post("/fax/"+first+"/resend", "", nil).ok(202)
	if again.id() == first || again.header.Get("Location") != "/fax/"+again.id() {
		t.Errorf("resent: %s", again.body)
	}
	for name, want := range map[string]any{"to": number, "header": "Doe Ltd", "priority": 7.0, "documents": 1.0} {
		if again.fields[name] != want {
			t.Errorf("%s: %v, want %v", name, again.fields[name], want)
		}
	}
	once := map[string]string{"Idempotency-Key": "k1"}
	other := s.post("/fax/"+first+"/resend", `{"to":"+1 555 123-0002"}`, once).ok(202)
	if other.fields["to"] != "+15551230002" {
		t.Errorf("to another number: %s", other.body)
	}
	if same := s.post("/fax/"+first+"/resend", `{"to":"+15551230002"}`, once).ok(202); same.id() != other.id() || same.header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("repeated: %s", same.body)
	}
	s.until(again.id(), fax.Done)
	s.until(other.id(), fax.Done)
	if n := s.dials(); n != 3 {
		t.Errorf("%d calls were placed, want 3", n)
	}
	s.post("/fax/"+first+"/resend", `{"to":"x"}`, nil).want(400, fax.BadNumber)
	s.post("/fax/"+strings.Repeat("0", 32)+"/resend", "", nil).want(404, fax.NotFound, "Job not found")
	_, stranger := s.newKey(`{}`)
	s.post("/fax/"+first+"/resend", "", as(stranger)).want(404, fax.NotFound, "Job not found")
}

func TestPagesAndDocument(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	id := s.send(number)
	s.until(id, fax.Done)
	picture := s.get("/fax/" + id + "/pages/1.png").ok(200)
	page, err := png.Decode(bytes.NewReader(picture.body))
	if err != nil || page.Bounds().Dx() != 1728 {
		t.Errorf("%v, %v", page, err)
	}
	for _, name := range []string{"2.png", "0.png", "1", "x.png", "-1.png", "99999999999999999999.png"} {
		s.get("/fax/"+id+"/pages/"+name).want(404, fax.NotFound)
	}
	if a := s.get("/fax/" + id + "/pdf").ok(200); !bytes.HasPrefix(a.body, []byte("%PDF-")) || !strings.Contains(a.header.Get("Content-Disposition"), id) {
		t.Errorf("%.20s, %v", a.body, a.header)
	}
	s.do(request{method: "GET", path: "/fax/" + id + "/pdf", header: as("")}).want(401, fax.Unauthorized)
	_, stranger := s.newKey(`{}`)
	for _, path := range []string{"/pdf", "/pages/1.png"} {
		s.do(request{method: "GET", path: "/fax/" + id + path, header: as(stranger)}).want(404, fax.NotFound, "Job not found")
	}
	s.post("/fax/"+id+"/pdf-link", "", as(stranger)).want(404, fax.NotFound, "Job not found")
	corrupt := part{"file", "fax.pdf", "application/pdf", "%PDF-1.4\nnonsense\n%%EOF\n"}
	if a := s.submit(nil, field("to", number), corrupt); a.status == 202 {
		s.until(a.id(), fax.Failed)
		s.get("/fax/"+a.id()+"/pages/1.png").want(404, fax.NotFound)
	}
}

// Administrators get what was said in a call; a client, who sees the same fax,
// does not.
func TestRecording(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	id := s.send(number)
	s.until(id, fax.Done)
	path := "/admin/fax-jobs/" + id + "/attempts/1/recording"
	a, late := s.get(path), time.After(30*time.Second)
	for again := time.NewTicker(10 * time.Millisecond); a.status == 404; a = s.get(path) { // until the call is over
		select {
		case <-again.C:
		case <-late:
			t.Fatalf("%s", a.body)
		}
	}
	all, err := controller.Replay(bytes.NewReader(a.ok(200).body))
	if err != nil || len(all) != 1 || all[0].Cause != fax.OK || !strings.Contains(a.header.Get("Content-Disposition"), id) {
		t.Errorf("%+v %v %v", all, err, a.header)
	}
	for _, call := range []string{"0", "2", "x", "-1", "99999999999999999999"} {
		s.get("/admin/fax-jobs/"+id+"/attempts/"+call+"/recording").want(404, fax.NotFound)
	}
	s.get("/admin/fax-jobs/"+strings.Repeat("0", 32)+"/attempts/1/recording").want(404, fax.NotFound)
	_, client := s.newKey(`{"scopes":["fax:send","fax:read"]}`)
	s.do(request{method: "GET", path: path, header: as(client)}).want(401, fax.Unauthorized)
}

// A link opens one document to whoever has it, for a while.
func TestLinks(t *testing.T) {
	t.Parallel()
	s := newStand(t, func(c *settings) { c.api.PublicURL = "https://fax.example.net/" })
	id, other := s.send(number), s.send("+15551230002")
	s.until(id, fax.Done)
	s.until(other, fax.Done)
	link := s.post("/fax/"+id+"/pdf-link", "", nil).ok(200)
	path, ok := strings.CutPrefix(link.fields["url"].(string), "https://fax.example.net/fax/"+id)
	if !ok || path != "/pdf?token="+link.fields["token"].(string) {
		t.Fatalf("%s", link.body)
	}
	open := func(id, path string) *answer {
		return s.do(request{method: "GET", path: "/fax/" + id + path, header: as("")})
	}
	if a := open(id, path).ok(200); !bytes.HasPrefix(a.body, []byte("%PDF-")) {
		t.Errorf("%.20s", a.body)
	}
	end, signature, _ := strings.Cut(link.fields["token"].(string), ".")
	for _, token := range []string{"", "x", end, end + ".", "." + signature, "0." + signature, "1" + end + "." + signature} {
		open(id, "/pdf?token="+token).want(403, fax.Forbidden, "Invalid token")
	}
	open(other, path).want(403, fax.Forbidden, "Invalid token")

	short := newStand(t, func(c *settings) { c.api.LinkTTL = time.Nanosecond })
	id = short.send(number)
	stale := short.post("/fax/"+id+"/pdf-link", "", nil).ok(200).fields["url"].(string)
	short.do(request{method: "GET", path: stale, header: as("")}).want(403, fax.Forbidden, "Token expired")
	if strings.Contains(s.log.String(), signature) {
		t.Error("the log holds a token")
	}
}

func TestAdministration(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	keyID, token := s.newKey(`{}`)
	theirs := s.submit(as(token), field("to", number), text("x\n")).ok(202).id()
	ours := s.send("+15551230002")
	s.until(theirs, fax.Done)
	s.until(ours, fax.Done)
	a := s.get("/admin/fax-jobs?limit=1&offset=1&status=SUCCESS").ok(200)
	jobs := a.fields["jobs"].([]any)
	if a.fields["total"] != 2.0 || len(jobs) != 1 {
		t.Fatalf("%s", a.body)
	}
	job := jobs[0].(map[string]any)
	if job["id"] != theirs || job["to_number"] != "********0001" || job["status"] != "SUCCESS" || job["key_id"] != keyID {
		t.Errorf("%v", job)
	}
	if one := s.get("/admin/fax-jobs/" + theirs).ok(200); fmt.Sprint(one.fields) != fmt.Sprint(job) {
		t.Errorf("%s, listed as %v", one.body, job)
	}
	s.get("/admin/fax-jobs/" + theirs + "/pdf").ok(200)
	s.get("/admin/fax-jobs/"+strings.Repeat("0", 32)).want(404, fax.NotFound, "Job not found")
	s.get("/admin/fax-jobs?offset=-1").want(422, "invalid_field")

	waitFor(t, func() bool { return s.get("/admin/health-status").ok(200).fields["backend_healthy"] == true })
	if a := s.get("/admin/db-status").ok(200); a.fields["connected"] != true {
		t.Errorf("%s", a.body)
	}
	if a := s.post("/admin/diagnostics/run", "", nil).ok(200); a.fields["summary"].(map[string]any)["healthy"] != true {
		t.Errorf("%s", a.body)
	}
	for _, path := range []string{"fax-jobs", "fax-jobs/" + theirs, "fax-jobs/" + theirs + "/pdf", "health-status", "db-status", "config", "settings", "settings/export", "logs", "webhook-endpoints"} {
		s.do(request{method: "GET", path: "/admin/" + path, header: as(token)}).want(401, fax.Unauthorized, "Admin authentication failed")
	}
	s.post("/admin/diagnostics/run", "", as(token)).want(401, fax.Unauthorized, "Admin authentication failed")
}

// A broken thing is named to administrators, with a way to mend it, on both
// listeners; what depends on it is not blamed.
func TestDiagnosis(t *testing.T) {
	t.Parallel()
	s := newStand(t, func(c *settings) { c.link.Address = "127.0.0.1:1" })
	for _, internal := range []bool{false, true} {
		a := s.do(request{method: "POST", path: "/admin/diagnostics/run", internal: internal}).ok(200)
		summary := a.fields["summary"].(map[string]any)
		issues := summary["critical_issues"].([]any)
		if summary["healthy"] != false || len(issues) != 1 || !strings.HasPrefix(issues[0].(string), "switch: 127.0.0.1:1 cannot be reached") ||
			!strings.Contains(issues[0].(string), "FREESWITCH_ESL_PORT") {
			t.Errorf("%s", a.body)
		}
		s.do(request{method: "POST", path: "/admin/diagnostics/run", internal: internal, header: map[string]string{"X-API-Key": ""}}).ok(401)
	}
}

// A load balancer is told that FreeSWITCH cannot read the documents, though all
// else is well.
func TestReadyReadsDocuments(t *testing.T) {
	t.Parallel()
	s := newStand(t, func(c *settings) {
		c.link.Address = simulator.RunT(t, simulator.Config{Broken: simulator.Broken{Unreadable: true}}).Addr()
	})
	waitFor(t, func() bool {
		checks := s.do(request{method: "GET", path: "/health/ready", internal: true}).ok(503).fields["checks"].(map[string]any)
		reads, reached := checks["reads_documents"].(map[string]any)
		return reached && reads["ok"] == false && strings.Contains(reads["detail"].(string), "may not open it; let FreeSWITCH's group own it")
	})
}
