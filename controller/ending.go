package controller

import (
	"time"

	"faxbot/controller/fax"
	"faxbot/dialplan"
	"faxbot/events"
)

// store writes the result, decides what follows, and does not give up before
// it is written or the daemon ends; in that case the next run finds the result
// in the journal, or the call open, and asks the switch.
func (k *call) store(r fax.Result) {
	c, page := k.c, k.journal(r)
	defer page.stop()
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		job, attempt, err := k.tryStore(r)
		if err == nil {
			page.stored()
			k.ended(job, attempt)
			return
		}
		if takenOver(err) {
			k.log().Warn("another host looks after this call now", "refused", r.Cause)
			page.stored()
			c.leave(k)
			return
		}
		if fax.ProblemOf(err) == fax.Conflict {
			// Another witness, in another life of this daemon, was first.
			k.log().Error("this call had a result already; the first stands", "stored", attempt.Result.Cause, "refused", r.Cause, "error", err)
			if attempt.State == fax.AttemptEnded {
				if (attempt.Result.Cause == fax.OK) != (r.Cause == fax.OK) {
					c.metrics.conflicts.Inc()
				}
				page.stored()
				k.ended(job, attempt)
				return
			}
		}
		page.write()
		if c.life.Err() != nil {
			c.leave(k)
			return
		}
		k.log().Error("the result could not be stored and will be tried again", "cause", r.Cause, "error", err)
		sleep(c.life, pause)
	}
}

func (k *call) tryStore(r fax.Result) (fax.Job, fax.Attempt, error) {
	c := k.c
	k.mu.Lock()
	job, this := k.job, k.attempt
	job.CancelAsked = k.cancelled
	k.mu.Unlock()
	o, err := c.decide(c.life, job, this, r)
	if err != nil {
		return fax.Job{}, fax.Attempt{}, err
	}
	return c.store.Finish(c.life, this.ID, r, o)
}

// ended tells everybody about a stored result.
func (k *call) ended(job fax.Job, attempt fax.Attempt) {
	c, r := k.c, attempt.Result
	k.mu.Lock()
	k.stored = true
	k.attempt = attempt
	over := k.verdict.ended || k.verdict.refused != ""
	k.forget()
	k.stopWaiting()
	line := k.verdict.line
	k.mu.Unlock()
	if over {
		c.leave(k)
	} else {
		c.spawn(k.seeOff)
	}
	if job.State == fax.Done && job.Options.PurgeOnSuccess {
		c.spawn(func() { c.purge(c.life, job.ID) })
	}
	c.metrics.ended(c, job, attempt)
	if k.on.ended(k.id, r.Cause) {
		k.log().Warn("a switch takes calls again", "switch", k.on.name)
	}
	k.log().Info("call ended", "cause", r.Cause, "code", r.Code, "text", r.Text, "hangup_cause", r.HangupCause,
		"pages", r.Pages, "fax_state", job.State, "confirmed", job.Confirmed, "of", job.Pages)
	c.bus.Publish(events.Notice{At: time.Now(), Job: job, Attempt: attempt, Line: line})
}

// seeOff waits for the end of a call whose result is stored, because until then
// its number is not free, and hangs it up should it stay (upstream issue 3044).
func (k *call) seeOff() {
	defer k.c.leave(k)
	var away time.Time // since when the switch does not answer
	// By then the call's own connection, if it has one, has hung it up.
	for pause := 3 * time.Second; ; pause = time.Second / 2 {
		sleep(k.c.life, pause)
		k.mu.Lock()
		over := k.verdict.ended
		k.mu.Unlock()
		if over || k.c.life.Err() != nil {
			return
		}
		if alive, err := k.on.link.Exists(string(k.id)); err != nil {
			if away.IsZero() {
				away = time.Now()
			}
			if _, lost := k.forsaken(time.Since(away)); lost {
				return
			}
			continue
		} else if away = (time.Time{}); !alive {
			return
		}
		if err := k.on.link.Kill(string(k.id)); err != nil {
			k.log().Warn("a call that stays up could not be hung up yet", "error", err)
		}
	}
}

// forget deletes the switch's record of a call whose result is stored, once the
// call is over; before, the switch would write it again. k.mu is held.
func (k *call) forget() {
	if k.forgotten || !k.stored || !k.verdict.ended || !k.verdict.begun {
		return
	}
	k.forgotten = true
	k.c.spawn(func() {
		for _, command := range dialplan.ForgetRecord(k.id) {
			if _, err := k.on.link.API(command); err != nil {
				return // a row of mod_db stays behind, nothing else
			}
		}
	})
}
