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
	lines := c.lines(policy)
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
		Line:      lines[0],
		Others:    lines[1:],
		T38:       policy.T38,
		Fetches:   c.config.DocumentURL,
		Entry:     c.config.Dialplan,
	}
}

// lines are the switches as a doctor sees them, in the order of the policy.
func (c *Controller) lines(policy *Policy) (list []doctor.Line) {
	links := map[string]*freeswitch.Link{}
	for _, e := range c.switches.all() {
		links[e.name] = e.link
	}
	for _, s := range policy.Switches {
		to := c.config.Link
		to.Name, to.Address, to.Password = s.Name, s.Address, s.Password
		list = append(list, doctor.Line{
			Switch:   to,
			Link:     links[s.Name],
			Gateways: slices.DeleteFunc(policy.Names(), func(name string) bool { return !s.Has(name) }),
			Door: func() (*doctor.Door, error) {
				return &doctor.Door{Socket: or(s.Advertise, c.config.Advertise), Probes: &c.probes, Close: func() {}, Stranger: c.listener.Stranger}, nil
			},
		})
	}
	return list
}

// Database proves that the database can be written and read.
func (c *Controller) Database(ctx context.Context) error { return c.store.Ping(ctx) }
