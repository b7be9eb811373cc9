package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"faxbot/controller/fax"
	"faxbot/events"
)

// Server-sent events (HTML Living Standard, 9.2). Every event is the whole fax
// as GET /fax/{id} has it, so a client that missed some has missed nothing: the
// next one, or the first after it came back, is what is so now.
const (
	// heartbeat is how often a silent stream says that it lives: proxies close
	// those that do not.
	heartbeat = 15 * time.Second
	// lookAgain is how often the store is asked, because a fax may be in the
	// hands of another daemon, whose notices do not reach us.
	lookAgain = 2 * time.Second
	// maxStream is how long a stream may last; clients come back by themselves.
	maxStream = time.Hour
	// comeBack is when a client shall do so.
	comeBack = time.Second

	maxStreams    = 2000 // of everybody
	maxStreamsKey = 200  // of one key
	noticeRoom    = 64   // for a client that reads slowly
)

// ended is the id of the last event of a fax. A client that comes back with it
// has all there is, and is told to stay away (204).
const ended = "end"

// streams counts those that are open.
type streams struct {
	mu    sync.Mutex
	all   int
	byKey map[string]int
}

// enter counts a stream, or refuses it; leave must be called when it did not.
func (s *streams) enter(key string) (leave func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all >= maxStreams || s.byKey[key] >= maxStreamsKey {
		return nil, &later{10 * time.Second, &fax.Error{Problem: fax.RateLimited, Detail: "Too many event streams are open; close some"}}
	}
	if s.byKey == nil {
		s.byKey = map[string]int{}
	}
	s.all++
	s.byKey[key]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.all--
		if s.byKey[key]--; s.byKey[key] == 0 {
			delete(s.byKey, key)
		}
	}, nil
}

// events answers GET /fax/{id}/events.
func (a *API) events(w http.ResponseWriter, r *http.Request, who principal) error {
	id, err := fax.ParseJobID(r.PathValue("id"))
	if err != nil {
		return err
	}
	leave, err := a.streams.enter(who.name)
	if err != nil {
		return err
	}
	defer leave()
	// First listen, then read: what happens between the two is not missed.
	notices := a.config.Controller.Notices().Listen(noticeRoom)
	defer notices.Close()
	read := func(ctx context.Context) (fax.Job, []fax.Attempt, fax.Facts, error) {
		job, calls, facts, err := a.config.Controller.Look(ctx, id)
		if err == nil && !who.sees(job) {
			err = noSuchJob
		}
		return job, calls, facts, err
	}
	job, _, _, err := read(r.Context())
	if err != nil {
		return err
	}
	if job.State.Terminal() && r.Header.Get("Last-Event-ID") == ended {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	s := stream{job: id, read: read, notices: notices.C, emit: a.emitter(w, r)}
	a.stream(w, r, a.log.With("fax", id), s.run)
	return nil
}

// stream answers with the events that run sends, for as long as a stream lasts.
func (a *API) stream(w http.ResponseWriter, r *http.Request, log *slog.Logger, run func(context.Context) error) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // nginx
	ctx, cancel := context.WithTimeout(r.Context(), maxStream)
	defer cancel()
	if err := run(ctx); err != nil && ctx.Err() == nil {
		log.Debug("an event stream ended early", "error", err)
	}
}

// emitter writes events as long as the key of the request is good: whose key is
// revoked hears nothing more, however long the stream has been open.
func (a *API) emitter(w http.ResponseWriter, r *http.Request) func(text []byte) error {
	control := http.NewResponseController(w)
	return func(text []byte) error {
		if _, err := a.door.open(r); fax.ProblemOf(err) == fax.Unauthorized {
			return err
		}
		if _, err := w.Write(text); err != nil {
			return err
		}
		return control.Flush()
	}
}

// stream follows one fax to its end.
type stream struct {
	job     fax.JobID
	read    func(context.Context) (fax.Job, []fax.Attempt, fax.Facts, error)
	notices <-chan events.Notice
	emit    func(text []byte) error

	live fax.Attempt // the call under way, fresher than what is stored
	sent []byte      // the last event's data
	n    int         // events sent
}

// run returns when the fax has ended and that was told, or with ctx.
func (s *stream) run(ctx context.Context) error {
	if err := s.emit(fmt.Appendf(nil, "retry: %d\n\n", comeBack.Milliseconds())); err != nil {
		return err
	}
	beat, look := time.NewTicker(heartbeat), time.NewTicker(lookAgain)
	defer beat.Stop()
	defer look.Stop()
	for {
		over, err := s.tell(ctx)
		if over || err != nil {
			return err
		}
		for fresh := false; !fresh; {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-beat.C:
				if err := s.emit([]byte(": still here\n\n")); err != nil {
					return err
				}
			case <-look.C:
				fresh = true
			case n := <-s.notices:
				if fresh = n.Job.ID == s.job; fresh && n.Attempt.ID != "" {
					s.live = n.Attempt
				}
			}
		}
	}
}

// tell sends the fax as it is now, unless that is known.
func (s *stream) tell(ctx context.Context) (over bool, err error) {
	job, calls, facts, err := s.read(ctx)
	if fax.ProblemOf(err) == fax.NotFound {
		return true, err
	}
	if err != nil { // a database that is away comes back
		return false, ctx.Err()
	}
	for i, c := range calls {
		if c.ID == s.live.ID && c.State != fax.AttemptEnded {
			calls[i].Result.Pages = max(c.Result.Pages, s.live.Result.Pages)
		}
	}
	data, err := json.Marshal(detailedOf(job, calls, facts))
	if err != nil {
		panic(err) // our own types only
	}
	over = job.State.Terminal()
	if bytes.Equal(data, s.sent) {
		return over, nil
	}
	s.sent = data
	s.n++
	id := fmt.Sprint(s.n)
	if over {
		id = ended
	}
	return over, s.emit(fmt.Appendf(nil, "id: %s\nevent: fax\ndata: %s\n\n", id, data))
}
