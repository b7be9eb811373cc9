package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"faxbot/controller/fax"
	"faxbot/events"
)

// A list that is looked at changes by itself: GET /events tells of every
// fax that the key may see. Many changes of one fax within a moment are one
// event. Who came too late, or was too slow, is told to read the list again
// (event "reload"), which costs less than to remember what was missed.
const (
	moment     = 250 * time.Millisecond
	maxAtOnce  = 200 // more in a moment are a new list
	liveNotice = 1024
)

// listed is a fax in a list that lives.
type listed struct {
	view
	Progress progress `json:"progress"`
}

// live answers GET /events.
func (a *API) live(w http.ResponseWriter, r *http.Request, who principal) error {
	leave, err := a.streams.enter(who.name)
	if err != nil {
		return err
	}
	defer leave()
	notices := a.config.Controller.Notices().Listen(liveNotice)
	defer notices.Close()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // nginx
	ctx, cancel := context.WithTimeout(r.Context(), maxStream)
	defer cancel()
	if err := (&liveList{who: who, notices: notices, emit: a.emitter(w, r)}).run(ctx); err != nil && ctx.Err() == nil {
		a.log.Debug("an event stream ended early", "error", err)
	}
	return nil
}

type liveList struct {
	who     principal
	notices *events.Listener
	emit    func(text []byte) error
	missed  int // notices that came faster than we read
	changed map[fax.JobID]listed
	order   []fax.JobID
}

func (l *liveList) run(ctx context.Context) error {
	// Whoever comes back has missed something.
	if err := l.emit(fmt.Appendf(nil, "retry: %d\n\nevent: reload\ndata: null\n\n", comeBack.Milliseconds())); err != nil {
		return err
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	var flush <-chan time.Time
	for {
		var err error
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-beat.C:
			err = l.emit([]byte(": still here\n\n"))
		case n := <-l.notices.C:
			if l.note(n); flush == nil && l.order != nil {
				flush = time.After(moment)
			}
		case <-flush:
			flush, err = nil, l.tell()
		}
		if err != nil {
			return err
		}
	}
}

// note keeps the latest of each fax.
func (l *liveList) note(n events.Notice) {
	if !l.who.sees(n.Job) {
		return
	}
	if l.changed == nil {
		l.changed = map[fax.JobID]listed{}
	}
	if _, known := l.changed[n.Job.ID]; !known {
		l.order = append(l.order, n.Job.ID)
	}
	one := listed{viewOf(n.Job), progress{n.Job.Confirmed, orNull(n.Job.Pages)}}
	if n.Job.State.OnTheLine() {
		one.Progress.Page = max(one.Progress.Page, n.Attempt.Parameters.StartPage+n.Attempt.Result.Pages)
	}
	l.changed[n.Job.ID] = one
}

// tell sends what has changed since the last time.
func (l *liveList) tell() error {
	missed := l.notices.Missed()
	if missed > l.missed || len(l.order) > maxAtOnce {
		l.missed, l.changed, l.order = missed, nil, nil
		return l.emit([]byte("event: reload\ndata: null\n\n"))
	}
	var text []byte
	for _, id := range l.order {
		data, err := json.Marshal(l.changed[id])
		if err != nil {
			panic(err) // our own types only
		}
		text = fmt.Appendf(text, "event: fax\ndata: %s\n\n", data)
	}
	l.changed, l.order = nil, nil
	return l.emit(text)
}
