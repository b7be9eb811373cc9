package main

import (
	"fmt"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"
)

type hostsCommand struct {
	client `embed:""`
}

// hostView is what REST tells of a host.
type hostView struct {
	Name     string
	Version  string
	Since    time.Time
	Silent   float64 `json:"silent_seconds"`
	Alive    bool
	Draining bool
	Live     int `json:"live_calls"`
	Switches []struct {
		Name string
		Up   bool
	}
}

// Run lists the hosts.
func (c hostsCommand) Run(s streams) error {
	var list struct{ Hosts []hostView }
	text, err := c.ask(http.MethodGet, "/admin/hosts", nil, nil, &list)
	if err != nil {
		return err
	}
	return c.print(s.out, text, func() error {
		table := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "HOST\tSTATE\tSEEN\tCALLS\tSWITCHES\tVERSION\tSINCE")
		for _, h := range list.Hosts {
			fmt.Fprintf(table, "%s\t%s\t%s ago\t%d\t%s\t%s\t%s\n", visible(h.Name), h.state(),
				(time.Duration(h.Silent) * time.Second), h.Live, visible(h.serves()), visible(h.Version), h.Since.Local().Format(time.DateTime))
		}
		return table.Flush()
	})
}

func (h hostView) state() string {
	switch {
	case !h.Alive:
		return "silent"
	case h.Draining:
		return "draining"
	}
	return "alive"
}

func (h hostView) serves() string {
	var names []string
	for _, s := range h.Switches {
		if s.Up {
			names = append(names, s.Name)
		} else {
			names = append(names, s.Name+" (down)")
		}
	}
	return strings.Join(names, ", ")
}
