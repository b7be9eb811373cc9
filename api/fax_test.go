package api_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"faxbot/controller/fax"
)

func TestCancelOnTheLine(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	id := s.send("1555994004") // stalls in its first page
	a := s.until(id, fax.Sending)
	if a.fields["status"] != "in_progress" || a.fields["progress"].(map[string]any)["page"] != 0.0 {
		t.Errorf("on the line: %s", a.body)
	}
	if a := s.do(request{method: "DELETE", path: "/fax/" + id}).ok(202); a.fields["cancel_requested"] != true {
		t.Errorf("cancelling: %s", a.body)
	}
	a = s.until(id, fax.Cancelled)
	if a.fields["status"] != "FAILED" || a.fields["cause"] != "cancelled" {
		t.Errorf("cancelled: %s", a.body)
	}
	s.do(request{method: "DELETE", path: "/fax/" + id}).ok(200) // nothing changes
	if again := s.get("/fax/" + id); string(again.body) != string(a.body) {
		t.Errorf("cancelled twice: %s", again.body)
	}
	s.do(request{method: "POST", path: "/fax/" + id + "/release"}).want(409, fax.Conflict)
}

// A call tells on whose word its result stands; while it is under way, on
// nobody's.
func TestWitnesses(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	id := s.send("1555994004") // stalls in its first page
	if of := firstCall(s.until(id, fax.Sending))["witnesses"]; of != nil {
		t.Errorf("under way: %v", of)
	}
	s.do(request{method: "DELETE", path: "/fax/" + id})
	for id, decided := range map[string][]any{id: {"call", "link"}, s.send("1555991001"): {"link"}} {
		a := s.until(id, fax.Cancelled, fax.Failed)
		of, _ := firstCall(a)["witnesses"].(map[string]any)
		if !slices.Contains(decided, of["decided"]) || of["agreed"] == nil || len(of["contradicted"].([]any)) > 0 {
			t.Errorf("%s", a.body)
		}
	}
}

// firstCall is that of a fax.
func firstCall(a *answer) map[string]any { return a.fields["attempts"].([]any)[0].(map[string]any) }

func TestHeldIsReleased(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	id := s.submit(nil, field("to", "1555991808"), field("gateway", "own"), text("x\n")).ok(202).id() // the switch does not know it
	a := s.until(id, fax.Held)
	if a.fields["status"] != "queued" || a.fields["cause"] != "misconfigured" || a.fields["error"] == nil {
		t.Errorf("held: %s", a.body)
	}
	a = s.do(request{method: "POST", path: "/fax/" + id + "/release"}).ok(200)
	if a.fields["state"] != "queued" || a.fields["cause"] != nil || a.fields["error"] != nil {
		t.Errorf("released: %s", a.body)
	}
}

// What a client is told of a failure holds neither the number, nor a path, nor
// a command.
func TestFailureIsToldDiscreetly(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	for to, cause := range map[string]string{"1555991001": "bad_number", "1555991021": "refused", "1555992050": "rejected"} {
		a := s.until(s.send(to), fax.Failed)
		if a.fields["status"] != "FAILED" || a.fields["cause"] != cause || a.fields["error"] == nil {
			t.Errorf("%s: %s", to, a.body)
		}
		delete(a.fields, "to")
		rest, _ := json.Marshal(a.fields)
		if m := regexp.MustCompile(to + `|/tmp|sofia|uuid_|originate|-ERR|\$\{|UNALLOCATED|[A-Z]+_[A-Z]+`).Find(rest); m != nil {
			t.Errorf("%s: %q in %s", to, m, rest)
		}
	}
}

// A document that cannot be drawn is never dialled.
func TestCorruptPDF(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	corrupt := part{"file", "fax.pdf", "application/pdf", "%PDF-1.4\n1 0 obj\n<< /Type /Catalog >>\nnonsense\nstartxref\n9\n%%EOF\n"}
	a := s.until(s.submit(nil, field("to", number), corrupt).ok(202).id(), fax.Failed)
	if a.fields["cause"] != "document" || a.fields["error"] == nil || len(a.fields["attempts"].([]any)) != 0 {
		t.Errorf("%s", a.body)
	}
	if n := s.dials(); n != 0 {
		t.Errorf("dialled %d times", n)
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	var ids []string
	for range 5 {
		ids = append([]string{s.send(number)}, ids...)
	}
	other := s.send("+15551230002")
	ids = append([]string{other}, ids...)
	for _, id := range ids {
		s.until(id, fax.Done)
	}
	pages := func(query string) (got []string, requests int) {
		t.Helper()
		for next := ""; ; requests++ {
			a := s.get("/fax?" + query + next).ok(200)
			for _, f := range a.fields["faxes"].([]any) {
				got = append(got, f.(map[string]any)["id"].(string))
			}
			if a.fields["next"] == nil {
				return got, requests + 1
			}
			next = "&after=" + a.fields["next"].(string)
		}
	}
	for query, want := range map[string]struct {
		ids      []string
		requests int
	}{
		"":                                 {ids, 1},
		"limit=6":                          {ids, 1},
		"limit=4":                          {ids, 2},
		"limit=1":                          {ids, 6},
		"to=%2B1+555+123-0002":             {[]string{other}, 1},
		"status=SUCCESS&limit=3":           {ids, 2},
		"status=FAILED":                    {nil, 1},
		"state=done&state=failed":          {ids, 1},
		"state=held":                       {nil, 1},
		"status=queued&state=done":         {nil, 1},
		"colour=blue":                      {ids, 1},
		"after=" + ids[2]:                  {ids[3:], 1},
		"to=%2B15551230001":                {ids[1:], 1},
		"after=" + strings.Repeat("0", 32): {nil, 1},
	} {
		got, requests := pages(query)
		if strings.Join(got, " ") != strings.Join(want.ids, " ") || requests != want.requests {
			t.Errorf("%s: %v in %d requests, want %v in %d", query, got, requests, want.ids, want.requests)
		}
	}
	for query, code := range map[string]fax.Problem{
		"limit=0": "invalid_field", "limit=201": "invalid_field", "limit=x": "invalid_field", "after=x": "invalid_field",
		"status=done": "invalid_field", "state=SUCCESS": "invalid_field",
	} {
		s.get("/fax?"+query).want(422, code)
	}
	s.get("/fax?to=x").want(400, fax.BadNumber)
}

func TestReady(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	waitFor(t, func() bool { return s.get("/health/ready").status == 200 })
	down := newStand(t, func(c *settings) { c.link.Address = "127.0.0.1:1" })
	check := func(a *answer) map[string]any {
		t.Helper()
		if a.ok(503).fields["status"] != "not_ready" {
			t.Errorf("%s", a.body)
		}
		checks := a.fields["checks"].(map[string]any)
		if checks["database"].(map[string]any)["ok"] != true || checks["switch"].(map[string]any)["ok"] != false {
			t.Errorf("checks: %v", checks)
		}
		return checks["switch"].(map[string]any)
	}
	if public := check(down.get("/health/ready")); public["detail"] != nil {
		t.Errorf("strangers are told %q", public["detail"])
	}
	if internal := check(down.do(request{method: "GET", path: "/health/ready", internal: true})); internal["detail"] == nil {
		t.Error("operators are told nothing")
	}
	down.get("/health").ok(200)
}
