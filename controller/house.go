package controller

import (
	"context"
	"time"

	"faxbot/controller/fax"
	"faxbot/controller/plan"
	"faxbot/events"
)

// keepHouse renews leases and ends what is overdue. None of it waits for anything
// but the database: a lease must not end because a bucket is slow.
func (c *Controller) keepHouse(ctx context.Context) error {
	tick := time.NewTicker(c.config.Lease / 3)
	defer tick.Stop()
	c.meet(ctx)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		c.hangUpUnwanted(ctx)
		c.dismiss()
		c.keepLeases(ctx, time.Now())
		c.alone(ctx, "overdue", c.endOverdue)
	}
}

// alone does what concerns all hosts, unless another one is at it.
func (c *Controller) alone(ctx context.Context, task string, work func(context.Context)) {
	if err := c.store.Alone(ctx, task, work); err != nil && ctx.Err() == nil {
		c.log.Error("it could not be found out whether another host keeps house", "task", task, "error", err)
	}
}

// endOverdue ends jobs whose time is over, and forgets hosts that are gone and
// numbers that nobody calls any more.
func (c *Controller) endOverdue(ctx context.Context) {
	now := c.store.Now()
	var expired []fax.Job
	err := c.spareSleepers(ctx, now)
	if err == nil {
		expired, err = c.store.Expire(ctx, now)
	}
	if err != nil && ctx.Err() == nil {
		c.log.Error("overdue faxes could not be ended", "error", err)
	}
	for _, job := range expired {
		c.log.Info("fax expired", "fax", job.ID)
		c.metrics.over(job)
		c.bus.Publish(events.Notice{At: now, Job: job})
	}
	if err := c.store.ForgetHosts(ctx, remembered); err != nil && ctx.Err() == nil {
		c.log.Error("hosts that are gone could not be forgotten", "error", err)
	}
	if _, err := c.store.ForgetOld(ctx, now.Add(-plan.Memory), step); err != nil && ctx.Err() == nil {
		c.log.Error("what is known of numbers that nobody calls any more could not be erased", "error", err)
	}
}
