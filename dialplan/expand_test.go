package dialplan_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"faxbot/controller/freeswitch/simulator"
	"faxbot/dialplan"
	"faxbot/events"
)

// What FreeSWITCH does with a line of its dialplan. The simulator, which shares
// no code with ours, expands and splits.

// confDir stands for $${conf_dir}.
const confDir = "/etc/freeswitch"

var (
	global    = regexp.MustCompile(`\$\$\{([^}]*)\}`)
	processed = regexp.MustCompile(`(?i)x-pre-process`)
)

// preprocess is switch_xml.c, preprocess: line by line, before anything is
// parsed. A line that mentions it is a command to it, or dropped.
func preprocess(text string) string {
	var b strings.Builder
	for _, line := range strings.SplitAfter(text, "\n") {
		line = global.ReplaceAllStringFunc(line, func(ref string) string {
			return map[string]string{"$${conf_dir}": confDir, "$${domain}": "192.0.2.2"}[ref]
		})
		if strings.Contains(line, "<include>") || strings.Contains(line, "</include>") || strings.Contains(line, "<?") || processed.MatchString(line) {
			continue
		}
		b.WriteString(line)
	}
	return "<include>" + b.String() + "</include>"
}

// variables are those of a channel.
type variables map[string]string

// expand puts them in, as FreeSWITCH would.
func (v variables) expand(text string) string {
	return simulator.Expand(text, func(name string) string { return v[name] })
}

// hangUp runs the hook of a call that ends with these variables: the file is
// preprocessed and parsed, the action runs before there is a fax, and what it
// has set runs after it.
func hangUp(t testing.TB, s dialplan.Site, ended variables) (command, arguments string) {
	t.Helper()
	var data string
	for path, text := range files(t, s, dialplan.HookPart) {
		for _, v := range wellFormed(t, onlyXML(path, preprocess(text))) {
			if strings.HasPrefix(v, "api_hangup_hook=") {
				data = v
			}
		}
	}
	before := variables{"faxbot_job_id": ended["faxbot_job_id"], "uuid": ended["uuid"]}
	name, value, ok := strings.Cut(before.expand(data), "=") // as every application's arguments
	if !ok || name != "api_hangup_hook" {
		t.Fatalf("the hook is not set: %q", data)
	}
	command, arguments, _ = strings.Cut(before.expand(value), " ") // set
	return command, ended.expand(arguments)                        // api_hook
}

func onlyXML(path, text string) string {
	if strings.HasSuffix(path, ".xml") {
		return text
	}
	return ""
}

// hostiles are texts of a result that no fax engine has said yet.
var hostiles = []string{
	"OK", "", "The call dropped prematurely", `say "yes"`, "it's", "''", "$(touch PWNED)", "`touch PWNED`", "'; touch PWNED; '",
	"a\nb\r\nX-Injected: 1", "a&fax_status=1&job_id=0", "100%", "%", "%zz", "${uuid}", `\`, `\'`, "a;b|c>d<e", "}", "ümlaut \xff", `","fax_status":"1`,
}

const (
	hookJob  = "0193f1a07a117b228c33d44e55f66070"
	hookCall = "0193f1a0-7a11-7b22-8c33-d44e55f66071"
)

func failed(text string) variables {
	return variables{
		"faxbot_job_id": hookJob, "uuid": hookCall, "fax_success": "0", "fax_result_code": "49",
		"fax_document_transferred_pages": "2", "hangup_cause": "NORMAL_CLEARING", "fax_result_text": text,
	}
}

// believed checks what the endpoint reads out of a body.
func believed(t *testing.T, body string) {
	t.Helper()
	h, err := events.ParseHook([]byte(body))
	if err != nil || h.JobID != hookJob {
		t.Errorf("%q: of fax %q, %v", body, h.JobID, err)
		return
	}
	if h.AttemptID != hookCall || !h.Fax.Known || h.Fax.Success || h.Fax.Code != 49 || h.Fax.Pages != 2 || h.Cause != "NORMAL_CLEARING" {
		t.Errorf("%q: %+v", body, h)
	}
}

// mod_curl posts the result as it was when the call ended, whatever its text.
func TestHookWithoutShell(t *testing.T) {
	for _, text := range hostiles {
		command, arguments := hangUp(t, site(), failed(text))
		argv := simulator.Words(arguments)
		if command != "curl" || len(argv) != 9 || argv[0] != site().HookURL || argv[2] != "X-Internal-Secret:"+site().HookSecret || argv[7] != "post" {
			t.Errorf("%q: %s %q", text, command, argv)
			continue
		}
		body := events.Unescape([]byte(argv[8])) // switch_url_decode
		believed(t, body)
		if plain := regexp.MustCompile(`^[\w ]*$`); plain.MatchString(text) {
			if h, _ := events.ParseHook([]byte(body)); h.Fax.Text != text {
				t.Errorf("text %q arrived as %q", text, h.Fax.Text)
			}
		}
	}
}

// A call that never became a fax posts empty fields.
func TestHookOfACallWithoutFax(t *testing.T) {
	for _, shell := range []bool{false, true} {
		s := site()
		s.Shell = shell
		_, arguments := hangUp(t, s, variables{"faxbot_job_id": hookJob, "uuid": hookCall, "hangup_cause": "NO_ANSWER"})
		if !strings.Contains(arguments, "fax_status=&fax_result_code=&fax_document_transferred_pages=&hangup_cause=NO_ANSWER") {
			t.Error(arguments)
		}
	}
}

// The shell form, in a real shell with a real curl: nothing of the call is
// executed, and neither the command nor curl's arguments hold the secret.
func TestHookWithShell(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("there is no shell")
	}
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not installed")
	}
	type posted struct{ secret, body string }
	got := make(chan posted, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		got <- posted{r.Header.Get("X-Internal-Secret"), r.PostForm.Encode()}
	}))
	t.Cleanup(server.Close)
	s := site()
	s.Shell, s.HookURL = true, server.URL+dialplan.HookPath
	dir := t.TempDir()
	for path, text := range files(t, s, dialplan.HookPart) {
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(path)), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, text := range hostiles {
		command, arguments := hangUp(t, s, failed(text))
		if command != "system" || strings.Contains(arguments, s.HookSecret) {
			t.Errorf("%s %s", command, arguments)
		}
		run := exec.Command(sh, "-c", strings.ReplaceAll(arguments, confDir, dir))
		run.Dir = dir
		if said, err := run.CombinedOutput(); err != nil || len(said) > 0 {
			t.Fatalf("%q: %v\n%s", text, err, said)
		}
		post := <-got
		if post.secret != s.HookSecret {
			t.Errorf("secret %q", post.secret)
		}
		believed(t, post.body)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
		t.Errorf("the shell left something behind: %v %v", entries, err)
	}
}

// The model is right about what has been seen: the snippet that circulates
// expands its variables before there is a fax, and this is what it posts.
func TestSnippetThatCirculates(t *testing.T) {
	const snippet = `system curl -d '{"job_id":"${faxbot_job_id}","fax_status":"${fax_success}","fax_result_text":"${fax_result_text}",` +
		`"fax_document_transferred_pages":${fax_document_transferred_pages},"uuid":"${uuid}"}'`
	before, ended := variables{"faxbot_job_id": hookJob, "uuid": hookCall}, failed("OK")
	posted := ended.expand(before.expand(before.expand(snippet)))
	const want = `{"job_id":"` + hookJob + `","fax_status":"","fax_result_text":"","fax_document_transferred_pages":,"uuid":"` + hookCall + `"}`
	if !strings.Contains(posted, want) {
		t.Fatal(posted)
	}
	if h, err := events.ParseHook([]byte(want)); err != nil || h.JobID != hookJob || h.AttemptID != hookCall || h.Fax.Known {
		t.Errorf("%+v %v", h, err)
	}
}
