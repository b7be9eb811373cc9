package chaos_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"sync"
	"time"

	"faxbot/controller/fax"
	"faxbot/controller/freeswitch/simulator"
)

const (
	apiKey     = "chaos-key"
	hookSecret = "chaos-secret"
)

// submission is one fax that somebody sends, and all he knows of it.
type submission struct {
	key      string // Idempotency-Key
	number   string
	pages    int
	outcomes []simulator.Outcome // of the calls to the number; the last one stays
	want     fax.State           // how it ends unless its calls are used up
	twice    bool                // posted twice at once
	start    time.Duration       // when, after the beginning of the round

	mu        sync.Mutex
	id        string
	cancelled time.Time // from then on nobody may be dialled for it; zero: not cancelled
	last      job
	since     time.Time // it is so
}

// job is a fax as REST shows it.
type job struct {
	ID        string
	Status    string
	State     fax.State
	Cause     fax.Cause
	Error     string
	Pages     int
	Confirmed int `json:"confirmed_pages"`
	Attempts  []struct {
		ID    string
		State fax.AttemptState
		Cause fax.Cause
		Pages int
	}
}

func (j job) over() bool { return j.State != "" && (j.State.Terminal() || j.State == fax.Held) }

// choose makes up the faxes of a round. The first is plain and long enough for
// every fault to find its page.
func (r *round) choose() []*submission {
	faxes := []*submission{{number: fmt.Sprintf("+1555000%04d", r.number), pages: 3, outcomes: []simulator.Outcome{{}}}}
	for range 1 + r.rand.IntN(3) {
		s := &submission{pages: 1 + r.rand.IntN(4), start: time.Duration(r.rand.IntN(300)) * time.Millisecond}
		page := r.rand.IntN(s.pages)
		switch r.rand.IntN(16) {
		case 0, 1:
			s.outcomes = []simulator.Outcome{{}}
		case 2:
			s.outcomes = []simulator.Outcome{{Cause: "USER_BUSY", Ring: 3 * time.Second}, {}}
		case 3:
			s.outcomes = []simulator.Outcome{{Cause: "NORMAL_CIRCUIT_CONGESTION"}, {}}
		case 4, 5:
			s.outcomes = []simulator.Outcome{{Drops: true, Code: 49, Pages: page}, {}}
		case 6:
			s.outcomes = []simulator.Outcome{{Code: 48, Pages: page}, {Ring: 5 * time.Second}}
		case 7:
			s.outcomes = []simulator.Outcome{{Line: simulator.StaysUp}}
		case 8:
			s.outcomes = []simulator.Outcome{{Line: simulator.Cut}}
		case 9:
			s.outcomes = []simulator.Outcome{{Line: []simulator.Line{simulator.Split, simulator.Coalesced, simulator.NoNotice}[r.rand.IntN(3)], Rate: 9600}}
		case 10:
			s.outcomes = []simulator.Outcome{{Line: []simulator.Line{simulator.NoConnect, simulator.Person}[r.rand.IntN(2)]}, {}}
		case 11, 13, 14, 15:
			s.outcomes, s.number = []simulator.Outcome{{}}, faxes[0].number
		case 12:
			s.outcomes, s.want = []simulator.Outcome{{Cause: "UNALLOCATED_NUMBER"}}, fax.Failed
		}
		s.twice = r.rand.IntN(4) == 0
		faxes = append(faxes, s)
	}
	for i, s := range faxes {
		s.key = fmt.Sprintf("round %d fax %d", r.number, i)
		if s.number == "" {
			s.number = fmt.Sprintf("+1555%03d%04d", i, r.number)
		}
		if s.want == "" {
			s.want = fax.Done
		}
	}
	return faxes
}

// next lets the number behave as its next call shall. A call has had its turn with
// its result, also when the switch does not live to see its end.
func (s *submission) next(r *round) {
	calls := map[string]bool{}
	for _, sw := range r.switches() {
		for _, e := range sw.Ledger() {
			if (e.Kind == "result" || e.Kind == "end") && "+"+strings.TrimPrefix(e.Number, "+") == s.number {
				calls[e.UUID] = true
			}
		}
	}
	r.script(s.number, s.outcomes[min(len(calls), len(s.outcomes)-1)])
}

// submit posts the fax until it is accepted.
func (r *round) submit(s *submission) {
	time.Sleep(s.start)
	var text strings.Builder
	for page := range s.pages {
		fmt.Fprintf(&text, "%s, page %d\n%s", s.key, page+1, map[bool]string{true: "\f"}[page < s.pages-1])
	}
	post := func() {
		for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(30 * time.Millisecond) {
			var body bytes.Buffer
			form := multipart.NewWriter(&body)
			file, err := form.CreateFormFile("file", "fax.txt")
			if err == nil {
				_, err = io.WriteString(file, text.String())
			}
			if err = errors.Join(err, form.WriteField("to", s.number), form.Close()); err != nil {
				r.complain(unfit, "form: %v", err)
				return
			}
			var answer job
			status, err := r.ask("POST", forREST, "/fax", http.Header{
				"Content-Type": {form.FormDataContentType()}, "Idempotency-Key": {s.key},
			}, &body, &answer)
			switch {
			case err != nil || status >= 500:
				continue // it may or may not have been accepted
			case status != http.StatusAccepted:
				r.complain(unfit, "POST /fax: %d for %s", status, s.key)
				return
			}
			s.mu.Lock()
			if s.id != "" && s.id != answer.ID {
				r.complain(doubled, "%s was accepted as %s and as %s", s.key, s.id, answer.ID)
			}
			s.id = answer.ID
			s.mu.Unlock()
			return
		}
		r.complain(unfit, "%s was never accepted", s.key)
	}
	if s.twice {
		r.after(0, post)
	}
	post()
}

// look asks for all faxes: how many have not ended, and how many of these only
// wait until they are due.
func (r *round) look() (waiting, open int) {
	for _, s := range r.faxes {
		s.mu.Lock()
		id, last := s.id, s.last
		s.mu.Unlock()
		// Held is no end while somebody may act.
		if last.over() {
			continue
		}
		open++
		var now job
		if id == "" {
			continue
		}
		status, err := r.ask("GET", forREST, "/fax/"+id, nil, nil, &now)
		if status == http.StatusNotFound && err == nil {
			r.complain(lost, "%s was accepted as %s and is not known", s.key, id)
		}
		if err != nil || status != http.StatusOK {
			continue
		}
		s.mu.Lock()
		if now.State != s.last.State {
			s.since = time.Now()
		}
		s.last = now
		since := s.since
		s.mu.Unlock()
		switch {
		case now.over():
			open--
		case now.State == fax.Retry, now.State == fax.Queued && time.Since(since) > 2*time.Second:
			waiting++
		}
	}
	return waiting, open
}

// ask is one HTTP request.
func (r *round) ask(method, door, path string, header http.Header, body io.Reader, answer any) (int, error) {
	var address string
	if r.fleet != nil {
		address = r.fleet.at(door)
	} else {
		address = r.daemon.at(door)
	}
	if address == "" {
		return 0, errors.New("the daemon is down")
	}
	request, err := http.NewRequest(method, "http://"+address+path, body)
	if err != nil {
		return 0, err
	}
	if header != nil {
		request.Header = header
	}
	request.Header.Set("X-API-Key", apiKey)
	request.Header.Set("X-Internal-Secret", hookSecret)
	response, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(answer); err != nil {
		return 0, err
	}
	return response.StatusCode, nil
}

// client makes a connection for each request: the daemon dies too often.
var client = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
