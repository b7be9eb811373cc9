package main

import (
	"bufio"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"

	"faxbot/controller/store/pgtest"
)

// told is what a stream of events has said of each fax.
type told struct {
	mu      sync.Mutex
	states  map[string][]string // each state once, as they came
	pages   map[string]int      // the most
	reloads int
	over    bool
}

// follow hears a stream until it ends, or the test does.
func (p *pair) follow(h *house, path string) *told {
	p.t.Helper()
	heard := &told{states: map[string][]string{}, pages: map[string]int{}}
	answer := h.do(http.MethodGet, h.rest+path, "", nil)
	if answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != "text/event-stream" {
		p.t.Fatalf("GET %s: %s", path, answer.Status)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer answer.Body.Close()
		for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
			heard.line(lines.Text())
		}
		heard.mu.Lock()
		defer heard.mu.Unlock()
		heard.over = true
	}()
	p.t.Cleanup(func() {
		answer.Body.Close()
		<-done
	})
	return heard
}

func (o *told) line(text string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if text == "event: reload" {
		o.reloads++
	}
	data, is := strings.CutPrefix(text, "data: ")
	if !is || data == "null" {
		return
	}
	var fax struct {
		ID, State string
		Progress  struct{ Page int } // of a list
		Attempts  []struct{ Pages int }
	}
	if json.Unmarshal([]byte(data), &fax) != nil || fax.ID == "" {
		return
	}
	if all := o.states[fax.ID]; len(all) == 0 || all[len(all)-1] != fax.State {
		o.states[fax.ID] = append(all, fax.State)
	}
	o.pages[fax.ID] = max(o.pages[fax.ID], fax.Progress.Page)
	for _, a := range fax.Attempts {
		o.pages[fax.ID] = max(o.pages[fax.ID], a.Pages)
	}
}

// sees says whether the stream told that the fax came to that state.
func (o *told) sees(id, state string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, s := range o.states[id] {
		if s == state {
			return true
		}
	}
	return false
}

func (o *told) sawPages(id string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.pages[id]
}

func (o *told) reloaded() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.reloads
}

func (o *told) isOver() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.over
}

// Whoever looks at one host sees what another one does: each state, page and
// verdict. The database restarts, and the streams go on.
func TestStreamsOfEveryHostOutliveTheDatabase(t *testing.T) {
	t.Parallel()
	server := pgtest.RunT(t)
	p := newPair(t, server.URL, 8)
	a, b := p.hosts[0], p.hosts[1]
	lists := []*told{p.follow(a, "/events"), p.follow(b, "/events")}
	for _, l := range lists {
		p.eventually("a list begins", func() bool { return l.reloaded() > 0 })
	}
	send := func(to string) (string, []*told) {
		t.Helper()
		got, err := p.post(a, to)
		if err != nil || got.status != http.StatusAccepted {
			t.Fatalf("%+v %v", got, err)
		}
		return got.id, []*told{p.follow(a, "/fax/"+got.id+"/events"), p.follow(b, "/fax/"+got.id+"/events")}
	}
	id, own := send("+15551250001")
	for i, s := range append(lists, own...) {
		for _, state := range []string{"sending", "done"} {
			p.eventually("the fax is "+state, func() bool { return s.sees(id, state) })
		}
		if n := s.sawPages(id); n != 3 {
			t.Errorf("stream %d tells of %d pages", i, n)
		}
	}

	id, own = send("+15551250002")
	p.eventually("it is sending", func() bool { return own[1].sees(id, "sending") })
	before := []int{lists[0].reloaded(), lists[1].reloaded()}
	if err := server.Stop("immediate"); err != nil {
		t.Fatal(err)
	}
	p.eventually("the call is over, without a database", func() bool { return p.line.Calls() == 0 && p.journals() > 0 })
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	for i, s := range own {
		p.eventually("its stream tells the end", func() bool { return s.sees(id, "done") && s.isOver() })
		p.eventually("the list tells it, or that it is to be read again", func() bool {
			return lists[i].sees(id, "done") || lists[i].reloaded() > before[i]
		})
	}
	for i, h := range p.hosts { // what a console would do
		if s := h.find(id); lists[i].reloaded() > before[i] && s.State != "done" {
			p.eventually("the list is read again later", func() bool { return lists[i].sees(id, "done") })
		}
	}

	id, own = send("+15551250003")
	for _, s := range append(lists, own...) {
		for _, state := range []string{"sending", "done"} {
			p.eventually("the next fax is "+state, func() bool { return s.sees(id, state) })
		}
	}
	for _, l := range lists {
		if l.isOver() {
			t.Error("a list has ended")
		}
	}
	if n := dials(p.line); n != 3 {
		t.Errorf("%d calls for three faxes", n)
	}
}
