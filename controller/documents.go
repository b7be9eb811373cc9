package controller

import (
	"context"
	"io"

	"faxbot/controller/fax"
	"faxbot/controller/store"
)

// Preview writes a page of a fax, from 1, as a PNG: what is transmitted.
// fax.NotFound when there is no such page, not yet or not any more.
func (c *Controller) Preview(ctx context.Context, id fax.JobID, page int, w io.Writer) error {
	return c.docs.Preview(ctx, id, page, w)
}

// PDF writes the document of a fax: the PDF that was submitted, or else the
// pages that are transmitted. Refusals come before the first byte.
func (c *Controller) PDF(ctx context.Context, id fax.JobID, w io.Writer) error {
	return c.docs.PDF(ctx, id, w)
}

// Resend submits the documents of a fax again, as a new fax with the same
// options, to s.To or the same number. Of s only To, Owner and IdempotencyKey
// count. fax.NotFound when the documents are not kept any more.
func (c *Controller) Resend(ctx context.Context, id fax.JobID, s Submission) (job fax.Job, again bool, err error) {
	old, err := c.store.Find(ctx, id)
	if err != nil {
		return fax.Job{}, false, err
	}
	s.Options, s.Priority, s.MaxAttempts = old.Options, old.Priority, old.MaxAttempts
	s.Options.Hold = false // these pages have been looked at
	if s.To == "" {
		s.To = string(old.To)
	}
	r, err := c.Receive(ctx)
	if err != nil {
		return fax.Job{}, false, err
	}
	defer r.Abort()
	for n := range old.Documents {
		if err := c.copySource(ctx, r, id, n+1); err != nil {
			return fax.Job{}, false, err
		}
	}
	job, again, err = c.Submit(ctx, r, s)
	if err != nil || again {
		return job, again, err
	}
	// The new fax is kept: an error now would have it submitted once more.
	if err := c.store.Audit().Note(context.WithoutCancel(ctx), store.FaxResent, id, "as "+string(job.ID)); err != nil {
		c.log.Error("that a fax was sent again is not in the audit log", "fax", id, "error", err)
	}
	return job, false, nil
}

func (c *Controller) copySource(ctx context.Context, into *Reception, id fax.JobID, n int) error {
	source, _, err := c.docs.Source(ctx, id, n)
	if err != nil {
		return err
	}
	defer source.Close() //nolint:errcheck // read only
	_, err = into.Add(ctx, source)
	return err
}

// Stats counts the open faxes by state.
func (c *Controller) Stats(ctx context.Context) (map[fax.State]int, error) { return c.store.Stats(ctx) }
