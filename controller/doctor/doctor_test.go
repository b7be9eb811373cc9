package doctor_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"faxbot/controller/doctor"
	"faxbot/controller/document"
	"faxbot/controller/freeswitch"
	"faxbot/controller/freeswitch/simulator"
	"faxbot/controller/store"
	"faxbot/dialplan"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// healthy is a patient who lacks nothing: a simulated switch, a real folder,
// Ghostscript and database.
func healthy(t *testing.T, config simulator.Config) (*doctor.Patient, *simulator.Switch) {
	t.Helper()
	sim := simulator.RunT(t, config)
	dir := t.TempDir()
	p := &doctor.Patient{
		Premises: &doctor.Premises{KeyLength: 48, Connections: 10, Addresses: []doctor.Address{
			{Setting: "FAXBOT_LISTEN", Address: "127.0.0.1:0"}, {Setting: "FAXBOT_SOCKET_LISTEN", Address: "127.0.0.1:0"},
		}},
		Database: database("sqlite:///" + filepath.Join(dir, "faxbot.db")),
		Line: doctor.Line{
			Switch:   freeswitch.LinkConfig{Address: sim.Addr(), Password: "ClueCon"},
			Gateways: []string{"carrier"},
			Door: func() (*doctor.Door, error) {
				return doctor.Listen(freeswitch.ListenerConfig{Address: "127.0.0.1:0"}, "")
			},
		},
		T38: true,
	}
	setFolder(t, p, document.Config{Dir: filepath.Join(dir, "documents")})
	return p, sim
}

func setFolder(t *testing.T, p *doctor.Patient, c document.Config) {
	c.Spare, c.Logger = -1, slog.New(slog.DiscardHandler)
	p.Documents = func() (*document.Folder, error) {
		folder, err := document.Open(c)
		if err == nil {
			t.Cleanup(func() { folder.Close() })
		}
		return folder, err
	}
}

func database(url string) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		_, err := store.Examine(ctx, url)
		return "can be made", err
	}
}

// nobody is an address where nothing listens.
func nobody(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestHealthy(t *testing.T) {
	t.Parallel()
	p, sim := healthy(t, simulator.Config{Gateways: []string{"carrier"}})
	list := doctor.Examine(t.Context(), *p)
	for _, f := range list {
		if f.Outcome != doctor.OK && f.Check != "accepting" || f.Found == "" || f.How == "" || f.Mend != "" || f.Detail() != "" && f.Outcome == doctor.OK {
			t.Errorf("%+v", f)
		}
	}
	if len(list) < 28 || doctor.Worst(list) != doctor.OK {
		t.Errorf("%d checks, %s", len(list), doctor.Worst(list))
	}
	p.Entry = dialplan.Entry{Extension: "faxbot", Context: "default"}
	again := doctor.Examine(t.Context(), *p)
	if i := slices.IndexFunc(again, func(f doctor.Finding) bool { return f.Check == "connects_back" }); !strings.Contains(again[i].Found, "only a call shows") {
		t.Errorf("a dialplan that was not tried is praised: %+v", again[i])
	}
	if calls := sim.Ledger(); len(calls) != 0 {
		t.Errorf("somebody was called: %v", calls)
	}
	for sim.Calls() > 0 { // the probe hangs up
		select {
		case <-t.Context().Done():
			t.Fatal("the probe stays up")
		case <-time.After(time.Millisecond):
		}
	}
}

// ill is one thing that is broken.
type ill struct {
	sim     simulator.Config
	patient func(*testing.T, *doctor.Patient)

	outcome     doctor.Outcome // "" for fails
	check       string
	found, mend string // are said, among other words
	unknown     string // a check that cannot tell because of it
}

func broken(b simulator.Broken) simulator.Config { return simulator.Config{Broken: b} }

// without is a switch that lacks a module.
func without(module string) simulator.Config {
	return broken(simulator.Broken{Without: []string{module}})
}

func impatient(_ *testing.T, p *doctor.Patient) { p.Switch.Timeout = 300 * time.Millisecond }

func premises(edit func(*doctor.Premises)) func(*testing.T, *doctor.Patient) {
	return func(_ *testing.T, p *doctor.Patient) { edit(p.Premises) }
}

// Every broken thing is named by one line, with its mend, and nothing else is
// blamed.
func TestBroken(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]ill{
		"port closed": {
			patient: func(t *testing.T, p *doctor.Patient) { p.Switch.Address = nobody(t) },
			check:   "switch", found: "connection refused", mend: "FREESWITCH_ESL_PORT",
		},
		"port silent": {
			sim: broken(simulator.Broken{Silent: true}), patient: impatient,
			check: "switch", found: "says nothing", mend: "mod_event_socket",
		},
		"a web server": {
			sim:   broken(simulator.Broken{Greets: "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n400 Bad Request"}),
			check: "switch", found: "is not FreeSWITCH's event socket", mend: "FREESWITCH_ESL_PORT",
		},
		"an ssh server": {
			sim:   broken(simulator.Broken{Greets: "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n"}),
			check: "switch", found: "is not FreeSWITCH's event socket", mend: "FREESWITCH_ESL_PORT",
		},
		"acl":      {sim: broken(simulator.Broken{ACL: true}), check: "acl", found: "rude-rejection", mend: "apply-inbound-acl"},
		"password": {sim: simulator.Config{Password: "other"}, check: "password", found: "refuses the password", mend: "FREESWITCH_ESL_PASSWORD"},
		"stalls": {
			sim: broken(simulator.Broken{Stalls: true}), patient: impatient,
			check: "answers", found: `no answer to "status" within 300ms`, mend: "restart it",
		},
		"old version": {
			sim: broken(simulator.Broken{Version: "1.6.20"}), outcome: doctor.Warning,
			check: "version", found: "FreeSWITCH 1.6.20 is older", mend: "1.10 or later",
		},
		"no mod_spandsp": {sim: without("mod_spandsp"), check: "fax_engine", found: "mod_spandsp is not loaded", mend: "load mod_spandsp"},
		"no mod_db":      {sim: without("mod_db"), outcome: doctor.Warning, check: "records", found: "mod_db is not loaded", mend: "load mod_db"},
		"no mod_curl": {
			sim: without("mod_curl"), outcome: doctor.Warning,
			check: "hook_module", found: "mod_curl is not loaded", mend: "load mod_curl", unknown: "reads_documents",
		},
		"no mod_loopback": {sim: without("mod_loopback"), unknown: "connects_back"},
		"no mod_dptools":  {sim: without("mod_dptools"), unknown: "clock"},
		"no mod_sofia":    {sim: without("mod_sofia"), check: "gateway", found: "sofia Command not found", mend: "load mod_sofia"},
		"gateway missing": {
			sim:   simulator.Config{Gateways: []string{"other"}},
			check: "gateway", found: "no gateway carrier", mend: "FREESWITCH_GATEWAY_NAME",
		},
		"gateway down": {sim: simulator.Config{GatewaysDown: []string{"carrier"}}, check: "gateway", found: "does not answer FreeSWITCH's pings", mend: "firewall"},
		"gateway not registered": {
			sim:   broken(simulator.Broken{Registration: map[string]string{"carrier": "FAIL_WAIT"}}),
			check: "gateway", found: "not registered (FAIL_WAIT)", mend: "password",
		},
		"one gateway of two": {
			sim:     broken(simulator.Broken{Registration: map[string]string{"second": "TRYING"}}),
			patient: func(_ *testing.T, p *doctor.Patient) { p.Gateways = append(p.Gateways, "second") },
			outcome: doctor.Warning, check: "gateway second", found: "not registered (TRYING)", mend: "sofia profile tx rescan",
		},
		"T.38 off": {
			patient: func(_ *testing.T, p *doctor.Patient) { p.T38 = false }, outcome: doctor.Warning,
			check: "t38", found: "not offered", mend: "FREESWITCH_T38_ENABLE=true",
		},
		"cannot connect to us": {sim: broken(simulator.Broken{Lonely: true}), check: "connects_back", found: "cannot connect to 127.0.0.1:", mend: "FAXBOT_SOCKET_ADVERTISE"},
		"told a wrong address": {
			patient: func(t *testing.T, p *doctor.Patient) {
				at := nobody(t)
				p.Door = func() (*doctor.Door, error) {
					return doctor.Listen(freeswitch.ListenerConfig{Address: "127.0.0.1:0"}, at)
				}
			},
			check: "connects_back", found: "cannot connect to 127.0.0.1:", mend: "FAXBOT_SOCKET_ADVERTISE",
		},
		"not allowed in": {
			patient: func(_ *testing.T, p *doctor.Patient) {
				p.Door = func() (*doctor.Door, error) {
					return doctor.Listen(freeswitch.ListenerConfig{Address: "127.0.0.1:0", Allow: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}, "")
				}
			},
			check: "connects_back", found: "a connection from 127.0.0.1 was turned away", mend: "FAXBOT_SOCKET_ALLOW=127.0.0.1",
		},
		"told no address": {
			patient: func(_ *testing.T, p *doctor.Patient) {
				p.Door = func() (*doctor.Door, error) {
					return doctor.Listen(freeswitch.ListenerConfig{Address: "127.0.0.1:0"}, "[::1]:8084")
				}
			},
			check: "connects_back", found: "IPv4", mend: "FAXBOT_SOCKET_ADVERTISE",
		},
		"sees no folder":   {sim: broken(simulator.Broken{Blind: true}), check: "reads_documents", found: "does not see", mend: "at the same path"},
		"may not read":     {sim: broken(simulator.Broken{Unreadable: true}), check: "reads_documents", found: "may not open it", mend: "chmod 2750"},
		"clock ahead":      {sim: broken(simulator.Broken{Ahead: time.Hour}), outcome: doctor.Warning, check: "clock", found: "ahead of ours", mend: "NTP"},
		"clock behind":     {sim: broken(simulator.Broken{Ahead: -time.Minute}), outcome: doctor.Warning, check: "clock", found: "behind ours", mend: "NTP"},
		"settings":         {patient: func(_ *testing.T, p *doctor.Patient) { p.Settings = errors.New("FAX_HEADER is too long") }, check: "settings", found: "FAX_HEADER", mend: "serve --help"},
		"draining":         {patient: accepting(errors.New("shutting down")), check: "accepting", found: "shutting down", mend: "wait"},
		"disabled":         {patient: accepting(doctor.ErrNobodyCalled), outcome: doctor.Warning, check: "accepting", found: "nobody is called", mend: "FAX_DISABLED"},
		"root":             {patient: premises(func(p *doctor.Premises) { p.Owner = "faxbot" }), check: "user", found: "belong to faxbot", mend: "sudo -u faxbot"},
		"no key":           {patient: premises(func(p *doctor.Premises) { p.KeyLength = 0 }), check: "api_key", found: "not set", mend: "API_KEY="},
		"short key":        {patient: premises(func(p *doctor.Premises) { p.KeyLength = 8 }), outcome: doctor.Warning, check: "api_key", found: "may be guessed", mend: "API_KEY="},
		"open door":        {patient: premises(func(p *doctor.Premises) { p.KeyLength, p.InsecureNoAuth = 0, true }), outcome: doctor.Warning, check: "api_key", found: "everybody", mend: "API_KEY="},
		"unsigned":         {patient: premises(func(p *doctor.Premises) { p.Webhooks = 1 }), check: "webhooks", found: "no secret", mend: "FAXBOT_WEBHOOK_SECRETS"},
		"few files":        {patient: premises(func(p *doctor.Premises) { p.Connections = 1 << 40 }), outcome: doctor.Warning, check: "open_files", found: "may open", mend: "LimitNOFILE"},
		"plain text":       {patient: premises(func(p *doctor.Premises) { p.Addresses[0].Address = "0.0.0.0:0" }), outcome: doctor.Warning, check: "tls", found: "without TLS", mend: "FAXBOT_TLS_CERT"},
		"port taken":       {patient: taken, check: "ports", found: "FAXBOT_LISTEN", mend: "ss -ltnp"},
		"database away":    {patient: databaseAway, check: "database", found: "refused", mend: "DATABASE_URL"},
		"no Ghostscript":   {patient: ghostscript("/nowhere/gs"), check: "ghostscript", found: "not found", mend: "apt-get install ghostscript"},
		"Ghostscript lies": {patient: ghostscript(script("echo 10.0.0")), check: "drawing", found: "Ghostscript", mend: "reinstall ghostscript"},
		"old Ghostscript":  {patient: ghostscript(script("echo 9.53.3")), check: "ghostscript", found: "9.53.3", mend: "apt-get install ghostscript"},
		"no MuPDF":         {patient: documents(document.Config{MuPDF: "/nowhere/mutool"}), outcome: doctor.Warning, check: "helpers", found: `FAXBOT_MUPDF is "/nowhere/mutool"`, mend: "none"},
		"no LibreOffice":   {patient: documents(document.Config{LibreOffice: "nooffice"}), outcome: doctor.Warning, check: "helpers", found: `FAXBOT_LIBREOFFICE is "nooffice"`, mend: "none"},
		"no folder": {
			patient: func(t *testing.T, p *doctor.Patient) { setFolder(t, p, document.Config{Dir: "/dev/null/documents"}) },
			check:   "documents", found: "not a directory", mend: "FAX_DATA_DIR",
		},
		"no bucket":        {patient: bucketAway, check: "bucket", found: "bucket faxes cannot be used", mend: "S3_ENDPOINT_URL"},
		"folder read-only": {patient: mounted("ro"), check: "documents", found: "read-only", mend: "FAX_DATA_DIR"},
		"disk nearly full": {patient: mounted("size=40m"), check: "disk", found: "MiB are free, 64 are needed", mend: "enlarge the disk"},
		"little room":      {patient: mounted("size=400m"), outcome: doctor.Warning, check: "disk", found: "MiB are free for documents", mend: "ARTIFACT_TTL_DAYS"},
		"expired":          {patient: certified(-time.Hour), check: "tls", found: "expired on", mend: "renew it"},
		"expires soon":     {patient: certified(72 * time.Hour), outcome: doctor.Warning, check: "tls", found: "expires on", mend: "renew it"},
		"no certificate":   {patient: premises(func(p *doctor.Premises) { p.TLSCert, p.TLSKey = "/nowhere.crt", "/nowhere.key" }), check: "tls", found: "nowhere.crt", mend: "FAXBOT_TLS_CERT"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, _ := healthy(t, c.sim)
			if c.patient != nil {
				c.patient(t, p)
			}
			c.judge(t, doctor.Examine(t.Context(), *p))
		})
	}
}

func (c ill) judge(t *testing.T, list []doctor.Finding) {
	t.Helper()
	if c.outcome == "" {
		c.outcome = doctor.Fails
	}
	for _, f := range list {
		if strings.Contains(fmt.Sprint(f), "hunter2") {
			t.Errorf("a password is shown: %+v", f)
		}
		because, skipped := strings.CutPrefix(f.Found, "not tried, because ")
		switch {
		case f.Check == c.check:
			if f.Outcome != c.outcome || !strings.Contains(f.Found, c.found) || !strings.Contains(f.Mend, c.mend) {
				t.Errorf("%+v; want %s, %q, %q", f, c.outcome, c.found, c.mend)
			}
		case f.Check == c.unknown:
			if f.Outcome != doctor.Skipped || skipped || f.Mend == "" {
				t.Errorf("%+v; want it skipped, for a reason of its own", f)
			}
		case skipped:
			if c.outcome != doctor.Fails || because != c.check+" fails" {
				t.Errorf("wrongly blamed: %+v", f)
			}
		case f.Outcome != doctor.OK && f.Check != "accepting":
			t.Errorf("wrongly blamed: %+v", f)
		}
	}
	for _, name := range []string{c.check, c.unknown} {
		if name != "" && !slices.ContainsFunc(list, func(f doctor.Finding) bool { return f.Check == name }) {
			t.Errorf("there is no check %s", name)
		}
	}
}

// Ready places no call and leaves out what it cannot know.
func TestReady(t *testing.T) {
	t.Parallel()
	p, sim := healthy(t, broken(simulator.Broken{Without: []string{"mod_curl"}, Lonely: true}))
	for _, f := range doctor.Ready(t.Context(), *p) {
		if f.Outcome != doctor.OK || f.Check == "connects_back" || f.Check == "reads_documents" || f.Check == "drawing" {
			t.Errorf("%+v", f)
		}
	}
	if sim.Calls() != 0 {
		t.Error("a call was placed")
	}
	p, _ = healthy(t, broken(simulator.Broken{Blind: true}))
	list := doctor.Ready(t.Context(), *p)
	if last := list[len(list)-1]; doctor.Worst(list) != doctor.Fails || last.Check != "reads_documents" || !strings.Contains(last.Detail(), "does not see") {
		t.Errorf("a switch that sees no documents: %+v", list)
	}
}
