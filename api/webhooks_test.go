package api_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"faxbot/controller/fax"
)

// What was given up is listed without its URL, and tried again when told so.
func TestDeadWebhooks(t *testing.T) {
	t.Parallel()
	s := newStand(t, func(c *settings) { c.api.CheckCallback = func(string) error { return nil } })
	id := s.submit(nil, field("to", number), text("x\n"), field("callback_url", "https://own.example/secret")).ok(202).id()
	s.until(id, fax.Done)
	outbox := s.ctl.Outbox()
	list, err := outbox.Claim(t.Context(), time.Now(), time.Now().Add(time.Hour), 10)
	if err != nil || len(list) != 1 {
		t.Fatalf("%v, %v", list, err)
	}
	if err := outbox.Failed(t.Context(), list[0].ID, "nobody there", time.Time{}); err != nil {
		t.Fatal(err)
	}
	dead := func() (all []map[string]any) {
		t.Helper()
		if err := json.Unmarshal(s.get("/admin/webhooks/dead").ok(200).body, &all); err != nil {
			t.Fatal(err)
		}
		return all
	}
	all := dead()
	if len(all) != 1 || all[0]["fax_id"] != id || all[0]["event"] != "fax.queued" || all[0]["target"] != "own.example" || all[0]["error"] != "nobody there" {
		t.Fatalf("%v", all)
	}
	path := "/admin/webhooks/" + all[0]["id"].(string) + "/replay"
	s.post(path, "", nil).ok(200)
	if all = dead(); len(all) != 0 {
		t.Errorf("replayed, but %v", all)
	}
	s.post(path, "", nil).want(404, fax.NotFound, "Message not found")
	_, token := s.newKey(`{}`)
	s.do(request{method: "GET", path: "/admin/webhooks/dead", header: as(token)}).want(401, fax.Unauthorized)
	s.post(path, "", as(token)).want(401, fax.Unauthorized)
}

func TestCallbacksAreJudged(t *testing.T) {
	t.Parallel()
	const detail = "Invalid callback_url: use an address like https://example.net/hook that is in no private network; the daemon must have a secret for webhooks"
	own := field("callback_url", "https://own.example/hook")
	newStand(t).submit(nil, field("to", number), own, text("x\n")).want(422, "invalid_field", detail)
	s := newStand(t, func(c *settings) { c.api.CheckCallback = func(string) error { return errors.New("no") } })
	s.submit(nil, field("to", number), own, text("x\n")).want(422, "invalid_field", detail)
}
