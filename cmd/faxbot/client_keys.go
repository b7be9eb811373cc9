package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"
)

type keysCommand struct {
	Create createKeyCommand `cmd:"" help:"Make a key and print its token, once."`
	List   listKeysCommand  `cmd:"" help:"List the keys."`
	Weigh  weighKeyCommand  `cmd:"" help:"Give the faxes of a key more turns, or fewer."`
	Rotate rotateKeyCommand `cmd:"" help:"Give a key another token; the one of before is worth nothing."`
	Revoke revokeKeyCommand `cmd:"" help:"Revoke a key."`
}

type createKeyCommand struct {
	client  `embed:""`
	Name    string   `placeholder:"TEXT" help:"For people."`
	Owner   string   `placeholder:"TEXT" help:"Who holds it."`
	Scope   []string `placeholder:"SCOPE" predictor:"scope" help:"fax:send, fax:read, inbound:list, inbound:read, keys:manage or *; may be repeated (fax:send,fax:read)."`
	Expires string   `placeholder:"TIME" help:"For instance 2030-01-31T12:00:00Z (never)."`
	Note    string   `placeholder:"TEXT" help:"Whatever there is to say."`
	Weight  int      `default:"1" placeholder:"N" help:"Turns that its faxes get to one of another key's, 1 to 10 (${default})."`
}

// newKey is a key with its token.
type newKey struct {
	ID    string `json:"key_id"`
	Token string
}

func (k newKey) show(s streams) error {
	_, err := fmt.Fprintf(s.out, "key    %s\ntoken  %s\n", k.ID, k.Token)
	if err == nil {
		_, err = fmt.Fprintln(s.err, "The token is not told again: keep it now.")
	}
	return err
}

// Run makes a key.
func (c createKeyCommand) Run(s streams) error {
	asked := map[string]any{"name": c.Name, "owner": c.Owner, "note": c.Note, "expires_at": c.Expires, "weight": c.Weight}
	if c.Scope != nil {
		asked["scopes"] = c.Scope
	}
	var k newKey
	text, err := c.askJSON(http.MethodPost, "/admin/api-keys", asked, &k)
	if err != nil {
		return err
	}
	return c.print(s.out, text, func() error { return k.show(s) })
}

type listKeysCommand struct {
	client `embed:""`
}

// Run lists the keys.
func (c listKeysCommand) Run(s streams) error {
	var keys []struct {
		ID          string `json:"key_id"`
		Name, Owner string
		Scopes      []string
		Weight      int
		LastUsedAt  time.Time `json:"last_used_at"`
		ExpiresAt   time.Time `json:"expires_at"`
		RevokedAt   time.Time `json:"revoked_at"`
	}
	text, err := c.ask(http.MethodGet, "/admin/api-keys", nil, nil, &keys)
	if err != nil {
		return err
	}
	return c.print(s.out, text, func() error {
		t := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "KEY\tNAME\tOWNER\tSCOPES\tLAST USED\tWEIGHT\tSTATE")
		for _, k := range keys {
			used, state := "never", "good"
			if !k.LastUsedAt.IsZero() {
				used = k.LastUsedAt.Local().Format(time.DateTime)
			}
			switch {
			case !k.RevokedAt.IsZero():
				state = "revoked"
			case !k.ExpiresAt.IsZero() && k.ExpiresAt.Before(time.Now()):
				state = "expired"
			case !k.ExpiresAt.IsZero():
				state = "good until " + k.ExpiresAt.Local().Format(time.DateTime)
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%d\t%s\n", k.ID, visible(k.Name), visible(k.Owner), strings.Join(k.Scopes, ","), used, k.Weight, state)
		}
		return t.Flush()
	})
}

// oneKey is a command about one key.
type oneKey struct {
	client `embed:""`
	ID     string `arg:"" name:"id" placeholder:"KEY" help:"Id of the key, not its token."`
}

func (k oneKey) path() string { return "/admin/api-keys/" + url.PathEscape(k.ID) }

type weighKeyCommand struct {
	oneKey `embed:""`
	Weight int `arg:"" name:"weight" placeholder:"N" help:"Turns to one of another key's, 1 to 10."`
}

// Run gives a key another weight.
func (c weighKeyCommand) Run(s streams) error {
	var ok json.RawMessage
	text, err := c.askJSON(http.MethodPatch, c.path(), map[string]int{"weight": c.Weight}, &ok)
	if err != nil {
		return err
	}
	return c.print(s.out, text, func() error {
		_, err := fmt.Fprintf(s.out, "%s has weight %d\n", c.ID, c.Weight)
		return err
	})
}

type rotateKeyCommand struct {
	oneKey `embed:""`
}

// Run gives a key another token.
func (c rotateKeyCommand) Run(s streams) error {
	var k newKey
	text, err := c.ask(http.MethodPost, c.path()+"/rotate", nil, nil, &k)
	if err != nil {
		return err
	}
	return c.print(s.out, text, func() error { return k.show(s) })
}

type revokeKeyCommand struct {
	oneKey `embed:""`
}

// Run revokes a key.
func (c revokeKeyCommand) Run(s streams) error {
	var ok json.RawMessage
	text, err := c.ask(http.MethodDelete, c.path(), nil, nil, &ok)
	if err != nil {
		return err
	}
	return c.print(s.out, text, func() error {
		_, err := fmt.Fprintf(s.out, "%s is revoked\n", c.ID)
		return err
	})
}
