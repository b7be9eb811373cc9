package simulator

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// desk is a controller's place: a switch, a command link and a listener.
type desk struct {
	t        testing.TB
	s        *Switch
	link     *peer
	listener net.Listener
	dir      string
}

func newDesk(t testing.TB, config Config) *desk {
	t.Helper()
	d := &desk{t: t, s: RunT(t, config), dir: t.TempDir()}
	d.link = dial(t, d.s)
	d.link.ask("event plain BACKGROUND_JOB CHANNEL_HANGUP_COMPLETE")
	d.listener = listen(t)
	return d
}

// originate dials and returns the connection of the call; vars begin with a
// comma.
func (d *desk) originate(number, vars string) *peer {
	d.t.Helper()
	d.dial(number, vars)
	call := accept(d.t, d.listener)
	d.t.Cleanup(func() { call.conn.Close() })
	return call
}

func (d *desk) dial(number, vars string) string {
	d.t.Helper()
	return value(d.link.ask(fmt.Sprintf("bgapi originate {faxbot_job_id=%s%s}sofia/gateway/carrier/%s '&socket(%s async full)'",
		number, vars, number, d.listener.Addr())), "Job-UUID")
}

// document makes a fax document.
func (d *desk) document(pages int) string {
	d.t.Helper()
	path := filepath.Join(d.dir, fmt.Sprintf("%d.tif", pages))
	writeTIFF(d.t, path, pages)
	return path
}

const faxEvents = "event plain CHANNEL_EXECUTE CHANNEL_EXECUTE_COMPLETE CHANNEL_HANGUP CHANNEL_HANGUP_COMPLETE " +
	"CUSTOM spandsp::txfaxnegociateresult spandsp::txfaxpageresult spandsp::txfaxresult"

// start is what a controller says before the fax. It returns the call's uuid.
func (p *peer) start() string {
	p.t.Helper()
	uuid := value(p.ask("connect"), "Unique-ID")
	p.ask("linger")
	p.ask(faxEvents)
	p.ask("filter Unique-ID " + uuid)
	return uuid
}

func (p *peer) txfax(path string) {
	p.t.Helper()
	p.ask("sendmsg\ncall-command: execute\nexecute-app-name: txfax\nexecute-app-arg: " + path)
}

func (p *peer) hangup(cause string) {
	p.t.Helper()
	p.ask("sendmsg\ncall-command: hangup\nhangup-cause: " + cause)
}

const (
	negotiated = "spandsp::txfaxnegociateresult"
	pageResult = "spandsp::txfaxpageresult"
	result     = "spandsp::txfaxresult"
)

// verdict is code, confirmed and total pages of a txfaxresult.
func verdict(text string) string {
	return value(text, "fax-result-code") + " " + value(text, "fax-document-transferred-pages") + "/" +
		value(text, "fax-document-total-pages")
}

func TestEveryHangupCause(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Config{})
	for _, c := range hangupCauses[1:] {
		number := fmt.Sprintf("1555991%03d", c.number)
		job := d.dial(number, "")
		_, body, _ := strings.Cut(d.link.event("BACKGROUND_JOB", job), "\n\n")
		_, body, _ = strings.Cut(body, "\n\n")
		if want := "-ERR " + c.name + "\n"; body != want {
			t.Errorf("%s: got %q, want %q", number, body, want)
		}
		if c.number >= 808 && c.number <= 811 {
			continue // there never was a channel
		}
		over := d.link.event("CHANNEL_HANGUP_COMPLETE", "variable_faxbot_job_id: "+number+"\n")
		if got := value(over, "variable_hangup_cause"); got != c.name {
			t.Errorf("%s: hangup cause %s, want %s", number, got, c.name)
		}
		if strings.Contains(over, "variable_fax_success") {
			t.Errorf("%s: has a fax verdict", number)
		}
	}
	if d.s.Calls() != 0 {
		t.Errorf("%d calls are left", d.s.Calls())
	}
	if left := d.link.kinds(); len(left) != 0 {
		t.Errorf("unexpected events: %q", left)
	}
}

func TestEveryCompletionCode(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Config{})
	path := d.document(2)
	for code, text := range completionTexts {
		call := d.originate(fmt.Sprintf("1555992%03d", code), "")
		uuid := call.start()
		call.txfax(path)
		got := call.event(result)
		want := map[bool]string{true: "0 2/2", false: fmt.Sprintf("%d 0/0", code)}[code == 0]
		if verdict(got) != want || value(got, "fax-result-text") != text {
			t.Errorf("code %d: got %q %q, want %q %q", code, verdict(got), value(got, "fax-result-text"), want, text)
		}
		d.link.api("uuid_kill " + uuid) // a person stays on the line
		call.event("CHANNEL_HANGUP_COMPLETE", fmt.Sprintf("variable_fax_result_code: %d\n", code))
	}
}

func TestFarEndDropsAfterPages(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Config{})
	for _, tt := range []struct {
		number, vars, want string
		pages              []int // of the file, as delivered
	}{
		{"+15559930000", "", "0 3/3", []int{0, 1, 2}}, // one digit too many: an ordinary number
		{"1555993000", "", "49 0/3", nil},
		{"+1555993002", "", "49 2/3", []int{0, 1}},
		{"1555993003", "", "0 3/3", []int{0, 1, 2}}, // no page after the third
		{"5551000", ",fax_start_page=2", "0 1/3", []int{2}},
		{"5551001", ",fax_start_page=3", "42 0/0", nil},
		{"1555990005", "", "0 3/3", []int{0, 1, 2}},
	} {
		call := d.originate(tt.number, tt.vars)
		call.start()
		call.txfax(d.document(3))
		if got := verdict(call.event(result)); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.number, got, tt.want)
		}
		call.event("CHANNEL_HANGUP_COMPLETE")
		var pages []int
		for _, e := range d.s.Ledger() {
			if e.Number == tt.number && e.Kind == "page" {
				pages = append(pages, e.Page)
			}
		}
		if !slices.Equal(pages, tt.pages) {
			t.Errorf("%s: pages %v were delivered, want %v", tt.number, pages, tt.pages)
		}
	}
}

func TestParametersOfAFax(t *testing.T) {
	t.Parallel()
	const t38 = ",fax_enable_t38=true,fax_enable_t38_request=true"
	d := newDesk(t, Config{})
	for _, tt := range []struct{ number, vars, rate, ecm, t38, ident string }{
		{"1555990000", t38, "14400", "on", "negotiated", "SpanDSP Fax Ident"},
		{"1555990001", t38, "14400", "on", "refused", "SpanDSP Fax Ident"},
		{"1555990002", t38, "14400", "off", "negotiated", "SpanDSP Fax Ident"},
		{"1555990003", t38, "2400", "on", "negotiated", "SpanDSP Fax Ident"},
		{"1555990000", ",fax_enable_t38=true,fax_enable_t38_request=false", "14400", "on", "off", "SpanDSP Fax Ident"},
		{"1555990000", ",fax_use_ecm=false,fax_disable_v17=true", "9600", "off", "off", "SpanDSP Fax Ident"},
		{"1555990000", ",fax_ident='+1%20555%2C%20001'", "14400", "on", "off", "+1 555, 001"},
	} {
		call := d.originate(tt.number, tt.vars)
		call.start()
		call.txfax(d.document(1))
		e := call.event(result)
		got := []string{value(e, "fax-transfer-rate"), value(e, "fax-ecm-used"), value(e, "fax-t38-status"), value(e, "fax-local-station-id")}
		if want := []string{tt.rate, tt.ecm, tt.t38, tt.ident}; !slices.Equal(got, want) {
			t.Errorf("%s %s: got %q, want %q", tt.number, tt.vars, got, want)
		}
		call.event("CHANNEL_HANGUP_COMPLETE")
	}
}

func TestDocumentsThatSpandspRefuses(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Config{})
	wide, grey, empty := filepath.Join(d.dir, "wide"), filepath.Join(d.dir, "grey"), filepath.Join(d.dir, "empty")
	writePages(t, wide, 1, 1700, 1)
	writePages(t, grey, 1, 1728, 8)
	ring := filepath.Join(d.dir, "ring")
	for path, bytes := range map[string]string{empty: "", ring: "II*\x00\x08\x00\x00\x00\x02\x00" +
		"\x00\x01\x04\x00\x01\x00\x00\x00\xc0\x06\x00\x00\x01\x01\x04\x00\x01\x00\x00\x00\xc0\x06\x00\x00\x08\x00\x00\x00"} {
		if err := os.WriteFile(path, []byte(bytes), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]string{
		wide: "12 0/0", grey: "43 0/0", empty: "41 0/0", d.dir: "41 0/0", ring: "41 0/0",
	} {
		call := d.originate("5551000", "")
		call.start()
		call.txfax(path)
		if got := verdict(call.event(result)); got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
	call := d.originate("5551000", "")
	call.start()
	call.txfax("")
	done := call.event("CHANNEL_EXECUTE_COMPLETE")
	if got := value(done, "variable_current_application_response"); got != "Fax TX filename not set" {
		t.Errorf("response %q", got)
	}
}

func TestBusyUntilTheThirdCall(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Config{})
	for range 2 {
		d.link.event("BACKGROUND_JOB", d.dial("1555995003", ""), "-ERR USER_BUSY\n")
	}
	call := d.originate("1555995003", "")
	call.start()
	call.txfax(d.document(1))
	call.event(result, "fax-success: 1\n")
}

func TestHangupEndsARunningFax(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(d *desk, call *peer, uuid string){
		"sendmsg": func(_ *desk, call *peer, _ string) { call.hangup("MANAGER_REQUEST") },
		"sendmsg from another link": func(d *desk, _ *peer, uuid string) {
			d.link.ask("sendmsg " + uuid + "\ncall-command: hangup\nhangup-cause: MANAGER_REQUEST")
		},
		"uuid_kill": func(d *desk, _ *peer, uuid string) { d.link.api("uuid_kill " + uuid + " MANAGER_REQUEST") },
		"hupall":    func(d *desk, _ *peer, _ string) { d.link.api("hupall MANAGER_REQUEST faxbot_job_id 1555994004") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, Config{})
			call := d.originate("1555994004", "") // stalls in the first page
			uuid := call.start()
			call.txfax(d.document(1))
			call.event(negotiated)
			end(d, call, uuid)
			call.event("CHANNEL_EXECUTE")
			for _, kind := range []string{"CHANNEL_HANGUP", result, "CHANNEL_EXECUTE_COMPLETE", "CHANNEL_EXECUTE_COMPLETE"} {
				e := call.next(kind)
				if kind == result && (verdict(e) != "49 0/1" || value(e, "Hangup-Cause") != "MANAGER_REQUEST") {
					t.Errorf("got %s, cause %s", verdict(e), value(e, "Hangup-Cause"))
				}
			}
			over := call.next("CHANNEL_HANGUP_COMPLETE")
			if got := value(over, "variable_sip_hangup_disposition"); got != "send_bye" {
				t.Errorf("disposition %s", got)
			}
		})
	}
}

func TestAFaxOutlivesItsController(t *testing.T) {
	t.Parallel()
	cut := map[string]func(*desk, *peer, string){
		"the controller dies": func(_ *desk, call *peer, _ string) { call.conn.Close() },
		"DropCall":            func(d *desk, _ *peer, uuid string) { d.s.DropCall(uuid) },
		"number 1555994003":   func(*desk, *peer, string) {},
	}
	for name, cut := range cut {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			number := "1555994003"
			d := newDesk(t, Config{Speed: 200})
			if !strings.HasPrefix(name, "number") {
				number = "5551000"
			}
			call := d.originate(number, "")
			uuid := call.start()
			call.txfax(d.document(2))
			call.event("CHANNEL_EXECUTE")
			cut(d, call, uuid)
			call.closed()
			over := d.link.event("CHANNEL_HANGUP_COMPLETE", uuid)
			if value(over, "variable_fax_success") != "1" || value(over, "variable_fax_document_transferred_pages") != "2" {
				t.Errorf("the fax did not end well:\n%s", over)
			}
		})
	}
}

func TestALineThatMisbehaves(t *testing.T) {
	t.Parallel()
	t.Run("a person answers", func(t *testing.T) {
		t.Parallel()
		d := newDesk(t, Config{})
		call := d.originate("1555994001", "")
		call.start()
		call.txfax(d.document(1))
		if got := verdict(call.event(result)); got != "2 0/0" {
			t.Errorf("got %s", got)
		}
		call.event("CHANNEL_EXECUTE_COMPLETE")
		call.hangup("NORMAL_CLEARING")
		call.event("CHANNEL_HANGUP_COMPLETE")
	})
	t.Run("stays up after the result", func(t *testing.T) {
		t.Parallel()
		d := newDesk(t, Config{})
		call := d.originate("1555994002", "")
		uuid := call.start()
		call.txfax(d.document(1))
		call.event(result, "fax-success: 1\n")
		if got := d.link.api("uuid_exists " + uuid); got != "true" {
			t.Errorf("uuid_exists: %s", got)
		}
		if got := call.kinds(); slices.Contains(got, "CHANNEL_EXECUTE_COMPLETE") {
			t.Errorf("txfax has returned: %q", got)
		}
		call.hangup("NORMAL_CLEARING")
		call.event("CHANNEL_EXECUTE_COMPLETE")
		call.event("CHANNEL_HANGUP_COMPLETE", "variable_fax_success: 1\n")
	})
	t.Run("stalls before negotiation", func(t *testing.T) {
		t.Parallel()
		d := newDesk(t, Config{})
		call := d.originate("1555994005", "")
		call.start()
		call.txfax(d.document(1))
		call.event("CHANNEL_EXECUTE")
		call.hangup("NORMAL_CLEARING")
		if got := verdict(call.event(result)); got != "49 0/0" {
			t.Errorf("got %s", got)
		}
	})
	t.Run("never connects", func(t *testing.T) {
		t.Parallel()
		d := newDesk(t, Config{})
		job := d.dial("1555994006", ",origination_uuid=11111111-2222-3333-4444-555555555555")
		d.link.event("BACKGROUND_JOB", job, "+OK 11111111-2222-3333-4444-555555555555\n")
		d.link.api("uuid_kill 11111111-2222-3333-4444-555555555555")
		over := d.link.event("CHANNEL_HANGUP_COMPLETE", "Unique-ID: 11111111-2222")
		if strings.Contains(over, "variable_fax_") {
			t.Error("there is a fax verdict")
		}
	})
	t.Run("rings on", func(t *testing.T) {
		t.Parallel()
		d := newDesk(t, Config{})
		d.link.event("BACKGROUND_JOB", d.dial("1555994010", ",originate_timeout=5"), "-ERR NO_ANSWER\n")
		d.link.event("CHANNEL_HANGUP_COMPLETE", "variable_sip_hangup_disposition: send_cancel\n")
	})
	t.Run("cancelled while it rings", func(t *testing.T) {
		t.Parallel()
		d := newDesk(t, Config{Speed: 1})
		job := d.dial("1555994010", ",origination_uuid=11111111-2222-3333-4444-555555555556")
		d.link.api("uuid_kill 11111111-2222-3333-4444-555555555556 ORIGINATOR_CANCEL")
		d.link.event("BACKGROUND_JOB", job, "-ERR ORIGINATOR_CANCEL\n")
	})
	for number, name := range map[string]string{"1555994007": "byte by byte", "1555994008": "in one piece"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, Config{})
			call := d.originate(number, "")
			call.start()
			call.txfax(d.document(2))
			for _, kind := range []string{
				"CHANNEL_EXECUTE", negotiated, pageResult, pageResult, "CHANNEL_HANGUP", result,
				"CHANNEL_EXECUTE_COMPLETE", "CHANNEL_EXECUTE_COMPLETE", "CHANNEL_HANGUP_COMPLETE", "notice",
			} {
				call.next(kind)
			}
			call.ask("exit")
			call.closed()
		})
	}
	t.Run("closes without notice", func(t *testing.T) {
		t.Parallel()
		d := newDesk(t, Config{})
		call := d.originate("1555994009", "")
		call.start()
		call.txfax(d.document(1))
		call.event("CHANNEL_HANGUP_COMPLETE")
		call.closed()
		if left := call.kinds(); slices.Contains(left, "notice") {
			t.Errorf("there was a notice: %q", left)
		}
	})
}

func TestAFaxTakesItsTime(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Config{Speed: 100})
	begin := time.Now()
	call := d.originate("5551000", "")
	call.start()
	call.txfax(d.document(1))
	call.event(result)
	if took := time.Since(begin); took < 330*time.Millisecond { // recorded: 33.15 s
		t.Errorf("took %v", took)
	}
}
