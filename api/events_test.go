package api_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"faxbot/controller/fax"
)

// event is one server-sent event.
type event struct {
	id, name string
	fax      struct {
		State    string
		Progress struct{ Page int }
	}
}

// follow reads a stream until it ends or until stop says so.
func (s *stand) follow(id, last string, stop func(event) bool) (status int, all []event) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), "GET", "http://"+s.public+"/fax/"+id+"/events", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("X-API-Key", key)
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	res, err := s.client.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	if kind := res.Header.Get("Content-Type"); res.StatusCode == 200 && kind != "text/event-stream" {
		s.t.Errorf("Content-Type %q", kind)
	}
	var e event
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "id":
			e.id = value
		case "event":
			e.name = value
		case "data":
			if err := json.Unmarshal([]byte(value), &e.fax); err != nil {
				s.t.Fatal(err)
			}
		case "":
			if e.id == "" {
				continue
			}
			if all = append(all, e); stop != nil && stop(e) {
				return res.StatusCode, all
			}
			e = event{}
		}
	}
	if err := lines.Err(); err != nil {
		s.t.Errorf("the stream broke: %v", err)
	}
	return res.StatusCode, all
}

func TestEventsToTheEnd(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	id := s.submit(nil, field("to", number), text("1\f2\f3\n")).ok(202).id()
	_, all := s.follow(id, "", nil)
	last := all[len(all)-1]
	if last.id != "end" || last.fax.State != "done" || last.fax.Progress.Page != 3 {
		t.Errorf("last %+v", last)
	}
	for i, e := range all {
		if e.name != "fax" || (e.id == "end") != (i == len(all)-1) {
			t.Errorf("event %d: %+v", i, e)
		}
		if i > 0 && e.fax.Progress.Page < all[i-1].fax.Progress.Page {
			t.Errorf("pages went back from %d to %d", all[i-1].fax.Progress.Page, e.fax.Progress.Page)
		}
	}
	if !slices.ContainsFunc(all, func(e event) bool { return e.fax.State == "sending" }) {
		t.Errorf("nothing of the call: %+v", all)
	}
	// Who comes too late sees the end; who has seen it is sent away.
	if _, again := s.follow(id, "3", nil); len(again) != 1 || again[0].id != "end" {
		t.Errorf("afterwards: %+v", again)
	}
	if status, again := s.follow(id, "end", nil); status != 204 || again != nil {
		t.Errorf("after the end: %d %+v", status, again)
	}
}

// What happens while nobody listens is told first after coming back.
func TestEventsAfterComingBack(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	id := s.send("1555994004") // stalls in its first page
	s.until(id, fax.Sending)
	_, all := s.follow(id, "", func(event) bool { return true })
	if all[0].fax.State != "sending" {
		t.Errorf("the first event is not what is so: %+v", all[0])
	}
	s.do(request{method: "DELETE", path: "/fax/" + id})
	s.until(id, fax.Cancelled)
	if _, all = s.follow(id, all[0].id, nil); len(all) != 1 || all[0].fax.State != "cancelled" {
		t.Errorf("after coming back: %+v", all)
	}
}

// A key that is revoked hears nothing more, also of what it was just hearing.
func TestEventsEndWithTheKey(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	keyID, token := s.newKey(`{}`)
	tomorrow := time.Now().Add(24 * time.Hour).UTC().Format(time.RFC3339)
	id := s.submit(as(token), field("to", number), field("send_at", tomorrow), text("x\n")).ok(202).id()
	s.until(id, fax.Queued)
	for _, path := range []string{"/fax/" + id + "/events", "/events"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.public+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-API-Key", token)
		res, err := s.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		lines := bufio.NewScanner(res.Body)
		for lines.Scan() && !strings.HasPrefix(lines.Text(), "data:") {
		}
		defer func() {
			for lines.Scan() {
				if strings.HasPrefix(lines.Text(), "data:") {
					t.Errorf("%s: after the key was revoked: %s", path, lines.Text())
				}
			}
			if err := lines.Err(); err != nil {
				t.Errorf("%s does not end: %v", path, err)
			}
		}()
	}
	s.do(request{method: "DELETE", path: "/admin/api-keys/" + keyID}).ok(200)
	s.do(request{method: "DELETE", path: "/fax/" + id}).ok(200)
}

func TestEventsAreForWhoMaySee(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	id := s.send(number)
	s.until(id, fax.Done)
	s.get("/fax/" + id + "/events").ok(200) // as described
	_, stranger := s.newKey(`{}`)
	path := "/fax/" + id + "/events"
	s.do(request{method: "GET", path: path, header: as(stranger)}).want(404, fax.NotFound, "Job not found")
	s.do(request{method: "GET", path: path, header: as("")}).want(401, fax.Unauthorized)
	s.get("/fax/"+strings.Repeat("0", 32)+"/events").want(404, fax.NotFound, "Job not found")
}
