package simulator

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestOneUUIDIsOneCall(t *testing.T) {
	t.Parallel()
	const uuid = "01234567-89ab-cdef-0123-456789abcdef"
	d := newDesk(t, Config{})
	call := d.originate("5551000", ",origination_uuid="+uuid)
	if got := call.start(); got != uuid {
		t.Fatalf("the channel is %s", got)
	}
	d.link.event("BACKGROUND_JOB", "+OK "+uuid)
	d.link.event("BACKGROUND_JOB", d.dial("5551000", ",origination_uuid="+uuid), "-ERR DESTINATION_OUT_OF_ORDER\n")
	if got := d.link.api("uuid_exists " + uuid); got != "true" {
		t.Errorf("uuid_exists: %s", got)
	}
	dials := 0
	for _, e := range d.s.Ledger() {
		if e.Kind == "dial" {
			dials++
		}
	}
	if dials != 1 {
		t.Errorf("dialled %d times", dials)
	}
}

// The switch's own record: set with uuid_setvar it is written when the fax
// ends and when the channel reports, and a restart with memory keeps it.
func TestTheSwitchsOwnRecord(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "state")
	d := newDesk(t, Config{StatePath: state})
	call := d.originate("1555993001", ",execute_on_fax_result=db::insert/faxbot/early/${fax_success}")
	uuid := call.start()
	call.api("uuid_setvar " + uuid + " execute_on_fax_result db::insert/faxbot/A/${fax_success}_${fax_result_code}_${fax_document_transferred_pages}")
	call.api("uuid_setvar " + uuid + " api_reporting_hook db insert/faxbot/Ar/${fax_success}_${hangup_cause}")
	call.txfax(d.document(2))
	call.event("CHANNEL_EXECUTE_COMPLETE", "Application: txfax\n")
	call.event("CHANNEL_EXECUTE_COMPLETE", "Application: db\n")
	call.event("CHANNEL_HANGUP_COMPLETE")
	check := func(link *peer, want string) {
		t.Helper()
		got := link.api("db select/faxbot/A") + " " + link.api("db select/faxbot/Ar") + " " + link.api("db select/faxbot/early")
		if got != want {
			t.Errorf("the record is %q, want %q", got, want)
		}
	}
	const kept, none = "0_49_1 0_NORMAL_CLEARING -ERR no reply\n", "-ERR no reply\n -ERR no reply\n -ERR no reply\n"
	check(d.link, kept)
	d.s.Restart(true)
	check(dial(t, d.s), kept)
	check(dial(t, RunT(t, Config{StatePath: state})), kept) // another process
	d.s.Restart(false)
	check(dial(t, d.s), none)
}

func TestRestartForgetsEverything(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Config{})
	call := d.originate("1555994004", "")
	uuid := call.start()
	call.txfax(d.document(1))
	core := value(call.event(negotiated), "Core-UUID")
	d.s.Restart(false)
	call.closed()
	d.link.closed()
	if d.s.Calls() != 0 {
		t.Error("a call is left")
	}
	link := dial(t, d.s)
	if got := link.api("uuid_exists " + uuid); got != "false" {
		t.Errorf("uuid_exists: %s", got)
	}
	link.ask("event plain BACKGROUND_JOB CHANNEL_HANGUP_COMPLETE")
	link.ask("bgapi status")
	if got := value(link.next("BACKGROUND_JOB"), "Core-UUID"); got == core || got == "" {
		t.Errorf("Core-UUID is still %q", got)
	}
	for _, e := range d.s.Ledger() {
		if e.Kind == "end" {
			t.Error("a crashed call has ended in the ledger")
		}
	}
}

func TestDropLinksLeavesCallsAlone(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Config{})
	call := d.originate("5551000", "")
	call.start()
	d.s.DropLinks()
	d.link.closed()
	call.txfax(d.document(1))
	call.event(result, "fax-success: 1\n")
}

func TestLedger(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger")
	d := newDesk(t, Config{LedgerPath: path})
	call := d.originate("5551000", ",faxbot_attempt_id=a1")
	uuid := call.start()
	document := d.document(2)
	call.txfax(document)
	d.link.event("CHANNEL_HANGUP_COMPLETE", uuid)
	link := dial(t, d.s) // the channel is gone a moment after its last event
	for link.api("uuid_exists "+uuid) == "true" {
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, ln := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		var e Entry
		if err := json.Unmarshal([]byte(ln), &e); err != nil {
			t.Fatal(err)
		}
		if e.UUID != uuid || e.Job != "5551000" || e.Attempt != "a1" || e.Number != "5551000" || e.Gateway != "carrier" || e.Time.IsZero() {
			t.Errorf("entry %+v", e)
		}
		kinds = append(kinds, e.Kind)
	}
	if got := strings.Join(kinds, " "); got != "dial answer page page result end" {
		t.Errorf("ledger: %s", got)
	}
	if got := d.s.Ledger(); len(got) != len(kinds) || got[3].Page != 1 || got[3].File != document || got[4].Pages != 2 {
		t.Errorf("ledger in memory: %+v", got)
	}
}

func TestHeartbeat(t *testing.T) {
	t.Parallel()
	s := RunT(t, Config{Heartbeat: time.Millisecond})
	link := dial(t, s)
	link.ask("event plain HEARTBEAT")
	first, second := link.next("HEARTBEAT"), link.next("HEARTBEAT")
	if value(first, "Event-Info") != "System Ready" || value(first, "Event-Sequence") == value(second, "Event-Sequence") {
		t.Errorf("heartbeats %q %q", first, second)
	}
}

func TestExtension(t *testing.T) {
	t.Parallel()
	listener := listen(t)
	s := RunT(t, Config{})
	if err := s.Load("out", `<extension name="first" continue="true">
		<condition field="destination_number" expression="^fax"><action application="set" data="first=${faxbot_job_id}"/></condition>
		<condition field="${no_such}" expression="^x"><action application="set" data="never=1"/></condition>
	</extension><extension name="other"><condition field="destination_number" expression="^other$"><action application="hangup"/></condition></extension>
	<extension name="faxbot"><condition field="destination_number" expression="^faxbot$">
		<action application="set" data="late=\\\${uuid}"/><action application="socket" data="`+listener.Addr().String()+` async full"/>
	</condition></extension>`); err != nil {
		t.Fatal(err)
	}
	link := dial(t, s)
	link.ask("event plain CHANNEL_HANGUP_COMPLETE")
	link.ask("bgapi originate {faxbot_job_id=7}sofia/gateway/carrier/5551000 faxbot XML out")
	call := accept(t, listener)
	if got := value(call.ask("connect"), "Control"); got != "full" {
		t.Errorf("control %s", got)
	}
	for name, want := range map[string]string{"first": "7", "never": "", "late": "${uuid}"} {
		if got := value(call.ask("getvar "+name), "Reply-Text"); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if err := s.Load("out", `<extension name="x"><condition field="destination_number" expression="("/></extension>`); err == nil {
		t.Error("a dialplan that cannot be read was loaded")
	}
	link.ask("bgapi originate sofia/gateway/carrier/5551000 nowhere")
	link.event("CHANNEL_HANGUP_COMPLETE", "Hangup-Cause: NO_ROUTE_DESTINATION\n")
}

func TestSeedMakesUUIDsRepeatable(t *testing.T) {
	t.Parallel()
	jobs := map[string]bool{}
	for range 2 {
		jobs[value(dial(t, RunT(t, Config{Seed: 7})).ask("bgapi status"), "Job-UUID")] = true
	}
	if len(jobs) != 1 {
		t.Errorf("got %v", jobs)
	}
}
