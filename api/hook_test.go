package api_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"faxbot/controller/fax"
	"faxbot/controller/freeswitch/simulator"
	"faxbot/dialplan"
)

const hookPath = "/_internal/freeswitch/outbound_result"

func (s *stand) report(secret, body string) *answer {
	s.t.Helper()
	return s.do(request{method: "POST", path: hookPath, body: []byte(body), header: map[string]string{
		"X-API-Key": "", "X-Internal-Secret": secret, "Content-Type": "application/json",
	}})
}

// Every form in circulation, to a fax that was delivered: each is taken, and
// none changes what is known.
func TestHookForms(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	id := s.send(number)
	a := s.until(id, fax.Done)
	before := string(a.body)
	call := a.fields["attempts"].([]any)[0].(map[string]any)["id"].(string)
	bodies := []string{
		`{"job_id":"%s"}`,
		`{"job_id":"%s","fax_document_transferred_pages":,"uuid":"` + call + `"}`,
		`{"job_id":"%s","fax_status":"","fax_result_text":"","fax_document_transferred_pages":,"uuid":"` + call + `"}`,
		`{"job_id":"%s","fax_document_transferred_pages":"","fax_status":""}`,
		`{"job_id":"%s","fax_document_transferred_pages":null,"fax_result_code":"48","fax_status":"0"}`,
		`{"job_id":"%s","fax_document_transferred_pages":"1","fax_result_code":48,"fax_status":0}`,
		`{"job_id":"%s","attempt_id":"` + call + `","fax_status":"FAILED","fax_result_text":"no","hangup_cause":"NORMAL_CLEARING"}`,
		`job_id=%s&fax_status=1&fax_result_code=0&fax_document_transferred_pages=1`,
		`fax_status=FAIL&job_id=%s&uuid=` + call,
		` {"job_id": "%s", "fax_status": `, // broken off
	}
	for _, status := range []string{`1`, `0`, `true`, `false`, `"SUCCESS"`, `"OK"`, `"success"`, `"FAILED"`, `"FAIL"`, `"ERROR"`, `"cancelled"`, `""`, `null`} {
		bodies = append(bodies, `{"job_id":"%s","fax_status":`+status+`}`)
	}
	for i, body := range bodies {
		r := request{method: "POST", path: hookPath, body: fmt.Appendf(nil, body, id), internal: i%2 == 0, header: map[string]string{
			"X-API-Key": "", "X-Internal-Secret": secret,
			"Content-Type": []string{"application/json", "application/x-www-form-urlencoded", "text/plain", ""}[i%4],
		}}
		if a := s.do(r); a.status != 200 || string(a.body) != `{"ok":true}`+"\n" {
			t.Errorf("%s: %d %s", r.body, a.status, a.body)
		}
	}
	// That it contradicts is noted, and nothing else.
	after := strings.Replace(string(s.get("/fax/"+id).body), `"contradicted":["hook"]`, `"contradicted":[]`, 1)
	if after != before {
		t.Errorf("the hook changed a delivered fax:\n%s\n%s", before, after)
	}
}

// What FreeSWITCH posts for the snippet that circulates, in the middle of a
// call: no JSON, and silence about a fax that is under way. It is taken, ends
// nothing, and the fax gets its true end.
func TestHookThatCirculates(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.sim.Script("15551230077", simulator.Outcome{Line: simulator.StallPage})
	id := s.send("15551230077")
	call := s.until(id, fax.Sending).fields["attempts"].([]any)[0].(map[string]any)["id"].(string)
	for range 3 {
		s.report(secret, `{"job_id":"`+id+`","fax_status":"","fax_result_text":"","fax_document_transferred_pages":,"uuid":"`+call+`"}`).ok(200)
	}
	if a := s.get("/fax/" + id); a.fields["state"] != string(fax.Sending) {
		t.Errorf("the fax under way is %v", a.fields["state"])
	}
	s.do(request{method: "DELETE", path: "/fax/" + id}).ok(202)
	s.until(id, fax.Cancelled)
	if n := s.dials(); n != 1 {
		t.Errorf("%d calls were placed", n)
	}
}

// The hook as it is rendered, in a dialplan as it is rendered: FreeSWITCH
// expands and posts it when the call is hung up, and we take what it says.
func TestHookAsRendered(t *testing.T) {
	t.Parallel()
	s := newStand(t, func(c *settings) { c.route = dialplan.Entry{Extension: "faxbot", Context: "default"} })
	files, err := dialplan.Files(dialplan.Site{
		Socket: s.ctl.SocketAddr().String(), HookURL: "http://" + s.internal + dialplan.HookPath, HookSecret: secret,
	}, dialplan.HookPart, dialplan.ExtensionPart)
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(files, func(a, b dialplan.File) int { return strings.Compare(a.Path, b.Path) })
	var rendered strings.Builder
	for _, f := range files {
		rendered.Write(f.Text)
	}
	if err := s.sim.Load("default", rendered.String()); err != nil {
		t.Fatal(err)
	}
	// Of a page that was not confirmed, and of success: whatever the hook says
	// agrees with what is known, and nothing is refused.
	for number, cause := range map[string]fax.Cause{"1555992048": fax.PageLost, "15551230001": fax.OK} {
		id := s.submit(nil, field("to", number), field("max_attempts", "1"), text(letter)).ok(202).id()
		a := s.until(id, fax.Done, fax.Failed)
		if got := a.fields["attempts"].([]any)[0].(map[string]any)["cause"]; got != string(cause) {
			t.Errorf("%s: %v, want %s", number, got, cause)
		}
	}
	const posted = `"route":"POST ` + hookPath + `","status":200`
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for end := time.Now().Add(30 * time.Second); strings.Count(s.log.String(), posted) < 2; <-look.C {
		if time.Now().After(end) {
			t.Fatal("not both results are posted")
		}
	}
	if strings.Contains(s.log.String(), "contradicts") {
		t.Error("the hook contradicts what is known")
	}
}

func TestHookRefuses(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	id := s.send(number)
	s.until(id, fax.Done)
	good := `{"job_id":"` + id + `","fax_status":1}`
	for _, wrong := range []string{"", "guess", secret + "x"} {
		// The secret comes first, whatever the body is.
		s.report(wrong, good).want(401, fax.Unauthorized, "Invalid internal secret")
		s.report(wrong, "").want(401, fax.Unauthorized, "Invalid internal secret")
	}
	s.report(secret, ``).want(400, fax.Invalid, "Missing job_id")
	s.report(secret, `{"fax_status":1}`).want(400, fax.Invalid, "Missing job_id")
	s.report(secret, `{"job_id":""}`).want(400, fax.Invalid, "Missing job_id")
	s.report(secret, `[]`).want(400, fax.Invalid, "Missing job_id")
	s.report(secret, `{"job_id":"`+strings.Repeat("0", 32)+`"}`).want(404, fax.NotFound, "Job not found")
	s.report(secret, `{"job_id":"../../x"}`).want(404, fax.NotFound, "Job not found")
	s.report(secret, `{"job_id":"`+id+`","uuid":"`+string(fax.NewAttemptID())+`"}`).want(409, fax.Conflict)
	s.report(secret, `{"job_id":"`+id+`","x":"`+strings.Repeat("x", 64<<10)+`"}`).want(413, fax.TooLarge)
	s.report(secret, good).ok(200)
}

func TestHookWithoutSecret(t *testing.T) {
	t.Parallel()
	s := newStand(t, func(c *settings) { c.api.HookSecret = "" })
	for _, given := range []string{"", "guess"} {
		s.report(given, `{"job_id":"x"}`).want(401, fax.Unauthorized, "Internal secret not configured")
	}
}
