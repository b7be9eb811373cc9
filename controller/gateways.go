package controller

import (
	"log/slog"
	"sync"
	"time"

	"faxbot/controller/fax"
	"faxbot/controller/plan"
	"faxbot/controller/store"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"
)

// gateways are the ways out that the operator listed. Each has a breaker: while a gateway fails, it gets no calls but one now and then
// that finds out whether it works again. Faxes that name a gateway of their own
// which is not listed pass by.
type gateways struct {
	now func() time.Time // of the store
	log *slog.Logger

	mu    sync.Mutex
	list  []*gate
	hosts int // that share the calls per second; 0 counts as 1
}

// gate is one gateway. It works while failures is small.
type gate struct {
	breaker
	name     string
	channels int
	cps      float64       // of all hosts together
	pace     *rate.Limiter // of this one

	failures      int // calls in a row that it could not take
	misconfigured bool
}

const (
	// tripAfter is how many calls in a row a gateway may fail to take before
	// it rests. One that refuses our credentials rests at once.
	tripAfter    = 5
	shortestRest = 30 * time.Second
	longestRest  = 5 * time.Minute
)

func newGateways(list []Gateway, now func() time.Time, log *slog.Logger) *gateways {
	gs := &gateways{now: now, log: log}
	gs.set(list)
	return gs
}

// set replaces the list. Gateways that stay keep their state.
func (gs *gateways) set(list []Gateway) {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	next := make([]*gate, len(list))
	for i, g := range list {
		next[i] = gs.find(g.Name)
		if next[i] == nil {
			next[i] = &gate{name: g.Name, pace: rate.NewLimiter(rate.Limit(g.CPS), max(1, int(g.CPS/10))), breaker: breaker{shortest: shortestRest, longest: longestRest}}
		}
		next[i].channels, next[i].cps = g.Channels, g.CPS
		next[i].share(gs.hosts)
	}
	gs.list = next
}

// among has so many hosts share the calls per second, each an equal part. What
// one does not use the others do not get.
func (gs *gateways) among(hosts int) {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	if gs.hosts == hosts {
		return
	}
	gs.hosts = hosts
	for _, g := range gs.list {
		g.share(hosts)
	}
}

func (g *gate) share(hosts int) {
	part := g.cps / float64(max(1, hosts))
	g.pace.SetLimit(rate.Limit(part))
	g.pace.SetBurst(max(1, int(part/10)))
}

// state is a word for metrics and people.
func (g *gate) state(now time.Time) string {
	if !g.works() && g.misconfigured {
		return "misconfigured"
	}
	return g.breaker.state(now)
}

var gateStates = []string{"working", "misconfigured", "resting", "probing"}

// room says how many new calls it may get now.
func (g *gate) room(now time.Time) int {
	return g.breaker.room(now, max(0, int(g.pace.TokensAt(now))))
}

// room is what each gateway may get now, and how long to wait when all is 0.
func (gs *gateways) room(now time.Time) (room map[string]int, wait time.Duration) {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	room, wait = map[string]int{}, longestSleep
	for _, g := range gs.list {
		room[g.name] = g.room(now)
		switch {
		case g.works():
			wait = min(wait, time.Duration(float64(time.Second)/float64(g.pace.Limit())))
		case now.Before(g.restUntil):
			wait = min(wait, g.restUntil.Sub(now))
		}
	}
	return room, wait
}

// plans are gateways as the planner sees them. Those without room now are full;
// with room nil none is. One that is not listed is open; one of which no switch
// is left that could be used is closed.
func (gs *gateways) plans(names []string, room map[string]int, reached func(string) bool, now time.Time) []plan.Gateway {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	list := make([]plan.Gateway, len(names))
	for i, name := range names {
		list[i].Name = name
		if !reached(name) {
			list[i].Listed, list[i].Closed, list[i].Cause, list[i].Until = true, true, fax.Switch, now.Add(longestSleep)
			continue
		}
		g := gs.find(name)
		if g == nil {
			continue
		}
		list[i].Listed = true
		list[i].Closed = now.Before(g.restUntil)
		list[i].Full = !list[i].Closed && room != nil && room[name] <= 0
		if !g.works() {
			list[i].Cause, list[i].Until = fax.Trunk, later(now, g.restUntil)
			if g.misconfigured {
				list[i].Cause = fax.Misconfigured
			}
		}
	}
	return list
}

// placed notes a call that is about to be made.
func (gs *gateways) placed(a fax.Attempt, now time.Time) {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	g := gs.find(a.Gateway)
	if g == nil {
		return
	}
	g.pace.AllowN(now, 1)
	g.breaker.placed(a.ID)
}

// ended hears what a call came to.
func (gs *gateways) ended(a fax.Attempt, c fax.Cause, now time.Time) {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	g := gs.find(a.Gateway)
	if g == nil {
		return
	}
	probe := g.breaker.ended(a.ID)
	switch c {
	case fax.Misconfigured:
		// Calls that were under way when it began to rest tell nothing new.
		if g.works() || probe {
			g.misconfigured = true
			g.rest(now)
			gs.log.Error("a gateway is misconfigured; faxes for it wait, and one is tried now and then", "gateway", g.name, "until", g.restUntil)
		}
	case fax.Trunk:
		g.failures++
		if probe || g.works() && g.failures >= tripAfter {
			g.misconfigured = false
			g.rest(now)
			gs.log.Error("a gateway takes no calls; faxes for it wait, and one is tried now and then", "gateway", g.name, "failures", g.failures, "until", g.restUntil)
		}
	case fax.Switch, fax.Unknown, fax.Withdrawn, fax.Document:
		// Not the gateway's doing.
	default:
		g.failures = 0
		if !g.works() {
			gs.log.Warn("a gateway takes calls again", "gateway", g.name)
			g.misconfigured = false
			g.mend(now)
		}
	}
}

// changed are the gateways of which the other hosts do not know that they began
// to rest, or to work again.
func (gs *gateways) changed() []store.Rest {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	var list []store.Rest
	for _, g := range gs.list {
		if g.untold() {
			list = append(list, store.Rest{Kind: store.RestedGateway, Name: g.name, Until: g.restUntil, Rests: g.rests, Misconfigured: g.misconfigured, Changed: g.breaker.changed})
		}
	}
	return list
}

// learn takes over what other hosts have found out since.
func (gs *gateways) learn(rests []store.Rest) {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	for _, r := range rests {
		g := gs.find(r.Name)
		if r.Kind != store.RestedGateway || g == nil {
			continue
		}
		worked := g.works()
		if !g.learn(r) {
			continue
		}
		if g.misconfigured, g.failures = r.Misconfigured, 0; worked && !g.works() {
			gs.log.Warn("a gateway rests, because it failed for another host", "gateway", g.name, "until", r.Until)
		}
	}
}

func (gs *gateways) listed(name string) bool {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	return gs.find(name) != nil
}

// find returns nil for a gateway that is not listed. gs.mu is held.
func (gs *gateways) find(name string) *gate {
	for _, g := range gs.list {
		if g.name == name {
			return g
		}
	}
	return nil
}

// channels is what the gateways carry at once, those of all hosts together: one
// call where one finds out whether it works again.
func (gs *gateways) channels() (each map[string]int, all int) {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	each = map[string]int{}
	now := gs.now()
	for _, g := range gs.list {
		each[g.name] = g.channels
		if g.probing(now) {
			each[g.name] = 1
		}
		all += g.channels
	}
	return each, all
}

// queue is how fast some gateways together take calls.
func (gs *gateways) queue(names []string) (q plan.Queue) {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	for _, name := range names {
		if g := gs.find(name); g != nil {
			q.Lines += g.channels
			q.CPS += g.cps
		}
	}
	return q
}

// Describe implements prometheus.Collector.
func (gs *gateways) Describe(ch chan<- *prometheus.Desc) { ch <- gateDesc }

var gateDesc = prometheus.NewDesc("faxbot_gateway_state", "1 for the state that a gateway is in.", []string{"gateway", "state"}, nil)

// Collect implements prometheus.Collector.
func (gs *gateways) Collect(ch chan<- prometheus.Metric) {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	now := gs.now()
	for _, g := range gs.list {
		is := g.state(now)
		for _, s := range gateStates {
			v := 0.0
			if s == is {
				v = 1
			}
			ch <- prometheus.MustNewConstMetric(gateDesc, prometheus.GaugeValue, v, g.name, s)
		}
	}
}
