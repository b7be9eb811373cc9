package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"
)

type webhooksCommand struct {
	List   listEndpointsCommand  `cmd:"" help:"List who is told of every fax."`
	Add    addEndpointCommand    `cmd:"" help:"Have somebody told of every fax; prints the secret that signs, once."`
	Change changeEndpointCommand `cmd:"" help:"Change an address, its events or its note; enable or disable it."`
	Rotate rotateEndpointCommand `cmd:"" help:"Give it another secret; for a time both sign."`
	Test   testEndpointCommand   `cmd:"" help:"Send it a message now and say what came of it."`
	Remove removeEndpointCommand `cmd:"" help:"Tell it nothing more."`
	Dead   deadWebhooksCommand   `cmd:"" help:"List messages that were given up after three days."`
	Replay replayWebhookCommand  `cmd:"" help:"Try one of them again."`
}

const endpointsPath = "/admin/webhook-endpoints"

// endpoint is somebody who is told of every fax.
type endpoint struct {
	ID, Target, Note, Source, Secret string
	Events                           []string
	Enabled                          bool
	OldSecretUntil                   time.Time `json:"old_secret_until"`
}

func (e endpoint) showSecret(s streams) error {
	_, err := fmt.Fprintf(s.out, "webhook  %s\nsecret   %s\n", e.ID, e.Secret)
	if err == nil {
		_, err = fmt.Fprintln(s.err, "The secret is not told again: keep it now.")
	}
	return err
}

type listEndpointsCommand struct {
	client `embed:""`
}

// Run lists the endpoints.
func (c listEndpointsCommand) Run(s streams) error {
	var all []endpoint
	text, err := c.ask(http.MethodGet, endpointsPath, nil, nil, &all)
	if err != nil {
		return err
	}
	return c.print(s.out, text, func() error {
		t := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "WEBHOOK\tTARGET\tEVENTS\tSTATE\tNOTE")
		for _, e := range all {
			id, events, state := e.ID, "all", "enabled"
			if id == "" {
				id = "(" + e.Source + ")"
			}
			if len(e.Events) > 0 {
				events = strings.Join(e.Events, ",")
			}
			if !e.Enabled {
				state = "disabled"
			}
			if !e.OldSecretUntil.IsZero() {
				state += ", two secrets until " + e.OldSecretUntil.Local().Format(time.DateTime)
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", id, visible(e.Target), events, state, visible(e.Note))
		}
		return t.Flush()
	})
}

type addEndpointCommand struct {
	client `embed:""`
	URL    string   `arg:"" name:"address" placeholder:"URL" help:"For instance https://example.net/hook."`
	Event  []string `placeholder:"EVENT" help:"fax.queued, fax.sending, fax.page, fax.held, fax.delivered or fax.failed; may be repeated (all)."`
	Note   string   `placeholder:"TEXT" help:"Whatever there is to say."`
}

// Run adds an endpoint.
func (c addEndpointCommand) Run(s streams) error {
	var e endpoint
	text, err := c.askJSON(http.MethodPost, endpointsPath, map[string]any{"url": c.URL, "events": append([]string{}, c.Event...), "note": c.Note}, &e)
	if err != nil {
		return err
	}
	return c.print(s.out, text, func() error { return e.showSecret(s) })
}

// oneEndpoint is a command about one endpoint.
type oneEndpoint struct {
	client `embed:""`
	ID     string `arg:"" name:"id" placeholder:"WEBHOOK" help:"Its id."`
}

func (e oneEndpoint) path() string { return endpointsPath + "/" + url.PathEscape(e.ID) }

// done asks for something and says that it was done.
func (e oneEndpoint) done(s streams, method string, body any, what string) error {
	var reply any
	text, err := e.askJSON(method, e.path(), body, &reply)
	if err != nil {
		return err
	}
	return e.print(s.out, text, func() error {
		_, err := fmt.Fprintf(s.out, "%s is %s\n", e.ID, what)
		return err
	})
}

type changeEndpointCommand struct {
	oneEndpoint `embed:""`
	To          string   `placeholder:"URL" help:"Another address; what waits goes there."`
	Event       []string `placeholder:"EVENT" help:"The events that it is told; all: every one."`
	Note        *string  `placeholder:"TEXT" help:"Another note."`
	Enable      bool     `xor:"enabled" help:"Tell it again."`
	Disable     bool     `xor:"enabled" help:"Tell it nothing; what becomes due is given up and can be replayed."`
}

// Run changes an endpoint.
func (c changeEndpointCommand) Run(s streams) error {
	asked := map[string]any{}
	if c.To != "" {
		asked["url"] = c.To
	}
	if len(c.Event) == 1 && c.Event[0] == "all" {
		c.Event = []string{}
	}
	if c.Event != nil {
		asked["events"] = c.Event
	}
	if c.Note != nil {
		asked["note"] = *c.Note
	}
	if c.Enable || c.Disable {
		asked["enabled"] = c.Enable
	}
	if len(asked) == 0 {
		return &settingsError{[]string{"there is nothing to change: use --to, --event, --note, --enable or --disable"}}
	}
	return c.done(s, http.MethodPatch, asked, "changed")
}

type removeEndpointCommand struct {
	oneEndpoint `embed:""`
}

// Run removes an endpoint.
func (c removeEndpointCommand) Run(s streams) error {
	return c.done(s, http.MethodDelete, struct{}{}, "removed")
}

type rotateEndpointCommand struct {
	oneEndpoint `embed:""`
	Overlap     int `default:"24" placeholder:"HOURS" help:"How long the old secret signs, too (${default})."`
}

// Run gives an endpoint another secret.
func (c rotateEndpointCommand) Run(s streams) error {
	var e endpoint
	text, err := c.askJSON(http.MethodPost, c.path()+"/rotate", map[string]int{"overlap_hours": c.Overlap}, &e)
	if err != nil {
		return err
	}
	return c.print(s.out, text, func() error { return e.showSecret(s) })
}

type testEndpointCommand struct {
	oneEndpoint `embed:""`
}

// Run sends an endpoint a message; the exit status tells what came of it.
func (c testEndpointCommand) Run(s streams) error {
	var result struct {
		Delivered bool
		Detail    string
		Seconds   float64
	}
	text, err := c.ask(http.MethodPost, c.path()+"/test", nil, nil, &result)
	if err != nil {
		return err
	}
	err = c.print(s.out, text, func() error {
		if !result.Delivered {
			return nil
		}
		_, err := fmt.Fprintf(s.out, "%s took the message in %.2f s\n", c.ID, result.Seconds)
		return err
	})
	if err == nil && !result.Delivered {
		err = fmt.Errorf("the message was not delivered: %s", visible(result.Detail))
	}
	return err
}

type deadWebhooksCommand struct {
	client `embed:""`
}

// Run lists what was given up.
func (c deadWebhooksCommand) Run(s streams) error {
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
