package controller

import (
	"testing"
	"time"

	"faxbot/controller/fax"
)

func TestAfter(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	answered := fax.Attempt{AnsweredAt: now}
	job := func(edit ...func(*fax.Job)) fax.Job {
		j := fax.Job{Pages: 3, Deadline: now.Add(fax.DefaultLifetime)}
		for _, e := range edit {
			e(&j)
		}
		return j
	}
	dialled := func(n int) func(*fax.Job) { return func(j *fax.Job) { j.Dials = n } }
	tried := func(n int) func(*fax.Job) { return func(j *fax.Job) { j.Dials, j.Tries = n, n } }
	ended := func(c fax.Cause) fax.Attempt { return fax.Attempt{Result: fax.Result{Cause: c}} }
	for name, c := range map[string]struct {
		job    fax.Job
		before []fax.Attempt
		this   fax.Attempt
		r      fax.Result
		policy fax.Next
		state  fax.State
		cause  fax.Cause
		dials  int
		tries  int
	}{
		"delivered":               {job(), nil, answered, fax.Result{Cause: fax.OK, Pages: 3}, fax.Hold, fax.Done, fax.OK, 1, 1},
		"busy":                    {job(), nil, fax.Attempt{}, fax.Result{Cause: fax.Busy}, fax.Hold, fax.Retry, fax.Busy, 1, 0},
		"busy for the last time":  {job(dialled(11)), nil, fax.Attempt{}, fax.Result{Cause: fax.Busy}, fax.Hold, fax.Failed, fax.Busy, 1, 0},
		"one call only":           {job(func(j *fax.Job) { j.MaxAttempts = 1 }), nil, fax.Attempt{}, fax.Result{Cause: fax.Busy}, fax.Hold, fax.Failed, fax.Busy, 1, 0},
		"third answered call":     {job(tried(2)), nil, answered, fax.Result{Cause: fax.PageLost}, fax.Hold, fax.Failed, fax.PageLost, 1, 1},
		"the trunk costs nothing": {job(dialled(11)), nil, fax.Attempt{}, fax.Result{Cause: fax.Trunk}, fax.Hold, fax.Retry, fax.Trunk, 0, 0},
		"past the deadline":       {job(func(j *fax.Job) { j.Deadline = now.Add(time.Second) }), nil, fax.Attempt{}, fax.Result{Cause: fax.Busy}, fax.Hold, fax.Failed, fax.Busy, 1, 0},
		"wrong number":            {job(), nil, fax.Attempt{}, fax.Result{Cause: fax.WrongNumber}, fax.Hold, fax.Failed, fax.WrongNumber, 1, 0},
		"a person answers":        {job(), nil, answered, fax.Result{Cause: fax.NotAFax}, fax.Hold, fax.Retry, fax.NotAFax, 1, 1},
		"a person answers again":  {job(), []fax.Attempt{ended(fax.NotAFax)}, answered, fax.Result{Cause: fax.NotAFax}, fax.Hold, fax.Failed, fax.NotAFax, 1, 1},
		"gateway misconfigured":   {job(), nil, fax.Attempt{}, fax.Result{Cause: fax.Misconfigured}, fax.Hold, fax.Held, fax.Misconfigured, 0, 0},
		"unknowable, ask":         {job(), nil, answered, fax.Result{Cause: fax.Unknown, Pages: 1}, fax.Hold, fax.Held, fax.Unknown, 1, 1},
		"unknowable, dare":        {job(), nil, answered, fax.Result{Cause: fax.Unknown, Pages: 1}, fax.Again, fax.Retry, fax.Unknown, 1, 1},
		"all pages, no verdict":   {job(), nil, answered, fax.Result{Cause: fax.Dropped, Pages: 3}, fax.Hold, fax.Held, fax.Unknown, 1, 1},
		"cancelled":               {job(func(j *fax.Job) { j.CancelAsked = true }), nil, answered, fax.Result{Cause: fax.Dropped, Pages: 1}, fax.Hold, fax.Cancelled, fax.Withdrawn, 1, 1},
		"too late to cancel":      {job(func(j *fax.Job) { j.CancelAsked = true }), nil, answered, fax.Result{Cause: fax.OK, Pages: 3}, fax.Hold, fax.Done, fax.OK, 1, 1},
	} {
		o := after(c.job, c.before, c.this, c.r, c.policy, now)
		if o.state != c.state || o.cause != c.cause || o.dials != c.dials || o.tries != c.tries {
			t.Errorf("%s: %+v", name, o)
		}
		if (o.state == fax.Retry) != !o.due.IsZero() {
			t.Errorf("%s: %s, due %s", name, o.state, o.due)
		}
		if (o.text == "") != (o.state == fax.Done) {
			t.Errorf("%s: tells %q", name, o.text)
		}
	}
}

// A retry resumes behind the confirmed pages and leaves out what has failed.
func TestParameters(t *testing.T) {
	job := fax.Job{Pages: 5, Confirmed: 2}
	before := []fax.Attempt{{Result: fax.Result{Cause: fax.Training}}, {Result: fax.Result{Cause: fax.T38Failed}}}
	if got, want := parameters(job, before, true), (fax.Parameters{ECM: true, StartPage: 2}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got, want := parameters(fax.Job{Pages: 1}, nil, true), (fax.Parameters{T38: true, V17: true, ECM: true}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}
