package api_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"faxbot/controller/fax"
)

const number = "+15551230001"

func TestFaxIsSent(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	body, contentType := form(field("to", "+1 (555) 123-00.01"), text("One\n"), text("Two\n"))
	a := s.do(request{method: "POST", path: "/fax", body: body, header: map[string]string{"Content-Type": contentType}}).ok(202)
	id := a.id()
	for name, want := range map[string]any{
		"to": number, "status": "queued", "error": nil, "pages": nil, "backend": "freeswitch",
		"provider_sid": nil, "state": "received", "cause": nil, "documents": 2.0, "priority": 127.0,
	} {
		if got, ok := a.fields[name]; !ok || got != want {
			t.Errorf("%s is %v (present: %v), want %v", name, got, ok, want)
		}
	}
	if got := a.header.Get("Location"); got != "/fax/"+id {
		t.Errorf("Location %q", got)
	}
	a = s.until(id, fax.Done)
	if a.fields["status"] != "SUCCESS" || a.fields["pages"] != 2.0 || a.fields["error"] != nil {
		t.Errorf("delivered: %s", a.body)
	}
	calls := a.fields["attempts"].([]any)
	if len(calls) != 1 || calls[0].(map[string]any)["pages"] != 2.0 || calls[0].(map[string]any)["cause"] != "ok" {
		t.Errorf("attempts: %v", calls)
	}
	if p := a.fields["progress"].(map[string]any); p["page"] != 2.0 || p["pages"] != 2.0 {
		t.Errorf("progress: %v", p)
	}
}

// What people and programs send, and what they are told.
func TestForms(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	to, file := field("to", number), text("Hello\n")
	script, err := os.ReadFile("../cmd/faxbot/testfax/testfax.ps")
	if err != nil {
		t.Fatal(err)
	}
	table := []struct {
		name   string
		parts  []part
		status int
		code   fax.Problem
		detail string // part of it
	}{
		{"the file first", []part{file, to}, 202, "", ""},
		{"unknown parts", []part{to, field("return_url", "https://example.org"), field("", "x"), file, field("big", strings.Repeat("x", 5000))}, 202, "", ""},
		{"a file without a name", []part{to, {name: "file", content: "Hello\n"}}, 202, "", ""},
		{"the word test in the name", []part{to, {"file", "test.txt", "text/plain", "really this\n"}}, 202, "", ""},
		{"a path as the name", []part{to, {"file", "../../../etc/passwd", "text/plain", "Hello\n"}}, 202, "", ""},
		{"a name of 300 letters", []part{to, {"file", strings.Repeat("n", 300) + ".txt", "text/plain", "Hello\n"}}, 202, "", ""},
		{"text called PDF", []part{to, {"file", "fax.pdf", "application/pdf", "Hello\n"}}, 202, "", ""},
		{"a character across byte 65536", []part{to, text(strings.Repeat("x\n", 32767) + "x" + "é\n")}, 202, "", ""},

		{"no number", []part{file}, 422, "missing_field", "Field required: to"},
		{"an empty number", []part{field("to", ""), file}, 422, "missing_field", "Field required: to"},
		{"no file", []part{to}, 422, "missing_field", "Field required: file"},
		{"nothing", nil, 422, "missing_field", "Field required: to"},
		{"five digits", []part{field("to", "12345"), file}, 400, "bad_number", "Invalid phone number"},
		{"21 digits", []part{field("to", strings.Repeat("1", 21)), file}, 400, "bad_number", "Invalid phone number"},
		{"letters", []part{field("to", "+1555FAX0001"), file}, 400, "bad_number", "Invalid phone number"},
		{"other digits", []part{field("to", "+١٥٥٥١٢٣٠٠٠١"), file}, 400, "bad_number", "Invalid phone number"},
		{"a dial string", []part{field("to", "5551230001,park"), file}, 400, "bad_number", "Invalid phone number"},
		{"a number of 5000 letters", []part{field("to", strings.Repeat("1", 5000)), file}, 422, "invalid_field", "Invalid to"},
		{"priority", []part{to, field("priority", "256"), file}, 422, "invalid_field", "Invalid priority: use a whole number from 0"},
		{"priority in words", []part{to, field("priority", "high"), file}, 422, "invalid_field", "Invalid priority"},
		{"no attempts", []part{to, file, field("max_attempts", "0")}, 422, "invalid_field", "Invalid max_attempts"},
		{"a time without a zone", []part{to, field("send_at", "2030-01-01 12:00"), file}, 422, "invalid_field", "Invalid send_at: use a time like"},
		{"too late", []part{to, field("deadline", "2001-01-01T00:00:00Z"), file}, 422, "invalid_field", "Invalid deadline: use a time in the future"},
		{"gateway", []part{to, field("gateway", "a/b"), file}, 422, "invalid_field", "Invalid gateway"},
		{"station id", []part{to, field("station_id", strings.Repeat("1", 21)), file}, 422, "invalid_field", "Invalid station_id"},
		{"header", []part{to, field("header", "two\nlines"), file}, 422, "invalid_field", "Invalid header"},
		{"header in bytes", []part{to, field("header", strings.Repeat("ü", 51)), file}, 422, "invalid_field", "Invalid header"},
		{"from", []part{to, field("from", "Bob"), file}, 422, "invalid_field", "Invalid from"},

		{"an empty file", []part{to, text("")}, 400, "bad_document", "The document is empty"},
		{"a PDF that is cut off", []part{to, {"file", "fax.pdf", "application/pdf", "%PDF-1.4\n1 0 obj\n"}}, 400, "bad_document", "The PDF is incomplete"},
		{"noise called PDF", []part{to, {"file", "fax.pdf", "application/pdf", "\x00\x01\x02"}}, 415, "unsupported_type", ""},
		{"PostScript", []part{to, {"file", "fax.pdf", "application/pdf", string(script)}}, 415, "unsupported_type", "PostScript"},
		{"one good file and one bad", []part{to, file, text("\x00")}, 415, "unsupported_type", ""},
		{"too large", []part{to, text(strings.Repeat("x", 2<<20+1))}, 413, "too_large", "larger than 2 MB"},
		{"too large together", []part{to, text(strings.Repeat("x", 1<<20)), text(strings.Repeat("x", 1<<20+1))}, 413, "too_large", "larger than 2 MB"},
		{"far too large", []part{to, text(strings.Repeat("x", 5<<20))}, 413, "too_large", "larger than 2 MB"},
		{"101 files", append([]part{to}, slices.Repeat([]part{file}, 101)...), 413, "too_large", "More than 100 files"},
		{"101 fields", append([]part{to, file}, slices.Repeat([]part{field("x", "")}, 101)...), 413, "too_large", "more than 100 fields"},
	}
	for _, c := range table {
		a := s.submit(nil, c.parts...)
		detail, _ := a.fields["detail"].(string)
		if c.status == 202 && a.status == 202 {
			continue
		}
		if a.status != c.status || a.fields["code"] != string(c.code) || !strings.Contains(detail, c.detail) {
			t.Errorf("%s: %d %s, want %d %s %q", c.name, a.status, a.body, c.status, c.code, c.detail)
		}
	}
}

// Browsers send the boxes that nobody filled.
func TestEmptyBoxes(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	a := s.submit(map[string]string{"X-Empty-Parts": "1"}, field("to", number), text("Hello\n"), field("from", ""),
		field("priority", ""), field("send_at", ""), field("deadline", ""), field("gateway", "")).ok(202)
	if a.fields["priority"] != 127.0 || a.fields["from"] != nil {
		t.Errorf("%s", a.body)
	}
}

func TestFormsThatAreNone(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	good, contentType := form(field("to", number), text("Hello\n"))
	for name, c := range map[string]struct {
		body        string
		contentType string
		status      int
		code        fax.Problem
	}{
		"JSON":             {`{"to":"` + number + `"}`, "application/json", 422, "missing_field"},
		"no type":          {"", "", 422, "missing_field"},
		"no boundary":      {string(good), "multipart/form-data", 422, "missing_field"},
		"another boundary": {string(good), "multipart/form-data; boundary=other", 400, "invalid"},
		"cut in the file":  {string(good[:bytes.Index(good, []byte("Hello"))+3]), contentType, 400, "invalid"},
		"cut at the end":   {string(good[:len(good)-4]), contentType, 400, "invalid"},
	} {
		a := s.do(request{method: "POST", path: "/fax", body: []byte(c.body), header: map[string]string{"Content-Type": c.contentType}})
		if a.status != c.status || a.fields["code"] != string(c.code) {
			t.Errorf("%s: %d %s, want %d %s", name, a.status, a.body, c.status, c.code)
		}
	}
	if got := s.get("/fax").ok(200).fields["faxes"].([]any); len(got) != 0 {
		t.Errorf("%d faxes were made of broken forms", len(got))
	}
}

// A client that dies in the middle leaves nothing behind.
func TestBrokenConnection(t *testing.T) {
	t.Parallel()
	var documents string
	s := newStand(t, func(c *settings) { documents = c.docs.Dir })
	c := dial(t, s.public)
	_, err := io.WriteString(c, "POST /fax HTTP/1.1\r\nHost: x\r\nX-API-Key: "+key+
		"\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 100000\r\n\r\n"+
		"--b\r\nContent-Disposition: form-data; name=\"to\"\r\n\r\n"+number+"\r\n"+
		"--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nHello")
	if err != nil {
		t.Fatal(err)
	}
	kept := func() (files []string) {
		files, err := filepath.Glob(filepath.Join(documents, "incoming", "*", "*", "*"))
		if err != nil {
			t.Fatal(err)
		}
		return files
	}
	waitFor(t, func() bool { return len(kept()) > 0 })
	c.Close()
	waitFor(t, func() bool { return len(kept()) == 0 })
	if n := len(s.get("/fax").fields["faxes"].([]any)); n != 0 {
		t.Errorf("%d faxes", n)
	}
}

// Wishes come back as they were sent, and are null otherwise.
func TestOptions(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	sent := map[string]string{
		"from": "+15550001111", "header": "Größe, 'quoted' {braces}", "station_id": "+1 555 000 1111", "gateway": "carrier",
	}
	parts := []part{field("to", number), text("x\n"), field("priority", "0"), field("max_attempts", "2")}
	for name, value := range sent {
		parts = append(parts, field(name, value))
	}
	a := s.submit(nil, parts...).ok(202)
	for name, value := range sent {
		if a.fields[name] != value {
			t.Errorf("%s is %v, want %q", name, a.fields[name], value)
		}
	}
	if a.fields["priority"] != 0.0 || a.fields["max_attempts"] != 2.0 {
		t.Errorf("numbers: %s", a.body)
	}
}

func TestIdempotency(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	again := map[string]string{"Idempotency-Key": "order-4711"}
	first := s.submit(again, field("to", number), text("Hello\n")).ok(202)
	s.until(first.id(), fax.Done)
	second := s.submit(again, text("Hello\n"), field("to", number)).ok(202)
	if first.id() != second.id() || second.header.Get("Idempotent-Replayed") != "true" || second.header.Get("Location") != "/fax/"+first.id() {
		t.Errorf("repeated: %v %s", second.header, second.body)
	}
	s.submit(again, field("to", number), text("Other\n")).want(409, fax.Conflict)
	s.submit(again, field("to", "+15551230002"), text("Hello\n")).want(409, fax.Conflict)
	s.submit(map[string]string{"Idempotency-Key": strings.Repeat("k", 256)}, field("to", number), text("Hello\n")).want(422, "invalid_field")
	if n := len(s.get("/fax").fields["faxes"].([]any)); n != 1 {
		t.Errorf("%d faxes, want 1", n)
	}
	if n := s.dials(); n != 1 {
		t.Errorf("dialled %d times", n)
	}
}

func TestDrainingRefusesUnread(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	id := s.send("1555994004") // stalls in its first page, and so keeps the daemon alive
	s.until(id, fax.Sending)
	s.drain()
	waitFor(t, func() bool { return s.get("/health/ready").status == 503 })
	a := s.submit(nil, field("to", number), text("Hello\n")).want(503, fax.Unavailable)
	if a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	reply := raw(t, s.public, "POST /fax HTTP/1.1\r\nHost: x\r\nX-API-Key: "+key+
		"\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 1000000\r\n\r\n")
	if !strings.HasPrefix(reply, "HTTP/1.1 503 ") {
		t.Errorf("before the body: %q", reply)
	}
	s.get("/fax/" + id).ok(200)
}

// A conversion that takes for ever holds up nobody else.
func TestHealthDuringSlowConversion(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	slow := filepath.Join(dir, "gs")
	err := errors.Join(
		os.Chmod(dir, 0o755), os.Chmod(filepath.Dir(dir), 0o755), // an unprivileged user runs it
		os.WriteFile(slow, []byte("#!/bin/sh\nexec sleep 600\n"), 0o755), //nolint:gosec // a program
	)
	if err != nil {
		t.Fatal(err)
	}
	s := newStand(t, func(c *settings) { c.docs.Ghostscript = slow })
	id := s.submit(nil, field("to", number), part{"file", "fax.pdf", "application/pdf", onePage}).ok(202).id()
	s.get("/health").ok(200)
	if a := s.get("/fax/" + id).ok(200); a.fields["status"] != "queued" || a.fields["pages"] != nil {
		t.Errorf("while converting: %s", a.body)
	}
	if a := s.do(request{method: "DELETE", path: "/fax/" + id}).ok(200); a.fields["cause"] != "cancelled" || a.fields["status"] != "FAILED" {
		t.Errorf("cancelled: %s", a.body)
	}
}

func TestPerMinuteLimit(t *testing.T) {
	t.Parallel()
	s := newStand(t, func(c *settings) { c.api.RequestsPerMinute = 3 })
	for range 3 {
		s.get("/fax").ok(200)
	}
	a := s.get("/fax").want(429, fax.RateLimited)
	if after, err := strconv.Atoi(a.header.Get("Retry-After")); err != nil || after < 1 || after > 20 {
		t.Errorf("Retry-After %q, want 20", a.header.Get("Retry-After"))
	}
	s.get("/fax/"+strings.Repeat("0", 32)).want(404, fax.NotFound, "Job not found")
	s.get("/health").ok(200)
}
