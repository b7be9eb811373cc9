package controller

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"faxbot/controller/fax"
	"faxbot/controller/freeswitch"
	"faxbot/controller/store"
	"faxbot/events"
)

// defaultLease is how long the calls of a host that died stay its own.
const defaultLease = 30 * time.Second

// silence is how long a host may say nothing before others take it for gone.
func (c *Controller) silence() time.Duration { return c.config.Lease }

// keepLeases renews what is ours and looks after what is nobody's any more, not
// at once after the start: perhaps the database was away from all.
func (c *Controller) keepLeases(ctx context.Context, now time.Time) {
	if err := c.store.Renew(ctx, c.config.Lease); err != nil {
		if ctx.Err() == nil {
			c.log.Error("the leases of running calls could not be renewed", "error", err)
		}
		return
	}
	c.letGo(ctx)
	c.meet(ctx)
	if now.Sub(c.since) >= c.config.Lease && !c.isDraining() {
		c.adopt(ctx)
	}
}

// elapsed is how long it is from one time to the other, by the clock that does
// not count while a machine is suspended, or by the one on the wall.
func elapsed(from, to time.Time) time.Duration {
	return max(to.Sub(from), to.Round(0).Sub(from.Round(0)))
}

// letGo forgets calls that another host has adopted, because we were silent for
// too long, and takes up those that are ours and that nobody here knows of.
func (c *Controller) letGo(ctx context.Context) {
	calls := c.snapshot()
	own, err := c.store.Own(ctx)
	if err != nil {
		if ctx.Err() == nil {
			c.log.Error("which calls are ours could not be read", "error", err)
		}
		return
	}
	ours := map[fax.AttemptID]bool{}
	for _, id := range own {
		ours[id] = true
	}
	for _, k := range calls {
		if !ours[k.id] {
			k.release()
		}
	}
	c.takeUpStrays(ctx, own)
}

// takeUpStrays takes up calls of ours that nobody here knows of: a claim was
// committed, and the connection to the database died before we could hear it. By
// then dial would not place them any more.
func (c *Controller) takeUpStrays(ctx context.Context, own []fax.AttemptID) {
	before := c.strays
	c.strays = map[fax.AttemptID]time.Time{}
	now := time.Now()
	for _, id := range own {
		if c.find(id) != nil {
			continue
		}
		since, seen := before[id]
		if !seen {
			since = now
		}
		if now.Sub(since) < c.config.Lease {
			c.strays[id] = since
			continue
		}
		attempt, err := c.store.Attempt(ctx, id)
		var job fax.Job
		if err == nil {
			job, err = c.store.Find(ctx, attempt.JobID)
		}
		if err != nil {
			c.strays[id] = since
			if ctx.Err() == nil {
				c.log.Error("a call of ours could not be taken up", "attempt", id, "error", err)
			}
			continue
		}
		if attempt.State == fax.AttemptEnded || attempt.Host != c.store.Host() {
			continue
		}
		k := c.newCall(job, attempt)
		c.enter(k)
		k.log().Warn("taking up a call of ours that was stored without our hearing of it", "state", attempt.State)
		k.reconcile()
	}
}

// release lets go of a call that is another host's; one that has its result, or
// is getting it, is seen off as usual.
func (k *call) release() {
	k.mu.Lock()
	ours := k.ending
	k.ending = true
	k.stopWaiting()
	k.mu.Unlock()
	if !ours {
		k.log().Warn("another host looks after this call now")
		k.c.leave(k)
	}
}

// isOurs asks the database whether the call still is; errors say nothing.
func (k *call) isOurs(ctx context.Context) bool {
	a, err := k.c.store.Attempt(ctx, k.id)
	return err != nil || a.Host == k.c.store.Host() && a.State != fax.AttemptEnded
}

// meet tells the other hosts of us, and hears of them.
func (c *Controller) meet(ctx context.Context) {
	err := c.store.Report(ctx, c.report())
	var hosts []store.Host
	if err == nil {
		hosts, err = c.store.Hosts(ctx, c.silence())
	}
	if err != nil {
		if ctx.Err() == nil {
			c.log.Error("the other hosts could not be met", "error", err)
		}
		return
	}
	peers := slices.DeleteFunc(hosts, func(h store.Host) bool { return h.Name == c.store.Host() })
	c.mu.Lock()
	c.peers = peers
	c.mu.Unlock()
	dial := 1
	for _, h := range peers {
		if !h.Draining && slices.ContainsFunc(h.Switches, func(s store.SwitchReported) bool { return s.Up }) {
			dial++
		}
	}
	c.gateways.among(dial)
	if err := c.shareRests(ctx); err != nil && ctx.Err() == nil {
		c.log.Error("what rests could not be shared with the other hosts", "error", err)
	}
}

// shareRests tells the other hosts which gateways and switches rest here, and has
// those rest here that rest there. The latest word of any host counts.
func (c *Controller) shareRests(ctx context.Context) error {
	if err := c.store.SetRests(ctx, append(c.gateways.changed(), c.switches.changed()...)); err != nil {
		return err
	}
	rests, err := c.store.Rests(ctx)
	if err != nil {
		return err
	}
	c.gateways.learn(rests)
	for _, e := range c.switches.learn(rests) {
		c.log.Warn("a switch rests, because it crashed again and again for another host", "switch", e.name)
	}
	return nil
}

// remembered is how long a host is listed that says nothing any more.
const remembered = 7 * 24 * time.Hour

// Fleet lists the hosts that share the database, by their names, this one among
// them, and says which of them live.
func (c *Controller) Fleet(ctx context.Context) (list []store.Host, alive func(store.Host) bool, err error) {
	c.meet(ctx)
	list, err = c.store.Hosts(ctx, remembered)
	return list, func(h store.Host) bool { return h.Silent <= c.silence() }, err
}

func (c *Controller) report() store.Report {
	r := store.Report{Version: c.config.Version, Since: c.since, Draining: c.isDraining(), Calls: c.live()}
	for _, e := range c.switches.all() {
		s, wanted := e.settings(), e.isWanted()
		if wanted {
			r.Switches = append(r.Switches, store.SwitchReported{
				Name: s.Name, Up: e.link.Up() == nil, Socket: or(s.Advertise, c.config.Advertise), Gateways: s.Gateways,
			})
		}
	}
	return r
}

// others are the hosts that live beside this one.
func (c *Controller) others() []store.Host {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.peers
}

// mostSockets bounds how many hosts a switch is told of: each that is dead and
// cannot even refuse costs it the time of a connection that is never made.
const mostSockets = 4

// socket is where a switch connects answered calls: here, or, when nobody
// listens here any more, at another host that serves it.
func (c *Controller) socket(e *exchange) string {
	all := []string{or(e.settings().Advertise, c.config.Advertise)}
	for _, h := range c.others() {
		for _, s := range h.Switches {
			if s.Name == e.name && s.Up && !h.Draining && s.Socket != "" && !slices.Contains(all, s.Socket) && len(all) < mostSockets {
				all = append(all, s.Socket)
			}
		}
	}
	return strings.Join(all, "|")
}

// adopt takes over calls whose host has not renewed its lease, and finds out
// what became of them.
func (c *Controller) adopt(ctx context.Context) {
	orphans, err := c.store.Orphans(ctx)
	if err != nil {
		if ctx.Err() == nil {
			c.log.Error("calls that no host looks after could not be read", "error", err)
		}
		return
	}
	for _, a := range orphans {
		if c.find(a.ID) != nil || !c.serves(a.Switch) && c.served(a.Switch) {
			continue
		}
		before := a.Host
		job, err := c.store.Find(ctx, a.JobID)
		if err == nil {
			a, err = c.store.Adopt(ctx, a.ID, c.config.Lease)
		}
		if err != nil {
			if fax.ProblemOf(err) != fax.Conflict && ctx.Err() == nil {
				c.log.Error("a call could not be taken over", "attempt", a.ID, "error", err)
			}
			continue
		}
		k := c.newCall(job, a)
		c.enter(k)
		c.metrics.adopted.Inc()
		k.log().Warn("taking over a call of a host that is silent", "host", before, "state", a.State, "pages", a.Result.Pages)
		k.reconcile()
	}
}

// served says that a host which lives serves the switch, or that we do; whether
// it can be asked now is another question.
func (c *Controller) served(name string) bool {
	for _, e := range c.switches.all() {
		if e.name == name && e.isWanted() {
			return true
		}
	}
	for _, h := range c.others() {
		if slices.ContainsFunc(h.Switches, func(s store.SwitchReported) bool { return s.Name == name }) {
			return true
		}
	}
	return false
}

// takeOver serves a call that another host had placed: its switch could not
// connect to that one. One statement makes the call ours, so that never two
// hosts drive it. nil refuses it.
func (c *Controller) takeOver(conn *freeswitch.Call, said *events.Connected) freeswitch.Session {
	id, err := fax.ParseAttemptID(said.AttemptID)
	if err != nil || said.UUID != said.AttemptID || said.Token == "" {
		return nil
	}
	job, a, err := c.store.Take(c.life, id, said.Token, c.config.Lease)
	if err != nil {
		c.log.Warn("a call that connected is not served", "attempt", id, "why", err)
		return nil
	}
	k := c.newCall(job, a)
	k.conn = conn
	k.verdict.hear(byCall, said)
	c.enter(k)
	c.metrics.adopted.Inc()
	k.log().Info("a call of another host connected here", "number", job.To.Masked())
	if !k.hasPages(a) {
		return nil
	}
	return k
}

// lineTime is how long the line of a call may stay up after its result: until we
// hang it up. Only the host that placed the call sees the end.
const lineTime = 5 * time.Second

// lineMayBeUp says that the line of a call of another host may still be up.
func (c *Controller) lineMayBeUp(n fax.Number, known fax.Destination, now time.Time) bool {
	if len(c.others()) == 0 || now.Sub(known.UpdatedAt).Abs() > lineTime {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.freed[n].Before(known.UpdatedAt)
}

// free notes that the line to a number is down. c.mu is held.
func (c *Controller) free(n fax.Number) {
	now := c.store.Now()
	for other, at := range c.freed {
		if now.Sub(at) > 2*lineTime {
			delete(c.freed, other)
		}
	}
	c.freed[n] = now
}

// takenOver says that an error means that the call is another host's.
func takenOver(err error) bool { return errors.Is(err, store.ErrAdopted) }
