package controller

import (
	"context"
	"maps"
	"time"

	"faxbot/controller/fax"
	"faxbot/controller/plan"
	"faxbot/controller/store"
	"faxbot/dialplan"
	"faxbot/events"
)

// schedule claims due jobs and has them dialled until ctx ends. It sleeps until
// the next job is due, a channel or a number becomes free, or a call per second
// may be placed.
func (c *Controller) schedule(ctx context.Context) error {
	var hours plan.Window // those that waiting faxes keep to, once they are kept
	kept := false
	for {
		now := c.store.Now()
		if policy := c.policy.Load().plan(); policy.Window != hours || !kept {
			kept, hours = c.keepHours(ctx, now), policy.Window
		}
		wait := c.claim(ctx, now)
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-c.due:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// longestSleep bounds how long another host's work can go unnoticed.
const longestSleep = 10 * time.Second

// claim places what may be placed now and returns how long to sleep.
func (c *Controller) claim(ctx context.Context, now time.Time) time.Duration {
	if err := c.shareRests(ctx); err != nil {
		if ctx.Err() == nil {
			c.log.Error("what rests could not be shared with the other hosts; no call is placed", "error", err)
		}
		return time.Second
	}
	at := c.usable()
	if len(at) == 0 || c.policy.Load().Disabled {
		return longestSleep // another policy, the end of a call, or linked, wakes us
	}
	channels, lines := c.gateways.channels()
	if lines -= c.live(); lines <= 0 {
		return longestSleep // the end of a call wakes us
	}
	room, wait := c.gateways.room(now)
	n, reaches := 0, reached(at)
	for gateway, calls := range room {
		if !reaches(gateway) {
			calls, room[gateway] = 0, 0
		}
		n += calls
	}
	if n = min(n, lines, 64); n <= 0 {
		return wait // the queue of a gateway that rests is not even read
	}
	began := time.Now()
	suspects := map[fax.JobID]string{}
	early := map[fax.JobID]store.Dates{} // their window has closed while they waited
	policy := c.policy.Load().plan()
	switches := c.choice(at)
	planned := map[fax.JobID]fax.Attempt{} // the store may ask for a job twice
	claimed, err := c.store.Claim(ctx, store.ClaimRequest{
		Now: now, Limit: n, Lease: c.config.Lease,
		Channels: channels, Switches: limits(at, now),
		Plan: func(one store.Candidate) (fax.Attempt, bool) {
			if c.isBusy(one.Job.To) || c.lineMayBeUp(one.Job.To, one.Known, now) {
				return fax.Attempt{}, false
			}
			if due, deadline := policy.PutOff(one.Job, now); due.After(now) {
				early[one.Job.ID] = store.Dates{Due: due, Deadline: deadline}
				return fax.Attempt{}, false
			}
			if why := plan.Suspect(one.Known); why != "" && len(one.Previous) == 0 {
				suspects[one.Job.ID] = why
				return fax.Attempt{}, false
			}
			left := remaining(room, one.Free, planned, one.Job.ID)
			next := plan.Next(c.situation(one.Job, one.Previous, one.Known, left, now))
			delete(planned, one.Job.ID)
			if next.Gateway == "" {
				return fax.Attempt{}, false
			}
			e := switches.among(planned, one.FreeOn).of(next.Gateway, one.Previous)
			if e == nil {
				return fax.Attempt{}, false
			}
			a := fax.Attempt{
				ID: fax.NewAttemptID(), Token: newToken(), Gateway: next.Gateway, Switch: e.name, Core: e.link.Core(),
				Parameters: next.Parameters, Reasons: next.Reasons,
			}
			planned[one.Job.ID] = a
			return a, true
		},
	})
	if err != nil {
		if ctx.Err() == nil {
			c.log.Error("due faxes could not be claimed", "error", err)
		}
		return time.Second
	}
	for id, why := range suspects {
		c.hold(ctx, id, fax.NotAFax, why)
	}
	if err := c.store.Postpone(ctx, early); err != nil && ctx.Err() == nil {
		c.log.Error("faxes could not be put off to their hours", "error", err)
	}
	for _, one := range claimed {
		c.gateways.placed(one.Attempt, now)
		k := c.newCall(one.Job, one.Attempt)
		k.claimedAt = began
		k.on.placed(k.id)
		c.enter(k)
		c.metrics.wait.Observe(now.Sub(one.Job.DueAt).Seconds())
		c.spawn(k.dial)
	}
	if len(claimed) == n {
		return 0 // there may be more
	}
	next, ok, err := c.store.NextDue(ctx, now)
	if err != nil || !ok {
		return longestSleep
	}
	return max(0, min(next.Sub(c.store.Now()), longestSleep))
}

// remaining is what each gateway may still get in this claim: its room, less
// the calls planned for other faxes, and no more than its free channels.
func remaining(room, free map[string]int, planned map[fax.JobID]fax.Attempt, but fax.JobID) map[string]int {
	left := maps.Clone(room)
	for id, a := range planned {
		if id != but {
			left[a.Gateway]--
		}
	}
	for gateway, n := range free {
		left[gateway] = min(left[gateway], n)
	}
	return left
}

// hold keeps a fax from being dialled until a person has looked.
func (c *Controller) hold(ctx context.Context, id fax.JobID, cause fax.Cause, why string) {
	job, err := c.store.Hold(ctx, id, cause, why)
	switch {
	case err == nil:
		c.log.Warn("fax held", "fax", id, "cause", cause, "why", why)
		c.bus.Publish(events.Notice{At: time.Now(), Job: job})
	case fax.ProblemOf(err) != fax.Conflict && ctx.Err() == nil: // else it was cancelled meanwhile
		c.log.Error("a fax could not be held", "fax", id, "error", err)
	}
}

// dial has the switch place the call.
func (k *call) dial() {
	a := k.snapshot()
	k.notify()
	if !k.hasPages(a) {
		return
	}
	text, err := k.told(a).Originate()
	if err != nil {
		k.conclude(fax.Result{Cause: fax.Misconfigured, Code: fax.NoCode, Text: err.Error()})
		return
	}
	k.log().Info("dialling", "number", k.job.To.Masked(), "gateway", a.Gateway, "attempt_no", a.Ordinal, "start_page", a.Parameters.StartPage, "differs", a.Reasons)
	k.mu.Lock()
	cancelled := k.cancelled
	k.mu.Unlock()
	if cancelled {
		k.conclude(fax.Result{Cause: fax.Withdrawn, Code: fax.NoCode})
		return
	}
	k.expectNews(k.policy.Ring + k.policy.Grace)
	if late := elapsed(k.claimedAt, time.Now()); late > k.c.config.Lease/2 {
		// By the time that the switch would dial, another host may have adopted
		// the call, found that there is none, and placed the next one.
		k.conclude(fax.Result{Cause: fax.Switch, Code: fax.NoCode, Text: "the daemon stood still before the call could be placed; nobody was dialled"})
		return
	}
	if err := k.on.link.Originate(string(a.ID), text); err != nil {
		// Nobody knows whether it was heard.
		k.log().Warn("originate was not confirmed; asking the switch", "error", err)
		k.reconcile()
		return
	}
	k.advance(fax.AttemptDialing)
}

// hasPages makes sure that the pages are where the switch reads them; when they
// are not, the call is concluded.
func (k *call) hasPages(a fax.Attempt) bool {
	if err := k.c.docs.Fetch(k.c.life, k.job.ID); err != nil {
		k.log().Error("the pages of a fax cannot be had; it will be tried again", "error", err)
		by := fax.ByDaemon
		k.mu.Lock()
		if k.verdict.answered {
			by = fax.ByCall // so somebody was dialled
		}
		k.mu.Unlock()
		k.conclude(fax.Result{Cause: fax.Switch, Code: fax.NoCode, Text: "the pages could not be fetched from the bucket", Witnesses: fax.Testimony{Decided: by}})
		return false
	}
	if err := k.drawForCall(a); err != nil {
		k.conclude(fax.Result{Cause: fax.Document, Code: fax.NoCode, Text: err.Error()})
		return false
	}
	return true
}

// told is what the switch is told of the call.
func (k *call) told(a fax.Attempt) dialplan.Call {
	return dialplan.Call{
		Attempt: a.ID, Job: k.job.ID, Token: a.Token, Gateway: a.Gateway, Number: k.job.To,
		CallerID: or(k.job.Options.CallerID, k.policy.CallerID), Ring: k.policy.Ring, Socket: k.c.socket(k.on), Entry: k.c.config.Dialplan,
		StationID: or(k.job.Options.StationID, k.policy.StationID), Header: k.policy.header(k.job, a.Parameters),
		Parameters: a.Parameters,
	}
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
