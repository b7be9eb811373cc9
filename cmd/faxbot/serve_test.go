package main

import (
	"bytes"
	"encoding/json"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"faxbot/api/apitest"
	"faxbot/controller/logtest"
)

const (
	testKey = "key-that-nobody-prints"
	stalls  = "+1555994004" // the number of a line that stalls in the first page
)

// house is a faxbot with a simulated switch, as two processes, and the folder
// that outlives both.
type house struct {
	t           testing.TB
	env         []string // of serve
	dir, ledger string
	key         string
	serve       *process
	rest, inner string // URLs
}

// build starts both. The line is that much faster than a real one.
func build(t testing.TB, speed string, env ...string) *house {
	t.Helper()
	h := &house{t: t, dir: t.TempDir(), key: testKey}
	h.ledger = filepath.Join(h.dir, "ledger")
	line := start(t, nil, "simulate", "--listen=127.0.0.1:0", "--speed="+speed, "--ledger="+h.ledger, "--password=sesame-that-nobody-prints")
	_, port, err := net.SplitHostPort(line.await(`for="event socket" address=(\S+)`))
	if err != nil {
		t.Fatal(err)
	}
	h.env = append([]string{
		"FREESWITCH_ESL_PORT=" + port,
		"API_KEY=" + testKey, "FREESWITCH_ESL_PASSWORD=sesame-that-nobody-prints", "FREESWITCH_HOOK_SECRET=hook-that-nobody-prints",
		"FAXBOT_LISTEN=127.0.0.1:0", "FAXBOT_INTERNAL_LISTEN=127.0.0.1:0", "FAXBOT_SOCKET_LISTEN=127.0.0.1:0",
		"DATABASE_URL=sqlite:///" + filepath.Join(h.dir, "faxbot.db"), "FAX_DATA_DIR=" + filepath.Join(h.dir, "faxes"),
		"FAXBOT_LOG_LEVEL=debug",
	}, env...)
	h.open()
	return h
}

// open starts serve, also again after its end.
func (h *house) open() {
	h.t.Helper()
	h.begin()
	h.serve.await("command link is up")
}

// begin is open for a serve that may not find its switch. Whatever it is asked
// and answers is held against the description.
func (h *house) begin() {
	h.t.Helper()
	description, err := os.ReadFile("../../api/openapi.yaml")
	if err != nil {
		h.t.Fatal(err)
	}
	check := apitest.New(h.t, description)
	h.serve = start(h.t, h.env, "serve")
	h.rest = "http://" + check.Tap(h.serve.await(`for=REST address=(\S+)`))
	h.inner = "http://" + h.serve.await(`result hook" address=(\S+)`)
}

type status struct {
	ID, Status, State, Cause, Detail string
	Pages                            int
}

// do sends a request; the caller closes the answer's body.
func (h *house) do(method, url, contentType string, body io.Reader) *http.Response {
	h.t.Helper()
	r, err := http.NewRequestWithContext(h.t.Context(), method, url, body)
	if err != nil {
		h.t.Fatal(err)
	}
	r.Header.Set("X-API-Key", h.key)
	r.Header.Set("Content-Type", contentType)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		h.t.Fatalf("%s %s: %v\n%s", method, url, err, h.serve.output())
	}
	return answer
}

// ask sends a request and reads the JSON answer.
func (h *house) ask(method, url, contentType string, body io.Reader) (int, status) {
	h.t.Helper()
	answer := h.do(method, url, contentType, body)
	defer answer.Body.Close()
	var s status
	if err := json.NewDecoder(answer.Body).Decode(&s); err != nil && err != io.EOF {
		h.t.Fatalf("%s %s: %v", method, url, err)
	}
	return answer.StatusCode, s
}

func (h *house) submit(to string) (int, status) {
	h.t.Helper()
	return h.submitFile(to, "fax.pdf", testFax)
}

func (h *house) submitFile(to, name string, content []byte) (int, status) {
	h.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	file, err := form.CreateFormFile("file", name)
	if err == nil {
		_, err = file.Write(content)
	}
	if err != nil {
		h.t.Fatal(err)
	}
	_ = form.WriteField("to", to)
	_ = form.Close()
	return h.ask(http.MethodPost, h.rest+"/fax", form.FormDataContentType(), &body)
}

func (h *house) find(id string) status {
	h.t.Helper()
	code, s := h.ask(http.MethodGet, h.rest+"/fax/"+id, "", nil)
	if code != http.StatusOK {
		h.t.Fatalf("GET /fax/%s: %d %s", id, code, s.Detail)
	}
	return s
}

// until asks for a fax until it is in that state.
func (h *house) until(id, state string) {
	h.t.Helper()
	late := time.After(waiting)
	for again := time.NewTicker(10 * time.Millisecond); ; {
		s := h.find(id)
		if s.State == state {
			again.Stop()
			return
		}
		select {
		case <-again.C:
		case <-late:
			h.t.Fatalf("the fax is %+v and does not become %s\n%s", s, state, h.serve.output())
		}
	}
}

// dials counts the calls that the telephone network saw.
func (h *house) dials() int {
	h.t.Helper()
	text, err := os.ReadFile(h.ledger)
	if err != nil {
		h.t.Fatal(err)
	}
	return strings.Count(string(text), `"kind":"dial"`)
}

// A PDF posted over HTTP reaches the far end, every page of it.
func TestServeSendsAFax(t *testing.T) {
	t.Parallel()
	h := build(t, "100")
	code, fax := h.submit("+1 (555) 123-0001")
	if code != http.StatusAccepted || fax.ID == "" || fax.Status != "queued" {
		t.Fatalf("POST /fax: %d %+v", code, fax)
	}
	h.serve.await(`msg="call ended" fax=` + fax.ID)
	if got := h.find(fax.ID); got.Status != "SUCCESS" || got.Pages != 3 {
		t.Errorf("after the call: %+v, want SUCCESS with 3 pages", got)
	}
	if n := h.dials(); n != 1 {
		t.Errorf("%d calls were placed, want 1", n)
	}
	if code, _ := h.ask(http.MethodGet, h.rest+"/health/ready", "", nil); code != http.StatusOK {
		t.Errorf("/health/ready: %d, want 200", code)
	}
	if text := get(t, h.inner+"/metrics"); !strings.Contains(text, "faxbot_build_info{") || !strings.Contains(text, "go_goroutines") {
		t.Errorf("/metrics has no build or runtime figures:\n%s", text)
	}
	// With nothing to wait for, one signal ends it at once and cleanly.
	h.serve.signal(syscall.SIGTERM)
	if s := h.serve.status(); s != 0 {
		t.Errorf("exit status %d, want 0\n%s", s, h.serve.output())
	}
}

func get(t testing.TB, url string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// After the first signal a running call finishes while HTTP answers, and
// nothing new is taken in.
func TestFirstSignalDrains(t *testing.T) {
	t.Parallel()
	h := build(t, "100")
	_, fax := h.submit(stalls)
	h.until(fax.ID, "sending")
	h.serve.signal(syscall.SIGINT)
	h.serve.await("draining")
	if code, s := h.submit("+15551230002"); code != http.StatusServiceUnavailable {
		t.Errorf("POST /fax while draining: %d %s, want 503", code, s.Detail)
	}
	if code, _ := h.ask(http.MethodGet, h.rest+"/health/ready", "", nil); code != http.StatusServiceUnavailable {
		t.Errorf("/health/ready while draining: %d, want 503", code)
	}
	if got := h.find(fax.ID); got.Status != "in_progress" {
		t.Errorf("while draining the fax is %+v, want in_progress", got)
	}
	// The call ends, here because somebody gives it up; that ends the program.
	if code, s := h.ask(http.MethodDelete, h.rest+"/fax/"+fax.ID, "", nil); code >= 300 {
		t.Errorf("DELETE /fax/%s while draining: %d %s", fax.ID, code, s.Detail)
	}
	if s := h.serve.status(); s != 0 {
		t.Errorf("exit status %d, want 0\n%s", s, h.serve.output())
	}
}

// A stream of events that would go on for ever ends with the daemon, and keeps
// it from nothing.
func TestStreamsEndWithTheDaemon(t *testing.T) {
	t.Parallel()
	h := build(t, "100")
	_, fax := h.submit("+1555991808") // the switch does not know the gateway
	h.until(fax.ID, "retry")
	answer := h.do(http.MethodGet, h.rest+"/fax/"+fax.ID+"/events", "", nil)
	defer answer.Body.Close()
	h.serve.signal(syscall.SIGTERM)
	if s := h.serve.status(); s != 0 {
		t.Errorf("exit status %d, want 0\n%s", s, h.serve.output())
	}
	if text, err := io.ReadAll(answer.Body); err != nil || !strings.Contains(string(text), `"state":"retry"`) {
		t.Errorf("the stream ended with %v after %q", err, text)
	}
}

// A second signal hangs up; the fax is neither lost nor sent twice.
func TestSecondSignalHangsUp(t *testing.T) {
	t.Parallel()
	h := build(t, "100")
	_, fax := h.submit(stalls)
	h.until(fax.ID, "sending")
	h.serve.signal(syscall.SIGTERM)
	h.serve.await("draining")
	h.serve.signal(syscall.SIGTERM)
	h.serve.await("calls are hung up")
	if s := h.serve.status(); s != 0 {
		t.Errorf("exit status %d, want 0\n%s", s, h.serve.output())
	}
	h.open()
	if got := h.find(fax.ID); got.Status != "queued" || got.State != "retry" {
		t.Errorf("after the restart the fax is %+v, want queued for a retry", got)
	}
	if n := h.dials(); n != 1 {
		t.Errorf("%d calls were placed, want 1", n)
	}
}

// Without an end in sight, the time limit is the second signal.
func TestDrainHasALimit(t *testing.T) {
	t.Parallel()
	h := build(t, "100", "FAXBOT_DRAIN=100ms")
	_, fax := h.submit(stalls)
	h.until(fax.ID, "sending")
	h.serve.signal(syscall.SIGTERM)
	h.serve.await("time to finish is over")
	if s := h.serve.status(); s != 0 {
		t.Errorf("exit status %d, want 0\n%s", s, h.serve.output())
	}
}

// systemd hears when we are ready, that we live, and when we end.
func TestTellsSystemd(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "nfy") //nolint:usetesting // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	at := &net.UnixAddr{Name: filepath.Join(dir, "s"), Net: "unixgram"}
	systemd, err := net.ListenUnixgram("unixgram", at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { systemd.Close() })
	hear := func() string {
		var b [256]byte
		if err := systemd.SetReadDeadline(time.Now().Add(waiting)); err != nil {
			t.Fatal(err)
		}
		n, err := systemd.Read(b[:])
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}
	h := build(t, "100", "NOTIFY_SOCKET="+at.Name, "WATCHDOG_USEC=200000")
	if said := hear(); said != "READY=1" {
		t.Errorf("first word to systemd: %q, want READY=1", said)
	}
	for range 2 {
		if said := hear(); said != "WATCHDOG=1" {
			t.Errorf("then: %q, want WATCHDOG=1", said)
		}
	}
	h.serve.signal(syscall.SIGTERM)
	said := hear()
	for said == "WATCHDOG=1" {
		said = hear()
	}
	if want := "STOPPING=1\nEXTEND_TIMEOUT_USEC=315000000"; said != want {
		t.Errorf("last: %q, want %q", said, want)
	}
	if s := h.serve.status(); s != 0 {
		t.Errorf("exit status %d, want 0", s)
	}
}

// The demo stays for more faxes, moves to free ports when its usual ones are
// taken, and ends with a signal.
func TestDemoStaysForMore(t *testing.T) {
	t.Parallel()
	for _, usual := range []string{"127.0.0.1:8080", "127.0.0.1:8081"} {
		if l, err := net.Listen("tcp", usual); err == nil { // else another program has it
			t.Cleanup(func() { l.Close() })
		}
	}
	dir := t.TempDir()
	h := &house{t: t, serve: start(t, nil, "demo", "--speed=100", "--dir="+dir)}
	h.serve.await("SUCCESS: 3 of 3 pages")
	h.rest = h.serve.await(`REST +(http\S+)`)
	h.key = h.serve.await(`API key +(\S+)`)
	h.serve.await("Ctrl-C ends")
	code, fax := h.submit("+15551230009")
	if code != http.StatusAccepted {
		t.Fatalf("POST /fax: %d %s", code, fax.Detail)
	}
	h.serve.await(fax.ID[26:] + ` +page 2 of 3 arrived`)
	h.serve.await(fax.ID[26:] + ` +SUCCESS: 3 of 3 pages`)
	h.serve.signal(syscall.SIGINT)
	if s := h.serve.status(); s != 0 {
		t.Errorf("exit status %d, want 0\n%s", s, h.serve.output())
	}
	log, err := os.ReadFile(filepath.Join(dir, "faxbot.log"))
	if err != nil || len(log) == 0 {
		t.Errorf("the log of the demo: %v, %d bytes", err, len(log))
	}
	for _, leak := range logtest.Leaks(string(log), h.key) {
		t.Error(leak)
	}
}

// Administrators see the settings, and no secret.
func TestSettingsAreShownWithoutSecrets(t *testing.T) {
	t.Parallel()
	h := build(t, "100", "MAX_REQUESTS_PER_MINUTE=5000", "FAX_HEADER=Doe Ltd",
		"FAXBOT_WEBHOOK_SECRETS=whsec_bm9ib2R5LXByaW50cy10aGlzLXNlY3JldC13b3JkIQ==", "FAXBOT_WEBHOOK_URLS=https://example.net/path-that-nobody-prints")
	answer := h.do(http.MethodGet, h.rest+"/admin/config", "", nil)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, shown := range []string{`"MAX_REQUESTS_PER_MINUTE":5000`, `"FAX_HEADER":"Doe Ltd"`, `"API_KEY":true`, `"FREESWITCH_HOOK_SECRET":true`, `"DATABASE_URL":true`, `"FAXBOT_DRAIN":"5m0s"`, `"FAXBOT_WEBHOOK_URLS":true`} {
		if !strings.Contains(string(text), shown) {
			t.Errorf("%s is not in %s", shown, text)
		}
	}
	if strings.Contains(string(text), "nobody-prints") || strings.Contains(string(text), "whsec") {
		t.Errorf("a secret is in %s", text)
	}
}
