package controller

import (
	"context"

	"faxbot/controller/doctor"
	"faxbot/controller/document"
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
	to := c.config.Link
	to.Address, to.Password = policy.Switch.Address, policy.Switch.Password
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
			return "written and read", c.Database(ctx)
		},
		Documents: func() (*document.Folder, error) { return c.docs, nil },
		Switch:    to,
		Link:      c.link,
		Gateways:  policy.Names(),
		T38:       policy.T38,
		Fetches:   c.config.DocumentURL,
		Route:     c.config.Dialplan,
		Door: func() (*doctor.Door, error) {
			return &doctor.Door{Socket: c.config.Advertise, Probes: &c.probes, Close: func() {}, Stranger: c.listener.Stranger}, nil
		},
	}
}

// Database proves that the database can be written and read.
func (c *Controller) Database(ctx context.Context) error { return c.store.Ping(ctx) }
