package api_test

import (
	"testing"
	"time"

	"faxbot/controller/fax"
)

// Who wants to see the pages first sends nothing before he has said so.
func TestHold(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	id := s.submit(nil, field("to", number), field("hold", "true"), text("Hello\n")).ok(202).id()
	a := s.until(id, fax.Held)
	if a.fields["cause"] != "on_hold" || a.fields["status"] != "queued" || a.fields["pages"] != 1.0 {
		t.Errorf("held: %s", a.body)
	}
	if page := s.get("/fax/" + id + "/pages/1.png").ok(200); page.header.Get("Content-Type") != "image/png" {
		t.Errorf("the page: %q", page.header.Get("Content-Type"))
	}
	// Another one to the same number passes by.
	s.until(s.send(number), fax.Done)
	if n := s.dials(); n != 1 {
		t.Errorf("%d calls, want that of the other fax", n)
	}
	s.do(request{method: "POST", path: "/fax/" + id + "/release"}).ok(200)
	if a = s.until(id, fax.Done); a.fields["dials"] != 1.0 {
		t.Errorf("released: %s", a.body)
	}
	// One that waits for its time is held back by hand.
	later := s.submit(nil, field("to", number), field("send_at", time.Now().Add(time.Hour).UTC().Format(time.RFC3339)), text("Hello\n")).ok(202).id()
	s.until(later, fax.Queued)
	hold := request{method: "POST", path: "/fax/" + later + "/hold"}
	if a := s.do(hold).ok(200); a.fields["state"] != "held" || a.fields["cause"] != "on_hold" {
		t.Errorf("held back: %s", a.body)
	}
	s.do(hold).want(409, fax.Conflict)
	s.do(request{method: "POST", path: "/fax/" + id + "/hold"}).want(409, fax.Conflict)
	// Sent again, the pages have been looked at.
	s.until(s.do(request{method: "POST", path: "/fax/" + id + "/resend"}).ok(202).id(), fax.Done)
	s.submit(nil, field("to", number), field("hold", "perhaps"), text("Hello\n")).want(422, "invalid_field", "Invalid hold: use true or false")
}
