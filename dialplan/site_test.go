package dialplan_test

import (
	"encoding/xml"
	"errors"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"faxbot/controller/fax"
	"faxbot/dialplan"
)

func site() dialplan.Site {
	return dialplan.Site{
		Socket:  "127.0.0.1:8084",
		HookURL: "http://127.0.0.1:8081" + dialplan.HookPath, HookSecret: "s3cret-._~+/=",
		Gateway: dialplan.Gateway{Name: "carrier", Proxy: "sip.example.net:5060", Username: "fax", Password: "word"},
		Port:    8021, Password: "ClueCon",
	}
}

// nasty is what a value may be that is not ours to choose.
const nasty = `a"b'c&#38;d;}|{<include>$${domain}${x}\$\\ <!-- X-Pre-Process --> $(id) ` + "`id` ü"

func sites() map[string]dialplan.Site {
	fleet, hostile := site(), site()
	fleet.Socket, fleet.Shell = "fax1.example.org:8084|192.0.2.7:8084", true
	fleet.Entry = dialplan.Entry{Extension: "fax.out", Context: "public"}
	fleet.Gateway.Username, fleet.Gateway.Password = "", ""
	fleet.From = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::7/128")}
	hostile.Password, hostile.Gateway.Username, hostile.Gateway.Password = nasty, nasty, nasty
	hostile.StationID, hostile.Header = nasty, nasty
	return map[string]dialplan.Site{"plain": site(), "fleet": fleet, "hostile": hostile}
}

func files(t testing.TB, s dialplan.Site, parts ...dialplan.Part) map[string]string {
	t.Helper()
	list, err := dialplan.Files(s, parts...)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, f := range list {
		all[f.Path] = string(f.Text)
	}
	return all
}

func TestFiles(t *testing.T) {
	for name, s := range sites() {
		list, err := dialplan.Files(s)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var b strings.Builder
		for _, f := range list {
			b.WriteString("-- " + f.Path + map[bool]string{true: " (secret)"}[f.Secret] + " --\n" + string(f.Text))
		}
		golden := filepath.Join("testdata", "site-"+name+".txt")
		if *update {
			if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if b.String() != string(want) {
			t.Errorf("%s:\n got %s\nwant %s", name, b.String(), want)
		}
	}
}

// wellFormed reads a file to its end and returns every attribute of it.
func wellFormed(t testing.TB, text string) (values []string) {
	t.Helper()
	for d := xml.NewDecoder(strings.NewReader(text)); ; {
		token, err := d.Token()
		if err == io.EOF {
			return values
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		if start, is := token.(xml.StartElement); is {
			for _, a := range start.Attr {
				values = append(values, a.Value)
			}
		}
	}
}

func TestFilesAreWellFormed(t *testing.T) {
	for name, s := range sites() {
		for path, text := range files(t, s) {
			if !strings.HasSuffix(path, ".xml") {
				continue
			}
			wellFormed(t, text)
			t.Run(name+"/"+path, func(t *testing.T) {
				lint, err := exec.LookPath("xmllint")
				if err != nil {
					t.Skip("xmllint is not installed (libxml2-utils)")
				}
				cmd := exec.Command(lint, "--noout", "-")
				cmd.Stdin = strings.NewReader(text)
				if said, err := cmd.CombinedOutput(); err != nil {
					t.Errorf("%v\n%s\n%s", err, said, text)
				}
			})
		}
	}
}

// Every value arrives where it was meant to, whatever it is: past the
// preprocessor, which knows no XML, and the parser.
func TestValuesMeanThemselves(t *testing.T) {
	s := sites()["hostile"]
	want := map[string]int{
		"autoload_configs/event_socket.conf.xml": 1, // password
		"sip_profiles/external/carrier.xml":      2, // user name, password
		"autoload_configs/spandsp.conf.xml":      2, // station id, header
	}
	for path, text := range files(t, s) {
		if !strings.HasSuffix(path, ".xml") {
			continue
		}
		n := 0
		for _, v := range wellFormed(t, preprocess(text)) {
			if v == nasty {
				n++
			}
		}
		if n != want[path] {
			t.Errorf("%s: %d values arrived, want %d:\n%s", path, n, want[path], text)
		}
	}
}

func TestFilesRefuse(t *testing.T) {
	for name, spoil := range map[string]func(*dialplan.Site){
		"socket":           func(s *dialplan.Site) { s.Socket = "here async" },
		"extension":        func(s *dialplan.Site) { s.Entry = dialplan.Entry{Extension: "a b", Context: "default"} },
		"context":          func(s *dialplan.Site) { s.Entry = dialplan.Entry{Extension: "a", Context: "../.."} },
		"undef":            func(s *dialplan.Site) { s.Entry = dialplan.Entry{Extension: "undef", Context: "default"} },
		"gateway":          func(s *dialplan.Site) { s.Gateway.Name = "../x" },
		"no gateway":       func(s *dialplan.Site) { s.Gateway.Name = "" },
		"carrier":          func(s *dialplan.Site) { s.Gateway.Proxy = "sip.example.net'" },
		"secret, expanded": func(s *dialplan.Site) { s.HookSecret = "${x}" },
		"secret, quote":    func(s *dialplan.Site) { s.HookSecret = "a'b" },
		"secret, space":    func(s *dialplan.Site) { s.HookSecret = "a b" },
		"URL, no scheme":   func(s *dialplan.Site) { s.HookURL = "127.0.0.1:8081" },
		"URL, file":        func(s *dialplan.Site) { s.HookURL = "file:///etc/passwd" },
		"URL, words":       func(s *dialplan.Site) { s.HookURL = "http://h/ post x" },
		"URL, expanded":    func(s *dialplan.Site) { s.HookURL = "http://h/${x}" },
		"password":         func(s *dialplan.Site) { s.Password = "a\nb" },
		"header":           func(s *dialplan.Site) { s.Header = "a\x00b" },
		"not UTF-8":        func(s *dialplan.Site) { s.Gateway.Password = "\xff" },
	} {
		s := site()
		spoil(&s)
		if got, err := dialplan.Files(s); fax.ProblemOf(err) != fax.Invalid {
			t.Errorf("%s: %v, %d files", name, err, len(got))
		}
	}
}

// What is not known is left out, and told to who asks for it.
func TestFilesLeaveOut(t *testing.T) {
	s := site()
	s.HookSecret, s.Gateway = "", dialplan.Gateway{}
	list, err := dialplan.Files(s)
	if err != nil || len(list) != 5 {
		t.Errorf("%d files, %v", len(list), err)
	}
	for _, part := range []dialplan.Part{dialplan.HookPart, dialplan.GatewayPart} {
		if _, err := dialplan.Files(s, part); !errors.Is(err, dialplan.ErrIncomplete) {
			t.Errorf("%s: %v", part, err)
		}
	}
}

// The hook is set before the call goes to where it stays.
func TestHookComesFirst(t *testing.T) {
	var hook, socket string
	for path := range files(t, site(), dialplan.HookPart, dialplan.ExtensionPart) {
		if strings.Contains(path, "hook") {
			hook = path
		} else {
			socket = path
		}
	}
	if hook == "" || socket == "" || hook >= socket {
		t.Errorf("%q is read after %q", hook, socket)
	}
}

func TestParseEntry(t *testing.T) {
	for text, want := range map[string]string{
		"faxbot": "faxbot XML default", "faxbot XML": "faxbot XML default", " fax.out  XML  public ": "fax.out XML public",
	} {
		if r, err := dialplan.ParseEntry(text); err != nil || r.String() != want {
			t.Errorf("%q: %q, %v", text, r, err)
		}
	}
	if r, err := dialplan.ParseEntry("  "); err != nil || r != (dialplan.Entry{}) {
		t.Errorf("nothing: %v %v", r, err)
	}
	for _, text := range []string{"a inline", "a XML b c", "&park()", "a'b", "undef XML default", "a XML undef", "a,b", "a XML .."} {
		if r, err := dialplan.ParseEntry(text); err == nil {
			t.Errorf("%q: %v", text, r)
		}
	}
}

// Whatever is put in, it is refused or it stands in one attribute, unchanged.
func FuzzFiles(f *testing.F) {
	f.Add("ClueCon", "fax", "word", "faxbot", "secret", "http://127.0.0.1:8081/x", "Doe Ltd")
	f.Add(nasty, "&#;", "'|}\n", "a|b", "'", "http://h/'", "<?xml?>")
	f.Add("$$${}", "$${", "X-PRE-PROCESSX-PRE-PROCESS", "a.b", "\\", "http://[::1]:1/", "]]>")
	f.Fuzz(func(t *testing.T, password, user, word, extension, secret, address, header string) {
		s := site()
		s.Password, s.Gateway.Username, s.Gateway.Password, s.Header = password, user, word, header
		s.Entry = dialplan.Entry{Extension: extension, Context: "default"}
		s.HookSecret, s.HookURL = secret, address
		list, err := dialplan.Files(s)
		if err != nil {
			return
		}
		for _, file := range list {
			if !strings.HasSuffix(file.Path, ".xml") {
				continue
			}
			found := map[string]bool{}
			for _, v := range wellFormed(t, preprocess(string(file.Text))) {
				found[v] = true
			}
			var want []string
			switch path.Base(file.Path) {
			case "carrier.xml":
				if user != "" {
					want = []string{user, word}
				}
			case "10_faxbot_hook.xml":
				want = []string{strings.ReplaceAll(s.Hook(), "$${conf_dir}", confDir)}
			case "event_socket.conf.xml":
				want = []string{password}
			case "spandsp.conf.xml":
				if header != "" {
					want = []string{header}
				}
			}
			for _, v := range want {
				if !found[v] {
					t.Fatalf("%q is not in %s:\n%s", v, file.Path, file.Text)
				}
			}
		}
	})
}
