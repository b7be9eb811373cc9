package controller

import (
	"context"
	"time"

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
	now := time.Now()
	q := c.gateways.queue(c.policy.Load().ways(job))
	if job.State == fax.Queued || job.State == fax.Retry {
		if q.Ahead, err = c.store.Ahead(ctx, job, now); err != nil {
			return plan.Forecast{}, err
		}
	}
	return plan.Expect(c.situation(job, calls, known, nil, now), q), nil
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
