package controller

import (
	"fmt"
	"strings"
	"time"

	"faxbot/controller/fax"
	"faxbot/dialplan"
)

// Policy is what may change while the daemon runs; see Controller.Apply.
type Policy struct {
	Gateways []Gateway // the ways out, the preferred first; at least one
	Switch   Switch

	T38  bool          // offer T.38
	Ring time.Duration // how long a call may ring; default 60 s
	// Grace is how much longer than it should take we wait for news of a call,
	// before we ask the switch; default 15 s.
	Grace time.Duration

	CallerID  string // defaults of jobs that name none
	StationID string
	Header    string

	// Retention is how long documents are kept after their fax has ended; 0
	// keeps them for ever.
	Retention time.Duration
	// PurgeOnSuccess has the documents of faxes that are submitted from now on
	// deleted as soon as they are delivered, whether they ask for it or not.
	PurgeOnSuccess bool

	// Disabled keeps faxes without calling anybody: new ones wait for a person
	// to release them, those that wait for a call go on waiting.
	Disabled bool

	// OnUnknown is what follows a call whose outcome nobody can know: Hold
	// asks a person, Again takes the risk of sending pages twice. Default Hold.
	OnUnknown fax.Next
}

// Gateway is a way out to the telephone network.
type Gateway struct {
	Name     string  // in mod_sofia
	Channels int     // calls at once; default 100
	CPS      float64 // new calls per second; default 10
}

// Switch is where FreeSWITCH takes commands (mod_event_socket).
type Switch struct {
	Address  string // HOST:PORT
	Password string
}

// Gateways makes the list of gateways that names names, with commas between
// them, each with the same limits.
func Gateways(names string, channels int, cps float64) []Gateway {
	var list []Gateway
	for name := range strings.SplitSeq(names, ",") {
		list = append(list, Gateway{Name: strings.TrimSpace(name), Channels: channels, CPS: cps})
	}
	return list
}

// checked returns the policy with its defaults, or says what is wrong with it.
func (p Policy) checked() (*Policy, error) {
	if len(p.Gateways) == 0 {
		return nil, fax.Errorf(fax.Invalid, "FREESWITCH_GATEWAY_NAME: there is no gateway")
	}
	list := make([]Gateway, len(p.Gateways))
	seen := map[string]bool{}
	for i, g := range p.Gateways {
		if err := dialplan.CheckGateway(g.Name); err != nil {
			return nil, fmt.Errorf("FREESWITCH_GATEWAY_NAME: %w", err)
		}
		if seen[g.Name] {
			return nil, fax.Errorf(fax.Invalid, "FREESWITCH_GATEWAY_NAME: %s is listed twice", g.Name)
		}
		seen[g.Name] = true
		if g.Channels <= 0 {
			g.Channels = 100
		}
		if g.CPS <= 0 {
			g.CPS = 10
		}
		list[i] = g
	}
	p.Gateways = list
	if err := dialplan.CheckCallerID(p.CallerID); err != nil {
		return nil, fmt.Errorf("FREESWITCH_CALLER_ID_NUMBER: %w", err)
	}
	if p.Ring <= 0 {
		p.Ring = time.Minute
	}
	if p.Grace <= 0 {
		p.Grace = 15 * time.Second
	}
	if p.OnUnknown != fax.Again {
		p.OnUnknown = fax.Hold
	}
	return &p, nil
}

// Apply replaces the policy, from the next call on; calls under way go on as
// they began, and gateways that stay keep their state. When it returns an error
// nothing has changed.
//
// With another password the command link is made anew at once. Another address
// may be another switch, of which ours cannot be asked: no call is begun until
// those under way have ended or the link is down; then the link moves.
func (c *Controller) Apply(p Policy) error {
	next, err := p.checked()
	if err != nil {
		return err
	}
	c.applying.Lock()
	defer c.applying.Unlock()
	c.gateways.set(next.Gateways)
	c.policy.Store(next)
	if at := c.link.Address(); at == next.Switch.Address {
		c.link.Move(at, next.Switch.Password)
	}
	wake(c.due)
	return nil
}

// moving says that the switch's address has changed and that calls under way
// keep the link where it is; when none does, it moves.
func (c *Controller) moving() bool {
	c.applying.Lock()
	defer c.applying.Unlock()
	next := c.policy.Load().Switch
	if c.link.Address() == next.Address {
		return false
	}
	if c.live() > 0 && c.link.Up() == nil {
		return true
	}
	c.link.Move(next.Address, next.Password)
	return false
}
