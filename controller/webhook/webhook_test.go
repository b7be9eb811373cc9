package webhook

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"faxbot/controller/fax"
	"faxbot/controller/logtest"
	"faxbot/controller/store"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The example of the specification's own libraries.
func TestSignature(t *testing.T) {
	t.Parallel()
	key, err := ParseSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	got := sign([][]byte{key, key}, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	const want = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
	if got != want+" "+want {
		t.Errorf("%s, want %s twice", got, want)
	}
	for _, bad := range []string{"", "whsec_", "whsec_!", "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 23)), "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"} {
		if _, err := ParseSecret(bad); err == nil || len(bad) > 6 && strings.Contains(err.Error(), bad) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestPrivateTargetsAreRefused(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"93.184.216.34": true, "2606:2800:220:1::1": true,
		"127.0.0.1": false, "10.1.2.3": false, "192.168.0.1": false, "172.16.0.1": false, "169.254.169.254": false,
		"100.64.0.1": false, "0.0.0.0": false, "255.255.255.255": false, "224.0.0.1": false, "::1": false, "fe80::1": false,
		"fd00::1": false, "::ffff:10.0.0.1": false, "64:ff9b::7f00:1": false, "2002:7f00:1::": false, "::": false, "ff02::1": false,
	} {
		if got := public(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: %v", address, got)
		}
	}
	reached := false
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reached = true
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	}))
	defer receiver.Close()
	s := newSender(t, nil, Terms{Secrets: []string{secret}})
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]"} {
		url := strings.Replace(receiver.URL, "127.0.0.1", host, 1)
		if err := s.post(t.Context(), url, []string{secret}, "msg_1", nil); err != errPrivate || reached { //nolint:errorlint // the very value
			t.Errorf("%s: %v, reached %v", url, err, reached)
		}
		if err := s.Check(url); fax.ProblemOf(err) != fax.Invalid {
			t.Errorf("%s is taken: %v", url, err)
		}
	}
	for _, url := range []string{"https://example.net/hook", "https://93.184.216.34"} {
		if err := s.Check(url); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
	// Where they are allowed, a redirection still leads nowhere.
	if err := s.Set(Terms{Secrets: []string{secret}, AllowPrivate: true}); err != nil {
		t.Fatal(err)
	}
	if err := s.Check(receiver.URL); err != nil {
		t.Error(err)
	}
	if err := s.post(t.Context(), receiver.URL, []string{secret}, "msg_1", nil); err == nil || err.Error() != "the receiver answered 307" || !reached {
		t.Errorf("a redirection: %v, reached %v", err, reached)
	}
	// What cannot be used leaves everything as it was.
	if err := s.Set(Terms{Secrets: []string{"sesame"}}); err == nil || s.Check(receiver.URL) != nil {
		t.Errorf("a secret that is none is taken: %v", err)
	}
}

func TestURLs(t *testing.T) {
	t.Parallel()
	for url, good := range map[string]bool{
		"https://example.net/hook?a=b": true, "http://192.0.2.1:8080": true,
		"": false, "example.net": false, "ftp://example.net": false, "https://": false, "https://user:pass@example.net": false,
		"https://example.net/#x": false, "http://[": false, "https://example.net/" + strings.Repeat("x", maxURL): false,
	} {
		if err := CheckURL(url); (err == nil) != good {
			t.Errorf("%q: %v", url, err)
		}
	}
}

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

func newSender(t *testing.T, db *store.Store, terms Terms) *Sender {
	t.Helper()
	c := Config{Terms: terms, Logger: logtest.Logger(t, terms.Secrets...), Registerer: prometheus.NewRegistry()}
	if db != nil {
		c.Outbox, c.Endpoints = db.Outbox(), db.Endpoints()
	}
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.client.CloseIdleConnections)
	return s
}

func open(t *testing.T, urls ...string) *store.Store {
	t.Helper()
	db, err := store.Open(t.Context(), "sqlite:///"+filepath.Join(t.TempDir(), "fax.db"), store.Options{Host: "test", Webhooks: urls})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// receiver answers with what statuses says, then 200.
type receiver struct {
	mu       sync.Mutex
	statuses []int
	got      []received
	more     chan struct{}
}

type received struct {
	id, signature string
	body          string
	event         string
	page          int
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	text, _ := io.ReadAll(q.Body)
	var p payload
	_ = json.Unmarshal(text, &p)
	g := received{id: q.Header.Get("Webhook-Id"), signature: q.Header.Get("Webhook-Signature"), body: string(text), event: string(p.Type)}
	if p.Data.Page != nil {
		g.page = *p.Data.Page
	}
	r.mu.Lock()
	r.got = append(r.got, g)
	status := 204
	if len(r.statuses) > 0 {
		status, r.statuses = r.statuses[0], r.statuses[1:]
	}
	r.mu.Unlock()
	w.WriteHeader(status)
	r.more <- struct{}{}
}

// A message is told at least once, under one id, with the same text and a
// signature that holds; the next of the fax waits for it.
func TestDelivery(t *testing.T) {
	t.Parallel()
	r := &receiver{statuses: []int{503, 302}, more: make(chan struct{}, 100)}
	server := httptest.NewServer(r)
	defer server.Close()
	db := open(t, server.URL)
	s := newSender(t, db, Terms{Secrets: []string{secret}, AllowPrivate: true})
	job, _, err := db.Create(t.Context(), fax.Job{ID: fax.NewJobID(), To: "+15551230001", Documents: 1}, store.Idempotency{})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Prepared(t.Context(), job.ID, fax.Facts{Sheets: make([]fax.Sheet, 3)}); err != nil {
		t.Fatal(err)
	}
	if _, err := db.AskCancel(t.Context(), job.ID); err != nil {
		t.Fatal(err)
	}
	// Each try, as if the pause before it were over.
	try := func() {
		t.Helper()
		list, err := db.Outbox().Claim(t.Context(), time.Now().Add(100*time.Hour), time.Now(), 10)
		if err != nil || len(list) != 1 {
			t.Fatalf("claimed %v, %v", list, err)
		}
		s.send(t.Context(), list[0])
	}
	for range 2 {
		try()
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	try() // the first is told now
	go func() { ended <- s.Run(ctx) }()
	for range 4 {
		<-r.more
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, g := range r.got[:3] {
		if g.event != "fax.queued" || g.id != r.got[0].id || g.body != r.got[0].body || !strings.HasPrefix(g.signature, "v1,") {
			t.Errorf("try %d: %+v", i+1, g)
		}
	}
	if last := r.got[3]; last.event != "fax.failed" || last.id == r.got[0].id || !strings.Contains(last.body, `"cause":"cancelled"`) {
		t.Errorf("then: %+v", last)
	}
}

// What is never taken is given up after three days, and at once when the
// receiver says so.
func TestGivingUp(t *testing.T) {
	t.Parallel()
	r := &receiver{more: make(chan struct{}, 100)}
	server := httptest.NewServer(r)
	defer server.Close()
	db := open(t, server.URL)
	s := newSender(t, db, Terms{AllowPrivate: true})
	for _, c := range []struct{ status, tries int }{{500, len(pauses) + 1}, {410, 1}} {
		job, _, err := db.Create(t.Context(), fax.Job{ID: fax.NewJobID(), To: "+15551230001", Documents: 1}, store.Idempotency{})
		if err == nil {
			err = db.Prepared(t.Context(), job.ID, fax.Facts{Sheets: make([]fax.Sheet, 1)})
		}
		if err != nil {
			t.Fatal(err)
		}
		tries := 0
		for total := time.Duration(0); ; tries++ {
			list, err := db.Outbox().Claim(t.Context(), time.Now().Add(200*time.Hour), time.Now(), 10)
			if err != nil {
				t.Fatal(err)
			}
			if len(list) == 0 {
				if c.status == 500 && (total < 70*time.Hour || total > 80*time.Hour) {
					t.Errorf("given up after %s", total)
				}
				break
			}
			if tries < len(pauses) {
				total += pauses[tries]
			}
			r.mu.Lock()
			r.statuses = []int{c.status}
			r.mu.Unlock()
			s.send(t.Context(), list[0])
		}
		if tries != c.tries {
			t.Errorf("%d: %d tries, want %d", c.status, tries, c.tries)
		}
	}
	if dead, err := db.Outbox().Dead(t.Context(), 10); err != nil || len(dead) != 2 || dead[1].Error != "the receiver answered 500" {
		t.Errorf("dead: %+v, %v", dead, err)
	}
}
