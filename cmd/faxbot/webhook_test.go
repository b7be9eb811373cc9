package main

import (
	"bytes"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// Whoever asked hears what becomes of a fax, in order and signed.
func TestWebhooks(t *testing.T) {
	t.Parallel()
	type told struct {
		Type string
		Data struct {
			ID, Status string
			Page       int
		}
	}
	heard := make(chan told, 100)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var m told
		_ = json.NewDecoder(r.Body).Decode(&m)
		if !strings.HasPrefix(r.Header.Get("Webhook-Signature"), "v1,") || !strings.HasPrefix(r.Header.Get("Webhook-Id"), "msg_") {
			t.Errorf("%v", r.Header)
		}
		heard <- m
	}))
	t.Cleanup(receiver.Close)
	h := build(t, "100", "FAXBOT_WEBHOOK_SECRETS=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "FAXBOT_WEBHOOK_ALLOW_PRIVATE=true")
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	file, err := form.CreateFormFile("file", "fax.pdf")
	if err == nil {
		_, err = io.Copy(file, bytes.NewReader(testFax))
	}
	if err != nil {
		t.Fatal(err)
	}
	_ = form.WriteField("to", "+15551230301")
	_ = form.WriteField("callback_url", receiver.URL+"/hook-that-nobody-prints")
	_ = form.Close()
	code, fax := h.ask(http.MethodPost, h.rest+"/fax", form.FormDataContentType(), &body)
	if code != http.StatusAccepted {
		t.Fatalf("POST /fax: %d %s", code, fax.Detail)
	}
	var order []string
	late := time.After(waiting)
	for last := ""; last != "fax.delivered"; {
		select {
		case m := <-heard:
			if last = m.Type; m.Data.ID != fax.ID {
				t.Errorf("told of %+v", m)
			}
			if m.Type == "fax.page" {
				last += " " + string(rune('0'+m.Data.Page))
			}
			order = append(order, last)
		case <-late:
			t.Fatalf("heard only %v\n%s", order, h.serve.output())
		}
	}
	// Pages that come together may be one message.
	got := strings.Join(order, ", ")
	if !strings.HasPrefix(got, "fax.queued, fax.sending, ") || !strings.HasSuffix(got, ", fax.delivered") || !strings.Contains(got, "fax.page ") {
		t.Errorf("heard %s", got)
	}
}

// An endpoint that an administrator adds hears of every fax what it asked for,
// signed with the secret that it was given, and stays over a restart.
func TestWebhookEndpoint(t *testing.T) {
	t.Parallel()
	type heard struct {
		text   []byte
		header http.Header
	}
	messages := make(chan heard, 100)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		messages <- heard{text, r.Header}
	}))
	t.Cleanup(receiver.Close)
	h := build(t, "200")
	h.put(`{"FAXBOT_WEBHOOK_ALLOW_PRIVATE": true}`, 200) // takes effect now
	status, text := h.admin(http.MethodPost, "/admin/webhook-endpoints", `{"url": "`+receiver.URL+`/path-that-nobody-prints", "events": ["fax.sending", "fax.delivered"]}`)
	var added struct{ ID, Secret string }
	if err := json.Unmarshal(text, &added); err != nil || status != 200 {
		t.Fatalf("%d %s", status, text)
	}
	judge, err := standard.NewWebhook(added.Secret)
	if err != nil {
		t.Fatal(err)
	}
	h.restart()
	if _, text := h.admin(http.MethodPost, "/admin/webhook-endpoints/"+added.ID+"/test", ""); !strings.Contains(string(text), `"delivered":true`) {
		t.Errorf("%s", text)
	}
	_, fax := h.submit("+15551230311")
	for _, want := range []string{"webhook.test", "fax.sending", "fax.delivered"} {
		select {
		case m := <-messages:
			if err := judge.Verify(m.text, m.header); err != nil {
				t.Errorf("%s: %v", m.text, err)
			}
			if !strings.Contains(string(m.text), `"type":"`+want+`"`) {
				t.Errorf("told %s, want %s", m.text, want)
			}
			if strings.HasPrefix(want, "fax.") && !strings.Contains(string(m.text), fax.ID) {
				t.Errorf("told of another fax: %s", m.text)
			}
		case <-time.After(waiting):
			t.Fatalf("nothing is told of %s\n%s", want, h.serve.output())
		}
	}
	if out := h.serve.output(); strings.Contains(out, "nobody-prints") || strings.Contains(out, added.Secret) {
		t.Error("the log holds a URL or a secret")
	}
}
