package controller

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"time"

	"faxbot/controller/fax"
	"faxbot/events"

	"golang.org/x/sync/errgroup"
)

// prepareAll converts the documents of received jobs, as many at once as there
// are processors, until ctx ends.
func (c *Controller) prepareAll(ctx context.Context) error {
	workers := runtime.GOMAXPROCS(0)
	var g errgroup.Group
	g.SetLimit(workers)
	defer func() { _ = g.Wait() }() // its errors are told where they happen
	var busy sync.Map               // ids under conversion
	for {
		jobs, err := c.store.Unprepared(ctx, 4*workers)
		if err != nil && ctx.Err() == nil {
			c.log.Error("received faxes could not be read", "error", err)
		}
		started := false
		for _, job := range jobs {
			if _, running := busy.LoadOrStore(job.ID, nil); running {
				continue
			}
			started = true
			g.Go(func() error {
				defer wake(c.fresh)
				defer busy.Delete(job.ID)
				if !c.prepare(ctx, job) {
					// Ours to mend, not the document's fault: wait before the
					// next try.
					sleep(ctx, 5*time.Second)
				}
				return nil
			})
		}
		if started {
			continue
		}
		// What another host took in, or left behind, is found by looking.
		select {
		case <-ctx.Done():
			return nil
		case <-c.fresh:
		case <-time.After(longestSleep):
		}
	}
}

// prepare converts one document; false when it has to be tried again.
func (c *Controller) prepare(ctx context.Context, job fax.Job) bool {
	log := c.log.With("fax", job.ID)
	// The list that named it may be older than the end of its last conversion.
	if job, err := c.store.Find(ctx, job.ID); err == nil && job.State != fax.Received {
		return true
	}
	began := time.Now()
	made, err := c.pages(ctx, job, false)
	if ctx.Err() != nil {
		return true // the next run begins anew
	}
	c.metrics.conversion.Observe(time.Since(began).Seconds())
	var problem *fax.Error
	result := "made"
	switch {
	case err == nil:
		log.Info("document converted", "pages", made.Pages, "seconds", time.Since(began).Seconds())
		switch {
		case c.policy.Load().Disabled:
			err = c.store.Shelve(ctx, job.ID, factsOf(made), fax.Disabled)
		case job.Options.Hold:
			err = c.store.Shelve(ctx, job.ID, factsOf(made), fax.OnHold)
		default:
			err = c.store.Prepared(ctx, job.ID, factsOf(made))
		}
	case errors.As(err, &problem) && problem.Problem != fax.Unavailable && problem.Problem != fax.Internal:
		log.Info("document cannot be faxed", "problem", problem.Problem)
		result = "refused"
		err = c.store.Refuse(ctx, job.ID, fax.Document, problem.Detail)
	default:
		log.Error("conversion failed and will be tried again", "error", err)
		c.metrics.converted.WithLabelValues("failed").Inc()
		return false
	}
	if fax.ProblemOf(err) == fax.Conflict {
		err = nil // cancelled meanwhile
	}
	if err != nil {
		log.Error("the result of a conversion could not be stored and will be tried again", "error", err)
		return false
	}
	c.metrics.converted.WithLabelValues(result).Inc()
	if job, err := c.store.Find(ctx, job.ID); err == nil {
		c.metrics.over(job)
		c.bus.Publish(events.Notice{At: time.Now(), Job: job})
	}
	wake(c.due)
	return true
}

// sleep waits, or not, when ctx ends before.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
