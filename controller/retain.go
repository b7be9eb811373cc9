package controller

import (
	"context"
	"time"

	"faxbot/controller/fax"
)

// sweepAfter is how often documents without a fax are looked for, and how old
// they are at least.
const sweepAfter = time.Hour

// late is how much later another host may hear that documents are gone: clocks
// differ, and a copy may be on its way.
const late = 2 * time.Minute

// keepDocuments deletes documents that nobody needs any more, until ctx ends.
func (c *Controller) keepDocuments(ctx context.Context) error {
	tick := time.NewTicker(10 * time.Second)
	defer tick.Stop()
	for swept := (time.Time{}); ; {
		now := c.store.Now()
		if now.Sub(swept) >= sweepAfter {
			c.sweepDocuments(ctx)
			swept = now
		}
		c.alone(ctx, "retention", func(ctx context.Context) {
			c.retain(ctx, now)
			c.erase(ctx, now)
		})
		if c.docs.Bucket != nil {
			c.dropPurged(ctx, now)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// retain deletes the documents of faxes that ended long enough ago, whatever
// became of them, and of those that were to be kept only until delivered.
func (c *Controller) retain(ctx context.Context, now time.Time) {
	const most = 500
	old, err := c.store.Spent(ctx, most)
	keep, known := c.policy.Load().Retention, c.policy.Load().Records
	if keep == 0 || known > 0 && known < keep {
		keep = known
	}
	if keep > 0 && err == nil {
		var ended []fax.JobID
		ended, err = c.store.Finished(ctx, now.Add(-keep), most)
		old = append(old, ended...)
	}
	if err != nil {
		if ctx.Err() == nil {
			c.log.Error("faxes whose documents are due for deletion could not be read", "error", err)
		}
		return
	}
	c.purge(ctx, old...)
}

// step is how many rows are erased at once, so that everybody else gets his turn
// in between.
const step = 200

// erase forgets faxes that ended long enough ago and whose documents are gone,
// and what is too old in the audit log.
func (c *Controller) erase(ctx context.Context, now time.Time) {
	policy := c.policy.Load()
	if policy.Records > 0 {
		purged := now
		if c.docs.Bucket != nil { // other hosts find by the row that their copies must go
			purged = now.Add(-2 * late)
		}
		c.inSteps(ctx, "faxes", func() (int, error) {
			return c.store.Erase(ctx, now.Add(-policy.Records), purged, step)
		})
	}
	if policy.Audit > 0 {
		c.inSteps(ctx, "audit records", func() (int, error) {
			return c.store.Audit().Forget(ctx, now.Add(-policy.Audit), step)
		})
	}
}

// inSteps erases until nothing is left, for some seconds.
func (c *Controller) inSteps(ctx context.Context, what string, erase func() (int, error)) {
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); {
		n, err := erase()
		if err != nil && ctx.Err() == nil {
			c.log.Error("what is too old could not be erased", "what", what, "error", err)
		}
		if err != nil || n < step {
			return
		}
	}
}

// purge deletes documents; what fails is tried again by retain.
func (c *Controller) purge(ctx context.Context, ids ...fax.JobID) {
	var gone []fax.JobID
	for _, id := range ids {
		if err := c.docs.Remove(ctx, id); err != nil {
			c.log.Error("a document could not be deleted and will be tried again", "fax", id, "error", err)
			continue
		}
		gone = append(gone, id)
	}
	if len(gone) == 0 {
		return
	}
	if err := c.store.Purged(ctx, gone); err != nil && ctx.Err() == nil {
		c.log.Error("deleted documents could not be noted and will be deleted again", "error", err)
	}
}

// dropPurged deletes our copies of documents that any host has deleted lately.
func (c *Controller) dropPurged(ctx context.Context, now time.Time) {
	ids, err := c.store.PurgedSince(ctx, now.Add(-late))
	if err != nil && ctx.Err() == nil {
		c.log.Error("faxes whose documents are gone could not be read", "error", err)
	}
	for _, id := range ids {
		if err := c.docs.Drop(id); err != nil {
			c.log.Error("our copy of a deleted document could not be deleted", "fax", id, "error", err)
		}
	}
}

// sweepDocuments deletes documents that nobody would delete any more: those
// whose job was never stored, because the daemon died between the two, and our
// copies of those that other hosts have deleted while we were not running. A
// submission that is under way is younger.
func (c *Controller) sweepDocuments(ctx context.Context) {
	for id, err := range c.docs.Jobs() {
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			c.log.Error("the document folder could not be searched for documents without a fax", "error", err)
			return
		}
		if c.store.Now().Sub(id.Time()) < sweepAfter {
			continue
		}
		if gone, err := c.store.IsPurged(ctx, id); err != nil || !gone {
			continue
		}
		if err := c.docs.Remove(ctx, id); err != nil {
			c.log.Error("a document without a fax could not be deleted", "fax", id, "error", err)
		}
	}
}
