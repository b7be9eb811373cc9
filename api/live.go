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
// (event "reload"), which costs less than to remember what was missed. A notice
// says that a fax has changed; how it stands is read from the store, for notices
// of one fax may overtake each other.
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
	read := func(ctx context.Context, id fax.JobID) (fax.Job, error) {
		job, _, _, err := a.config.Controller.Look(ctx, id)
		return job, err
	}
	l := liveList{who: who, notices: notices, read: read, emit: a.emitter(w, r)}
	a.stream(w, r, a.log, l.run)
	return nil
}

type liveList struct {
	who     principal
	notices *events.Listener
	read    func(context.Context, fax.JobID) (fax.Job, error)
	emit    func(text []byte) error
	missed  int // notices that came faster than we read

	changed []fax.JobID       // since the last event
	pages   map[fax.JobID]int // confirmed so far in calls under way, fresher than what is stored
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
			if l.note(n); flush == nil && l.changed != nil {
				flush = time.After(moment)
			}
		case <-l.notices.Lost:
			if flush == nil {
				flush = time.After(moment)
			}
		case <-flush:
			flush = nil
			var away bool
			if away, err = l.tell(ctx); away {
				flush = time.After(lookAgain)
			}
		}
		if err != nil {
			return err
		}
	}
}

// note marks a fax as changed.
func (l *liveList) note(n events.Notice) {
	if !l.who.sees(n.Job) {
		return
	}
	if l.pages == nil {
		l.pages = map[fax.JobID]int{}
	}
	if _, known := l.pages[n.Job.ID]; !known {
		l.changed = append(l.changed, n.Job.ID)
	}
	l.pages[n.Job.ID] = max(l.pages[n.Job.ID], n.Attempt.Parameters.StartPage+n.Attempt.Result.Pages)
}

// tell sends how the faxes stand that have changed since the last time; later,
// if the database is away.
func (l *liveList) tell(ctx context.Context) (away bool, err error) {
	changed, pages, missed := l.changed, l.pages, l.notices.Missed()
	l.changed, l.pages = nil, nil
	text, whole := []byte(nil), missed == l.missed && len(changed) <= maxAtOnce
	for _, id := range changed {
		if !whole {
			break
		}
		job, err := l.read(ctx, id)
		if fax.ProblemOf(err) == fax.Unavailable {
			l.changed, l.pages = changed, pages
			return true, nil
		}
		if whole = err == nil; err != nil {
			break
		}
		one := listed{viewOf(job), progress{job.Confirmed, orNull(job.Pages)}}
		if job.State.OnTheLine() {
			one.Progress.Page = max(one.Progress.Page, pages[id])
		}
		data, err := json.Marshal(one)
		if err != nil {
			panic(err) // our own types only
		}
		text = fmt.Appendf(text, "event: fax\ndata: %s\n\n", data)
	}
	if l.missed = missed; !whole {
		text = []byte("event: reload\ndata: null\n\n")
	}
	if text == nil {
		return false, nil
	}
	return false, l.emit(text)
}
