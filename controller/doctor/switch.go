package doctor

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"faxbot/controller/freeswitch"
)

// reach judges the network, and who listens there.
func (v *visit) reach() result {
	at := v.Switch.Address
	switch err := v.connect(); {
	case err == nil, errors.Is(err, freeswitch.ErrACL), errors.Is(err, freeswitch.ErrPassword):
		return fine(at)
	case errors.Is(err, freeswitch.ErrSilent):
		return fails(at+" takes the connection and says nothing", "another program listens there, or mod_event_socket hangs: reload mod_event_socket")
	case errors.Is(err, freeswitch.ErrStranger):
		return fails(at+" is not FreeSWITCH's event socket", "FREESWITCH_ESL_HOST and FREESWITCH_ESL_PORT must be listen-ip and listen-port of event_socket.conf.xml")
	default:
		return fails(at+" cannot be reached: "+err.Error(), "start FreeSWITCH, load mod_event_socket, and let FREESWITCH_ESL_HOST and FREESWITCH_ESL_PORT "+
			"be listen-ip and listen-port of event_socket.conf.xml")
	}
}

func (v *visit) acl() result {
	if errors.Is(v.connect(), freeswitch.ErrACL) {
		return fails("FreeSWITCH turns this address away (rude-rejection)",
			"allow it in the list that apply-inbound-acl of event_socket.conf.xml names (acl.conf.xml), then reloadacl and reload mod_event_socket")
	}
	return fine("FreeSWITCH lets this address in")
}

func (v *visit) password() result {
	if errors.Is(v.connect(), freeswitch.ErrPassword) {
		return fails("FreeSWITCH refuses the password", "FREESWITCH_ESL_PASSWORD must be the password of event_socket.conf.xml")
	}
	return fine("is accepted")
}

func (v *visit) answers() result {
	said, err := v.ask("status")
	if err != nil {
		return fails("the password is accepted, and then "+err.Error(), "FreeSWITCH hangs or is overloaded: see fs_cli -x status and its log; restart it if it stays so")
	}
	if !strings.Contains(said, " is ready") {
		return fails(fmt.Sprintf("FreeSWITCH is not ready: %.80q", said), "it is starting or shutting down: wait, and see its log")
	}
	return fine("FreeSWITCH is ready")
}

// The oldest release that is known to work so; the one that everything was
// measured with is 1.11.
const oldestMajor, oldestMinor = 1, 10

var release = regexp.MustCompile(`\b(\d+)\.(\d+)(\.\d+)?`)

func (v *visit) version() result {
	said, err := v.ask("version short")
	if err != nil {
		return failed(err, "")
	}
	m := release.FindStringSubmatch(said)
	if m == nil {
		return warn(fmt.Sprintf("FreeSWITCH does not tell its version: %.60q", said), "use FreeSWITCH 1.10 or later")
	}
	major, _ := strconv.Atoi(m[1])
	minor, _ := strconv.Atoi(m[2])
	if major < oldestMajor || major == oldestMajor && minor < oldestMinor {
		return warn("FreeSWITCH "+m[0]+" is older than what Faxbot was tried with", "use FreeSWITCH 1.10 or later")
	}
	return fine("FreeSWITCH " + m[0])
}

const mostApart = 2 * time.Second

func (v *visit) clock() result {
	began := time.Now()
	said, err := v.ask("strmicroepoch")
	took := time.Since(began)
	micros, wrong := strconv.ParseInt(said, 10, 64)
	if err != nil || wrong != nil {
		return unknown("FreeSWITCH does not tell its time; mod_dptools has the command", "load mod_dptools")
	}
	apart := time.UnixMicro(micros).Sub(began.Add(took / 2))
	if apart.Abs() > mostApart+took/2 {
		return warn(fmt.Sprintf("FreeSWITCH's clock is %s %s ours", apart.Abs().Round(100*time.Millisecond), map[bool]string{true: "ahead of", false: "behind"}[apart > 0]),
			"run NTP on both hosts (timedatectl set-ntp true), then fsctl sync_clock")
	}
	return fine(fmt.Sprintf("%d ms apart", apart.Abs().Milliseconds()))
}

// module asks for a module, without which things come to outcome.
func module(name string, outcome Outcome, why string) func(*visit) result {
	return func(v *visit) result {
		said, err := v.ask("module_exists " + name)
		switch {
		case err != nil:
			return failed(err, "")
		case said == "true":
			return fine(name + " is loaded")
		}
		return result{outcome, name + " is not loaded: " + why, "load " + name + " now, and add it to modules.conf.xml"}
	}
}

func (v *visit) fetchModule() result {
	said, err := v.ask("module_exists mod_http_cache")
	if err != nil {
		return failed(err, "")
	}
	if said == "true" {
		return fine("mod_http_cache is loaded")
	}
	if v.Fetches != "" {
		return fails("mod_http_cache is not loaded, and FreeSWITCH is to fetch the pages with it (FAXBOT_DOCUMENT_URL)",
			"load mod_http_cache now, and add it to modules.conf.xml")
	}
	return fine("mod_http_cache is not loaded, and nothing needs it: FreeSWITCH reads the document folder itself")
}

// trunk is a gateway as FreeSWITCH sees it.
type trunk struct {
	missing bool
	profile string
	state   string // of its registration, in mod_sofia's words (sofia_state_names)
	up      bool
	err     error
}

// trunk asks about a gateway, once.
func (v *visit) trunk(name string) trunk {
	if t, known := v.states[name]; known {
		return t
	}
	said, err := v.ask("sofia xmlstatus gateway " + name)
	t := trunk{err: err, missing: strings.Contains(said, "Invalid Gateway"), profile: element(said, "profile"), state: element(said, "state")}
	t.up = element(said, "status") == "UP"
	if err == nil && !t.missing && t.state == "" {
		t.err = fmt.Errorf("mod_sofia is silent about it: %.60q; load mod_sofia", said)
	}
	if v.states == nil {
		v.states = map[string]trunk{}
	}
	v.states[name] = t
	return t
}

// element is the text of the first element of that name. FreeSWITCH's XML is
// not always well-formed: addresses in it are not escaped.
func element(text, name string) string {
	_, text, _ = strings.Cut(text, "<"+name+">")
	text, _, _ = strings.Cut(text, "<")
	return text
}

// gateway makes the check of one; while others are up, it is no failure.
func gateway(name string) func(*visit) result {
	return func(v *visit) result {
		r := v.trunk(name).judge(name)
		if r.outcome != Fails {
			return r
		}
		for _, other := range v.Gateways {
			if v.trunk(other).judge(other).outcome == OK {
				r.outcome = Warning
				break
			}
		}
		return r
	}
}

func (t trunk) judge(name string) result {
	see := "fs_cli -x 'sofia status gateway " + name + "' tells more"
	switch {
	case t.err != nil:
		return failed(t.err, see)
	case t.missing:
		return fails("FreeSWITCH has no gateway "+name, `FREESWITCH_GATEWAY_NAME must be one that "sofia status" lists; after adding it: sofia profile PROFILE rescan`)
	case !t.up && t.state != "NOREG" && t.state != "REGED":
		return fails("gateway "+name+" is not registered ("+t.state+")", "check its username, password, realm and proxy, then sofia profile "+t.profile+" rescan; "+see)
	case !t.up:
		return fails("gateway "+name+" is down: it does not answer FreeSWITCH's pings", "check its address, the network and the firewall; "+see)
	}
	return fine(name + " is up (" + t.state + ")")
}

func (v *visit) t38() result {
	if !v.T38 {
		return warn("T.38 is not offered: faxes go as sound, which lost packets spoil", "FREESWITCH_T38_ENABLE=true, unless the carrier has no T.38")
	}
	return fine("is offered in every call; no profile forbids it. Whether the carrier takes it, only a call tells: faxbot doctor --call NUMBER")
}

// readsDocuments has the switch look for a file of ours and open it: seeing is
// not reading.
func (v *visit) readsDocuments() result {
	if v.Fetches != "" {
		return fine("FreeSWITCH needs not: it fetches the pages from " + v.Fetches)
	}
	path, text, err := v.folder.Probe()
	if err != nil {
		return failed(err, "FAX_DATA_DIR must name a folder that the daemon's user may write")
	}
	said, err := v.ask("file_exists " + path)
	if err != nil {
		return failed(err, "")
	}
	share := fmt.Sprintf("let FreeSWITCH's group own it: chgrp -R freeswitch %[1]s && chmod 2750 %[1]s", v.folder.Dir)
	if unsaid(said) {
		return unknown("FreeSWITCH does not know file_exists", "load mod_commands")
	}
	if said != "true" {
		return fails("FreeSWITCH does not see "+path, "on this host "+share+
			", and let its user pass the folders above (namei -l); in another container or on another host mount the folder at the same path")
	}
	said, err = v.ask("curl " + fileURL(path))
	switch {
	case err != nil:
		return failed(err, "")
	case said == text:
		return fine("FreeSWITCH opens files in " + v.folder.Dir)
	case strings.Contains(said, "Command not found"):
		return unknown("FreeSWITCH sees the folder; whether it may read, it cannot be asked without mod_curl", "load mod_curl")
	case !unsaid(said):
		return fails("FreeSWITCH sees another file at "+path, "mount the folder that this daemon has there, at the same path")
	}
	// Perhaps this curl opens no files at all.
	if said, err = v.ask("curl " + fileURL("/etc/os-release")); err != nil || unsaid(said) {
		return unknown("FreeSWITCH sees the folder; whether it may read, its mod_curl cannot tell", "")
	}
	return fails("FreeSWITCH sees "+path+", but may not open it", share)
}

// fileURL is an address that mod_curl's command takes as one word.
func fileURL(path string) string {
	return strings.ReplaceAll((&url.URL{Scheme: "file", Path: path}).String(), "'", "%27")
}
