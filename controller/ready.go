package controller

import (
	"context"
	"fmt"
	"strings"
)

// Check is one thing that must be so for faxes to be sent.
type Check struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"` // what is wrong and how to mend it
}

// Ready tries everything that a fax needs.
func (c *Controller) Ready(ctx context.Context) []Check {
	var checks []Check
	try := func(name string, err error) {
		k := Check{Name: name, OK: err == nil}
		if err != nil {
			k.Detail = err.Error()
		}
		checks = append(checks, k)
	}
	if c.isDraining() {
		try("accepting", errDraining)
	}
	try("database", c.store.Ping(ctx))
	try("documents", c.docs.Check(ctx))
	link := c.link.Up()
	try("switch", link)
	if link != nil {
		return checks
	}
	try("fax_engine", c.ask("module_exists mod_spandsp", func(s string) error {
		if s != "true" {
			return fmt.Errorf("mod_spandsp is not loaded: run \"load mod_spandsp\" and add it to modules.conf.xml")
		}
		return nil
	}))
	for i, g := range c.policy.Load().gateways() {
		name, check := g.Name, "gateway"
		if i > 0 {
			check += " " + name
		}
		try(check, c.ask("sofia status gateway "+name, func(s string) error {
			if strings.Contains(s, "Invalid Gateway") {
				return fmt.Errorf("FreeSWITCH has no gateway %q; set FREESWITCH_GATEWAY_NAME to one that \"sofia status\" lists", name)
			}
			return nil
		}))
	}
	return checks
}

// Database proves that the database can be written and read.
func (c *Controller) Database(ctx context.Context) error { return c.store.Ping(ctx) }

func (c *Controller) ask(command string, judge func(string) error) error {
	answer, err := c.link.API(command)
	if err != nil {
		return err
	}
	return judge(strings.TrimSpace(answer))
}
