package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/textproto"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"faxbot/api"
	"faxbot/api/apitest"
	"faxbot/controller"
	"faxbot/controller/document"
	"faxbot/controller/fax"
	"faxbot/controller/freeswitch"
	"faxbot/controller/freeswitch/simulator"
	"faxbot/controller/logtest"
	"faxbot/controller/store"
	"faxbot/dialplan"
	"faxbot/events"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
)

const (
	key    = "fbk_live_0123456789ab_the-key-of-the-tests"
	secret = "the-secret-of-the-hook"
	letter = "Dear Doe Ltd, nobody logs this letter\n"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// stand is a daemon as clients see it: real sockets, real database, real
// Ghostscript, and a simulated switch. Whatever it is asked and answers is held
// against openapi.yaml.
type stand struct {
	t        testing.TB
	ctl      *controller.Controller
	sim      *simulator.Switch
	public   string // HOST:PORT
	internal string
	log      *logtest.Log
	client   *http.Client
	heard    *events.Listener
	drain    context.CancelFunc
}

type settings struct {
	api  api.Config
	docs document.Config
	link freeswitch.LinkConfig
	// route leads calls through the switch's dialplan.
	route dialplan.Entry

	documentURL string // where the switch fetches pages
}

func newStand(t testing.TB, edit ...func(*settings)) *stand {
	t.Helper()
	ctx := context.Background()
	dir := t.TempDir()
	s := &stand{t: t, sim: simulator.RunT(t, simulator.Config{}), log: logtest.New(t, key, secret, "ClueCon", strings.TrimSpace(letter))}
	logger := s.log.Logger()
	registry := prometheus.NewRegistry()
	c := settings{
		api: api.Config{
			Logger: logger, Registerer: registry, Gatherer: registry,
			Key: key, Version: "1.2.3", Terms: api.Terms{HookSecret: secret, MaxBytes: 2 << 20},
		},
		docs: document.Config{Dir: filepath.Join(dir, "documents"), MaxBytes: 2 << 20, Logger: logger},
		link: freeswitch.LinkConfig{Name: "test", Address: s.sim.Addr(), Password: "ClueCon"},
	}
	for _, e := range edit {
		e(&c)
	}
	db, err := store.Open(ctx, "sqlite:///"+filepath.Join(dir, "faxbot.db"), store.Options{Host: "test"})
	if err != nil {
		t.Fatal(err)
	}
	docs, err := document.Open(c.docs)
	if err != nil {
		t.Fatal(err)
	}
	s.ctl, err = controller.New(ctx, controller.Config{
		Store: db, Documents: docs, Link: c.link, Dialplan: c.route,
		Socket:      freeswitch.ListenerConfig{Address: "127.0.0.1:0"},
		DocumentURL: c.documentURL,
		Policy: controller.Policy{
			Gateways: []controller.Gateway{{Name: "carrier", CPS: 10000}},
			Switches: []controller.Switch{{Address: c.link.Address, Password: c.link.Password}},
			T38:      true, Grace: 5 * time.Second, RecordCalls: 1,
		},
		Logger: logger, Registerer: registry,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.heard = s.ctl.Notices().Listen(10000)
	drain, startDrain := context.WithCancel(ctx)
	stop, kill := context.WithCancel(ctx)
	s.drain = startDrain
	exited := make(chan error, 1)
	go func() { exited <- s.ctl.Run(drain, stop) }()

	c.api.Controller = s.ctl
	a := api.New(c.api)
	public, internal := a.Public(), a.Internal()
	if _, measured := t.(*testing.B); !measured {
		description, err := os.ReadFile("openapi.yaml")
		if err != nil {
			t.Fatal(err)
		}
		check := apitest.New(t, description)
		public, internal = check.Handler(public), check.Handler(internal)
	}
	s.public, s.internal = serve(t, a, public), serve(t, a, internal)
	s.client = &http.Client{Transport: &http.Transport{}, Timeout: 30 * time.Second}
	t.Cleanup(func() {
		s.client.CloseIdleConnections()
		startDrain()
		kill()
		if err := <-exited; err != nil {
			t.Errorf("Run: %v", err)
		}
		s.heard.Close()
		db.Close()
		docs.Close()
	})
	return s
}

func serve(t testing.TB, a *api.API, h http.Handler) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := a.Server(h)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(l)
	}()
	t.Cleanup(func() {
		server.Close()
		<-done
	})
	return l.Addr().String()
}

// request is what a test sends; X-API-Key is there unless it says otherwise.
type request struct {
	method, path string
	body         []byte
	header       map[string]string // "" takes a header away
	internal     bool              // to the internal listener
}

type answer struct {
	t      testing.TB
	status int
	header http.Header
	body   []byte
	fields map[string]any // of a JSON object
}

// do sends a request.
func (s *stand) do(r request) *answer {
	s.t.Helper()
	host := s.public
	if r.internal {
		host = s.internal
	}
	req, err := http.NewRequest(r.method, "http://"+host+r.path, bytes.NewReader(r.body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("X-API-Key", key)
	for k, v := range r.header {
		req.Header.Set(k, v)
		if v == "" {
			req.Header.Del(k)
		}
	}
	res, err := s.client.Do(req)
	if err != nil {
		s.t.Fatalf("%s %s: %v", r.method, r.path, err)
	}
	defer res.Body.Close()
	a := &answer{t: s.t, status: res.StatusCode, header: res.Header}
	if a.body, err = io.ReadAll(res.Body); err != nil {
		s.t.Fatalf("%s %s: %v", r.method, r.path, err)
	}
	_ = json.Unmarshal(a.body, &a.fields)
	return a
}

// want checks status and code, and the detail when one is given.
func (a *answer) want(status int, code fax.Problem, detail ...string) *answer {
	a.t.Helper()
	if a.status != status || a.fields["code"] != string(code) {
		a.t.Errorf("%d %s, want %d %s", a.status, a.body, status, code)
	}
	for _, d := range detail {
		if a.fields["detail"] != d {
			a.t.Errorf("detail %q, want %q", a.fields["detail"], d)
		}
	}
	return a
}

func (a *answer) ok(status int) *answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("%d %s, want %d", a.status, a.body, status)
	}
	return a
}

func (a *answer) id() string {
	a.t.Helper()
	id, _ := a.fields["id"].(string)
	if !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(id) {
		a.t.Fatalf("id %q in %s", id, a.body)
	}
	return id
}

// part is one part of a form; a file when it has a file name or is called so.
type part struct{ name, file, kind, content string }

func field(name, value string) part { return part{name: name, content: value} }
func text(content string) part      { return part{"file", "fax.txt", "text/plain", content} }

func form(parts ...part) (body []byte, contentType string) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, p := range parts {
		h := textproto.MIMEHeader{}
		disposition := fmt.Sprintf(`form-data; name="%s"`, p.name)
		if p.file != "" {
			disposition += fmt.Sprintf(`; filename="%s"`, p.file)
		}
		h.Set("Content-Disposition", disposition)
		if p.kind != "" {
			h.Set("Content-Type", p.kind)
		}
		into, _ := w.CreatePart(h)
		_, _ = io.WriteString(into, p.content)
	}
	w.Close()
	return b.Bytes(), w.FormDataContentType()
}

// submit posts a form.
func (s *stand) submit(header map[string]string, parts ...part) *answer {
	s.t.Helper()
	body, contentType := form(parts...)
	h := map[string]string{"Content-Type": contentType}
	for k, v := range header {
		h[k] = v
	}
	return s.do(request{method: "POST", path: "/fax", body: body, header: h})
}

func (s *stand) send(to string) string {
	s.t.Helper()
	return s.submit(nil, field("to", to), text(letter)).ok(202).id()
}

func (s *stand) get(path string) *answer {
	s.t.Helper()
	return s.do(request{method: "GET", path: path})
}

// until waits for a state of a fax.
func (s *stand) until(id string, states ...fax.State) *answer {
	s.t.Helper()
	timeout := time.After(30 * time.Second)
	for {
		a := s.get("/fax/" + id).ok(200)
		for _, state := range states {
			if a.fields["state"] == string(state) {
				return a
			}
		}
		if now, _ := a.fields["state"].(string); fax.State(now).Terminal() {
			s.t.Fatalf("waiting for %v: %s", states, a.body)
		}
		select {
		case <-s.heard.C:
		case <-timeout:
			s.t.Fatalf("waiting for %v: %s", states, a.body)
		}
	}
}

// dials is how often the switch dialled.
func (s *stand) dials() int {
	n := 0
	for _, e := range s.sim.Ledger() {
		if e.Kind == "dial" {
			n++
		}
	}
	return n
}
