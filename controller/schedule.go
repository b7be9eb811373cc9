package controller

import (
	"context"
	"time"

	"faxbot/controller/fax"
	"faxbot/controller/store"
	"faxbot/dialplan"

	"golang.org/x/time/rate"
)

// schedule claims due jobs and has them dialled until ctx ends. It sleeps until
// the next job is due, a channel or a number becomes free, or a call per second
// may be placed.
func (c *Controller) schedule(ctx context.Context) error {
	cps := c.config.Gateway.CPS
	limiter := rate.NewLimiter(rate.Limit(cps), max(1, int(cps/10)))
	for {
		now := time.Now()
		wait := c.claim(ctx, limiter, now)
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
func (c *Controller) claim(ctx context.Context, limiter *rate.Limiter, now time.Time) time.Duration {
	if c.link.Up() != nil {
		return longestSleep // linked wakes us
	}
	room := c.config.Gateway.Channels - c.live()
	n := min(room, int(limiter.TokensAt(now)), 64)
	if n <= 0 {
		if room <= 0 {
			return longestSleep // the end of a call wakes us
		}
		return time.Duration(float64(time.Second) / float64(limiter.Limit()))
	}
	core := c.link.Core()
	claimed, err := c.store.Claim(ctx, store.ClaimRequest{
		Now: now, Limit: n, LeaseUntil: now.Add(lease),
		Channels: map[string]int{c.config.Gateway.Name: c.config.Gateway.Channels},
		Plan: func(job fax.Job, previous []fax.Attempt, _ map[string]int) (fax.Attempt, bool) {
			if c.isBusy(job.To) {
				return fax.Attempt{}, false
			}
			gateway := job.Options.Gateway
			if gateway == "" {
				gateway = c.config.Gateway.Name
			}
			return fax.Attempt{
				ID: fax.NewAttemptID(), Token: newToken(), Gateway: gateway, Switch: core,
				Parameters: parameters(job, previous, c.config.T38),
			}, true
		},
	})
	if err != nil {
		if ctx.Err() == nil {
			c.log.Error("due faxes could not be claimed", "error", err)
		}
		return time.Second
	}
	limiter.AllowN(now, len(claimed))
	for _, one := range claimed {
		k := c.newCall(one.Job, one.Attempt)
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
	return max(0, min(time.Until(next), longestSleep))
}

// dial has the switch place the call.
func (k *call) dial() {
	c, a := k.c, k.snapshot()
	k.notify()
	text, err := dialplan.Call{
		Attempt: a.ID, Job: k.job.ID, Token: a.Token, Gateway: a.Gateway, Number: k.job.To,
		CallerID: or(k.job.Options.CallerID, c.config.CallerID), Ring: c.config.Ring, Socket: c.config.Advertise,
		StationID: or(k.job.Options.StationID, c.config.StationID), Header: or(k.job.Options.Header, c.config.Header),
		Parameters: a.Parameters,
	}.Originate()
	if err != nil {
		k.conclude(fax.Result{Cause: fax.Misconfigured, Code: fax.NoCode, Text: err.Error()})
		return
	}
	k.log.Info("dialling", "number", k.job.To.Masked(), "gateway", a.Gateway, "attempt_no", a.Ordinal, "start_page", a.Parameters.StartPage)
	k.expectNews(c.config.Ring + c.config.Grace)
	if err := c.link.Originate(string(a.ID), text); err != nil {
		// Nobody knows whether it was heard.
		k.log.Warn("originate was not confirmed; asking the switch", "error", err)
		k.reconcile()
		return
	}
	k.advance(fax.AttemptDialing)
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
