package controller

import (
	"context"
	"slices"

	"faxbot/controller/doctor"
	"faxbot/controller/document"
	"faxbot/controller/freeswitch"
)

// Patient is this daemon as a doctor sees it, without its Premises.
func (c *Controller) Patient() doctor.Patient { return c.patient(c.policy.Load()) }

// PatientWith is what it would be with another policy, before that is applied.
func (c *Controller) PatientWith(p Policy) (doctor.Patient, error) {
	policy, err := p.checked()
	if err != nil {
		return doctor.Patient{}, err
	}
	return c.patient(policy), nil
}

func (c *Controller) patient(policy *Policy) doctor.Patient {
	main, link, others := c.examined(policy)
	to := c.config.Link
	to.Name, to.Address, to.Password = main.Name, main.Address, main.Password
	return doctor.Patient{
		Accepting: func() error {
			switch {
			case c.isDraining():
				return errDraining
			case policy.Disabled:
				return doctor.ErrNobodyCalled
			}
			return nil
		},
		Database: func(ctx context.Context) (string, error) {
			if err := c.Database(ctx); err != nil {
				return "", err
			}
			if risk, err := c.store.Risk(ctx); err == nil && risk != "" {
				return "", doctor.Risk(risk)
			}
			return "written and read", nil
		},
		Documents: func() (*document.Folder, error) { return c.docs, nil },
		Switch:    to,
		Link:      link,
		Others:    others,
		Gateways:  slices.DeleteFunc(policy.Names(), func(name string) bool { return !main.Has(name) }),
		T38:       policy.T38,
		Fetches:   c.config.DocumentURL,
		Entry:     c.config.Dialplan,
		Door: func() (*doctor.Door, error) {
			return &doctor.Door{Socket: or(main.Advertise, c.config.Advertise), Probes: &c.probes, Close: func() {}, Stranger: c.listener.Stranger}, nil
		},
	}
}

// examined is the switch that a doctor looks at: the first one that can be used,
// or the first; of the others it asks whether they are there.
func (c *Controller) examined(policy *Policy) (main Switch, link *freeswitch.Link, others []doctor.Other) {
	links := map[string]*freeswitch.Link{}
	for _, e := range c.switches.all() {
		links[e.name] = e.link
	}
	chosen := 0
	for i, s := range policy.Switches {
		if l := links[s.Name]; l != nil && l.Up() == nil {
			chosen = i
			break
		}
	}
	for i, s := range policy.Switches {
		if i == chosen {
			continue
		}
		other := doctor.Other{Name: s.Name, Up: func() error { return freeswitch.ErrLinkDown }}
		if l := links[s.Name]; l != nil {
			other.Up = l.Up
		}
		others = append(others, other)
	}
	main = policy.Switches[chosen]
	return main, links[main.Name], others
}

// Database proves that the database can be written and read.
func (c *Controller) Database(ctx context.Context) error { return c.store.Ping(ctx) }
