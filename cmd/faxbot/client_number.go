package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"
)

type numberCommand struct {
	client `embed:""`
	Number string `arg:"" placeholder:"NUMBER" help:"Telephone number, as faxes to it have it."`
	Forget bool   `help:"Forget it instead: the next fax is called as if it were the first. Needs the scope keys:manage."`
}

// numberView is what a daemon remembers of a number.
type numberView struct {
	wayView
	Number      string
	Delivered   int
	NotAFax     int `json:"not_a_fax"`
	Failing     int
	RestUntil   time.Time `json:"rest_until"`
	Station     string    `json:"remote_station"`
	Machine     string    `json:"remote_machine"`
	ForgottenAt time.Time `json:"forgotten_at"`
	Gateways    []wayView
}

type wayView struct {
	Gateway string
	Pace    float64 `json:"seconds_per_page"`
	Limits  []struct {
		Name, Cause string
		Calls       int
		Proven      bool
		Until       time.Time
	}
}

// Run shows what is remembered of a number, or has it forgotten.
func (c numberCommand) Run(s streams) error {
	path := "/destinations/" + url.PathEscape(c.Number)
	if c.Forget {
		answer, err := c.open(context.Background(), http.MethodDelete, path, nil, nil)
		if err != nil {
			return err
		}
		return answer.Body.Close()
	}
	var d numberView
	text, err := c.ask(http.MethodGet, path, nil, nil, &d)
	if err != nil {
		return err
	}
	return c.print(s.out, text, func() error { return d.show(s.out) })
}

func (d numberView) show(out io.Writer) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	add := func(name, text string) {
		if text != "" {
			fmt.Fprintf(t, "%s\t%s\n", name, visible(text))
		}
	}
	add("number", d.Number)
	add("delivered", fmt.Sprint(d.Delivered))
	add("machine", strings.TrimSpace(d.Machine+" "+d.Station))
	add("no fax answered", fmt.Sprintf("%d in a row", d.NotAFax))
	add("failing", fmt.Sprintf("%d in a row", d.Failing))
	add("rests until", stampOf(d.RestUntil))
	add("forgotten", stampOf(d.ForgottenAt))
	d.Gateway = "any of them" // with which others begin
	fmt.Fprintln(t, "\nGATEWAY\tSECONDS PER PAGE\tLEFT OUT")
	for _, w := range append(d.Gateways, d.wayView) {
		pace := "-"
		if w.Pace > 0 {
			pace = fmt.Sprintf("%.1f", w.Pace)
		}
		var out []string
		for _, l := range w.Limits {
			proof := "not proven"
			if l.Proven {
				proof = "proven"
			}
			out = append(out, fmt.Sprintf("%s (%s, calls: %d, %s) until %s", l.Name, l.Cause, l.Calls, proof, stampOf(l.Until)))
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", visible(w.Gateway), pace, cmp.Or(strings.Join(out, "; "), "-"))
	}
	return t.Flush()
}

func stampOf(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.Local().Format(time.DateTime)
}
