package controller

import (
	"context"

	"faxbot/controller/fax"
	"faxbot/controller/plan"
)

// Plan tells what will happen to a fax next, when and why, as far as it is
// known now. It is fax.NotFound for a fax that does not exist.
func (c *Controller) Plan(ctx context.Context, id fax.JobID) (plan.Forecast, error) {
	job, calls, err := c.Find(ctx, id)
	if err != nil {
		return plan.Forecast{}, err
	}
	known, err := c.store.Destination(ctx, job.To)
	if err != nil {
		return plan.Forecast{}, err
	}
	now := c.store.Now()
	q := c.gateways.queue(c.policy.Load().ways(job))
	s := c.situation(job, calls, known, nil, now)
	if job.State == fax.Queued || job.State == fax.Retry {
		if q.Ahead, err = c.store.Ahead(ctx, job, now); err != nil {
			return plan.Forecast{}, err
		}
		channels, _ := c.gateways.channels()
		free, err := c.store.Free(ctx, channels)
		if err != nil {
			return plan.Forecast{}, err
		}
		if open := c.situation(job, calls, known, free, now); plan.Next(open).Gateway != "" {
			s = open
		} else {
			one := c.gateways.queue([]string{plan.Next(s).Gateway})
			q.Full, q.Lines, q.CPS = true, one.Lines, one.CPS // or all rest, which s knows
		}
	}
	return plan.Expect(s, q), nil
}

// Destination is what is remembered of a number, fax.NotFound when nothing is.
func (c *Controller) Destination(ctx context.Context, number fax.Number) (fax.Destination, error) {
	known, err := c.store.Destination(ctx, number)
	if err == nil && known.UpdatedAt.IsZero() {
		err = &fax.Error{Problem: fax.NotFound, Detail: "Nothing is remembered of this number"}
	}
	return known, err
}

// Forget erases what is remembered of a number.
func (c *Controller) Forget(ctx context.Context, number fax.Number) error {
	err := c.store.Forget(ctx, number)
	if err == nil {
		wake(c.due) // it rests no longer
	}
	return err
}
