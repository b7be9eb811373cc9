package main

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"
)

// The audit log tells who did what, of whom one can search.
func TestAuditLog(t *testing.T) {
	t.Parallel()
	h := build(t, "100", "FAXBOT_AUDIT_DAYS=1")
	_, fax := h.submit("+15551230511")
	h.until(fax.ID, "done")
	h.ask(http.MethodPost, h.rest+"/fax/"+fax.ID+"/resend", "application/json", strings.NewReader(`{}`))
	h.put(`{"FAX_HEADER": "Doe Ltd"}`, 200)
	stranger := *h
	stranger.key = "fbk_live_0123456789ab_secret-that-nobody-prints"
	stranger.ask(http.MethodGet, h.rest+"/fax", "", nil)
	h.restart()
	logs := func(query string) (said []string, next string) {
		t.Helper()
		status, text := h.admin(http.MethodGet, "/admin/logs"+query, "")
		var page struct {
			Items []struct {
				Event, Address, Detail string
				Fax                    string `json:"fax_id"`
				Key                    string `json:"key_id"`
			}
			Next string
		}
		if err := json.Unmarshal(text, &page); err != nil || status != 200 {
			t.Fatalf("%d %s", status, text)
		}
		for _, r := range page.Items {
			said = append(said, strings.Join([]string{r.Event, r.Key, r.Address}, " "))
		}
		return said, page.Next
	}
	all, _ := logs("")
	want := []string{
		"daemon.started  ", "daemon.ended  ", "sign_in.failed 0123456789ab 127.0.0.1", "settings.changed bootstrap 127.0.0.1",
		"fax.resent bootstrap 127.0.0.1", "fax.submitted bootstrap 127.0.0.1", "fax.submitted bootstrap 127.0.0.1", "daemon.started  ",
	}
	if !reflect.DeepEqual(all, want) {
		t.Errorf("logged %q\nwant   %q", all, want)
	}
	if of, _ := logs("?q=" + fax.ID); len(of) != 2 { // submitted, resent
		t.Errorf("of the fax: %q", of)
	}
	if of, _ := logs("?event=sign_in.failed&since=" + time.Now().UTC().Add(-time.Hour).Format(time.RFC3339)); len(of) != 1 {
		t.Errorf("failed sign-ins: %q", of)
	}
	first, next := logs("?limit=5")
	second, end := logs("?limit=5&after=" + next)
	if !reflect.DeepEqual(append(first, second...), want) || end != "" {
		t.Errorf("in pages: %q, %q, then %q", first, second, end)
	}
	for _, wrong := range []string{"?event=nothing", "?limit=0", "?since=yesterday", "?after=x", "?q=" + strings.Repeat("x", 101)} {
		if status, text := h.admin(http.MethodGet, "/admin/logs"+wrong, ""); status != 422 {
			t.Errorf("%s: %d %s", wrong, status, text)
		}
	}
	_, text := h.admin(http.MethodGet, "/admin/logs", "")
	if strings.Contains(string(text), "5551230511") || strings.Contains(string(text), "nobody-prints") || !strings.Contains(string(text), "0511") {
		t.Errorf("numbers are to be masked: %s", text)
	}
}
