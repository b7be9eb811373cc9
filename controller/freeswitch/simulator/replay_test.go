package simulator

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// turn is one message of a recording.
type turn struct {
	sent bool // by the controller
	text string
}

// recording reads testdata/recordings/NAME.txt: "<< SECONDS BYTES" or
// ">> SECONDS BYTES", then so many bytes and a newline.
func recording(t testing.TB, name string) []turn {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "testdata", "recordings", name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	var turns []turn
	for text := string(data); strings.TrimSpace(text) != ""; {
		head, rest, _ := strings.Cut(text, "\n")
		f := strings.Fields(head)
		n, err := strconv.Atoi(f[len(f)-1])
		if err != nil || len(f) != 3 {
			t.Fatalf("%s: bad line %q", name, head)
		}
		turns = append(turns, turn{f[0] == ">>", rest[:n]})
		text = rest[n+1:]
	}
	return turns
}

// varies lists the headers whose value is another in every call. All others
// must have the recorded value.
var varies = strings.Fields(`Core-UUID Event-Date-Local Event-Date-GMT Event-Date-Timestamp Event-Sequence
	Content-Length Unique-ID Channel-Unique-ID Channel-Call-UUID Caller-Unique-ID uuid Job-UUID
	Channel-Profile-Created-Time Channel-Channel-Created-Time Channel-Channel-Answered-Time
	Caller-Profile-Created-Time Caller-Channel-Created-Time Caller-Channel-Answered-Time
	Caller-Channel-Progress-Time Caller-Channel-Hangup-Time Controlled-Session-UUID
	variable_uuid variable_call_uuid variable_session_id variable_faxbot_job_id
	variable_rtp_local_sdp_str variable_switch_r_sdp variable_rtp_use_ssrc variable_local_media_port
	variable_remote_media_port variable_sip_full_via variable_sip_recover_via variable_sip_full_from
	variable_sip_full_to variable_sip_to_tag variable_sip_from_tag variable_sip_cseq variable_sip_call_id
	variable_fax_image_size fax-image-size`)

var socketArgs = regexp.MustCompile(`current_application_data: (127\.0\.0\.1%3A[0-9]+)`)

func encoded(s string) string { return string(encode(nil, s)) }

// counted are statistics that follow from how long a call took.
var counted = []string{"variable_rtp_audio_", "_stamp", "_epoch", "_uepoch", "sec", "duration"}

func changes(name string) bool {
	if slices.Contains(varies, name) {
		return true
	}
	return strings.HasPrefix(name, "variable_") && slices.ContainsFunc(counted, func(part string) bool {
		return strings.HasPrefix(name, part) || strings.HasSuffix(name, part)
	})
}

// shape is a message without what changes from call to call.
func shape(text string) string {
	var b strings.Builder
	for _, ln := range strings.Split(text, "\n") {
		name, value, ok := strings.Cut(ln, ": ")
		if ok && (changes(name) || name == "Application-UUID" && len(value) == 36) {
			ln = name + ": *"
		}
		if strings.HasPrefix(ln, "variable_faxbot_job_id") {
			continue // stands first or last of originate's variables
		}
		if strings.HasPrefix(ln, "+OK ") && len(ln) == 40 {
			ln = "+OK uuid" // the body of BACKGROUND_JOB
		}
		b.WriteString(ln + "\n")
	}
	return b.String()
}

// differ compares a message with a recorded one.
func differ(t *testing.T, got, want string) {
	t.Helper()
	g, w := strings.Split(shape(got), "\n"), strings.Split(shape(want), "\n")
	for i := range max(len(g), len(w)) {
		if i >= len(g) || i >= len(w) || g[i] != w[i] {
			t.Errorf("%s differs at line %d:\n got %q\nwant %q", kindOf(want), i, at(g, i), at(w, i))
			return
		}
	}
	if d := len(got) - len(want); d < -60 || d > 60 {
		t.Errorf("%s has %d bytes, recorded %d", kindOf(want), len(got), len(want))
	}
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "(end)"
}

// TestRecordings performs what the controller did in each recording and
// compares everything the switch says: kinds, order, header names, their
// order, values and sizes.
func TestRecordings(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, number, file string
		pages              int
		application        string
		outcome            Outcome
		skip               []string // kinds that are not compared
	}{
		// CHANNEL_PARK races with the controller's "myevents": half of the
		// recordings have it. The simulator parks at "connect", so that it is
		// always lost.
		{name: "success-t38-1page", number: "15550001", file: "t1.tif", pages: 1, skip: []string{"CHANNEL_PARK"}},
		{name: "success-t38-3pages", number: "15550003", file: "t3.tif", pages: 3},
		{name: "failure-document-missing", number: "15550001", file: "none.tif"},
		{name: "failure-document-unreadable", number: "15550001", file: "bad.tif", pages: -1},
		{name: "failure-voice-answered", number: "15554001", file: "t1.tif", pages: 1, outcome: Outcome{Line: Person}, skip: []string{"CHANNEL_PARK"}},
		{name: "failure-far-end-hangs-up", number: "15556001", file: "t3.tif", pages: 3, outcome: Outcome{Drops: true}, skip: []string{"CHANNEL_PARK"}},
		{name: "pitfall-socket-not-async", number: "15550001", file: "t1.tif", pages: 1, application: "&socket(%s async full)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			switch {
			case tt.pages > 0:
				writeTIFF(t, filepath.Join(dir, tt.file), tt.pages)
			case tt.pages < 0:
				if err := os.WriteFile(filepath.Join(dir, tt.file), []byte("no fax at all"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			s := RunT(t, Config{Speed: 500})
			s.Script(tt.number, tt.outcome)
			listener := listen(t)
			if tt.application == "" {
				tt.application = "'&socket(%s async full)'"
			}
			link := dial(t, s)
			vars := "origination_caller_id_number=15551112222,fax_enable_t38=true,fax_enable_t38_request=true,faxbot_job_id=abc"
			link.send("bgapi originate {" + vars + "}sofia/gateway/carrier/" + tt.number + " " +
				fmt.Sprintf(tt.application, listener.Addr()))
			call := accept(t, listener)

			turns := recording(t, tt.name)
			ours, theirs := encoded(listener.Addr().String()), socketArgs.FindStringSubmatch(turns[1].text)[1]
			same := strings.NewReplacer(dir+"/", "/var/spool/faxbot/", ours, theirs)
			for _, turn := range turns {
				if turn.sent {
					call.write(strings.ReplaceAll(turn.text, "/var/spool/faxbot/", dir+"/"))
					continue
				}
				if slices.Contains(tt.skip, kindOf(turn.text)) {
					continue
				}
				// Replies and events interleave as they like; each keeps its order.
				differ(t, same.Replace(call.next(kindOf(turn.text))), turn.text)
				if t.Failed() {
					t.FailNow()
				}
			}
			call.closed()
		})
	}
}

// TestCommandLinkRecording places the recorded calls and compares replies and
// the events of every call that the switch made. Not compared: the inbound legs
// ("sofia/rx/…"), since the recorded switch called itself; and the order of
// events of different calls.
func TestCommandLinkRecording(t *testing.T) {
	t.Parallel()
	s := RunT(t, Config{Speed: 500, Gateways: []string{"carrier"}, GatewaysDown: []string{"dead"}})
	for number, cause := range map[string]string{
		"15552001": "USER_BUSY", "15553001": "NO_ANSWER", "15555001": "UNALLOCATED_NUMBER",
		"15557001": "NORMAL_TEMPORARY_FAILURE", "15559001": "CALL_REJECTED",
	} {
		s.Script(number, Outcome{Cause: cause})
	}
	s.Script("15556001", Outcome{Drops: true})

	link := dial(t, s)
	turns := recording(t, "command-link-failures")
	for _, turn := range turns[3:] { // greeted and authenticated already
		if turn.sent {
			link.write(turn.text)
		}
	}
	for _, turn := range turns[3:] {
		if kind := kindOf(turn.text); !turn.sent && (kind == "reply" || kind == "api") {
			got := link.next(kind)
			if uuid := value(turn.text, "Job-UUID"); uuid != "" {
				turn.text = strings.ReplaceAll(turn.text, uuid, value(got, "Job-UUID"))
			}
			if got != turn.text {
				t.Errorf("got reply %q, recorded %q", got, turn.text)
			}
		}
	}

	// Calls that were under way on the recorded switch: a controller drives them.
	dir := t.TempDir()
	writeTIFF(t, filepath.Join(dir, "t1.tif"), 1)
	writeTIFF(t, filepath.Join(dir, "t3.tif"), 3)
	if err := os.WriteFile(filepath.Join(dir, "bad.tif"), []byte("no fax at all"), 0o600); err != nil {
		t.Fatal(err)
	}
	const t38 = ",fax_enable_t38=true,fax_enable_t38_request=true"
	for _, c := range []struct{ job, vars, number, file string }{
		{"job-badtiff", t38, "15550001", "bad.tif"},
		{"job-midhang", t38, "15556001", "t3.tif"},
		{"job-audio-1p", "", "15551001", "t1.tif"},
		{"job-die", t38, "15550001", "t1.tif"},
	} {
		listener := listen(t)
		link.send("bgapi originate {origination_caller_id_number=15551112222,faxbot_job_id=" + c.job + c.vars +
			"}sofia/gateway/carrier/" + c.number + " '&socket(" + listener.Addr().String() + " async full)'")
		link.reply()
		call := accept(t, listener)
		call.ask("connect")
		call.ask("event plain CHANNEL_EXECUTE")
		call.send("sendmsg\ncall-command: execute\nexecute-app-name: txfax\nexecute-app-arg: " + dir + "/" + c.file)
		if call.next("CHANNEL_EXECUTE"); c.job == "job-die" {
			call.conn.Close()
		}
	}

	same := strings.NewReplacer(dir+"/", "/var/spool/faxbot/", "5999", "5070")
	for _, turn := range turns {
		if turn.sent || value(turn.text, "Call-Direction") == "inbound" {
			continue
		}
		switch kind := kindOf(turn.text); kind {
		case "BACKGROUND_JOB":
			job := jobID.FindString(value(turn.text, "Job-Command-Arg"))
			differ(t, link.event(kind, strings.ReplaceAll(job, "=", "%3D")), turn.text)
		case "CHANNEL_HANGUP_COMPLETE":
			job := "variable_faxbot_job_id: " + value(turn.text, "variable_faxbot_job_id") + "\n"
			differ(t, same.Replace(link.event(kind, job)), same.Replace(turn.text))
		}
	}
}

var jobID = regexp.MustCompile(`faxbot_job_id=\w+`)
