package events_test

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"faxbot/controller/freeswitch"
	"faxbot/events"
)

func TestParse(t *testing.T) {
	const head = "Unique-ID: u\nCore-UUID: c\n"
	for name, c := range map[string]struct {
		block string
		want  events.Event
	}{
		"first of two headers": {
			"Event-Name: CHANNEL_HANGUP\nEvent-Name: HEARTBEAT\nHangup-Cause: USER_BUSY\nHangup-Cause: NORMAL_CLEARING\nUnique-ID: u\nUnique-ID: v\n",
			&events.Hangup{UUID: "u", Cause: "USER_BUSY"},
		},
		"an empty first header counts": {
			"Event-Name: CHANNEL_HANGUP\nHangup-Cause:\nHangup-Cause: USER_BUSY\n" + head,
			&events.Hangup{UUID: "u"},
		},
		"carriage returns": {
			"Event-Name: CHANNEL_HANGUP\r\nHangup-Cause: USER_BUSY\r\nUnique-ID: u\r\n\r\nHangup-Cause: X\r\n",
			&events.Hangup{UUID: "u", Cause: "USER_BUSY"},
		},
		"no space, no end": {
			"Event-Name:CHANNEL_HANGUP\nUnique-ID:u\nHangup-Cause:USER_BUSY",
			&events.Hangup{UUID: "u", Cause: "USER_BUSY"},
		},
		"broken lines": {
			":\n: x\nEvent-Name\nEvent-Name: CHANNEL_HANGUP\nHangup-Cause\nvariable_\n%%%\n\x00\n" + head,
			&events.Hangup{UUID: "u"},
		},
		"broken escapes stand for themselves": {
			"Event-Name: CUSTOM\nEvent-Subclass: spandsp%3A%3Atxfaxresult\nfax-success: 0\nfax-result-code: 49\nfax-result-text: 100%25%20of%\nfax-remote-station-id: %4\n" + head,
			&events.FaxEnded{UUID: "u", Fax: events.Fax{Known: true, Code: 49, Text: "100% of%", Line: events.Line{RemoteStation: "%4"}}},
		},
		"numbers that are none": {
			"Event-Name: CUSTOM\nEvent-Subclass: spandsp::txfaxpageresult\nfax-document-transferred-pages: -1\nfax-transfer-rate: 99999999999999\nfax-document-total-pages: 1e3\n" + head,
			&events.PageConfirmed{UUID: "u"},
		},
		"words of the far end": {
			"Event-Name: CUSTOM\nEvent-Subclass: spandsp::txfaxnegociateresult\nfax-remote-station-id: %1b%5b31m%ff%00red%0a" + strings.Repeat("x", 300) + "\n" + head,
			&events.Negotiated{UUID: "u", Line: events.Line{RemoteStation: "[31m?red" + strings.Repeat("x", 189)}},
		},
		"a machine that tells who made it": {
			"Event-Name: CUSTOM\nEvent-Subclass: spandsp::txfaxnegociateresult\nfax-remote-vendor: Ricoh%20Co.\nfax-remote-model: MP%1b\n" + head,
			&events.Negotiated{UUID: "u", Line: events.Line{RemoteMachine: "Ricoh Co. MP"}},
		},
		"a machine of which the engine knows the maker": {
			"Event-Name: CHANNEL_HANGUP_COMPLETE\nvariable_fax_remote_vendor: Canon\n" + head,
			&events.CallEnded{UUID: "u", Fax: events.Fax{Line: events.Line{RemoteMachine: "Canon"}}},
		},
		"a cause that no switch knows": {
			"Event-Name: CHANNEL_HANGUP\nHangup-Cause: %00%ff\n" + head,
			&events.Hangup{UUID: "u", Cause: "?"},
		},
		"originate, answered":  {"Event-Name: BACKGROUND_JOB\nJob-UUID: j\nContent-Length: 6\n\n+OK u\n", &events.OriginateEnded{JobUUID: "j", UUID: "u", Answered: true}},
		"originate, refused":   {"Event-Name: BACKGROUND_JOB\nJob-UUID: j\n\n-ERR USER_BUSY\n", &events.OriginateEnded{JobUUID: "j", Cause: "USER_BUSY"}},
		"originate, silent":    {"Event-Name: BACKGROUND_JOB\nJob-UUID: j\n", &events.OriginateEnded{JobUUID: "j", Cause: "INVALID_URL"}},
		"originate, hostile":   {"Event-Name: BACKGROUND_JOB\nJob-UUID: j\n\n-ERR \x00\x1b\n", &events.OriginateEnded{JobUUID: "j"}},
		"nobody's concern":     {"Event-Name: CHANNEL_PARK\n" + head, &events.Other{Name: "CHANNEL_PARK", UUID: "u"}},
		"an unknown subclass":  {"Event-Name: CUSTOM\nEvent-Subclass: sofia::register\n" + head, &events.Other{Name: "CUSTOM", UUID: "u"}},
		"silence of txfax":     {"Event-Name: CHANNEL_EXECUTE_COMPLETE\nApplication: txfax\nApplication-Response: _none_\n" + head, &events.ApplicationEnded{UUID: "u", Application: "txfax"}},
		"which of two names":   {"Event-Name: CHANNEL_HANGUP_COMPLETE\nvariable_current_application: txfax\nvariable_sip_term_status: 486\nvariable_hangup_cause: USER_BUSY\n" + head, &events.CallEnded{UUID: "u", Application: "txfax", SIPStatus: 486, Cause: "USER_BUSY"}},
		"whom it called":       {"Event-Name: CHANNEL_DATA\nvariable_direction: outbound\nvariable_sip_to_user: %2B1555\n" + head, &events.Connected{UUID: "u", Outbound: true, Number: "+1555"}},
		"whom it says it did":  {"Event-Name: CHANNEL_DATA\nvariable_direction: inbound\nvariable_sip_to_user: 991555\nvariable_faxbot_number: 1555\n" + head, &events.Connected{UUID: "u", Number: "1555"}},
		"answered":             {"Event-Name: CHANNEL_HANGUP_COMPLETE\nvariable_answer_epoch: 1795431251\n" + head, &events.CallEnded{UUID: "u", Answered: true}},
		"never answered":       {"Event-Name: CHANNEL_HANGUP_COMPLETE\nvariable_answer_epoch: 0\n" + head, &events.CallEnded{UUID: "u"}},
		"how the socket works": {"Event-Name: CHANNEL_DATA\nSocket-Mode: async\nControl: full\nvariable_faxbot_token: t\n" + head, &events.Connected{UUID: "u", Token: "t", Async: true, Full: true}},
	} {
		got, err := events.Parse([]byte(c.block))
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %#v, %v; want %#v", name, got, err, c.want)
		}
	}
	for _, block := range []string{"", "\n", "Event-Name:\n", "Unique-ID: u\n", "\n\nEvent-Name: HEARTBEAT\n", "rubbish"} {
		if ev, err := events.Parse([]byte(block)); err != events.ErrMalformed {
			t.Errorf("%q: %v, %v", block, ev, err)
		}
	}
}

// No event, however it is made up, holds text that could not be stored.
func FuzzParse(f *testing.F) {
	paths, _ := filepath.Glob("../controller/freeswitch/testdata/recordings/*.txt")
	for _, path := range paths {
		file, err := os.Open(path)
		if err != nil {
			f.Fatal(err)
		}
		all, err := freeswitch.ReadRecording(file)
		file.Close()
		if err != nil {
			f.Fatal(err)
		}
		for _, m := range all {
			if _, body, ok := bytes.Cut(m.Data, []byte("\n\n")); ok && m.FromSwitch && len(body) > 0 {
				f.Add(body)
			}
		}
	}
	f.Add([]byte("Event-Name: BACKGROUND_JOB\n\n-ERR \xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		ev, err := events.Parse(b)
		if (ev == nil) == (err == nil) {
			t.Fatalf("%v, %v", ev, err)
		}
		if !bytes.Equal(b, before) {
			t.Fatal("the block was changed")
		}
		var text []string
		switch ev := ev.(type) {
		case *events.Negotiated:
			text = []string{ev.Line.RemoteStation}
		case *events.FaxEnded:
			text = []string{ev.Fax.Text, ev.Fax.RemoteStation}
		case *events.ApplicationEnded:
			text = []string{ev.Application, ev.Response, ev.Fax.Text}
		case *events.Hangup:
			text = []string{ev.Cause}
		case *events.CallEnded:
			text = []string{ev.Cause, ev.Application, ev.Response, ev.Fax.Text, ev.Fax.RemoteStation}
		case *events.OriginateEnded:
			text = []string{ev.Cause, ev.UUID}
		}
		for _, s := range text {
			if len(s) > 200 || !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
				t.Fatalf("%q cannot be stored", s)
			}
		}
	})
}
