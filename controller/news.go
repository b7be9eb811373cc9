package controller

import (
	"context"
	"time"

	"faxbot/controller/fax"
	"faxbot/controller/store"
	"faxbot/events"
)

// herdPause is how long work that another host has announced is left to that
// host, which begins at once, and how often at the most we are woken for it:
// claims take turns, and most would find nothing left.
const herdPause = 250 * time.Millisecond

// hearHosts does what other hosts' changes ask for. Without it the same is
// found out by looking: by schedule, prepareAll, keepHouse and whoever shows
// faxes to people.
func (c *Controller) hearHosts(ctx context.Context, news []store.News) {
	ours := false
	for _, n := range news {
		switch {
		case n.Job == "":
			ours = true
			c.bus.Miss()
			c.wakeSoon(c.fresh)
			c.wakeSoon(c.due)
		case n.State == fax.Received:
			c.wakeSoon(c.fresh)
		case n.State.OnTheLine():
			ours = ours || c.calling(n.Job)
		default: // it waits, or its line and number are free
			c.wakeSoon(c.due)
		}
		if n.Job != "" && c.bus.Heard() {
			c.relay(ctx, n.Job)
		}
	}
	if ours {
		c.hangUpUnwanted(ctx)
	}
}

// wakeSoon wakes once, however often it is called before.
func (c *Controller) wakeSoon(signal chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waking[signal] {
		return
	}
	if c.waking == nil {
		c.waking = map[chan struct{}]bool{}
	}
	c.waking[signal] = true
	time.AfterFunc(herdPause, func() {
		c.mu.Lock()
		delete(c.waking, signal)
		c.mu.Unlock()
		wake(signal)
	})
}

// relay tells our listeners how a fax of another host stands.
func (c *Controller) relay(ctx context.Context, id fax.JobID) {
	job, attempts, err := c.Find(ctx, id)
	if err != nil {
		return // they look for themselves
	}
	n := events.Notice{At: time.Now(), Job: job}
	if len(attempts) > 0 {
		n.Attempt = attempts[len(attempts)-1]
	}
	c.bus.Publish(n)
}

func (c *Controller) calling(id fax.JobID) bool {
	for _, k := range c.snapshot() {
		if k.job.ID == id {
			return true
		}
	}
	return false
}

// hangUpUnwanted hangs up our calls for faxes that were cancelled through
// another host.
func (c *Controller) hangUpUnwanted(ctx context.Context) {
	ids, err := c.store.Unwanted(ctx)
	if err != nil && ctx.Err() == nil {
		c.log.Error("cancelled faxes that are on the line could not be read", "error", err)
	}
	for _, id := range ids {
		k := c.find(id)
		if k == nil {
			continue
		}
		k.mu.Lock()
		known := k.cancelled
		k.mu.Unlock()
		if !known {
			k.cancel()
		}
	}
}
