package main

import (
	"fmt"
	"net/http"
)

type planCommand struct {
	named `embed:""`
}

// Run tells what will happen to a fax.
func (c planCommand) Run(s streams) error {
	var plan struct{ Text string }
	text, err := c.ask(http.MethodGet, c.path()+"/plan", nil, nil, &plan)
	if err != nil {
		return err
	}
	return c.print(s.out, text, func() error {
		_, err := fmt.Fprintln(s.out, visible(plan.Text))
		return err
	})
}
