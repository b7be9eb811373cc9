package main

import (
	"fmt"
	"net/http"
	"net/url"
	"text/tabwriter"
	"time"
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

type webhooksCommand struct {
	List   listWebhooksCommand  `cmd:"" help:"List webhooks that were given up after three days."`
	Replay replayWebhookCommand `cmd:"" help:"Try one of them again."`
}

type listWebhooksCommand struct {
	client `embed:""`
}

// Run lists what was given up.
func (c listWebhooksCommand) Run(s streams) error {
	var dead []struct {
		ID, Event, Target, Error string
		Fax                      string    `json:"fax_id"`
		DeadAt                   time.Time `json:"dead_at"`
	}
	text, err := c.ask(http.MethodGet, "/admin/webhooks/dead", nil, nil, &dead)
	if err != nil {
		return err
	}
	return c.print(s.out, text, func() error {
		t := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "MESSAGE\tEVENT\tFAX\tTARGET\tGIVEN UP\tWHY")
		for _, m := range dead {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", m.ID, m.Event, m.Fax, visible(m.Target), m.DeadAt.Local().Format(time.DateTime), visible(m.Error))
		}
		return t.Flush()
	})
}

type replayWebhookCommand struct {
	client `embed:""`
	ID     string `arg:"" name:"id" placeholder:"MESSAGE" help:"Id of the message."`
}

// Run makes a message that was given up due again.
func (c replayWebhookCommand) Run(s streams) error {
	var ok struct{}
	text, err := c.ask(http.MethodPost, "/admin/webhooks/"+url.PathEscape(c.ID)+"/replay", nil, nil, &ok)
	if err != nil {
		return err
	}
	return c.print(s.out, text, func() error {
		_, err := fmt.Fprintf(s.out, "%s is tried again\n", c.ID)
		return err
	})
}
