package controller

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"faxbot/controller/fax"
	"faxbot/controller/freeswitch"
	"faxbot/controller/store"
	"faxbot/dialplan"

	"github.com/prometheus/client_golang/prometheus"
)

// exchange is a switch and our command link to it.
type exchange struct {
	name string
	link *freeswitch.Link
	now  func() time.Time // of the store

	mu      sync.Mutex
	as      Switch // as the policy has it; the link may still be elsewhere
	wanted  bool   // it is in the policy; else calls of it are left, or were
	records bool   // it keeps records of calls (mod_db)
	core    string // its process, as of the last time the link came up
	crashes []time.Time
	breaker
	end context.CancelFunc
}

func (e *exchange) settings() Switch {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.as
}

// A switch that has crashed so often within that time rests.
const (
	tripAfterCrashes = 3
	crashesWithin    = 10 * time.Minute
	shortestQuiet    = time.Minute
	longestQuiet     = 15 * time.Minute
)

// met notes which process the link has found. It returns whether that is another
// one than before, how often the switch has crashed lately, when it has, and
// until when it rests. To stand still is to crash, too; a link that broke is not.
func (e *exchange) met(found freeswitch.Meeting, now time.Time) (anew bool, crashes int, rests time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	before := e.core
	e.core = found.Core
	anew = before != "" && before != found.Core
	if !anew && (before == "" || !found.StoodStill) {
		return false, 0, time.Time{}
	}
	e.crashes = slices.DeleteFunc(append(e.crashes, now), func(at time.Time) bool { return now.Sub(at) > crashesWithin })
	// One crash is met by every host: who has rested for it already rests no longer.
	if e.works() && len(e.crashes) >= tripAfterCrashes || e.breaker.probing(now) {
		e.rest(now)
	}
	return anew, len(e.crashes), e.restUntil
}

// room says how many calls it may get now.
func (e *exchange) room(now time.Time) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.breaker.room(now, math.MaxInt)
}

func (e *exchange) placed(id fax.AttemptID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.breaker.placed(id)
}

// ended hears what a call came to; true when the switch works again.
func (e *exchange) ended(id fax.AttemptID, c fax.Cause) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.breaker.ended(id) || c == fax.Switch || c == fax.Unknown || c == fax.Withdrawn || c == fax.Document {
		return false
	}
	e.mend(e.now())
	e.crashes = nil
	return true
}

func (e *exchange) resting(now time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return !e.works() && now.Before(e.restUntil)
}

func (e *exchange) probing(now time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.breaker.probing(now)
}

// changed are the switches of which the other hosts do not know that they began
// to rest, or to work again.
func (x *exchanges) changed() (list []store.Rest) {
	for _, e := range x.all() {
		e.mu.Lock()
		if e.untold() {
			list = append(list, store.Rest{Kind: store.RestedSwitch, Name: e.name, Until: e.restUntil, Rests: e.rests, Changed: e.breaker.changed})
		}
		e.mu.Unlock()
	}
	return list
}

// learn takes over what other hosts have found out since; it returns which
// switches began to rest by it.
func (x *exchanges) learn(rests []store.Rest) (resting []*exchange) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, r := range rests {
		e := x.named(r.Name)
		if r.Kind != store.RestedSwitch || e == nil {
			continue
		}
		e.mu.Lock()
		worked := e.works()
		if e.learn(r) {
			switch {
			case e.works():
				e.crashes = nil
			case worked:
				resting = append(resting, e)
			}
		}
		e.mu.Unlock()
	}
	return resting
}

func (e *exchange) isWanted() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.wanted
}

// exchanges are the switches of this host in the order of the policy, and behind
// them those of which calls are left.
type exchanges struct {
	mu   sync.Mutex
	list []*exchange
	life context.Context // nil before Run
}

func (x *exchanges) all() []*exchange {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.Clone(x.list)
}

// named returns nil for a switch that is not ours. x.mu is held.
func (x *exchanges) named(name string) *exchange {
	for _, e := range x.list {
		if e.name == name {
			return e
		}
	}
	return nil
}

// setSwitches replaces the list. Links that stay are not cut, unless a password
// has changed; those of switches that are left out end with their last call.
func (c *Controller) setSwitches(list []Switch) {
	x := &c.switches
	x.mu.Lock()
	defer x.mu.Unlock()
	next := make([]*exchange, len(list))
	for i, s := range list {
		e := x.named(s.Name)
		if e == nil {
			e = c.newExchange(s)
		}
		e.mu.Lock()
		e.as, e.wanted = s, true
		e.mu.Unlock()
		if e.link.Address() == s.Address {
			e.link.Move(s.Address, s.Password)
		}
		c.connect(e)
		next[i] = e
	}
	for _, e := range x.list {
		if !slices.Contains(next, e) {
			e.mu.Lock()
			e.wanted = false
			e.mu.Unlock()
			next = append(next, e)
		}
	}
	x.list = next
}

func (c *Controller) newExchange(s Switch) *exchange {
	e := &exchange{name: s.Name, as: s, now: c.store.Now, breaker: breaker{shortest: shortestQuiet, longest: longestQuiet}}
	c.metrics.restarts.WithLabelValues(s.Name)
	config := c.config.Link
	config.Name, config.Address, config.Password = s.Name, s.Address, s.Password
	e.link = freeswitch.NewLink(config, c.heardOnLink, func(found freeswitch.Meeting) { c.linked(e, found) })
	return e
}

// connect keeps the link up from now on, once Run has begun. c.switches.mu is
// held.
func (c *Controller) connect(e *exchange) {
	if c.switches.life == nil || e.end != nil {
		return
	}
	ctx, end := context.WithCancel(c.switches.life)
	e.end = end
	c.spawn(func() { _ = e.link.Run(ctx) }) // it has no errors
}

// connectAll begins with the links.
func (c *Controller) connectAll(ctx context.Context) {
	c.switches.mu.Lock()
	defer c.switches.mu.Unlock()
	c.switches.life = ctx
	for _, e := range c.switches.list {
		if e.isWanted() {
			c.connect(e)
		}
	}
}

// dismiss ends the links of switches that were left out and have no call any
// more.
func (c *Controller) dismiss() {
	used := map[*exchange]bool{}
	for _, k := range c.snapshot() {
		used[k.on] = true
	}
	x := &c.switches
	x.mu.Lock()
	defer x.mu.Unlock()
	x.list = slices.DeleteFunc(x.list, func(e *exchange) bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.wanted || used[e] {
			return false
		}
		if e.end != nil {
			e.end()
		}
		return true
	})
}

// exchange is the switch of that name; one that is not ours has a link that is
// down.
func (c *Controller) exchange(name string) *exchange {
	x := &c.switches
	x.mu.Lock()
	defer x.mu.Unlock()
	e := x.named(name)
	if e == nil {
		e = c.newExchange(Switch{Name: name})
		x.list = append(x.list, e)
	}
	return e
}

// serves says that the switch is one of this host's, and can be asked.
func (c *Controller) serves(name string) bool {
	x := &c.switches
	x.mu.Lock()
	defer x.mu.Unlock()
	e := x.named(name)
	return e != nil && e.link.Up() == nil
}

// usable are the switches that may be told to dial, the preferred first.
func (c *Controller) usable() []*exchange {
	return slices.DeleteFunc(c.switches.all(), func(e *exchange) bool {
		return !e.isWanted() || c.moving(e) || e.link.Up() != nil || e.resting(c.store.Now())
	})
}

// moving says that a switch's address has changed and that calls under way keep
// the link where it is; when none does, it moves.
func (c *Controller) moving(e *exchange) bool {
	c.applying.Lock()
	defer c.applying.Unlock()
	next := e.settings()
	if e.link.Address() == next.Address {
		return false
	}
	if c.liveOn(e) > 0 && e.link.Up() == nil {
		return true
	}
	e.mu.Lock()
	e.core = "" // another switch, perhaps
	e.mu.Unlock()
	e.link.Move(next.Address, next.Password)
	return false
}

func (c *Controller) liveOn(e *exchange) int {
	n := 0
	for _, k := range c.snapshot() {
		if k.on == e {
			n++
		}
	}
	return n
}

// checkSockets finds out before the first fax whether the switches can be told
// our address.
func (c *Controller) checkSockets() error {
	policy := c.policy.Load()
	for _, s := range policy.Switches {
		probe := dialplan.Call{
			Attempt: fax.NewAttemptID(), Job: fax.NewJobID(), Token: newToken(), Number: "000000",
			Gateway: policy.Gateways[0].Name, Ring: time.Minute, Socket: or(s.Advertise, c.config.Advertise),
		}
		if _, err := probe.Originate(); err != nil {
			return fmt.Errorf("FAXBOT_SOCKET_ADVERTISE: %w", err)
		}
		probe.Entry = c.config.Dialplan
		if _, err := probe.Originate(); err != nil {
			return fmt.Errorf("FAXBOT_DIALPLAN: %w", err)
		}
	}
	return nil
}

var switchDesc = prometheus.NewDesc("faxbot_switch_state", "1 for the state that a switch is in.", []string{"switch", "state"}, nil)

// Describe implements prometheus.Collector.
func (x *exchanges) Describe(ch chan<- *prometheus.Desc) { ch <- switchDesc }

// Collect implements prometheus.Collector.
func (x *exchanges) Collect(ch chan<- prometheus.Metric) {
	for _, e := range x.all() {
		e.mu.Lock()
		is := e.state(e.now())
		e.mu.Unlock()
		for _, state := range []string{"working", "resting", "probing"} {
			v := 0.0
			if state == is {
				v = 1
			}
			ch <- prometheus.MustNewConstMetric(switchDesc, prometheus.GaugeValue, v, e.name, state)
		}
	}
}
