package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"faxbot/controller/doctor"
	"faxbot/controller/document"
	"faxbot/controller/store"
)

type doctorCommand struct {
	settings  `embed:""`
	client    `embed:""`
	following `embed:""`
	Call      string `placeholder:"NUMBER" help:"If nothing fails, send a fax of one page there, through the daemon, and follow it to its end."`
}

// exitDoubts is the status of an examination that found warnings only.
const exitDoubts = 3

// Help is shown below the flags.
func (doctorCommand) Help() string {
	return `A running daemon examines itself, as its own user and with its own settings: the one at --url, or the one that these
settings name. Where none runs, this process tries all that faxbot serve would need, with the same settings; run it
as the daemon's user. It makes the document folder when it is missing, and changes nothing else. FreeSWITCH places a
call without a line, to show that it can connect back; no telephone rings before --call.

Exit status: 0 all is well, 1 something fails, 2 wrong usage, 3 nothing fails, but there are warnings.
With --call, of the fax: 0 delivered, 3 failed for good, 4 cancelled, 5 held, 6 not ended when --timeout was over.`
}

// Run examines, and then calls if that was asked for.
func (c doctorCommand) Run(s streams, parsed *kong.Context) error {
	where, list, err := c.examine(parsed)
	if err != nil {
		return err
	}
	c.printFindings(s.out, where, list)
	worst := doctor.Worst(list)
	switch {
	case worst == doctor.Fails:
		return &outcome{exitFailed, "faxes cannot be sent; what fails is told above, with how to mend it"}
	case c.Call != "":
		return c.call(s)
	case worst == doctor.Warning:
		return &outcome{exitDoubts, "faxes can be sent; what may hurt is told above"}
	}
	return nil
}

// examine has a daemon examine itself, or does it here.
func (c doctorCommand) examine(parsed *kong.Context) (where string, list []doctor.Finding, err error) {
	daemon := c.daemon(c.Inside.Listen, "http")
	var view struct{ Findings []doctor.Finding }
	_, err = daemon.ask(http.MethodPost, "/admin/diagnostics/run", nil, nil, &view)
	if err == nil && len(view.Findings) > 0 {
		return "the daemon at " + daemon.URL, view.Findings, nil
	}
	if no := (*refusal)(nil); errors.As(err, &no) && !no.stranger {
		return "", nil, fmt.Errorf("a daemon runs at %s and does not let itself be examined: %w; give its API_KEY", daemon.URL, err)
	}
	if errors.As(err, new(*settingsError)) {
		return "", nil, err
	}
	ctx := context.Background()
	s, err := c.inForce(ctx, parsed)
	patient, done := s.patient()
	defer done()
	patient.Settings = err
	return "this process; no daemon answers at " + daemon.URL, doctor.Examine(ctx, patient), nil
}

// daemon is the one that --url names, or else the one whose settings these are,
// at one of its addresses.
func (c doctorCommand) daemon(listen, scheme string) client {
	d := c.client
	if d.Key == "" {
		d.Key = c.HTTP.APIKey
	}
	host, port, err := net.SplitHostPort(listen)
	if err != nil || d.URL != usualURL {
		return d
	}
	if ip := net.ParseIP(host); host == "" || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	d.URL = scheme + "://" + net.JoinHostPort(host, port)
	return d
}

// inForce are the settings that a daemon would work with: these, and beneath
// them what administrators have stored, where the database can tell. Without a
// key they can be used too, which a check of its own says.
func (c doctorCommand) inForce(ctx context.Context, parsed *kong.Context) (settings, error) {
	own := c.settings
	if own.HTTP.APIKey == "" && !own.HTTP.InsecureNoAuth {
		own.HTTP.APIKey = "missing"
	}
	if err := own.check(); err != nil {
		return c.settings, err
	}
	url := string(own.Storage.DatabaseURL)
	if st, err := store.Examine(ctx, url); err != nil || st.New || st.Version != st.Newest {
		return c.settings, nil // another check says so; a daemon is not to be anticipated
	}
	jobs, err := store.Open(ctx, url, store.Options{Host: "doctor"})
	if err != nil {
		return c.settings, err
	}
	defer jobs.Close() //nolint:errcheck // it was only read
	stored, err := jobs.Settings().Read(ctx)
	if err != nil {
		return c.settings, err
	}
	s, _, _ := layersOf(parsed, own).with(stored.Values) // serve says what it leaves out
	s.HTTP.APIKey = c.HTTP.APIKey
	return s, nil
}

// patient is the daemon that these settings would make.
func (s settings) patient() (p doctor.Patient, done func()) {
	config := s.controller()
	var lines []doctor.Line
	for _, one := range config.Switches {
		to := config.Link
		to.Name, to.Address, to.Password, to.Timeout = one.Name, one.Address, one.Password, 5*time.Second
		lines = append(lines, doctor.Line{
			Switch:   to,
			Gateways: slices.DeleteFunc(config.Names(), func(name string) bool { return !one.Has(name) }),
			Door: func() (*doctor.Door, error) {
				return doctor.Listen(config.Socket, cmp.Or(one.Advertise, config.Advertise))
			},
		})
	}
	var folder *document.Folder
	p = doctor.Patient{
		Premises: s.premises(false),
		Database: func(ctx context.Context) (string, error) { return databaseStands(ctx, string(s.Storage.DatabaseURL)) },
		Documents: func() (*document.Folder, error) {
			kept, err := s.documents()
			if err != nil {
				return nil, err
			}
			kept.Spare, kept.Logger = -1, slog.New(slog.DiscardHandler)
			folder, err = document.Open(kept)
			return folder, err
		},
		Line:    lines[0],
		Others:  lines[1:],
		T38:     config.T38,
		Fetches: config.DocumentURL,
		Entry:   config.Dialplan,
	}
	return p, func() {
		if folder != nil {
			_ = folder.Close()
		}
	}
}

// databaseStands says how a database stands that no daemon of ours has open.
func databaseStands(ctx context.Context, url string) (string, error) {
	s, err := store.Examine(ctx, url)
	switch {
	case err != nil:
		return "", err
	case s.New:
		return "can be made; faxbot serve does it", nil
	case s.Version < s.Newest:
		return fmt.Sprintf("can be written; faxbot serve brings its tables from version %d to %d", s.Version, s.Newest), nil
	case s.Version > s.Newest:
		return "", fmt.Errorf("its tables have version %d, made by a newer Faxbot than this, which knows %d; install that one again", s.Version, s.Newest)
	case s.Risk != "":
		return "", doctor.Risk(s.Risk)
	}
	return "can be written; its tables are up to date", nil
}

// premises are what a doctor looks at beside the controller; bound says that
// this process is the daemon.
func (s settings) premises(bound bool) *doctor.Premises {
	p := &doctor.Premises{
		KeyLength: len(s.HTTP.APIKey), InsecureNoAuth: s.HTTP.InsecureNoAuth, HookSecret: s.Switch.HookSecret != "",
		Webhooks: len(s.Webhook.URLs), WebhookSecrets: len(s.Webhook.Secrets),
		TLSCert: s.HTTP.TLSCert, TLSKey: s.HTTP.TLSKey, Connections: s.Socket.Connections, Bound: bound,
		Addresses: []doctor.Address{
			{Setting: "FAXBOT_LISTEN", Address: s.HTTP.Listen},
			{Setting: "FAXBOT_INTERNAL_LISTEN", Address: s.Inside.Listen},
			{Setting: "FAXBOT_SOCKET_LISTEN", Address: s.Socket.Listen},
		},
	}
	if !bound && os.Geteuid() == 0 {
		p.Owner = ownerOf(s.Storage.DataDir)
	}
	return p
}

// ownerOf is the name of a folder's owner; "" for root, and for no folder.
func ownerOf(dir string) string {
	info, err := os.Stat(filepath.Clean(dir))
	if err != nil {
		return ""
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || st.Uid == 0 {
		return ""
	}
	id := strconv.FormatUint(uint64(st.Uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return "#" + id // as sudo -u takes it
}

func (c doctorCommand) printFindings(out io.Writer, where string, list []doctor.Finding) {
	if c.JSON {
		text, _ := json.Marshal(map[string]any{"examined": where, "worst": doctor.Worst(list), "findings": list})
		fmt.Fprintf(out, "%s\n", text)
		return
	}
	fmt.Fprintf(out, "Examined by %s\n\n", where)
	for _, f := range list {
		fmt.Fprintf(out, "%-8s %s: %s (%s)\n", f.Outcome, f.Check, visible(f.Found), f.How)
		if f.Mend != "" {
			fmt.Fprintf(out, "%-8s   to mend it: %s\n", "", visible(f.Mend))
		}
	}
}

// call sends a page to a number and explains what became of it.
func (c doctorCommand) call(s streams) error {
	scheme := "http"
	if c.HTTP.TLSCert != "" {
		scheme = "https"
	}
	daemon := c.daemon(c.HTTP.Listen, scheme)
	host, _ := os.Hostname()
	page := fmt.Sprintf("A test of the fax line\n\nSent by Faxbot %s on %s\n%s\n\nWhoever reads this can throw it away.\n",
		version(), host, time.Now().Format(time.RFC1123Z))
	body, kind := sendCommand{Files: []string{"-"}, To: c.Call, MaxAttempts: "1"}.form(strings.NewReader(page))
	defer body.Close()
	var d faxView
	if _, err := daemon.ask(http.MethodPost, "/fax", http.Header{"Content-Type": {kind}}, body, &d); err != nil {
		return fmt.Errorf("the test fax: %w", err)
	}
	end := daemon.follow(s.out, d.ID, c.Timeout, false)
	if c.JSON {
		return end
	}
	if _, err := daemon.ask(http.MethodGet, "/fax/"+d.ID, nil, nil, &d); err != nil {
		return errors.Join(end, err)
	}
	for _, line := range d.explain(c.Switch.T38) {
		fmt.Fprintln(s.out, line)
	}
	return end
}

// explain says in words what the last call shows of the line.
func (d faxView) explain(offersT38 bool) []string {
	if len(d.Attempts) == 0 {
		return []string{"No call was placed."}
	}
	a := d.Attempts[len(d.Attempts)-1]
	lines := []string{fmt.Sprintf("Through gateway %s: %s", a.Gateway, visible(a.Message))}
	if a.Rate == 0 {
		return append(lines, "No fax machine was heard.")
	}
	care := map[bool]string{true: "with", false: "without"}[a.ECM] + " error correction"
	way := "over T.38"
	if !a.T38 {
		way = "as sound (G.711)"
		if offersT38 {
			way += ", because the carrier or the other machine did not take T.38: ask the carrier for it"
		}
	}
	return append(lines, fmt.Sprintf("The machines spoke at %d bit/s, %s, %s.", a.Rate, care, way))
}
