package controller

import (
	"context"
	"time"

	"faxbot/controller/fax"
	"faxbot/controller/store"
)

// keepHours has faxes that wait for hours which are no longer those of the policy
// wait for the new ones; false when it must be done again.
func (c *Controller) keepHours(ctx context.Context, now time.Time) bool {
	policy := c.policy.Load().plan()
	f := store.Filter{States: []fax.State{fax.Queued, fax.Retry}, Limit: 500}
	for {
		waiting, err := c.store.List(ctx, f)
		moved := map[fax.JobID]store.Dates{}
		for _, job := range waiting {
			f.After = job.ID
			if due, deadline, other := policy.Moved(job, now); other {
				moved[job.ID] = store.Dates{Due: due, Deadline: deadline}
			}
		}
		if err == nil {
			err = c.store.Postpone(ctx, moved)
		}
		if err != nil {
			if ctx.Err() == nil {
				c.log.Error("waiting faxes could not be put to the new hours", "error", err)
			}
			return false
		}
		if len(moved) > 0 {
			c.log.Info("waiting faxes keep to other hours", "faxes", len(moved), "hours", policy.Window.String())
		}
		if len(waiting) < f.Limit {
			return true
		}
	}
}

// spareSleepers puts off faxes whose deadline comes while their hours are over,
// so that they do not expire: those for which none was asked.
func (c *Controller) spareSleepers(ctx context.Context, now time.Time) error {
	overdue, err := c.store.Overdue(ctx, now)
	if err != nil {
		return err
	}
	policy, spared := c.policy.Load().plan(), map[fax.JobID]store.Dates{}
	for _, job := range overdue {
		if due, deadline := policy.PutOff(job, now); deadline.After(now) {
			spared[job.ID] = store.Dates{Due: due, Deadline: deadline}
		}
	}
	return c.store.Postpone(ctx, spared)
}
