package simulator

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

func TestAuthentication(t *testing.T) {
	t.Parallel()
	s := RunT(t, Config{Password: "secret"})
	conn, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("auth wrong\n\n")); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(conn)
	want := "Content-Type: auth/request\n\nContent-Type: command/reply\nReply-Text: -ERR invalid\n\n" +
		"Content-Type: text/disconnect-notice\nContent-Length: 67\n\n" + goodbye
	if err != nil || string(got) != want {
		t.Errorf("got %q %v", got, err)
	}
}

func TestCommandsOfTheLink(t *testing.T) {
	t.Parallel()
	s := RunT(t, Config{Gateways: []string{"carrier"}, GatewaysDown: []string{"old"}})
	link := dial(t, s)
	for command, want := range map[string]string{
		"nonsense":                             "-ERR command not found",
		"api":                                  "-ERR command not found",
		"connect":                              "-ERR command not found",
		"linger":                               "-ERR not controlling a session",
		"event plain":                          "-ERR no keywords supplied",
		"event plain NO_SUCH_EVENT":            "-ERR no keywords supplied",
		"event plain HEARTBEAT":                "+OK event listener enabled plain",
		"event plain CUSTOM spandsp::whatever": "+OK event listener enabled plain",
		"nixevent HEARTBEAT":                   "+OK events nixed",
		"filter Unique-ID":                     "-ERR invalid syntax",
		"filter Unique-ID 1":                   "+OK filter added. [Unique-ID]=[1]",
		"filter delete Unique-ID 1":            "+OK filter deleted. [Unique-ID][1]",
		"sendmsg 1":                            "-ERR invalid session id [1]",
		"myevents 1":                           "-ERR invalid uuid",
	} {
		if got := value(link.ask(command), "Reply-Text"); got != want {
			t.Errorf("%s: got %q, want %q", command, got, want)
		}
	}
	for command, want := range map[string]string{
		"nonsense":                                  "-ERR nonsense Command not found!\n",
		"uuid_exists 1":                             "false",
		"uuid_kill 1":                               "-ERR No such channel!\n",
		"uuid_setvar 1 a b":                         "-ERR No such channel!\n",
		"uuid_getvar 1 a":                           "-ERR No such channel!\n",
		"module_exists mod_spandsp":                 "true",
		"module_exists mod_nothing":                 "false",
		"global_getvar nosuchvar":                   "-ERR no reply\n",
		"global_getvar hostname":                    "fs1",
		"version short":                             "1.11.1\n",
		"show channels":                             "\n0 total.\n",
		"sofia status gateway nowhere":              "Invalid Gateway!\n",
		"hupall":                                    "+OK hangup all channels with cause MANAGER_REQUEST\n",
		"fsctl sps 100":                             "+OK\n",
		"db select/faxbot/none":                     "-ERR no reply\n",
		"db insert/faxbot/a/1_0_3/more":             "+OK",
		"db delete/faxbot/b":                        "+OK",
		"db nonsense":                               "!err!",
		"originate":                                 "-USAGE: <call url> <exten>|&<application_name>(<app_args>) [<dialplan>] [<context>] [<cid_name>] [<cid_num>] [<timeout_sec>]\n",
		"originate sofia/gateway/nowhere/1 &park()": "-ERR INVALID_GATEWAY\n",
		"originate sofia/gateway/old/1 &park()":     "-ERR NORMAL_TEMPORARY_FAILURE\n",
		"originate loopback/1 &park()":              "-ERR CHAN_NOT_IMPLEMENTED\n",
		"originate sofia/gateway/carrier/1 100":     "+OK ",
	} {
		if got := link.api(command); got != want && !(want == "+OK " && strings.HasPrefix(got, want)) {
			t.Errorf("api %s: got %q, want %q", command, got, want)
		}
	}
	if got := link.api("db select/faxbot/a"); got != "1_0_3/more" {
		t.Errorf("mod_db kept %q", got)
	}
	for command, part := range map[string]string{
		"status":                       "FreeSWITCH (Version 1.11.1 -release",
		"sofia status gateway carrier": "Status  \tUP\n",
		"sofia status gateway old":     "Status  \tDOWN\n",
		"sofia xmlstatus gateway":      "<name>carrier</name>",
	} {
		if got := link.api(command); !strings.Contains(got, part) {
			t.Errorf("api %s: %q does not contain %q", command, got, part)
		}
	}
	if got := value(link.ask("bgapi status\nJob-UUID: my-own"), "Job-UUID"); got != "my-own" {
		t.Errorf("Job-UUID %q", got)
	}
	link.ask("exit")
	link.closed()
}

// In sync mode without "full" the controller hears nothing until the
// application has ended, and may do little.
func TestUnquotedSocketIsSync(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Config{})
	d.link.ask("bgapi originate sofia/gateway/carrier/5551000 &socket(" + d.listener.Addr().String() + " async full)")
	call := accept(t, d.listener)
	data := call.ask("connect")
	if value(data, "Socket-Mode") != "static" || value(data, "Control") != "single-channel" {
		t.Errorf("mode %s, control %s", value(data, "Socket-Mode"), value(data, "Control"))
	}
	for _, command := range []string{"linger", "event plain ALL", "api status", "bgapi status"} {
		if got := value(call.ask(command), "Reply-Text"); got != "-ERR command not found" {
			t.Errorf("%s: %s", command, got)
		}
	}
}

func TestTheCallsOwnConnection(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Config{})
	call := d.originate("5551000", `,faxbot_token='a b\,c'`)
	data := call.ask("connect")
	uuid := value(data, "Unique-ID")
	if got := value(data, "variable_faxbot_token"); got != "a b,c" {
		t.Errorf("token %q", got)
	}
	for command, want := range map[string]string{
		"getvar faxbot_token": "a b,c",
		"getvar unset":        "",
		"getvar uuid":         uuid,
		"linger":              "+OK will linger",
		"linger 3":            "+OK will linger 3 seconds",
		"nolinger":            "+OK will not linger",
		"myevents":            "+OK Events Enabled",
	} {
		if got := value(call.ask(command), "Reply-Text"); got != want {
			t.Errorf("%s: got %q, want %q", command, got, want)
		}
	}
	for command, want := range map[string]string{
		"uuid_setvar " + uuid + " a ${uuid} b": "+OK\n",
		"uuid_getvar " + uuid + " unset":       "_undef_",
		"uuid_getvar " + uuid + " uuid":        uuid,
	} {
		if got := call.api(command); got != want {
			t.Errorf("api %s: got %q, want %q", command, got, want)
		}
	}
	if got := call.api("uuid_getvar " + uuid + " a"); got != "${uuid} b" {
		t.Errorf("uuid_setvar has expanded: %q", got)
	}
	call.ask("sendmsg\ncall-command: execute\nexecute-app-name: set\nexecute-app-arg: b=${a}!")
	call.event("CHANNEL_EXECUTE_COMPLETE", "Application: set\n")
	if got := call.api("uuid_getvar " + uuid + " b"); got != uuid+" b!" {
		t.Errorf("set did not expand twice: %q", got)
	}
	call.ask("nolinger")
	call.ask("sendmsg\ncall-command: execute\nexecute-app-name: nonsense")
	call.event("CHANNEL_HANGUP", "Hangup-Cause: DESTINATION_OUT_OF_ORDER\n")
	call.closed()
}

func TestEventsOfOtherCalls(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Config{})
	open, own := d.originate("5551000", ""), d.originate("5551001", "")
	uuid := value(own.ask("connect"), "Unique-ID")
	for _, call := range []*peer{open, own} {
		call.ask("connect")
		call.ask("event plain CHANNEL_HANGUP_COMPLETE")
		call.ask("linger")
	}
	own.ask("filter Unique-ID " + uuid)
	other := d.originate("5551002", "")
	other.start()
	other.hangup("NORMAL_CLEARING")
	open.event("CHANNEL_HANGUP_COMPLETE", "variable_faxbot_job_id: 5551002\n")
	own.hangup("NORMAL_CLEARING")
	if e := own.next("CHANNEL_HANGUP_COMPLETE"); value(e, "Unique-ID") != uuid {
		t.Errorf("the filter let another call's event pass: %s", value(e, "Channel-Name"))
	}
}

func TestLinger(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Config{})
	for _, tt := range []struct{ command, notice string }{
		{"linger", "Linger-Time: -1\n"},
		{"linger 0", "Linger-Time: 0\n"},
		{"nolinger", "Content-Disposition: disconnect\n"},
	} {
		call := d.originate("5551000", "")
		call.start()
		call.ask(tt.command)
		call.hangup("NORMAL_CLEARING")
		if got := call.event("notice"); !strings.Contains(got, tt.notice) {
			t.Errorf("%s: notice %q", tt.command, got)
		}
		if tt.command == "linger" { // until told
			if got := value(call.ask("exit"), "Reply-Text"); got != "+OK bye" {
				t.Errorf("exit: %s", got)
			}
		}
		call.closed()
	}
}

func TestTheNextHostIsTried(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Config{})
	dead := listen(t)
	dead.Close()
	d.link.ask("bgapi originate sofia/gateway/carrier/5551000 '&socket(" + dead.Addr().String() + "|" + d.listener.Addr().String() + " async full)'")
	call := accept(t, d.listener)
	if got := value(call.ask("connect"), "Control"); got != "full" {
		t.Errorf("control %s", got)
	}
}

func TestNobodyListensAtTheSocketAddress(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Config{})
	d.listener.Close()
	job := d.dial("5551000", "")
	d.link.event("BACKGROUND_JOB", job, "+OK ")
	over := d.link.event("CHANNEL_HANGUP_COMPLETE", "variable_faxbot_job_id: 5551000\n")
	if value(over, "variable_hangup_cause") != "NORMAL_CLEARING" || strings.Contains(over, "variable_fax_") {
		t.Errorf("cause %s", value(over, "variable_hangup_cause"))
	}
}

// A controller that leaves without a fax ends the call.
func TestExitEndsAParkedCall(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Config{})
	call := d.originate("5551000", "")
	uuid := call.start()
	call.ask("exit")
	call.closed()
	if got := value(d.link.event("CHANNEL_HANGUP_COMPLETE", uuid), "variable_hangup_cause"); got != "NORMAL_CLEARING" {
		t.Errorf("cause %s", got)
	}
}

func FuzzCommands(f *testing.F) {
	for _, seed := range []string{
		"api originate {a='b,c}sofia/gateway/x/1 '&park()", "sendmsg\nContent-Length: 3\n\nabc", "filter delete all",
		"event plain ALL\n\napi originate {origination_uuid=x}sofia/gateway/g/1 &hangup(99999999999)", "myevents x json", "sendmsg \ncall-command: execute",
		"Content-Length: -1", "api db insert/a/b/", "api sofia status", "api show channels count", "bgapi originate <a=b>{^^:c=d:e=f}[g=h]sofia/p/1@h 1 XML x",
		"api uuid_setvar_multi", "event xml ALL", "api hupall x y",
	} {
		f.Add(seed)
	}
	s := RunT(f, Config{})
	f.Fuzz(func(t *testing.T, text string) {
		conn, err := net.Dial("tcp", s.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(patience))
		_, _ = conn.Write([]byte("auth ClueCon\n\n" + text + "\n\nexit\n\n"))
		_ = conn.(*net.TCPConn).CloseWrite()
		if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the connection was not closed")
		}
		s.apiCommand("hupall")
		s.apiCommand(text)
	})
}
