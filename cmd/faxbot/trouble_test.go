package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"faxbot/controller/freeswitch/simulator"
	"faxbot/controller/store/pgtest"
)

// pair is two hosts over one database, which serve one switch, while people go on
// submitting faxes whatever happens.
type pair struct {
	t     *testing.T
	line  *simulator.Switch
	hosts [2]*house
	data  string

	enough  chan struct{}
	quit    sync.Once
	people  sync.WaitGroup
	mu      sync.Mutex
	faxes   []*wanted
	refused int           // 503
	slowest time.Duration // answer
}

// wanted is a fax that somebody submits until it is taken.
type wanted struct {
	to string
	id string // "" until then
}

func newPair(t *testing.T, database string, speed float64, env ...string) *pair {
	t.Helper()
	p := &pair{t: t, line: simulator.RunT(t, simulator.Config{Speed: speed, Password: "sesame-that-nobody-prints"}), enough: make(chan struct{})}
	_, port, err := net.SplitHostPort(p.line.Addr())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	p.data = filepath.Join(dir, "faxes")
	for i, name := range []string{"a", "b"} {
		p.hosts[i] = &house{t: t, dir: dir, key: testKey, env: append([]string{
			"FREESWITCH_ESL_PORT=" + port, "FREESWITCH_ESL_PASSWORD=sesame-that-nobody-prints", "FREESWITCH_GATEWAY_CPS=1000",
			"API_KEY=" + testKey, "DATABASE_URL=" + database, "FAX_DATA_DIR=" + p.data, "FAXBOT_HOST=" + name, "FAXBOT_GRACE=5s",
			"FAXBOT_LISTEN=127.0.0.1:0", "FAXBOT_INTERNAL_LISTEN=127.0.0.1:0", "FAXBOT_SOCKET_LISTEN=127.0.0.1:0",
		}, env...)}
		p.hosts[i].open()
	}
	t.Cleanup(p.disperse)
	return p
}

// crowd has people come to both hosts with a fax each, until they are satisfied.
func (p *pair) crowd() {
	p.people.Go(func() {
		next := time.NewTicker(pace())
		defer next.Stop()
		for n := 0; ; n++ {
			p.people.Go(func() { p.want(p.hosts[n%2], fmt.Sprintf("+1555124%04d", n)) })
			select {
			case <-p.enough:
				return
			case <-next.C:
			}
		}
	})
}

// disperse waits until everybody's fax is taken, and nobody comes any more.
func (p *pair) disperse() {
	p.quit.Do(func() { close(p.enough) })
	p.people.Wait()
}

// counts are how many faxes were submitted, taken, and refused for a while.
func (p *pair) counts() (submitted, taken, refused int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range p.faxes {
		if f.id != "" {
			taken++
		}
	}
	return len(p.faxes), taken, p.refused
}

// want submits a fax until it is taken.
func (p *pair) want(h *house, to string) {
	f := &wanted{to: to}
	p.mu.Lock()
	p.faxes = append(p.faxes, f)
	p.mu.Unlock()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); {
		began := time.Now()
		answer, err := p.post(h, to)
		if err != nil {
			p.t.Errorf("submitting to %s: %v", to, err)
			return
		}
		p.mu.Lock()
		p.slowest = max(p.slowest, time.Since(began))
		f.id = answer.id
		if answer.status == http.StatusServiceUnavailable {
			p.refused++
		}
		p.mu.Unlock()
		switch {
		case answer.status == http.StatusAccepted || answer.status == http.StatusOK:
			return
		case answer.status != http.StatusServiceUnavailable || answer.retryAfter == "":
			p.t.Errorf("submitting to %s: %d, Retry-After %q, %s", to, answer.status, answer.retryAfter, answer.text)
			return
		}
		time.Sleep(100 * time.Millisecond) // a person who is in a hurry
	}
	p.t.Errorf("the fax to %s was never taken", to)
}

type posted struct {
	status               int
	retryAfter, id, text string
}

func (p *pair) post(h *house, to string) (posted, error) {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	file, err := form.CreateFormFile("file", "fax.pdf")
	if err == nil {
		_, err = file.Write(testFax)
	}
	if err != nil {
		return posted{}, err
	}
	_ = form.WriteField("to", to)
	_ = form.Close()
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, h.rest+"/fax", &body)
	if err != nil {
		return posted{}, err
	}
	r.Header.Set("X-API-Key", h.key)
	r.Header.Set("Content-Type", form.FormDataContentType())
	r.Header.Set("Idempotency-Key", to)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return posted{}, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	got := posted{status: answer.StatusCode, retryAfter: answer.Header.Get("Retry-After"), text: string(text)}
	var fax status
	if err == nil && json.Unmarshal(text, &fax) == nil {
		got.id = fax.ID
	}
	return got, err
}

// eventually waits for what nobody announces.
func (p *pair) eventually(what string, so func() bool) {
	p.t.Helper()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for late := time.After(2 * waiting); !so(); {
		select {
		case <-look.C:
		case <-late:
			p.t.Fatalf("not in time: %s\n--- a\n%s\n--- b\n%s", what, p.hosts[0].serve.output(), p.hosts[1].serve.output())
		}
	}
}

// journals counts the results that are kept on disk.
func (p *pair) journals() int {
	p.t.Helper()
	files, err := os.ReadDir(filepath.Join(p.data, "verdicts"))
	if err != nil {
		p.t.Fatal(err)
	}
	return len(files)
}

// sending counts the calls that have been answered and are up.
func (p *pair) sending() int {
	n := 0
	for _, e := range p.line.Ledger() {
		switch e.Kind {
		case "answer":
			n++
		case "end":
			n--
		}
	}
	return n
}

// judge waits for every fax and holds what is said of it against what the far
// ends saw: each page of each fax came once, and nobody was called any more.
func (p *pair) judge() {
	p.t.Helper()
	p.disperse()
	if p.t.Failed() {
		p.t.FailNow()
	}
	for i, f := range p.faxes {
		p.eventually("the fax to "+f.to+" is delivered", func() bool { return p.isDone(p.hosts[i%2], f.id) })
	}
	p.eventually("the journals are empty", func() bool { return p.journals() == 0 })
	pages, delivered := map[string]map[int]int{}, map[string]bool{}
	for _, e := range p.line.Ledger() {
		switch {
		case e.Kind == "dial" && delivered[e.Number]:
			p.t.Errorf("%s was called again after its fax was delivered", e.Number)
		case e.Kind == "page":
			if pages[e.Number] == nil {
				pages[e.Number] = map[int]int{}
			}
			pages[e.Number][e.Page]++
		case e.Kind == "result" && e.Code == 0:
			delivered[e.Number] = true
		}
	}
	if len(pages) != len(p.faxes) {
		p.t.Errorf("%d faxes were taken, %d numbers got pages", len(p.faxes), len(pages))
	}
	for number, got := range pages {
		for page := range 3 {
			if got[page] != 1 || len(got) != 3 {
				p.t.Errorf("%s got its pages so often: %v", number, got)
				break
			}
		}
	}
	p.t.Logf("%d faxes, %d calls, %d refusals, the slowest answer after %s", len(p.faxes), dials(p.line), p.refused, p.slowest.Round(time.Millisecond))
}

// isDone says whether a fax is delivered. One that waits for its next call need
// not wait any longer.
func (p *pair) isDone(h *house, id string) bool {
	p.t.Helper()
	now := h.find(id)
	switch now.State {
	case "retry":
		answer := h.do(http.MethodPost, h.rest+"/fax/"+id+"/release", "", nil)
		answer.Body.Close()
	case "failed", "held", "cancelled":
		p.t.Fatalf("a fax has come to %+v", now)
	}
	return now.State == "done"
}

func dials(line *simulator.Switch) int {
	n := 0
	for _, e := range line.Ledger() {
		if e.Kind == "dial" {
			n++
		}
	}
	return n
}

// long says that times are those of the field, as in make chaos-fleet.
func long() bool { return os.Getenv("FAXBOT_CHAOS_FLEET") != "" }

// pace is the time between two faxes: a busy machine must be able to convert as
// many as come.
func pace() time.Duration {
	if long() {
		return 700 * time.Millisecond
	}
	return 2 * time.Second
}

// after is a time of the field; otherwise it is over at once.
func after(d time.Duration) <-chan time.Time {
	if long() {
		return time.After(d)
	}
	return time.After(0)
}

// callsAreSending waits until there are calls to disturb.
func (p *pair) callsAreSending() {
	p.t.Helper()
	some := 1
	if long() {
		some = 3
	}
	p.eventually("calls are sending", func() bool { return p.sending() >= some })
}

// outlives takes the database away while calls begin, run and end, and brings it
// back: every fax comes to its end, once.
func (p *pair) outlives(lose, mend func() error) {
	p.t.Helper()
	p.crowd()
	p.callsAreSending()
	if err := lose(); err != nil {
		p.t.Fatal(err)
	}
	p.callsEndWithoutDatabase()
	if err := mend(); err != nil {
		p.t.Fatal(err)
	}
	p.takesAgain()
	p.judge()
}

// The machine of the database is lost, and its standby takes over: calls go on,
// and what they came to reaches the new primary.
func TestStandbyTakesOver(t *testing.T) {
	t.Parallel()
	primary, standby := pgtest.RunPairT(t)
	lose := primary.Kill
	if long() { // it vanishes without a word: nobody is refused, nothing is answered
		lose = func() error { _, err := primary.Freeze(); return err }
	}
	newPair(t, pgtest.Either(primary, standby), 10).outlives(lose, standby.Promote)
}

// The server is away for half a minute.
func TestDatabaseIsAway(t *testing.T) {
	t.Parallel()
	server := pgtest.RunT(t)
	var back <-chan time.Time
	newPair(t, server.URL, 10).outlives(func() error {
		back = after(30 * time.Second)
		return server.Stop("immediate")
	}, func() error {
		<-back
		return server.Start()
	})
}

// All of the server's processes stand still, for longer than any statement may
// take, and go on: whoever asks meanwhile is answered in time.
func TestDatabaseHangs(t *testing.T) {
	t.Parallel()
	server := pgtest.RunT(t)
	p := newPair(t, server.URL, 10)
	p.crowd()
	p.callsAreSending()
	threads := p.goroutines()
	thaw, err := server.Freeze()
	if err != nil {
		t.Fatal(err)
	}
	back := after(45 * time.Second)
	p.eventually("the calls are over, without a database", func() bool { return p.line.Calls() == 0 })
	<-back
	if n := p.goroutines(); n > threads+500 {
		t.Errorf("%d goroutines have become %d", threads, n)
	}
	if err := thaw(); err != nil {
		t.Fatal(err)
	}
	if long() {
		if _, _, refused := p.counts(); refused == 0 {
			t.Error("nobody was told to come back later")
		}
	}
	p.takesAgain()
	p.judge()
	soon := 30 * time.Second // as clients wait
	if !long() {             // a machine that is busy with other tests
		soon += 10 * time.Second
	}
	if p.slowest > soon {
		t.Errorf("somebody waited %s for an answer", p.slowest)
	}
}

// callsEndWithoutDatabase waits until nothing is on the line any more, and what
// was is on disk.
func (p *pair) callsEndWithoutDatabase() {
	p.t.Helper()
	p.eventually("results are on disk", func() bool { return p.journals() > 0 })
	p.eventually("submissions are refused", func() bool { _, _, refused := p.counts(); return refused > 0 })
	before := dials(p.line)
	p.eventually("the calls are over, without a database", func() bool { return p.line.Calls() == 0 })
	if n := dials(p.line); n != before {
		p.t.Errorf("%d calls were placed without a database", n-before)
	}
}

// takesAgain waits until faxes are taken that were submitted after now.
func (p *pair) takesAgain() {
	p.t.Helper()
	submitted, _, _ := p.counts()
	p.eventually("faxes are taken again", func() bool { _, taken, _ := p.counts(); return taken > submitted })
}

// goroutines counts those of both hosts.
func (p *pair) goroutines() int {
	p.t.Helper()
	all := 0
	for _, h := range p.hosts {
		n := 0
		for line := range strings.Lines(get(p.t, h.inner+"/metrics")) {
			if _, err := fmt.Sscanf(line, "go_goroutines %d", &n); err == nil {
				break
			}
		}
		if n == 0 {
			p.t.Error("a host has no figures")
		}
		all += n
	}
	return all
}
