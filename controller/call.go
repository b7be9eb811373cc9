package controller

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"faxbot/controller/fax"
	"faxbot/controller/freeswitch"
	"faxbot/dialplan"
	"faxbot/events"
)

// call is one attempt under way: from the claim, or from being taken up after
// a restart, until its result is stored. Witnesses report to it from several
// goroutines; nothing in it waits while mu is held.
type call struct {
	c         *Controller
	id        fax.AttemptID
	job       fax.Job // as it was when the call was placed
	on        *exchange
	at        string    // the address of the switch then; only there it can be asked about
	claimedAt time.Time // of a call that we place
	// policy is that of the call's beginning; another one is for other calls.
	policy *Policy

	mu      sync.Mutex
	attempt fax.Attempt
	verdict verdict
	conn    *freeswitch.Call // nil while it is not connected to us
	heardAt time.Time        // the last sign of life
	news    *time.Timer      // see expectNews

	ending     bool // a result is being stored
	stored     bool // and has been
	cancelled  bool
	conflicted bool
	forgotten  bool // the switch's record has been deleted
	searching  bool // reconciliation is under way
	saving     bool // progress is being stored
	saved      int  // pages
	fetches    int  // of the pages by the switch
}

func (c *Controller) newCall(job fax.Job, attempt fax.Attempt) *call {
	k := &call{
		c: c, id: attempt.ID, job: job, attempt: attempt, heardAt: time.Now(), cancelled: job.CancelAsked, policy: c.policy.Load(),
		on: c.exchange(attempt.Switch),
	}
	k.at = k.on.link.Address()
	k.saved = attempt.Result.Pages
	k.verdict.pages = attempt.Result.Pages
	// Answered is stored right before txfax is told to run.
	k.verdict.begun, k.verdict.answered = attempt.Answered(), attempt.Answered()
	return k
}

// log is made when there is something to say: ten thousand that wait for that
// would cost 3 MB.
func (k *call) log() *slog.Logger { return k.c.log.With("fax", k.job.ID, "attempt", k.id) }

// Admit implements freeswitch.Host.
func (c *Controller) Admit(conn *freeswitch.Call, said *events.Connected) freeswitch.Session {
	k := c.find(fax.AttemptID(said.AttemptID))
	if k == nil {
		if said.AttemptID == "" && said.Token == "" {
			return c.receive(conn, said)
		}
		if session := c.probes.Admit(conn, said); session != nil {
			return session
		}
		return c.takeOver(conn, said)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	ours := subtle.ConstantTimeCompare([]byte(said.Token), []byte(k.attempt.Token)) == 1
	if !ours || said.UUID != string(k.id) || k.conn != nil || k.ending {
		return nil
	}
	k.conn = conn
	k.heardAt = time.Now()
	k.verdict.hear(byCall, said)
	k.stopWaiting()
	c.metrics.setup.Observe(c.store.Now().Sub(k.attempt.CreatedAt).Seconds())
	return k
}

// Fax implements freeswitch.Session: it makes durable that pages may be on
// their way, and says what to send.
func (k *call) Fax(ctx context.Context) (freeswitch.Fax, error) {
	k.mu.Lock()
	begun, cancelled := k.verdict.begun, k.cancelled
	k.mu.Unlock()
	if begun {
		return freeswitch.Fax{}, errors.New("this call has already been told to send")
	}
	if cancelled {
		return freeswitch.Fax{}, errors.New("the fax was cancelled")
	}
	if err := k.c.store.Advance(ctx, k.id, fax.AttemptFaxing); err != nil {
		return freeswitch.Fax{}, err
	}
	k.mu.Lock()
	k.attempt.State, k.attempt.AnsweredAt = fax.AttemptFaxing, k.c.store.Now()
	k.verdict.begun = true
	k.mu.Unlock()
	k.notify()
	return freeswitch.Fax{
		TIFF:   k.c.docs.TIFF(k.job.ID),
		Fetch:  k.fetch(),
		Before: dialplan.KeepRecord(k.id),
		Unfetched: func(answer string) {
			k.log().Error("the switch could not fetch the pages; load mod_http_cache, and let it reach FAXBOT_DOCUMENT_URL", "answer", answer)
			k.mu.Lock()
			defer k.mu.Unlock()
			k.verdict.unfetched = max(k.verdict.unfetched, or(answer, "no answer"))
		},
		Refused: func(command, answer string) {
			k.log().Warn("the switch keeps no record of this call; load mod_db", "answer", answer)
		},
	}, nil
}

// Event implements freeswitch.Session.
func (k *call) Event(ev events.Event) { k.hear(byCall, ev) }

// Gone implements freeswitch.Session.
func (k *call) Gone(err error) {
	k.mu.Lock()
	conn, open := k.conn, !k.ending
	k.conn = nil
	k.mu.Unlock()
	if err != nil && open {
		k.log().Warn("the call's connection ended early; asking the switch", "error", err)
		k.reconcile()
	}
	k.keepRecording(conn)
}

// heardOnLink takes what a switch says on its command link. It concerns our
// calls by their uuid, which is the attempt's id.
func (c *Controller) heardOnLink(ev events.Event) {
	if k := c.find(fax.AttemptID(ev.Call())); k != nil {
		k.hear(byLink, ev)
	}
}

// hear folds a statement into the verdict and acts on it.
func (k *call) hear(w witness, ev events.Event) {
	k.mu.Lock()
	k.heardAt = time.Now()
	before := k.verdict.pages
	k.verdict.hear(w, ev)
	page := k.verdict.pages > before
	k.settle()
	k.mu.Unlock()
	switch ev := ev.(type) {
	case *events.Negotiated:
		k.notify()
	case *events.OriginateEnded:
		if ev.Answered {
			k.expectNews(k.policy.Grace) // the connection must follow at once
		}
	}
	if page {
		k.notify()
	}
}

// settle does what the verdict, as it is now, asks for. k.mu is held.
func (k *call) settle() {
	start, total := k.attempt.Parameters.StartPage, k.job.Pages
	if k.verdict.conflict() && !k.conflicted {
		k.conflicted = true
		k.c.metrics.conflicts.Inc()
		k.log().Error("witnesses contradict each other; the first in rank is believed", "accounts", fmt.Sprintf("%+v", k.verdict.given()))
		if k.stored {
			for _, w := range k.verdict.testimony().Contradicted {
				k.c.spawn(func() { k.c.contradicted(k.id, w) })
			}
		}
	}
	if k.stored {
		if k.verdict.ended {
			k.c.leave(k)
		}
		k.forget()
		return
	}
	if k.verdict.pages > k.saved && !k.saving {
		k.saving = true
		k.c.spawn(k.saveProgress)
	}
	if k.verdict.final(start, total) && !k.ending {
		k.ending = true
		r := k.verdict.result(start, total)
		k.c.spawn(func() { k.store(r) })
	}
}

// conclude ends the call with a result that nobody reported.
func (k *call) conclude(r fax.Result) {
	k.mu.Lock()
	first := !k.ending
	k.ending = true
	k.mu.Unlock()
	if r.Witnesses.Decided == "" {
		r.Witnesses.Decided = fax.ByDaemon
	}
	if first {
		k.store(r)
	}
}

// saveProgress keeps the number of confirmed pages up to date in the store.
func (k *call) saveProgress() {
	for {
		k.mu.Lock()
		pages := k.verdict.pages
		if pages <= k.saved || k.ending {
			k.saving = false
			k.mu.Unlock()
			return
		}
		k.mu.Unlock()
		err := k.c.store.Progress(k.c.life, k.id, pages)
		if takenOver(err) {
			k.release()
		} else if err != nil && fax.ProblemOf(err) != fax.Conflict && k.c.life.Err() == nil {
			k.log().Error("confirmed pages could not be stored", "pages", pages, "error", err)
		}
		k.mu.Lock()
		k.saved = pages
		k.mu.Unlock()
	}
}

// advance stores a step of the call. That the call is further already is no
// error: news come in any order.
func (k *call) advance(to fax.AttemptState) {
	err := k.c.store.Advance(k.c.life, k.id, to)
	if err == nil {
		k.mu.Lock()
		if k.attempt.State.CanBecome(to) {
			k.attempt.State = to
		}
		k.mu.Unlock()
	} else if takenOver(err) {
		k.release()
	} else if fax.ProblemOf(err) != fax.Conflict && k.c.life.Err() == nil {
		k.log().Error("a step of the call could not be stored", "state", to, "error", err)
	}
}

// cancel hangs the call up for good.
func (k *call) cancel() {
	k.mu.Lock()
	k.cancelled = true
	k.mu.Unlock()
	k.hangUp()
}

// hangUp ends the call wherever it is. A call that is being placed may not
// exist yet when the switch is told, so it is told until the call has ended or
// has connected to us.
func (k *call) hangUp() {
	k.c.spawn(func() {
		for end := time.Now().Add(k.policy.Ring + k.policy.Grace); time.Now().Before(end) && k.c.life.Err() == nil; {
			k.mu.Lock()
			conn, ending := k.conn, k.ending
			k.mu.Unlock()
			if ending {
				return
			}
			if conn != nil {
				conn.Hangup()
				return
			}
			if err := k.on.link.Kill(string(k.id)); err != nil {
				k.log().Warn("the call could not be hung up yet", "error", err)
			}
			sleep(k.c.life, 500*time.Millisecond)
		}
	})
}

// expectNews has the switch asked when the call has not connected to us, nor
// ended, by then.
func (k *call) expectNews(within time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.conn != nil || k.ending {
		return
	}
	k.stopWaiting()
	k.news = time.AfterFunc(within, k.reconcile)
}

// stopWaiting takes expectNews back. k.mu is held.
func (k *call) stopWaiting() {
	if k.news != nil {
		k.news.Stop()
		k.news = nil
	}
}

func (k *call) snapshot() fax.Attempt {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.attempt
}

// notify publishes how the call stands.
func (k *call) notify() {
	k.mu.Lock()
	job, attempt, line := k.job, k.attempt, k.verdict.line
	attempt.Result.Pages = k.verdict.pages
	if attempt.State == fax.AttemptFaxing {
		job.State = fax.Sending
	}
	k.mu.Unlock()
	k.c.bus.Publish(events.Notice{At: time.Now(), Job: job, Attempt: attempt, Line: line})
}
