package controller_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"

	"faxbot/controller"
	"faxbot/controller/fax"
	"faxbot/controller/freeswitch/simulator"
)

// larder serves the pages of a house's calls, and keeps what was asked for.
type larder struct {
	*httptest.Server
	mu    sync.Mutex
	house *house
	asked []string // paths
	got   []string // bodies
}

func newLarder(t *testing.T) *larder {
	l := &larder{}
	l.Server = httptest.NewServer(http.HandlerFunc(l.serve))
	t.Cleanup(l.Close)
	return l
}

func (l *larder) serve(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	body, err := l.open(r.URL.Path)
	l.asked = append(l.asked, r.URL.Path)
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	l.got = append(l.got, body)
	_, _ = io.WriteString(w, body)
}

// open is what the API does with a path.
func (l *larder) open(address string) (string, error) {
	rest, ours := strings.CutPrefix(address, controller.PagesPath)
	attempt, token, _ := strings.Cut(rest, "/")
	token, tif := strings.CutSuffix(token, controller.PagesSuffix)
	if !ours || !tif {
		return "", errors.New("a strange path")
	}
	file, err := l.house.Pages(fax.AttemptID(attempt), token)
	if err != nil {
		return "", err
	}
	defer file.Close()
	body, err := io.ReadAll(file)
	return string(body), err
}

func (l *larder) paths() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.asked)
}

// A switch without the document folder fetches the pages of each call over
// HTTP, from an address that is good for that call alone.
func TestSwitchFetchesPages(t *testing.T) {
	t.Parallel()
	shop := newLarder(t)
	shop.mu.Lock()
	h := newHouse(t, simulator.Config{Speed: 200}, func(c *controller.Config) { c.DocumentURL = shop.URL + "/" })
	shop.house = h
	shop.mu.Unlock()
	const number = "15551230081"
	h.sim.Script(number, simulator.Outcome{Code: 49, Drops: true, Pages: 1})
	id := h.submit(number, 3)
	h.until(id, fax.Retry)
	h.sim.Script(number, simulator.Outcome{})
	h.release(id)
	_, attempts := h.until(id, fax.Done)
	if len(attempts) != 2 || attempts[1].Parameters.StartPage != 1 {
		t.Errorf("%+v", attempts)
	}
	asked := shop.paths()
	if len(asked) != 2 || asked[0] == asked[1] {
		t.Errorf("fetched from %v", asked)
	}
	for _, e := range h.sim.Ledger() {
		if e.Kind == "page" && (strings.HasPrefix(e.File, h.dir) || path.Ext(e.File) != ".tif") {
			t.Errorf("the switch sent %s", e.File)
		}
	}
	// The calls are over, and so are their addresses.
	for _, address := range asked {
		if _, err := shop.open(address); fax.ProblemOf(err) != fax.NotFound {
			t.Errorf("%s after the call: %v", address, err)
		}
		for _, a := range attempts {
			if strings.Contains(address, a.Token) {
				t.Errorf("%s tells the call's token", address)
			}
		}
	}
}

// While a call runs nobody gets its pages without its token, nor more often
// than a switch would ask.
func TestPagesAreForTheSwitchAlone(t *testing.T) {
	t.Parallel()
	shop := newLarder(t)
	shop.mu.Lock()
	h := newHouse(t, simulator.Config{Speed: 200}, func(c *controller.Config) { c.DocumentURL = shop.URL })
	shop.house = h
	shop.mu.Unlock()
	id := h.submit("1555994004", 1) // stalls in the first page
	h.until(id, fax.Sending)
	eventually(t, "the pages are fetched", func() bool { return len(shop.paths()) == 1 })
	address := shop.paths()[0]
	for _, wrong := range []string{
		address[:len(address)-5] + "x" + controller.PagesSuffix, strings.ToUpper(address),
		controller.PagesPath + string(fax.NewAttemptID()) + "/" + path.Base(address),
		path.Dir(address) + "/" + controller.PagesSuffix,
	} {
		if _, err := shop.open(wrong); err == nil {
			t.Errorf("%s is answered", wrong)
		}
	}
	for range 2 {
		if body, err := shop.open(address); err != nil || !strings.HasPrefix(body, "II*\x00") {
			t.Errorf("again: %v", err)
		}
	}
	if _, err := shop.open(address); fax.ProblemOf(err) != fax.NotFound {
		t.Errorf("a fourth time: %v", err)
	}
}

// A switch that cannot fetch the pages is a fault of the installation, not of
// the fax, which waits for it to be mended.
func TestSwitchThatCannotFetch(t *testing.T) {
	t.Parallel()
	for name, broken := range map[string]struct {
		sim simulator.Config
		url string
	}{
		"no module":    {sim: simulator.Config{Broken: simulator.Broken{Without: []string{"mod_http_cache"}}}, url: "http://127.0.0.1:1"},
		"nobody there": {url: "http://127.0.0.1:1"},
		"refused":      {url: newLarder(t).URL + "/elsewhere"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, broken.sim, func(c *controller.Config) { c.DocumentURL = broken.url })
			id := h.submit("15551230083", 2)
			job, attempts := h.until(id, fax.Retry, fax.Held)
			if job.Cause != fax.Misconfigured || job.Confirmed != 0 || job.Dials != 0 || len(attempts) != 1 {
				t.Errorf("%+v %+v", job, attempts)
			}
			if r := attempts[0].Result; r.Cause != fax.Misconfigured || !strings.Contains(r.Text, "mod_http_cache") || !strings.Contains(r.Text, "-ERR") {
				t.Errorf("%+v", r)
			}
			eventually(t, "the call is over", func() bool { return h.sim.Calls() == 0 })
			for _, e := range h.sim.Ledger() {
				if e.Kind == "page" {
					t.Errorf("a page was sent: %+v", e)
				}
			}
		})
	}
}
