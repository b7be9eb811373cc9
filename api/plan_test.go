package api_test

import (
	"strings"
	"testing"
	"time"

	"faxbot/controller/fax"
	"faxbot/controller/freeswitch/simulator"
)

// What will happen is told before it happens, with the evidence, and what was
// learned can be seen and erased.
func TestPlanAndMemory(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	const to = "15551230030"
	s.get("/destinations/"+to).want(404, fax.NotFound)
	s.sim.Script(to, simulator.Outcome{Code: 6}) // cannot train
	id := s.send(to)
	s.until(id, fax.Retry)
	a := s.get("/fax/" + id + "/plan").ok(200)
	changes := a.fields["changes"].([]any)
	if len(changes) != 1 || changes[0].(map[string]any)["change"] != "v17_off" || a.fields["call_at"] == nil || a.fields["done_at"] == nil {
		t.Errorf("%s", a.body)
	}
	if said := a.fields["text"].(string); !strings.Contains(said, "9600") || !strings.Contains(said, "of this fax") {
		t.Error(said)
	}
	a = s.get("/destinations/" + to).ok(200)
	if a.fields["failing"] != 1.0 || a.fields["rest_until"] == nil || len(a.fields["limits"].([]any)) != 1 {
		t.Errorf("%s", a.body)
	}
	_, stranger := s.newKey(`{"scopes":["fax:read","fax:send"]}`)
	s.do(request{method: "GET", path: "/destinations/" + to, header: as(stranger)}).want(404, fax.NotFound)
	s.do(request{method: "GET", path: "/fax/" + id + "/plan", header: as(stranger)}).want(404, fax.NotFound)
	s.do(request{method: "DELETE", path: "/destinations/" + to, header: as(stranger)}).want(401, fax.Unauthorized)

	s.sim.Script(to, simulator.Outcome{})
	s.do(request{method: "POST", path: "/fax/" + id + "/release"}).ok(200)
	a = s.until(id, fax.Done)
	calls := a.fields["attempts"].([]any)
	if reasons := calls[1].(map[string]any)["reasons"].([]any); len(reasons) != 1 {
		t.Errorf("%s", a.body)
	}
	if a = s.get("/fax/" + id + "/plan").ok(200); a.fields["text"] != "It is delivered." || a.fields["call_at"] != nil || a.fields["gateway"] != nil {
		t.Errorf("%s", a.body)
	}
	if a = s.get("/destinations/" + to).ok(200); a.fields["delivered"] != 1.0 || a.fields["last_good"].(map[string]any)["v17"] != false {
		t.Errorf("%s", a.body)
	}
	if ways := a.fields["gateways"].([]any); len(ways) != 1 || ways[0].(map[string]any)["gateway"] != "carrier" ||
		ways[0].(map[string]any)["limits"].([]any)[0].(map[string]any)["name"] != "v17" || ways[0].(map[string]any)["seconds_per_page"] == nil {
		t.Errorf("%s", a.body)
	}
	s.do(request{method: "DELETE", path: "/destinations/" + to}).ok(204)
	s.get("/destinations/"+to).want(404, fax.NotFound)
	s.get("/destinations/12").want(400, fax.BadNumber)
}

// The hours in which a fax is called are part of it, and its plan waits for
// them.
func TestWindowOfAFax(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	tokyo := time.Now().UTC().Add(9 * time.Hour)
	window := tokyo.Add(2*time.Hour).Format("15:04") + "-" + tokyo.Add(3*time.Hour).Format("15:04")
	s.submit(nil, field("to", "+81312345678"), field("window", "8-18"), text("x\n")).want(422, "invalid_field")
	a := s.submit(nil, field("to", "+81312345678"), field("window", window), text("x\n")).ok(202)
	if a.fields["window"] != window {
		t.Errorf("%s", a.body)
	}
	s.until(a.id(), fax.Queued)
	a = s.get("/fax/" + a.id() + "/plan").ok(200)
	if said := a.fields["text"].(string); !strings.Contains(said, "in 2 hours") && !strings.Contains(said, "minutes") || len(a.fields["changes"].([]any)) != 0 {
		t.Errorf("%s", a.body)
	}
}
