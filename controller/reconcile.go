package controller

import (
	"context"
	"math/rand/v2"
	"time"

	"faxbot/controller/fax"
	"faxbot/controller/freeswitch"
	"faxbot/dialplan"
	"faxbot/events"
)

// takeUp enters the calls that the last run left open. What became of them is
// asked once the link is up; until then they block their numbers and jobs.
func (c *Controller) takeUp(ctx context.Context) error {
	if err := c.store.Renew(ctx, c.config.Lease); err != nil {
		return err
	}
	open, err := c.store.Live(ctx)
	if err != nil {
		return err
	}
	for _, a := range open {
		job, err := c.store.Find(ctx, a.JobID)
		if err != nil {
			return err
		}
		k := c.newCall(job, a)
		c.enter(k)
		k.log().Info("taking up a call of the last run", "state", a.State, "pages", a.Result.Pages)
	}
	return c.replayJournal(ctx)
}

// linked is called each time the link has come up: whatever was said on it
// meanwhile is lost, so every call that is not connected to us is looked into.
func (c *Controller) linked(e *exchange, found freeswitch.Meeting) {
	if anew, crashes, rests := e.met(found, c.store.Now()); crashes > 0 {
		if anew {
			c.metrics.restarts.WithLabelValues(e.name).Inc()
			c.log.Warn("a switch was started anew; its calls are judged by what it has recorded", "switch", e.name, "crashes_lately", crashes)
		} else {
			c.log.Warn("a switch stood still and goes on", "switch", e.name, "crashes_lately", crashes)
		}
		if !rests.IsZero() {
			c.log.Error("a switch crashes again and again; it gets no calls for a while, then one to see whether it works", "switch", e.name, "until", rests)
		}
	}
	c.spawn(func() {
		c.probeRecords(e)
		for _, k := range c.snapshot() {
			k.mu.Lock()
			alone := k.conn == nil
			k.mu.Unlock()
			if alone && k.on == e {
				k.reconcile()
			}
		}
		wake(c.due)
	})
}

// probeRecords finds out whether the switch can keep a record of calls.
func (c *Controller) probeRecords(e *exchange) {
	kept := false
	if _, err := e.link.API("db insert/faxbot/probe/kept"); err == nil {
		answer, err := e.link.API("db select/faxbot/probe")
		kept = err == nil && answer == "kept"
	}
	if !kept {
		c.log.Warn("a switch keeps no records; after a crash, calls that were under way will be held for a person to decide. Load mod_db", "switch", e.name)
	}
	e.mu.Lock()
	e.records = kept
	e.mu.Unlock()
}

// reconcile finds out what became of a call of which nobody reports.
func (k *call) reconcile() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.searching || k.ending || k.c.life.Err() != nil {
		return
	}
	k.searching = true
	k.c.spawn(func() {
		k.search(k.c.life)
		k.mu.Lock()
		k.searching = false
		k.mu.Unlock()
	})
}

// How reconciliation asks.
const (
	// confirmations is how often the switch must say that it does not know the
	// call: an event or a command may still be on its way.
	confirmations = 3
	askAgain      = time.Second
	askAlive      = 5 * time.Second
)

// search asks the switch until the call has a result, or is connected to us
// again.
func (k *call) search(ctx context.Context) {
	c, id := k.c, string(k.id)
	// Not since the call was placed: that time is from another run, perhaps, by
	// a clock that has been set since.
	started := time.Now()
	c.metrics.reconciled.Inc()
	var away time.Time // since when the switch does not answer
	for gone := 0; ctx.Err() == nil; {
		k.mu.Lock()
		done, silent := k.ending || k.conn != nil, time.Since(k.heardAt)
		patience := k.patience()
		// Upstream issue 3044: it can stay up for minutes after its verdict.
		unwanted := k.cancelled || k.verdict.fax().Known
		begun := k.verdict.begun
		k.mu.Unlock()
		if done {
			return
		}
		if k.elsewhere() {
			// It may ring on at a switch that is not asked any more. When its
			// patience is over it has ended, or connected to us.
			if silent > patience {
				k.conclude(k.unreported())
				return
			}
			sleep(ctx, askAgain)
			continue
		}
		alive, err := k.on.link.Exists(id)
		switch {
		case err != nil:
			gone = 0
			if away.IsZero() {
				away = time.Now()
			}
			if r, lost := k.forsaken(time.Since(away)); lost {
				k.conclude(r)
				return
			}
			sleep(ctx, askAgain/2+rand.N(askAgain))
		case alive:
			gone, away = 0, time.Time{}
			switch {
			case (unwanted || silent > patience) && !k.isOurs(ctx):
				k.release()
				return
			case unwanted, silent > patience:
				k.log().Warn("a call that should be over is hung up", "silent", silent)
				if err := k.on.link.Kill(id); err != nil {
					k.log().Warn("the call could not be hung up yet", "error", err)
				}
			case begun:
				if err := k.readRecord(); err != nil {
					k.log().Debug("the record could not be read yet", "error", err)
				}
			}
			if k.snapshot().State != fax.AttemptLost {
				k.log().Info("the call is still up; its end is awaited")
				k.advance(fax.AttemptLost)
			}
			sleep(ctx, askAlive/2+rand.N(askAlive))
		default:
			away = time.Time{}
			if err := k.readRecord(); err != nil {
				gone = 0
				sleep(ctx, askAgain)
				continue
			}
			if k.over() {
				return
			}
			gone++
			if gone >= confirmations && time.Since(started) > k.policy.Grace {
				k.conclude(k.unreported())
				return
			}
			sleep(ctx, askAgain)
		}
	}
}

// elsewhere says that the link has moved, so that the switch it leads to knows
// nothing of the call.
func (k *call) elsewhere() bool { return k.on.link.Address() != k.at }

// forsaken is the result of a call whose switch has not answered for so long. One
// that was not told to send, and that the switch was heard to dial, can ring no
// longer, and would be turned away should it connect. Of another one nobody can
// know: perhaps the switch comes back and does.
func (k *call) forsaken(away time.Duration) (r fax.Result, lost bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	r = k.verdict.result(k.attempt.Parameters.StartPage, k.job.Pages)
	r.Witnesses = fax.Testimony{Decided: fax.ByInquiry}
	switch {
	case !k.verdict.begun && k.attempt.State != fax.AttemptCreated && away > k.policy.Ring+4*k.policy.Grace:
		r.Cause, r.Text = fax.Switch, "the switch has not answered since; nothing was sent"
	case away <= 240*k.policy.Grace: // an hour
		return r, false
	case k.verdict.begun:
		r.Cause, r.Text = fax.Unknown, "the switch has not answered for so long that nobody can know how the call ended"
	default:
		r.Cause, r.Text = fax.Switch, "the switch has not answered since; nothing was sent"
	}
	k.verdict.ended = true // or as good as that
	return r, true
}

// patience is how long the call may be alive without a sign of life. k.mu is
// held.
func (k *call) patience() time.Duration {
	switch {
	case k.verdict.begun:
		return freeswitch.PageTimeout(k.c.config.Socket.Timers)
	case k.verdict.answered:
		return k.policy.Grace
	default:
		return k.policy.Ring + k.policy.Grace
	}
}

// readRecord hears the switch's own record, if there is one.
func (k *call) readRecord() error {
	var answers []string
	for _, command := range dialplan.ReadRecord(k.id) {
		answer, err := k.on.link.API(command)
		if err != nil {
			return err
		}
		answers = append(answers, answer)
	}
	if record, kept := dialplan.ParseRecord(answers[0], answers[1]); kept {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.verdict.hearRecord(record)
		k.settle()
	}
	return nil
}

// over takes it that the switch does not know the channel any more; true when
// what was heard so far settles the call.
func (k *call) over() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.verdict.fax().Known {
		k.verdict.ended = true
		k.settle()
	}
	return k.ending
}

// unreported is the result of a call that is gone without a word. Nothing was
// sent if txfax was never told to run, or if the switch, not restarted since,
// has no record: it is told to keep one before txfax is.
func (k *call) unreported() fax.Result {
	k.on.mu.Lock()
	records := k.on.records
	k.on.mu.Unlock()
	k.mu.Lock()
	defer k.mu.Unlock()
	r := k.verdict.result(k.attempt.Parameters.StartPage, k.job.Pages)
	r.Witnesses = fax.Testimony{Decided: fax.ByInquiry}
	elsewhere := k.elsewhere()
	restarted := elsewhere || k.attempt.Core == "" || k.attempt.Core != k.on.link.Core()
	switch {
	case k.verdict.begun && (restarted || !records || r.Pages > 0):
		r.Cause = fax.Unknown
		r.Text = "the switch has no record of how the call ended"
		if restarted {
			r.Text = "the switch restarted during the call"
		}
	default:
		r.Cause = fax.Switch
		r.Text = "the switch does not know the call; nothing was sent"
	}
	if elsewhere {
		r.Text = "the call was left on another switch when the command link moved"
	}
	return r
}

// contradicted keeps for people that a witness came too late with another
// result.
func (c *Controller) contradicted(id fax.AttemptID, by fax.Witness) {
	if err := c.store.Contradicted(c.life, id, by); err != nil && c.life.Err() == nil {
		c.log.Error("that a witness contradicts a result could not be noted", "attempt", id, "witness", by, "error", err)
	}
}

// Hook takes the result that an api_hangup_hook posted. It is one witness
// among several, and every kind of it makes us look into a call that is still
// open. It never changes what has ended.
func (c *Controller) Hook(ctx context.Context, h events.Hook) error {
	id, err := fax.ParseJobID(h.JobID)
	if err != nil {
		return err
	}
	job, attempts, err := c.Find(ctx, id)
	if err != nil {
		return err
	}
	log := c.log.With("fax", job.ID)
	// A hook that names no call can only mean the one there is.
	sure := len(attempts) == 1
	var this *fax.Attempt
	for i, a := range attempts {
		if h.AttemptID == "" || h.AttemptID == string(a.ID) {
			this = &attempts[i]
		}
	}
	switch {
	case this == nil && h.AttemptID != "":
		return fax.Errorf(fax.Conflict, "The hook names a call that does not belong to this fax")
	case this == nil:
		log.Warn("hook for a fax that was never dialled")
		return nil
	case h.AttemptID != "":
		sure = true
	}
	if this.State == fax.AttemptEnded {
		if h.Fax.Known && sure && h.Fax.Success != (this.Result.Code == 0) {
			c.metrics.conflicts.Inc()
			log.Warn("hook contradicts the stored result, which stands", "attempt", this.ID, "stored", this.Result.Cause)
			c.contradicted(this.ID, fax.ByHook)
		}
		return nil
	}
	k := c.find(this.ID)
	if k == nil {
		return nil // the call of another host, which has its own witnesses
	}
	if sure {
		k.mu.Lock()
		k.verdict.hearHook(h)
		k.settle()
		k.mu.Unlock()
	}
	k.reconcile()
	return nil
}
