package controller

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"faxbot/controller/document"
	"faxbot/controller/fax"
	"faxbot/controller/plan"
	"faxbot/controller/store"
	"faxbot/dialplan"
	"faxbot/events"
)

// Reception takes in the files of a fax that is about to be submitted. It ends
// with Submit or Abort.
type Reception struct {
	*document.Reception
	id fax.JobID
}

// Receive begins a submission. It is fax.Unavailable while draining.
func (c *Controller) Receive(ctx context.Context) (*Reception, error) {
	if c.isDraining() {
		return nil, errDraining
	}
	id := fax.NewJobIDAt(c.store.Now())
	r, err := c.docs.Receive(ctx, id)
	if err != nil {
		return nil, err
	}
	return &Reception{r, id}, nil
}

var errDraining = &fax.Error{Problem: fax.Unavailable, Detail: "This daemon is shutting down; try again in a minute."}

func (c *Controller) isDraining() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.draining
}

// Submission is what somebody asks for, beside the document.
type Submission struct {
	To             string
	Owner          string // id of the API key; "" for the bootstrap key
	Options        fax.Options
	Priority       int // 0 to 255
	MaxAttempts    int // 0 for the default
	SendAt         time.Time
	Deadline       time.Time
	IdempotencyKey string
}

// Limits of a submission.
const (
	maxAttempts  = 100
	maxLifetime  = 30 * 24 * time.Hour
	maxIdent     = 20 // T.30 5.3.6.1.1
	maxHeader    = 50 // spandsp prints none that is longer (t30.h, T30_MAX_PAGE_HEADER_INFO)
	maxKeyLength = 255
)

// check returns the number and refuses what cannot be sent.
func (s Submission) check(p plan.Policy, now time.Time) (fax.Number, error) {
	number, err := fax.ParseNumber(s.To)
	if err != nil {
		return "", err
	}
	if err := dialplan.CheckCallerID(s.Options.CallerID); err != nil {
		return "", err
	}
	if err := checkPages(s.Options); err != nil {
		return "", err
	}
	if err := CheckGateways(s.Options.Gateway); err != nil {
		return "", err
	}
	invalid := func(format string, args ...any) (fax.Number, error) {
		return "", fax.Errorf(fax.Invalid, format, args...)
	}
	if _, err := plan.ParseWindow(s.Options.Window); err != nil {
		return "", err
	}
	switch {
	case !s.Deadline.IsZero() && p.Opening(fax.Job{To: number, Options: s.Options}, later(s.SendAt, now)).After(s.Deadline):
		return invalid("deadline is before the window opens")
	case len(s.Options.StationID) > maxIdent || !printable(s.Options.StationID):
		return invalid("station_id must have at most %d printable characters", maxIdent)
	case len(s.Options.Header) > maxHeader || !printable(s.Options.Header):
		return invalid("header must have at most %d printable characters", maxHeader)
	case s.Priority < 0 || s.Priority > 255:
		return invalid("priority must be 0 to 255")
	case s.MaxAttempts < 0 || s.MaxAttempts > maxAttempts:
		return invalid("max_attempts must be 1 to %d", maxAttempts)
	case len(s.IdempotencyKey) > maxKeyLength || !printable(s.IdempotencyKey):
		return invalid("Idempotency-Key must have at most %d printable characters", maxKeyLength)
	case s.SendAt.After(now.Add(maxLifetime)):
		return invalid("send_at must be within %d days", int(maxLifetime.Hours()/24))
	case !s.Deadline.IsZero() && (s.Deadline.Before(now) || s.Deadline.Before(s.SendAt)):
		return invalid("deadline must be in the future and after send_at")
	case s.Deadline.After(now.Add(2 * maxLifetime)):
		return invalid("deadline must be within %d days", int(2*maxLifetime.Hours()/24))
	}
	return number, nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func printable(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

// digest recognises the same submission made again.
func (s Submission) digest(documents string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // a struct of strings, numbers and times
	}
	return fmt.Sprintf("%x", sha256.Sum256(append(b, documents...)))
}

// Submit makes document and job durable; when it returns, the fax will be
// sent or its failure told. again is true when the same owner has submitted
// the same under this key before: then that job is returned, whatever became
// of it. The reception is used up in any case.
func (c *Controller) Submit(ctx context.Context, r *Reception, s Submission) (job fax.Job, again bool, err error) {
	defer r.Abort()
	if c.isDraining() {
		return fax.Job{}, false, errDraining
	}
	now, policy := c.store.Now(), c.policy.Load().plan()
	number, err := s.check(policy, now)
	if err != nil {
		return fax.Job{}, false, err
	}
	if r.Files() == 0 {
		return fax.Job{}, false, fax.Errorf(fax.Invalid, "a fax needs at least one document")
	}
	idem := store.Idempotency{}
	if s.IdempotencyKey != "" {
		idem = store.Idempotency{Key: s.IdempotencyKey, Digest: s.digest(r.Digest())}
	}
	options, err := c.settle(s.Options)
	if err != nil {
		return fax.Job{}, false, err
	}
	options.SendAt, options.Deadline = s.SendAt.UTC().Truncate(time.Microsecond), s.Deadline.UTC().Truncate(time.Microsecond)
	documents := r.Files()
	// The document first: a job without one would be a promise that cannot be
	// kept. A document without a job is swept.
	if err := r.Commit(); err != nil {
		return fax.Job{}, false, err
	}
	job = fax.Job{
		ID: r.id, To: number, Owner: s.Owner, Options: options, Documents: documents,
		Priority: s.Priority, MaxAttempts: s.MaxAttempts, DueAt: s.SendAt, Deadline: s.Deadline,
	}
	if kept := s.Options.Window; kept != plan.Always && (kept != "" || policy.Window != plan.Window{}) {
		job.DueAt = policy.Opening(job, later(s.SendAt, now))
		if job.Deadline.IsZero() {
			// The window may close before the fax is delivered; tomorrow is
			// another day.
			job.Deadline = job.DueAt.Add(fax.DefaultLifetime + 24*time.Hour)
		}
	}
	if err = c.docs.Keep(ctx, r.id); err == nil {
		job, again, err = c.store.Create(ctx, job, idem)
	}
	if idem.Key != "" && errors.Is(err, store.ErrInDoubt) {
		// The submitter repeats it, and may find it stored. Without a key he would
		// find nothing, and both would be sent. If there is none, it is swept.
		return job, false, err
	}
	if err != nil || again {
		if rerr := c.docs.Remove(context.WithoutCancel(ctx), r.id); rerr != nil {
			c.log.Error("the document of a refused submission could not be removed", "fax", r.id, "error", rerr)
		}
		return job, again, err
	}
	c.log.Info("fax accepted", "fax", job.ID, "files", documents)
	c.bus.Publish(events.Notice{At: now, Job: job})
	wake(c.fresh)
	return job, false, nil
}

// Find returns a job and its calls, the first one first.
func (c *Controller) Find(ctx context.Context, id fax.JobID) (fax.Job, []fax.Attempt, error) {
	job, err := c.store.Find(ctx, id)
	if err != nil {
		return fax.Job{}, nil, err
	}
	attempts, err := c.store.Attempts(ctx, id)
	return job, attempts, err
}

// Look is Find, and what is known of the job's pages.
func (c *Controller) Look(ctx context.Context, id fax.JobID) (fax.Job, []fax.Attempt, fax.Facts, error) {
	return c.store.Look(ctx, id)
}

// List returns jobs, the newest first.
func (c *Controller) List(ctx context.Context, f store.Filter) ([]fax.Job, error) {
	return c.store.List(ctx, f)
}

// Count counts jobs.
func (c *Controller) Count(ctx context.Context, f store.Filter) (int, error) {
	return c.store.Count(ctx, f)
}

// Cancel ends a job: at once when no call is under way, else the call is hung
// up and its verdict tells which pages had been delivered. A fax whose last
// page is confirmed meanwhile is delivered, not cancelled. Cancelling what has
// ended changes nothing.
func (c *Controller) Cancel(ctx context.Context, id fax.JobID) (fax.Job, error) {
	job, err := c.store.AskCancel(ctx, id)
	if err != nil {
		return fax.Job{}, err
	}
	c.bus.Publish(events.Notice{At: time.Now(), Job: job})
	if job.State.OnTheLine() {
		for _, k := range c.snapshot() {
			if k.job.ID == id {
				k.cancel()
			}
		}
	}
	return job, nil
}

// Hold keeps a job that waits for a call from being dialled until a person
// releases it. fax.Conflict when it does not wait for a call.
func (c *Controller) Hold(ctx context.Context, id fax.JobID) (fax.Job, error) {
	job, err := c.store.Hold(ctx, id, fax.OnHold, fax.OnHold.Advice().Tell)
	if err == nil {
		c.bus.Publish(events.Notice{At: time.Now(), Job: job})
	}
	return job, err
}

// Release sends a held job on its way again, or makes one that waits for its
// next call due now.
func (c *Controller) Release(ctx context.Context, id fax.JobID) (fax.Job, error) {
	job, err := c.store.Release(ctx, id)
	if err == nil {
		c.bus.Publish(events.Notice{At: time.Now(), Job: job})
		wake(c.due)
	}
	return job, err
}
