package chaos_test

import (
	"net/http"
	"slices"
	"sort"
	"strings"
	"time"

	"faxbot/controller/fax"
)

// history is one call as the switch's ledger has it.
type history struct {
	sw                      exchange
	job, attempt, number    string
	dialled, answered, done time.Time // done: the fax engine's verdict
	ended                   time.Time // zero when the switch crashed before
	judged                  bool
	code                    int
	pages                   []int
	paged                   time.Time // the last of them
	cause                   string
	redialled               bool // the switch was told twice
}

// history returns the calls in the order in which they were dialled.
func (r *round) history() []*history {
	var all []*history
	for _, sw := range r.switches() {
		all = append(all, r.historyOf(sw)...)
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].dialled.Before(all[j].dialled) })
	return all
}

// historyOf returns the calls of one switch to the numbers of this round.
func (r *round) historyOf(sw exchange) []*history {
	var all []*history
	by := map[string]*history{}
	ours := func(number string) bool {
		return slices.ContainsFunc(r.faxes, func(s *submission) bool { return s.number == "+"+strings.TrimPrefix(number, "+") })
	}
	for _, e := range sw.Ledger() {
		if r.fleet != nil && !ours(e.Number) {
			continue
		}
		h := by[e.UUID]
		if h == nil {
			h = &history{sw: sw}
			by[e.UUID] = h
			all = append(all, h)
		}
		switch e.Kind {
		case "dial":
			h.redialled = !h.dialled.IsZero()
			h.job, h.attempt, h.number, h.dialled = e.Job, e.Attempt, e.Number, e.Time
		case "answer":
			h.answered = e.Time
		case "page":
			h.pages, h.paged = append(h.pages, e.Page), e.Time
		case "result":
			h.judged, h.code, h.done = true, e.Code, e.Time
		case "end":
			h.ended, h.cause = e.Time, e.Cause
		}
	}
	return all
}

// over is when the call ended: by itself, or with the switch. Zero: it runs.
func (r *round) over(h *history) time.Time {
	if !h.ended.IsZero() {
		return h.ended
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.crashes {
		if c.sw == h.sw && c.at.After(h.dialled) {
			return c.at
		}
	}
	return time.Time{}
}

// judge compares what the daemon says with what the switch wrote down.
func (r *round) judge(settled bool) {
	calls := r.history()
	busy := map[string]*history{}
	for _, h := range calls {
		if h.redialled {
			r.complain(doubled, "call %s was dialled twice", h.attempt)
		}
		if before := busy[h.number]; before != nil {
			if end := r.over(before); end.IsZero() || end.After(h.dialled) {
				r.complain(doubled, "%s was dialled while call %s was under way", h.number, before.attempt)
			}
		}
		busy[h.number] = h
	}
	known := map[string]bool{}
	for _, s := range r.faxes {
		known[s.id] = true
		r.judgeFax(s, calls, settled)
	}
	for _, h := range calls {
		if !known[h.job] {
			r.complain(doubled, "%s was dialled for fax %s, which nobody submitted", h.number, h.job)
		}
	}
}

func (r *round) judgeFax(s *submission, calls []*history, settled bool) {
	if s.id == "" {
		return // and complained of
	}
	var now job
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if status, err := r.ask("GET", forREST, "/fax/"+s.id, nil, nil, &now); err == nil && status == http.StatusOK {
			break
		}
	}
	if now.ID == "" {
		r.complain(lost, "%s is not known any more", s.key)
		return
	}
	s.last = now
	if !now.over() {
		r.complain(lost, "%s is still %s (%s) after %s", s.key, now.State, now.Error, patience)
		return
	}
	delivered := map[int]bool{}
	answered, complete := 0, false
	var mine []*history
	unknowable := false
	for _, h := range calls {
		if h.job != s.id {
			continue
		}
		mine = append(mine, h)
		if complete {
			r.complain(doubled, "%s was delivered and then dialled again", s.key)
		}
		if !s.cancelled.IsZero() && h.dialled.After(s.cancelled) {
			r.complain(doubled, "%s was cancelled and then dialled", s.key)
		}
		for _, page := range h.pages {
			if delivered[page] {
				r.complain(doubled, "page %d of %s was delivered twice", page+1, s.key)
			}
			delivered[page] = true
		}
		if !h.answered.IsZero() {
			answered++
		}
		complete = complete || h.judged && h.code == 0 && len(delivered) == s.pages
		unknowable = unknowable || r.unknowable(h)
	}
	r.judgeEnd(s, now, len(delivered), answered, len(mine), complete, unknowable)
	if r.fleet != nil {
		dials, tries, err := r.fleet.charged(s.id)
		if err != nil {
			r.complain(unfit, "%v", err)
		} else if dials > len(now.Attempts) || tries > answered { // that nobody was dialled cannot always be known
			r.complain(wrong, "%s has used up %d dials and %d tries in %d calls, %d of them answered", s.key, dials, tries, len(now.Attempts), answered)
		}
	}
	r.judgeCalls(s, now, mine)
}

// judgeEnd holds a fax's end against the ledger.
func (r *round) judgeEnd(s *submission, now job, pages, answered, dialled int, complete, unknowable bool) {
	switch {
	case now.State == fax.Held && now.Cause != fax.Unknown:
		r.complain(wrong, "%s is held for %s: %s", s.key, now.Cause, now.Error)
	case now.State == fax.Held && !unknowable:
		r.complain(wrong, "%s is held as unknown, but the switch knows: %s", s.key, now.Error)
	case now.State == fax.Held && now.Confirmed <= pages:
		return // nobody can know more
	case now.State == fax.Done && (pages != s.pages || now.Status != "SUCCESS"):
		r.complain(wrong, "%s is %s, but %d of %d pages arrived", s.key, now.Status, pages, s.pages)
	case now.State != fax.Done && complete:
		r.complain(wrong, "%s is %s (%s), but was delivered", s.key, now.State, now.Cause)
	case now.State == fax.Cancelled && s.cancelled.IsZero():
		r.complain(wrong, "%s is cancelled, but nobody asked for it", s.key)
	case now.State == fax.Failed && s.want != fax.Failed && answered < fax.Job{}.MaxTries() && dialled < fax.Job{}.MaxDials():
		r.complain(wrong, "%s is given up after %d calls, %d answered: %s", s.key, dialled, answered, now.Error)
	}
	if now.Confirmed != pages {
		r.complain(wrong, "%s is %s with %d pages confirmed, but %d arrived", s.key, now.State, now.Confirmed, pages)
	}
}

// judgeCalls holds each call against the ledger.
func (r *round) judgeCalls(s *submission, now job, calls []*history) {
	by := map[string]*history{}
	for _, h := range calls {
		by[h.attempt] = h
	}
	for _, a := range now.Attempts {
		h := by[a.ID]
		delete(by, a.ID)
		if a.Cause == fax.Unknown && r.fleet != nil {
			r.fleet.tally.add(unknown)
		}
		switch {
		case a.State != fax.AttemptEnded:
			r.complain(lost, "%s has ended, its call %s is %s", s.key, a.ID, a.State)
		case h == nil && (a.Pages > 0 || a.Cause == fax.OK || a.Cause == fax.Unknown):
			r.complain(wrong, "call %s of %s ended %s, but was never dialled", a.ID, s.key, a.Cause)
		case h == nil:
		case a.Cause == fax.Unknown && r.unknowable(h) && a.Pages <= len(h.pages):
		case a.Pages != len(h.pages):
			r.complain(wrong, "call %s of %s confirmed %d pages, but %d arrived", a.ID, s.key, a.Pages, len(h.pages))
		}
	}
	for id := range by {
		r.complain(wrong, "call %s was dialled for %s, which does not know it", id, s.key)
	}
}

// unknowable says that no witness could tell the daemon how the call ended:
// the switch crashed in it, or had lost its memory of it before the daemon
// could have heard. What a daemon has heard it does not forget: within two
// seconds the result is in the database or, while that is away, in the journal.
func (r *round) unknowable(h *history) bool {
	if h.answered.IsZero() {
		return false
	}
	const news = 300 * time.Millisecond // may still be on its way
	const durable = 2 * time.Second
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.crashes {
		switch {
		case c.sw != h.sw || c.at.Before(h.answered):
		case h.done.IsZero() || h.done.After(c.from.Add(-20*time.Millisecond)):
			return true // there is no record
		case !c.kept && c.from.Sub(h.done) < news:
			return true
		case !c.kept && r.wasBlind(h.done.Add(-20*time.Millisecond), earlier(c.at, h.done.Add(durable))):
			return true
		}
	}
	return false
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
