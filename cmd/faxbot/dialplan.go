package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"faxbot/controller"
	"faxbot/controller/fax"
	"faxbot/dialplan"
)

type dialplanCommand struct {
	Part  string `arg:"" enum:"all,extension,hook,gateway,event-socket,modules" placeholder:"PART" help:"all, extension, hook, gateway, event-socket or modules."`
	Out   string `placeholder:"DIR" help:"Write the files below this folder, FreeSWITCH's configuration folder or another, instead of printing them."`
	Force bool   `help:"Replace files that are there."`
	Form  string `default:"curl" enum:"curl,shell" placeholder:"curl|shell" help:"Of the hook: mod_curl, or the program curl in a shell (${default})."`

	Of       string   `name:"switch" placeholder:"NAME" help:"Of several in FAXBOT_SWITCHES, the one whose configuration this is (the first)."`
	Name     string   `name:"name" placeholder:"NAME" help:"Of the gateway (the first of FREESWITCH_GATEWAY_NAME)."`
	Carrier  string   `placeholder:"HOST:PORT" help:"SIP address of the gateway's carrier."`
	Username string   `placeholder:"NAME" help:"Of the account there; without one nothing is registered."`
	Word     secret   `name:"sip-password" env:"FAXBOT_SIP_PASSWORD" placeholder:"WORD" help:"Its password. Set it in the environment: other users can see flags."`
	From     []string `placeholder:"CIDR" validate:"dive,network" help:"Where this daemon connects to FreeSWITCH from; needed when that is another host."`

	Inside insideSettings `embed:"" group:"Settings of the daemon (see serve --help)"`
	Switch switchSettings `embed:"" group:"Settings of the daemon (see serve --help)"`
	Socket socketSettings `embed:"" group:"Settings of the daemon (see serve --help)"`
	Fax    faxSettings    `embed:"" group:"Settings of the daemon (see serve --help)"`
}

// Help is shown below the flags.
func (dialplanCommand) Help() string {
	return `Run it with the environment of the daemon: addresses, names and secrets are the daemon's own.

all leaves out what too little is known of, and says so. A file that is there already is never replaced without
--force; then nothing is written at all. Files with a secret can be read by their owner and group only: let the
group be FreeSWITCH's (chgrp freeswitch).`
}

// Run prints or writes.
func (c dialplanCommand) Run(s streams) error {
	flaws, err := unusable(c)
	if err != nil {
		return err
	}
	if len(flaws) > 0 {
		return &settingsError{details(flaws)}
	}
	site, err := settings{Inside: c.Inside, Switch: c.Switch, Socket: c.Socket, Fax: c.Fax}.site(c.Of)
	if err != nil {
		return err
	}
	site.Shell, site.From = c.Form == "shell", networks(c.From)
	site.Gateway.Proxy, site.Gateway.Username, site.Gateway.Password = c.Carrier, c.Username, string(c.Word)
	if c.Name != "" {
		site.Gateway.Name = c.Name
	}
	files, err := c.files(site, s)
	if err != nil {
		if errors.Is(err, dialplan.ErrIncomplete) || fax.ProblemOf(err) == fax.Invalid {
			return &settingsError{[]string{err.Error()}}
		}
		return err
	}
	if c.Out != "" {
		return c.write(files, s)
	}
	for _, f := range files {
		if len(files) > 1 {
			fmt.Fprintf(s.out, "==> %s <==\n", f.Path)
		}
		fmt.Fprintf(s.out, "%s", f.Text)
	}
	return nil
}

// files renders the part asked for; of all, those of which enough is known.
func (c dialplanCommand) files(site dialplan.Site, s streams) ([]dialplan.File, error) {
	if c.Part != "all" {
		return dialplan.Files(site, dialplan.Part(c.Part))
	}
	for _, why := range dialplan.Left(site) {
		fmt.Fprintf(s.err, "faxbot: left out: %v\n", why)
	}
	return dialplan.Files(site)
}

// write puts the files into their places: all, or none when one is in the way.
func (c dialplanCommand) write(files []dialplan.File, s streams) error {
	var inTheWay []string
	var fresh []dialplan.File
	for _, f := range files {
		there, err := os.ReadFile(c.place(f))
		if err == nil && string(there) == string(f.Text) {
			continue
		}
		if fresh = append(fresh, f); err == nil {
			inTheWay = append(inTheWay, c.place(f))
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if len(inTheWay) > 0 && !c.Force {
		return fmt.Errorf("nothing is written, since other files are there already: %s. Compare them, then use --force or another folder",
			strings.Join(inTheWay, ", "))
	}
	for _, f := range fresh {
		if err := put(c.place(f), f); err != nil {
			return err
		}
		fmt.Fprintln(s.out, c.place(f))
	}
	if slices.ContainsFunc(fresh, func(f dialplan.File) bool { return f.Secret }) {
		fmt.Fprintln(s.err, "faxbot: some hold secrets: let their group be FreeSWITCH's, then have it read its configuration again (fs_cli -x reloadxml; modules and the event socket need a restart)")
	}
	return nil
}

func (c dialplanCommand) place(f dialplan.File) string {
	return filepath.Join(c.Out, filepath.FromSlash(f.Path))
}

// put replaces a file in one step, so that FreeSWITCH never reads half of it,
// and nobody a secret that the file before let everybody read. It stays with
// the owner and group that the file before had.
func put(place string, f dialplan.File) error {
	if err := os.MkdirAll(filepath.Dir(place), 0o755); err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(place), ".faxbot-*") // FreeSWITCH reads *.xml
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	mode := os.FileMode(0o644)
	if f.Secret {
		mode = 0o640
	}
	if before, there := os.Stat(place); there == nil {
		if id, ok := before.Sys().(*syscall.Stat_t); ok {
			_ = temp.Chown(int(id.Uid), int(id.Gid)) // if we may
		}
	}
	_, err = temp.Write(f.Text)
	if err = errors.Join(err, temp.Chmod(mode), temp.Sync(), temp.Close()); err != nil {
		return err
	}
	return os.Rename(temp.Name(), place)
}

// site is what a FreeSWITCH must be told about a daemon with these settings; ""
// is the first one.
func (s settings) site(name string) (dialplan.Site, error) {
	all := s.Switch.switches()
	i := slices.IndexFunc(all, func(one controller.Switch) bool { return name == "" || one.Name == name })
	if i < 0 {
		return dialplan.Site{}, &settingsError{[]string{fmt.Sprintf("FAXBOT_SWITCHES has no switch %q", name)}}
	}
	this := all[i]
	host, port, _ := net.SplitHostPort(this.Address)
	s.Switch.Several, s.Switch.Host, s.Switch.Password = "", host, secret(this.Password)
	s.Switch.Port, _ = strconv.Atoi(port)
	s.Socket.Advertise = cmp.Or(this.Advertise, s.Socket.Advertise)
	var lines []string
	socket := s.Socket.Advertise
	if socket == "" {
		var ok bool
		if socket, ok = s.reached(s.Socket.Listen); !ok {
			lines = append(lines, "--socket-advertise (FAXBOT_SOCKET_ADVERTISE) is not set: set it to HOST:PORT as FreeSWITCH reaches "+s.Socket.Listen)
		}
	}
	hook := s.Inside.HookURL
	if address, ok := s.reached(s.Inside.Listen); hook == "" && ok {
		hook = "http://" + address + dialplan.HookPath
	}
	if len(lines) > 0 {
		return dialplan.Site{}, &settingsError{lines}
	}
	gateways, _ := s.Switch.ways()
	gateways = append(slices.DeleteFunc(slices.Clone(gateways), func(g controller.Gateway) bool { return !this.Has(g.Name) }), gateways...)
	return dialplan.Site{
		Socket: socket, Entry: s.Switch.entry(), HookURL: hook, HookSecret: string(s.Switch.HookSecret),
		Gateway: dialplan.Gateway{Name: gateways[0].Name},
		Port:    s.Switch.Port, Password: string(s.Switch.Password), Remote: !s.Switch.near(),
		StationID: s.Fax.StationID, Header: s.Fax.Header,
	}, nil
}

// reached is an address that we listen on as FreeSWITCH can connect to it; not
// ok when that cannot be known.
func (s settings) reached(listen string) (string, bool) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil || port == "0" {
		return "", false
	}
	ip := net.ParseIP(host)
	switch {
	case host == "" || ip.IsUnspecified():
		return "127.0.0.1:" + port, s.Switch.near()
	case ip.IsLoopback():
		return listen, s.Switch.near()
	}
	return listen, true
}
