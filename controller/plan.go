package controller

import (
	"context"
	"math/rand/v2"
	"time"

	"faxbot/controller/document"
	"faxbot/controller/fax"
	"faxbot/controller/plan"
	"faxbot/controller/store"
)

// situation is what the planner decides from. room is what each gateway may
// still get; nil when that does not matter.
func (c *Controller) situation(job fax.Job, calls []fax.Attempt, known fax.Destination, room map[string]int, now time.Time) plan.Situation {
	p := c.policy.Load()
	return plan.Situation{
		Job: job, Calls: calls, Known: known, Gateways: c.gateways.plans(p.ways(job), room, reached(c.usable()), now), Now: now, Random: rand.Float64,
		Policy: p.plan(),
	}
}

// decide says what follows a call that came to r, and what the number is
// remembered for.
func (c *Controller) decide(ctx context.Context, job fax.Job, this fax.Attempt, r fax.Result) (store.Outcome, error) {
	now := c.store.Now()
	this.Result, this.EndedAt = r, now
	known, err := c.store.Destination(ctx, job.To)
	if err != nil {
		return store.Outcome{}, err
	}
	calls := []fax.Attempt{this}
	if this.Ordinal > 1 {
		all, err := c.store.Attempts(ctx, job.ID)
		if err != nil {
			return store.Outcome{}, err
		}
		calls = append(all[:len(all)-1], this)
	}
	c.gateways.ended(this, r.Cause, now)
	learned := plan.Learn(known, this, time.Time{}, now)
	d := plan.After(c.situation(job, calls, learned, nil, now))
	if d.Draw != "" {
		d = c.draw(ctx, job, d)
	}
	if d.State == fax.Failed && d.Cause == fax.Document {
		c.log.Error("the switch cannot read the pages of a fax; check that it may read the document folder", "fax", job.ID, "text", r.Text)
	}
	learned = plan.Learn(known, this, d.Rest, now)
	return store.Outcome{
		State: d.State, Cause: d.Cause, Error: d.Text, DueAt: d.Due, Deadline: d.Deadline,
		Confirmed: d.Confirmed, Dials: d.Dials, Tries: d.Tries, Known: &learned,
	}, nil
}

// drawForCall makes the pages of a call at standard resolution when it needs
// them so and they are not: the number is known to take no other. What the
// fax's own calls found out is drawn when they end.
func (k *call) drawForCall(a fax.Attempt) error {
	if !a.Parameters.Standard {
		return nil
	}
	if at, err := k.c.docs.Drawn(k.job.ID); err == nil && at == document.Standard {
		return nil
	}
	return k.c.redraw(k.c.life, k.job, true)
}

// patience is the longest pause before pages are tried to be made once more.
const patience = 8 * time.Second

// draw makes the pages of a job again before its next call. When they cannot
// be made, or become other pages, the job fails.
func (c *Controller) draw(ctx context.Context, job fax.Job, d plan.Decision) plan.Decision {
	err := c.redraw(ctx, job, d.Next.Parameters.Standard)
	for pause := time.Second; fax.ProblemOf(err) == fax.Unavailable && ctx.Err() == nil && pause <= patience; pause *= 2 {
		sleep(ctx, pause)
		err = c.redraw(ctx, job, d.Next.Parameters.Standard)
	}
	switch {
	case err != nil && ctx.Err() != nil:
		return d // the next run finds the call open, and decides again
	case fax.ProblemOf(err) == fax.Unavailable:
		c.log.Error("the pages of a fax cannot be made again now; it is held", "fax", job.ID, "error", err)
		d.Text += " Its pages could not be made again; release it when the server is well."
		d.State, d.Due, d.Rest = fax.Held, time.Time{}, time.Time{}
		return d
	case err != nil:
		c.log.Error("the pages of a fax could not be made again", "fax", job.ID, "error", err)
		d.Text += " Its pages could not be made again."
	default:
		c.log.Info("the pages of a fax were made again", "fax", job.ID, "why", d.Draw)
		return d
	}
	d.State, d.Due, d.Rest = fax.Failed, time.Time{}, time.Time{}
	return d
}
