package controller

import (
	"context"
	"time"

	"faxbot/controller/fax"
	"faxbot/controller/plan"
	"faxbot/events"
)

// keepHouse renews leases, ends jobs whose time is over, and deletes documents
// that nobody needs any more.
func (c *Controller) keepHouse(ctx context.Context) error {
	c.sweepDocuments(ctx)
	c.retain(ctx, time.Now())
	tick := time.NewTicker(lease / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		now := time.Now()
		if err := c.store.Renew(ctx, now.Add(lease)); err != nil && ctx.Err() == nil {
			c.log.Error("the leases of running calls could not be renewed", "error", err)
		}
		expired, err := c.store.Expire(ctx, now)
		if err != nil && ctx.Err() == nil {
			c.log.Error("overdue faxes could not be ended", "error", err)
		}
		for _, job := range expired {
			c.log.Info("fax expired", "fax", job.ID)
			c.bus.Publish(events.Notice{At: now, Job: job})
		}
		c.retain(ctx, now)
		if err := c.store.ForgetOld(ctx, now.Add(-plan.Memory)); err != nil && ctx.Err() == nil {
			c.log.Error("what is known of numbers that nobody calls any more could not be erased", "error", err)
		}
	}
}

// retain deletes the documents of faxes that ended long enough ago, whatever
// became of them.
func (c *Controller) retain(ctx context.Context, now time.Time) {
	keep := c.policy.Load().Retention
	if keep <= 0 {
		return
	}
	old, err := c.store.Finished(ctx, now.Add(-keep), 500)
	if err != nil {
		if ctx.Err() == nil {
			c.log.Error("faxes whose documents are due for deletion could not be read", "error", err)
		}
		return
	}
	var gone []fax.JobID
	for _, id := range old {
		if err := c.docs.Remove(ctx, id); err != nil {
			c.log.Error("a document could not be deleted when its retention ended", "fax", id, "error", err)
			continue
		}
		gone = append(gone, id)
	}
	if len(gone) == 0 {
		return
	}
	if err := c.store.Purged(ctx, gone); err != nil && ctx.Err() == nil {
		c.log.Error("deleted documents could not be noted; they will be deleted again", "error", err)
	}
}

// sweepDocuments deletes documents whose job was never stored, because the
// daemon died between the two. A submission that is under way is younger.
func (c *Controller) sweepDocuments(ctx context.Context) {
	const youngest = time.Hour
	for id, err := range c.docs.Jobs() {
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			c.log.Error("the document folder could not be searched for documents without a fax", "error", err)
			return
		}
		if time.Since(id.Time()) < youngest {
			continue
		}
		if _, err := c.store.Find(ctx, id); fax.ProblemOf(err) != fax.NotFound {
			continue
		}
		if err := c.docs.Remove(ctx, id); err != nil {
			c.log.Error("a document without a fax could not be deleted", "fax", id, "error", err)
		}
	}
}
