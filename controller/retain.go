package controller

import (
	"context"
	"time"

	"faxbot/controller/fax"
)

// retain deletes the documents of faxes that ended long enough ago, whatever
// became of them, and of those that were to be kept only until delivered.
func (c *Controller) retain(ctx context.Context, now time.Time) {
	const most = 500
	old, err := c.store.Spent(ctx, most)
	if keep := c.policy.Load().Retention; keep > 0 && err == nil {
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

// sweepDocuments deletes documents whose job was never stored, because the
// daemon died between the two. A submission that is under way is younger.
func (c *Controller) sweepDocuments(ctx context.Context) error {
	const youngest = time.Hour
	for id, err := range c.docs.Jobs() {
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			c.log.Error("the document folder could not be searched for documents without a fax", "error", err)
			return nil
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
	return nil
}
