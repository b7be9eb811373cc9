package dialplan

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"text/template"
	"unicode"

	"faxbot/controller/fax"
)

// Site is what FreeSWITCH must be told once, in its configuration folder,
// rather than call by call.
type Site struct {
	Socket string // where calls connect, as in Call
	// Entry is what originate sends calls to, when they go through the dialplan;
	// the zero Entry is extension "faxbot" of the context "default".
	Entry Entry

	HookURL    string // of POST /_internal/freeswitch/outbound_result
	HookSecret string
	Shell      bool // the hook runs curl in a shell, for a switch without mod_curl

	Gateway Gateway

	Port     int    // of the event socket
	Password string // of the event socket
	// From is where the daemon connects to the event socket from. It may be
	// empty unless FreeSWITCH is Remote, on another host than the daemon.
	From   []netip.Prefix
	Remote bool

	StationID string // of faxes that name none
	Header    string // the same
}

// Gateway is a way out to a carrier.
type Gateway struct {
	Name     string
	Proxy    string // HOST[:PORT] of the carrier
	Username string // "" when the carrier knows us by our address: nothing is registered
	Password string
}

// Realm is the carrier without a port.
func (g Gateway) Realm() string {
	if host, _, err := net.SplitHostPort(g.Proxy); err == nil {
		return host
	}
	return g.Proxy
}

// Part is something that FreeSWITCH can be told by itself.
type Part string

// The parts, in the order in which a person needs them.
const (
	EventSocketPart Part = "event-socket"
	ExtensionPart   Part = "extension"
	HookPart        Part = "hook"
	GatewayPart     Part = "gateway"
	ModulesPart     Part = "modules"
)

// Parts are all of them.
var Parts = []Part{EventSocketPart, ModulesPart, ExtensionPart, HookPart, GatewayPart}

// ErrIncomplete is the error about a part for which the Site says too little.
var ErrIncomplete = errors.New("not enough is known")

// File is a file of FreeSWITCH's configuration folder.
type File struct {
	Path   string // below that folder, with slashes
	Part   Part
	Secret bool // holds a password: nobody but FreeSWITCH may read it
	Text   []byte
}

// Files renders parts, and without any named all those for which s says enough.
// A value that could break out of its place is fax.Invalid; one that is missing
// in a part asked for is ErrIncomplete.
func Files(s Site, parts ...Part) ([]File, error) {
	if s.Entry == (Entry{}) {
		s.Entry = Entry{Extension: "faxbot", Context: "default"}
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	var files []File
	for _, part := range Parts {
		if len(parts) > 0 && !slices.Contains(parts, part) {
			continue
		}
		if err := s.lacks(part); err != nil {
			if len(parts) > 0 {
				return nil, err
			}
			continue
		}
		for _, f := range layout {
			if f.part != part || f.shell && !s.Shell {
				continue
			}
			var text bytes.Buffer
			if err := pages.ExecuteTemplate(&text, f.page, s); err != nil {
				return nil, fmt.Errorf("%s: %w", f.page, err)
			}
			place := strings.NewReplacer("CONTEXT", s.Entry.Context, "GATEWAY", s.Gateway.Name).Replace(f.path)
			files = append(files, File{Path: place, Part: part, Secret: f.secret, Text: text.Bytes()})
		}
	}
	return files, nil
}

// Left says why Files leaves out what it leaves out when no part is named.
func Left(s Site) []error {
	var why []error
	for _, part := range Parts {
		if err := s.lacks(part); err != nil {
			why = append(why, err)
		}
	}
	return why
}

// layout says where things are in FreeSWITCH's configuration folder. What is
// included from a folder is included in alphabetical order: the hook must be
// set before the call goes to the socket, where it stays.
var layout = []struct {
	page, path    string
	part          Part
	secret, shell bool
}{
	{page: "event_socket.xml", path: "autoload_configs/event_socket.conf.xml", part: EventSocketPart, secret: true},
	{page: "acl.xml", path: "autoload_configs/acl.conf.xml", part: EventSocketPart},
	{page: "modules.xml", path: "autoload_configs/modules.conf.xml", part: ModulesPart},
	{page: "spandsp.xml", path: "autoload_configs/spandsp.conf.xml", part: ModulesPart},
	{page: "hook.xml", path: "dialplan/CONTEXT/10_faxbot_hook.xml", part: HookPart, secret: true},
	{page: "hook.curl", path: hookConfig, part: HookPart, secret: true, shell: true},
	{page: "extension.xml", path: "dialplan/CONTEXT/11_faxbot.xml", part: ExtensionPart},
	{page: "gateway.xml", path: "sip_profiles/external/GATEWAY.xml", part: GatewayPart, secret: true},
}

//go:embed conf
var conf embed.FS

var pages = template.Must(template.New("").Funcs(template.FuncMap{"literal": literal, "attribute": attribute}).ParseFS(conf, "conf/*"))

func (s Site) lacks(p Part) error {
	switch {
	case p == EventSocketPart && s.Remote && len(s.From) == 0:
		return fmt.Errorf("%w for the event socket: FreeSWITCH runs on another host; say where the daemon connects from (--from)", ErrIncomplete)
	case p == HookPart && s.HookSecret == "":
		return fmt.Errorf("%w for the hook: without FREESWITCH_HOOK_SECRET the daemon believes no result that is posted", ErrIncomplete)
	case p == HookPart && s.HookURL == "":
		return fmt.Errorf("%w for the hook: set FAXBOT_HOOK_URL to where FreeSWITCH reaches the daemon's internal listener", ErrIncomplete)
	case p == GatewayPart && s.Gateway.Proxy == "":
		return fmt.Errorf("%w for the gateway: the carrier's address is missing", ErrIncomplete)
	}
	return nil
}

// safe are the letters that mean nothing to XML, to FreeSWITCH's expansions,
// to mod_curl's arguments and to a shell in quotes.
const safe = letters + digits + "-._~+/="

func (s Site) check() error {
	if _, err := Sockets(s.Socket); err != nil {
		return err
	}
	if err := s.Entry.check(); err != nil {
		return err
	}
	if s.Gateway.Name != "" || s.Gateway.Proxy != "" {
		if err := CheckGateway(s.Gateway.Name); err != nil {
			return err
		}
	}
	if !plain(s.Gateway.Proxy, letters+digits+".-:[]") {
		return fax.Errorf(fax.Invalid, "carrier %.80q: use HOST or HOST:PORT", s.Gateway.Proxy)
	}
	if !plain(s.HookSecret, safe) {
		return fax.Errorf(fax.Invalid, "FREESWITCH_HOOK_SECRET has letters that a FreeSWITCH command cannot carry: use letters, digits and %s (openssl rand -hex 24)", strings.TrimPrefix(safe, letters+digits))
	}
	if u, err := url.Parse(s.HookURL); s.HookURL != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || !plain(s.HookURL, safe+":[]")) {
		return fax.Errorf(fax.Invalid, "hook address %.120q: use http://HOST:PORT%s", s.HookURL, HookPath)
	}
	for name, text := range map[string]string{
		"password of the event socket": s.Password, "user name at the carrier": s.Gateway.Username,
		"password at the carrier": s.Gateway.Password, "station id": s.StationID, "header": s.Header,
	} {
		if strings.IndexFunc(text, func(r rune) bool { return unicode.IsControl(r) || r == unicode.ReplacementChar }) >= 0 {
			return fax.Errorf(fax.Invalid, "The %s has control characters", name)
		}
	}
	return nil
}

// Listen is the address on which the event socket need listen.
func (s Site) Listen() string {
	listen := "127.0.0.1"
	for _, p := range s.From {
		switch {
		case p.Addr().IsLoopback():
		case p.Addr().Is6():
			return "::" // IPv4 too
		default:
			listen = "0.0.0.0"
		}
	}
	return listen
}

// Clients are the networks that may connect to the event socket.
func (s Site) Clients() []string {
	list := []string{"127.0.0.0/8", "::1/128"} // people beside the switch use it too
	for _, p := range s.From {
		if text := p.String(); !p.Addr().IsLoopback() {
			list = append(list, text)
		}
	}
	return list
}

// attribute makes text of ours, whose dollar signs are meant, fit for an
// attribute in double quotes.
func attribute(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace(s)
}

// preprocessed is what FreeSWITCH's preprocessor, which knows no XML, looks for
// in a line (switch_xml.c, preprocess); a line that only mentions it is dropped.
var preprocessed = regexp.MustCompile(`(?i)x-pre-process`)

// literal makes any text mean itself in an attribute in double quotes, also to
// the preprocessor, which replaces $${…} before anything is parsed.
func literal(s string) string {
	s = strings.ReplaceAll(attribute(s), "$", "&#36;")
	return preprocessed.ReplaceAllStringFunc(s, func(word string) string { return word[:1] + "&#45;" + word[2:] })
}
