package controller

import (
	"context"
	"time"

	"faxbot/controller/fax"
	"faxbot/controller/store"
)

// Overview is how things stand, for an operator who looks up from other work.
type Overview struct {
	Open     map[fax.State]int // faxes that have not ended; a state without any is 0
	Waits    time.Duration     // how long the longest due fax waits for its call
	Gateways []GatewayState    // the preferred first
	Switches []SwitchState     // the preferred first; those that are left out while calls of theirs are under way come last
	Dead     int               // webhook messages that were given up, as far as they were counted
}

// GatewayState is a gateway and what its breaker thinks of it.
type GatewayState struct {
	Gateway
	State     string    // working, misconfigured, resting or probing
	Live      int       // calls of this host under way
	RestUntil time.Time // zero unless it rests
}

// SwitchState is a FreeSWITCH of this host.
type SwitchState struct {
	Name, Address string
	Down          error // why it cannot be told to dial; nil when it can
	Live          int   // calls under way
	Channels      int   // calls at once; 0 without a limit
}

// deadCounted is how many dead messages are worth counting.
const deadCounted = 100

// Overview looks at the database and at this host's calls.
func (c *Controller) Overview(ctx context.Context) (Overview, error) {
	now := c.store.Now()
	o := Overview{Gateways: c.gateways.states(now)}
	live, on := map[string]int{}, map[*exchange]int{}
	for _, k := range c.snapshot() {
		live[k.snapshot().Gateway]++
		on[k.on]++
	}
	for i, g := range o.Gateways {
		o.Gateways[i].Live = live[g.Name]
	}
	for _, e := range c.switches.all() {
		o.Switches = append(o.Switches, SwitchState{e.name, e.link.Address(), e.link.Up(), on[e], e.settings().Channels})
	}
	var err error
	if o.Open, err = c.store.Stats(ctx); err != nil {
		return o, err
	}
	if o.Waits, err = c.queueAge(ctx); err != nil {
		return o, err
	}
	dead, err := c.store.Outbox().Dead(ctx, deadCounted)
	o.Dead = len(dead)
	return o, err
}

// states are the gateways as an operator sees them.
func (gs *gateways) states(now time.Time) []GatewayState {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	list := make([]GatewayState, len(gs.list))
	for i, g := range gs.list {
		list[i] = GatewayState{
			Gateway: Gateway{Name: g.name, Channels: g.channels, CPS: g.cps},
			State:   g.state(now), RestUntil: g.restUntil,
		}
	}
	return list
}

// Statistics counts the calls that have ended since then, by hour.
func (c *Controller) Statistics(ctx context.Context, since time.Time) ([]store.Period, error) {
	return c.store.Statistics(ctx, since)
}
