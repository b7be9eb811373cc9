package main

import (
	"errors"
	"net"
	"strconv"
	"strings"

	"faxbot/controller"
)

// limits are a number for all gateways, and others for some of them.
type limits struct {
	all float64
	of  map[string]float64
}

// parseLimits reads 100 or 100,gw_a=30,gw_b=50.
func parseLimits(text string) (limits, error) {
	first, rest, more := strings.Cut(text, ",")
	all, err := limit(first)
	l := limits{all, map[string]float64{}}
	for more && err == nil {
		var one string
		one, rest, more = strings.Cut(rest, ",")
		name, value, _ := strings.Cut(strings.TrimSpace(one), "=")
		l.of[name], err = limit(value)
	}
	return l, err
}

func limit(text string) (float64, error) {
	n, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err == nil && !(n > 0 && n <= 100000) {
		err = errors.New("out of range")
	}
	return n, err
}

// areChannels says whether the text is limits that count whole calls.
func areChannels(text string) bool {
	l, err := parseLimits(text)
	whole := err == nil && l.all == float64(int(l.all))
	for _, n := range l.of {
		whole = whole && n == float64(int(n))
	}
	return whole
}

func (l limits) through(name string) float64 {
	if n, own := l.of[name]; own {
		return n
	}
	return l.all
}

// ways are the gateways, by the rules that check has seen kept.
func (s switchSettings) ways() ([]controller.Gateway, []controller.Route) {
	channels, _ := parseLimits(s.Channels)
	cps, _ := parseLimits(s.CPS)
	gateways, _ := controller.ParseGateways(s.Gateway)
	routes, _ := controller.ParseRoutes(s.Routes)
	limited := func(list []controller.Gateway) {
		for i := range list {
			g := &list[i]
			g.Channels, g.CPS = int(channels.through(g.Name)), cps.through(g.Name)
		}
	}
	limited(gateways)
	for _, r := range routes {
		limited(r.Gateways)
	}
	return gateways, routes
}

// switches are those of FAXBOT_SWITCHES, or the one that has settings of its own.
func (s switchSettings) switches() []controller.Switch {
	if s.Several == "" {
		return []controller.Switch{{
			Name: controller.DefaultSwitch, Address: net.JoinHostPort(s.Host, strconv.Itoa(s.Port)), Password: string(s.Password),
		}}
	}
	list, _ := controller.ParseSwitches(string(s.Several), string(s.Password))
	return list
}
