package dialplan_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"faxbot/controller/fax"
	"faxbot/dialplan"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func sample() dialplan.Call {
	return dialplan.Call{
		Attempt: "0193f1a0-7a11-7b22-8c33-d44e55f66071", Job: "0193f1a07a117b228c33d44e55f66070", Token: "00ff",
		Gateway: "carrier", Number: "+15551230001", CallerID: "15551112222", Ring: time.Minute,
		Socket:     "127.0.0.1:8084",
		Parameters: fax.Parameters{T38: true, V17: true, ECM: true},
	}
}

func TestOriginate(t *testing.T) {
	resumed := sample()
	resumed.Parameters = fax.Parameters{StartPage: 2}
	hostile := sample()
	hostile.StationID = "Kanzlei +49',}{${x}"
	hostile.Header = "Zoë & Söhne, 'GmbH'}\n\napi shutdown"
	fleet := sample()
	fleet.Socket, fleet.CallerID = "fax1.example.org:8084|192.0.2.7:8084", ""
	routed := sample()
	routed.Entry = dialplan.Entry{Extension: "faxbot", Context: "default"}
	for name, call := range map[string]dialplan.Call{"plain": sample(), "resumed": resumed, "hostile": hostile, "fleet": fleet, "routed": routed} {
		got, err := call.Originate()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		golden := filepath.Join("testdata", "originate-"+name+".txt")
		if *update {
			if err := os.WriteFile(golden, []byte(got+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if got+"\n" != string(want) {
			t.Errorf("%s:\n got %s\nwant %s", name, got, want)
		}
	}
}

func TestOriginateRefuses(t *testing.T) {
	for name, spoil := range map[string]func(*dialplan.Call){
		"number":     func(c *dialplan.Call) { c.Number = "1555 &park" },
		"gateway":    func(c *dialplan.Call) { c.Gateway = "a/b" },
		"no gateway": func(c *dialplan.Call) { c.Gateway = "" },
		"caller id":  func(c *dialplan.Call) { c.CallerID = "1,fax_verbose=true" },
		"attempt":    func(c *dialplan.Call) { c.Attempt = "x" },
		"job":        func(c *dialplan.Call) { c.Job = "x,y" },
		"token":      func(c *dialplan.Call) { c.Token = "a b" },
		"socket":     func(c *dialplan.Call) { c.Socket = "127.0.0.1:8084 async" },
		"ipv6":       func(c *dialplan.Call) { c.Socket = "[::1]:8084" },
		"no port":    func(c *dialplan.Call) { c.Socket = "127.0.0.1" },
		"port":       func(c *dialplan.Call) { c.Socket = "127.0.0.1:99999" },
		"route":      func(c *dialplan.Call) { c.Entry.Extension = "faxbot" },
		"context":    func(c *dialplan.Call) { c.Entry = dialplan.Entry{Extension: "faxbot", Context: "a 'b"} },
	} {
		c := sample()
		spoil(&c)
		if got, err := c.Originate(); err == nil {
			t.Errorf("%s: accepted: %s", name, got)
		}
	}
}

// Whatever is put in, the text is one line of three words to a splitter that
// honours quotes, has one pair of braces, and keeps the socket application
// whole.
func FuzzOriginate(f *testing.F) {
	f.Add("carrier", "+15551230001", "1555", "ident", "header", "127.0.0.1:8084")
	f.Add("carrier", "15550001", "15551112222", "SpanDSP Fax Ident", "", "127.0.0.1:8199") // as recorded
	f.Add("c'", "1", ",", "',}", "${x}\n\n", "h:1|i:2 x")
	f.Fuzz(func(t *testing.T, gateway, number, caller, ident, header, socket string) {
		c := sample()
		c.Gateway, c.Number, c.CallerID = gateway, fax.Number(number), caller
		c.StationID, c.Header, c.Socket = ident, header, socket
		s, err := c.Originate()
		if err != nil {
			return
		}
		tail := "}sofia/gateway/" + gateway + "/" + number + " '&socket(" + socket + " async full)'"
		if !strings.HasPrefix(s, "originate {origination_uuid=") || !strings.HasSuffix(s, tail) {
			t.Fatal(s)
		}
		inner := strings.TrimSuffix(strings.TrimPrefix(s, "originate {"), tail)
		if strings.ContainsAny(inner, "{}'\"`$\\ \r\n^") {
			t.Fatal(s)
		}
		for _, pair := range strings.Split(inner, ",") {
			if strings.Count(pair, "=") != 1 {
				t.Fatal(s)
			}
		}
		if strings.Count(s, "'") != 2 || strings.Count(s, " ") != 4 {
			t.Fatal(s)
		}
		told, err := c.Instruct()
		if err != nil || strings.Count(told, " ") != 2 || strings.ContainsAny(told, "{}'\"`$\\\r\n^") {
			t.Fatal(told, err)
		}
		for _, pair := range strings.Split(told, ";") {
			if strings.Count(pair, "=") != 1 {
				t.Fatal(told)
			}
		}
	})
}

func TestRecord(t *testing.T) {
	const none = "-ERR no reply\n"
	for name, c := range map[string]struct {
		result, report string
		want           dialplan.Record
		ok             bool
	}{
		"none":              {none, none, dialplan.Record{}, false},
		"empty":             {"", "", dialplan.Record{}, false},
		"fax":               {"0_41_0", none, dialplan.Record{Fax: true, Code: 41}, true},
		"both":              {"1_0_3", "1_0_3_NORMAL_CLEARING\n", dialplan.Record{Fax: true, Success: true, Pages: 3, Ended: true, Cause: "NORMAL_CLEARING"}, true},
		"no fax":            {none, "___NORMAL_CLEARING", dialplan.Record{Ended: true, Cause: "NORMAL_CLEARING"}, true},
		"pages, no verdict": {none, "__2_NORMAL_CLEARING", dialplan.Record{Pages: 2, Ended: true, Cause: "NORMAL_CLEARING"}, true},
		"report alone":      {none, "0_49_1_MANAGER_REQUEST", dialplan.Record{Fax: true, Code: 49, Pages: 1, Ended: true, Cause: "MANAGER_REQUEST"}, true},
		"not a record":      {"hello", "x", dialplan.Record{}, false},
	} {
		if got, ok := dialplan.ParseRecord(c.result, c.report); got != c.want || ok != c.ok {
			t.Errorf("%s: %+v %v, want %+v %v", name, got, ok, c.want, c.ok)
		}
	}
}

// A guest is told all that decides which pages are sent, and by whom.
func TestInstruct(t *testing.T) {
	c := sample()
	c.Parameters.StartPage, c.StationID, c.Header = 2, "+49;x=1", "Söhne; fax_end_page=0"
	got, err := c.Instruct()
	if err != nil {
		t.Fatal(err)
	}
	got += "\n" + dialplan.Prove(c.Attempt, "00ff") + "\n"
	golden := filepath.Join("testdata", "guest.txt")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || got != string(want) {
		t.Errorf("%v\n got %s\nwant %s", err, got, want)
	}
	for name, spoil := range map[string]func(*dialplan.Call){
		"attempt": func(c *dialplan.Call) { c.Attempt = "x y" },
		"job":     func(c *dialplan.Call) { c.Job = "x;y" },
		"token":   func(c *dialplan.Call) { c.Token = "" },
	} {
		c := sample()
		spoil(&c)
		if got, err := c.Instruct(); err == nil {
			t.Errorf("%s: accepted: %s", name, got)
		}
	}
}

func TestRecordCommandsKeepTheirVariables(t *testing.T) {
	id := sample().Attempt
	got := strings.Join(append(append(dialplan.KeepRecord(id), dialplan.ReadRecord(id)...), dialplan.ForgetRecord(id)...), "\n") + "\n"
	golden := filepath.Join("testdata", "record.txt")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || got != string(want) {
		t.Errorf("%v\n got %s\nwant %s", err, got, want)
	}
}

// A probe must never reach a telephone.
func TestProbe(t *testing.T) {
	p := dialplan.Probe{Attempt: "0193f1a0-7a11-7b22-8c33-d44e55f66071", Token: "00ff", Socket: "127.0.0.1:8084"}
	got, err := p.Originate()
	want := "originate {origination_uuid=0193f1a0-7a11-7b22-8c33-d44e55f66071,faxbot_attempt_id=0193f1a0-7a11-7b22-8c33-d44e55f66071," +
		"faxbot_token=00ff,originate_timeout=5}null/faxbot-probe '&socket(127.0.0.1:8084 async full)'"
	if err != nil || got != want {
		t.Errorf("%s, %v", got, err)
	}
	for name, spoil := range map[string]func(*dialplan.Probe){
		"uuid": func(p *dialplan.Probe) { p.Attempt = "a,b" }, "token": func(p *dialplan.Probe) { p.Token = "}" },
		"no token": func(p *dialplan.Probe) { p.Token = "" }, "socket": func(p *dialplan.Probe) { p.Socket = "[::1]:8084" },
	} {
		bad := p
		spoil(&bad)
		if text, err := bad.Originate(); fax.ProblemOf(err) != fax.Invalid {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
}
