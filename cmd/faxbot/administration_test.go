package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"

	"faxbot/api"
	"faxbot/controller/store"
)

// admin sends a request of an administrator.
func (h *house) admin(method, path, body string) (status int, reply []byte) {
	h.t.Helper()
	answer := h.do(method, h.rest+path, "application/json", strings.NewReader(body))
	defer answer.Body.Close()
	reply, err := io.ReadAll(answer.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return answer.StatusCode, reply
}

// settings are those that administrators see, by name.
func (h *house) settings() map[string]api.Setting {
	h.t.Helper()
	status, text := h.admin(http.MethodGet, "/admin/settings", "")
	var all struct{ Settings []api.Setting }
	if err := json.Unmarshal(text, &all); err != nil || status != 200 {
		h.t.Fatalf("%d %s", status, text)
	}
	by := map[string]api.Setting{}
	for _, s := range all.Settings {
		by[s.Name] = s
	}
	return by
}

// put stores settings and wants that status, and those words in the reply.
func (h *house) put(body string, want int, words ...string) {
	h.t.Helper()
	status, text := h.admin(http.MethodPut, "/admin/settings", body)
	for _, w := range words {
		if !strings.Contains(string(text), w) {
			h.t.Errorf("PUT %s: %s does not say %q", body, text, w)
		}
	}
	if status != want {
		h.t.Errorf("PUT %s: %d %s, want %d", body, status, text, want)
	}
}

// want says what a setting must be shown as.
func (h *house) want(name string, value any, source api.Source, pending any) {
	h.t.Helper()
	if s := h.settings()[name]; !reflect.DeepEqual(s.Value, value) || s.Source != source || !reflect.DeepEqual(s.Pending, pending) {
		h.t.Errorf("%s: %+v; want %v from %s, pending %v", name, s, value, source, pending)
	}
}

func (h *house) restart() {
	h.t.Helper()
	h.end()
	h.open()
}

// setting is the value of a variable in the environment of serve.
func (h *house) setting(name string) string {
	for _, e := range h.env {
		if value, ok := strings.CutPrefix(e, name+"="); ok {
			return value
		}
	}
	return ""
}

// forget takes variables out of it, as of the next start.
func (h *house) forget(names ...string) {
	h.env = slices.DeleteFunc(h.env, func(e string) bool {
		name, _, _ := strings.Cut(e, "=")
		return slices.Contains(names, name)
	})
}

func (h *house) end() {
	h.t.Helper()
	h.serve.signal(syscall.SIGTERM)
	if s := h.serve.status(); s != 0 {
		h.t.Errorf("exit status %d\n%s", s, h.serve.output())
	}
}

// What administrators store takes effect, now or at the next start, and stays.
func TestSettingsAreStoredAndApplied(t *testing.T) {
	t.Parallel()
	h := build(t, "200")
	h.want("FREESWITCH_GATEWAY_NAME", "gw_signalwire", api.FromDefault, nil)
	h.want("FAXBOT_LISTEN", "127.0.0.1:0", api.FromEnvironment, nil)
	h.put(`{"FREESWITCH_GATEWAY_NAME": "second,third", "MAX_FILE_SIZE_MB": 1, "FREESWITCH_T38_ENABLE": false, "FAXBOT_RING": "90s",
		"FAXBOT_SOCKET_CONNECTIONS": 77, "FAXBOT_SOCKET_ALLOW": ["127.0.0.1", "::1"], "FAX_HEADER": "Doe, \"Ltd\" $5"}`, 200)
	h.want("FREESWITCH_GATEWAY_NAME", "second,third", api.FromStored, nil)
	h.want("FAXBOT_RING", "1m30s", api.FromStored, nil)
	h.want("FREESWITCH_T38_ENABLE", false, api.FromStored, nil)
	h.want("FAXBOT_SOCKET_CONNECTIONS", 12000.0, api.FromDefault, 77.0)

	_, fax := h.submit("+15551230501")
	h.until(fax.ID, "done")
	if _, text := h.admin(http.MethodGet, "/fax/"+fax.ID, ""); !strings.Contains(string(text), `"gateway":"second"`) || !strings.Contains(string(text), `"t38":false`) {
		t.Errorf("sent as before: %s", text)
	}
	big := h.do(http.MethodPost, h.rest+"/fax", "multipart/form-data; boundary=x", io.MultiReader(
		strings.NewReader("--x\r\nContent-Disposition: form-data; name=\"to\"\r\n\r\n+15551230502\r\n--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n"),
		bytes.NewReader(bytes.Repeat([]byte("many words\n"), 200_000)), strings.NewReader("\r\n--x--\r\n")))
	big.Body.Close()
	if big.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("2 MB where 1 may be: %d", big.StatusCode)
	}

	h.restart()
	h.want("FAXBOT_SOCKET_CONNECTIONS", 77.0, api.FromStored, nil)
	h.want("FAXBOT_SOCKET_ALLOW", []any{"127.0.0.1", "::1"}, api.FromStored, nil)
	h.want("FAX_HEADER", `Doe, "Ltd" $5`, api.FromStored, nil)
	h.put(`{"FAX_HEADER": null, "FAXBOT_RING": "", "FAXBOT_SOCKET_CONNECTIONS": null}`, 200)
	h.want("FAX_HEADER", "", api.FromDefault, nil)
	h.want("FAXBOT_RING", "1m0s", api.FromDefault, nil)
	h.want("FAXBOT_SOCKET_CONNECTIONS", 77.0, api.FromStored, 12000.0)
}

// The way to FreeSWITCH and the level of the log change while the daemon runs.
func TestStoredSwitchIsUsed(t *testing.T) {
	t.Parallel()
	h := build(t, "200")
	h.serve.signal(syscall.SIGTERM)
	h.serve.status()
	port := ""
	h.env = slices.DeleteFunc(h.env, func(e string) bool {
		if at, ok := strings.CutPrefix(e, "FREESWITCH_ESL_PORT="); ok {
			port = at
			return true
		}
		return strings.HasPrefix(e, "FREESWITCH_ESL_PASSWORD=") || strings.HasPrefix(e, "FAXBOT_LOG_LEVEL=")
	})
	h.env = append(h.env, "FREESWITCH_ESL_HOST=127.0.0.1")
	h.serve = start(t, h.env, "serve")
	h.rest = "http://" + h.serve.await(`for=REST address=(\S+)`)
	if strings.Contains(h.serve.output(), "level=DEBUG") {
		t.Error("the log begins at its finest level")
	}
	h.put(`{"FREESWITCH_ESL_PORT": `+port+`, "FREESWITCH_ESL_PASSWORD": "sesame-that-nobody-prints", "FAXBOT_LOG_LEVEL": "debug"}`, 200)
	h.serve.await("command link is up")
	_, fax := h.submit("+15551230521")
	h.until(fax.ID, "done")
	h.ask(http.MethodGet, h.rest+"/health", "", nil)
	h.serve.await(`level=DEBUG msg=request .*route="GET /health"`)
}

// Nothing is stored of what cannot be, and it is said why.
func TestSettingsAreRefused(t *testing.T) {
	t.Parallel()
	h := build(t, "100", "FAX_HEADER=Doe Ltd")
	h.put(`{"FAX_LOCAL_STATION_ID": "+1 555", "FAX_HEADER": "Roe Ltd"}`, 409, "FAX_HEADER is set in the environment of the daemon")
	h.put(`{"API_KEY": "another"}`, 409, "API_KEY", "can only be set where the daemon is started")
	h.put(`{"FAX_DATA_DIR": "/etc"}`, 409, "can only be set where the daemon is started")
	h.put(`{"FAX_LOCAL_STATION_ID": "+1 555", "FREESWITCH_CALLER_ID_NUMBER": "a/b", "FAXBOT_RING": "soon"}`, 422, "FAXBOT_RING) cannot be read: use a value like 1m")
	h.put(`{"FAX_LOCAL_STATION_ID": "+1 555", "FREESWITCH_CALLER_ID_NUMBER": "a/b"}`, 422, `FREESWITCH_CALLER_ID_NUMBER) is \"a/b\": use`)
	h.put(`{"FREESWITCH_ESL_HOST": "10.0.0.1"}`, 409, "FREESWITCH_ESL_PASSWORD is set by the environment", "goes nowhere else")
	h.put(`{"FAXBOT_WEBHOOK_URLS": ["https://example.net/hook"]}`, 422, "FAXBOT_WEBHOOK_SECRETS) is not set")
	h.put(`{"FREESWITCH_GATEWAY_NAME": "one,one"}`, 422, "each once")
	h.put(`{"FAXBOT_NOTHING": 1}`, 422, "is no setting of this version")
	h.put(`{"FAX_LOCAL_STATION_ID": {"a": 1}}`, 422, "use a text, a number")
	h.put(`[]`, 422, "must be an object")
	h.put(`{"FAXBOT_WEBHOOK_SECRETS": "whsec_that-nobody-prints"}`, 422, "FAXBOT_WEBHOOK_SECRETS)[0] cannot be used: use whsec_")
	if strings.Contains(h.serve.output(), "nobody-prints") {
		t.Error("a secret that is refused is in the log")
	}
	for name, s := range h.settings() {
		if s.Stored {
			t.Errorf("%s is stored", name)
		}
	}
	for body, want := range map[string]string{
		`{"FAX_LOCAL_STATION_ID": "+1 555"}`: `{"errors":[],"valid":true}`,
		`{"MAX_FILE_SIZE_MB": 0}`:            `{"errors":[{"setting":"MAX_FILE_SIZE_MB","detail":"--max-file-size-mb (MAX_FILE_SIZE_MB) is \"0\": use at least 1"}],"valid":false}`,
	} {
		if status, text := h.admin(http.MethodPost, "/admin/settings/validate", body); status != 200 || strings.TrimSpace(string(text)) != want {
			t.Errorf("%s: %d %s, want %s", body, status, text, want)
		}
	}
	if h.settings()["FAX_LOCAL_STATION_ID"].Stored {
		t.Error("what was only to be judged is stored")
	}
}

// A secret is used and never shown; the export names it, and is read by a shell
// as what it says.
func TestSettingsAreExported(t *testing.T) {
	t.Parallel()
	h := build(t, "100")
	h.forget("FREESWITCH_HOOK_SECRET")
	h.restart()
	h.put(`{"FREESWITCH_HOOK_SECRET": "stored-that-nobody-prints", "FAX_HEADER": "Doe, \"Ltd\" $5 \\ `+"`id`"+`", "FAXBOT_SOCKET_ALLOW": "127.0.0.1,::1"}`, 200)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.inner+"/_internal/freeswitch/outbound_result", strings.NewReader(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Internal-Secret", "stored-that-nobody-prints")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusBadRequest { // let in; it reports nothing
		t.Errorf("a report with the stored secret: %d", answer.StatusCode)
	}
	_, shown := h.admin(http.MethodGet, "/admin/settings", "")
	_, file := h.admin(http.MethodGet, "/admin/settings/export", "")
	if strings.Contains(string(shown)+string(file)+h.serve.output(), "nobody-prints") {
		t.Errorf("a secret is in\n%s\n%s\n%s", shown, file, h.serve.output())
	}
	if !strings.Contains(string(file), "# FREESWITCH_HOOK_SECRET= is a secret: set\n") {
		t.Errorf("no word of the secret in\n%s", file)
	}
	at := filepath.Join(t.TempDir(), "faxbot.env")
	if err := os.WriteFile(at, file, 0o600); err != nil {
		t.Fatal(err)
	}
	sh := exec.CommandContext(t.Context(), "sh", "-c", `set -a; . "$0"; env`, at)
	sh.Env = []string{}
	env, err := sh.Output()
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Split(string(env), "\n")
	for name, s := range h.settings() {
		if !strings.Contains(string(file), name+"=") && !strings.Contains(string(file), "# "+name) {
			t.Errorf("%s is not exported", name)
		}
		text, ok := s.Value.(string)
		if ok && !s.Secret && text != "" && !strings.HasPrefix(name, "--") && !slices.Contains(got, name+"="+text) {
			t.Errorf("a shell does not read %s=%s in\n%s", name, text, file)
		}
	}
}

// What is stored and cannot be used keeps no daemon from starting, and costs
// nothing of the rest.
func TestUnusableSettingsAreLeftOut(t *testing.T) {
	t.Parallel()
	h := build(t, "100")
	h.serve.signal(syscall.SIGTERM)
	h.serve.status()
	set := func(values map[string]string) {
		t.Helper()
		db, err := store.Open(t.Context(), "sqlite:///"+filepath.Join(h.dir, "faxbot.db"), store.Options{Host: "test"})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		changes := map[string]*string{}
		for name, text := range values {
			changes[name] = &text
		}
		if _, err := db.Settings().Change(context.Background(), changes, func(map[string]string) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	set(map[string]string{"FAXBOT_OF_TOMORROW": "x", "FAXBOT_RING": "1h", "FAX_HEADER": "Doe Ltd", "FREESWITCH_GATEWAY_CPS": "many"})
	h.open()
	for _, name := range []string{"FAXBOT_OF_TOMORROW", "FAXBOT_RING", "FREESWITCH_GATEWAY_CPS"} {
		h.serve.await(`level=ERROR msg="a stored setting cannot be used.*setting=` + name)
	}
	h.want("FAX_HEADER", "Doe Ltd", api.FromStored, nil)
	h.want("FAXBOT_RING", "1m0s", api.FromDefault, nil)
	// They can be mended one by one, and stand in the way of nothing.
	h.put(`{"FAXBOT_OF_TOMORROW": null}`, 200)
	h.put(`{"FAX_HEADER": "Roe Ltd"}`, 200)
	h.put(`{"FAXBOT_RING": "2m", "FREESWITCH_GATEWAY_CPS": null}`, 200)
	h.want("FAXBOT_RING", "2m0s", api.FromStored, nil)

	// One that looks right and cannot work.
	h.put(`{"FAXBOT_SOCKET_ADVERTISE": "127.0.0.1:8084", "FAXBOT_TLS_CERT": "/nowhere/cert.pem", "FAXBOT_TLS_KEY": "/nowhere/key.pem"}`, 200)
	h.restart()
	h.serve.await("it tries without those that take effect at a start")
	h.want("FAXBOT_TLS_CERT", "", api.FromDefault, "/nowhere/cert.pem")
	h.want("FAX_HEADER", "Roe Ltd", api.FromStored, nil)
}

// Hosts that share a database share what is stored.
func TestOtherHostsFollow(t *testing.T) {
	t.Parallel()
	h := build(t, "100")
	other := &house{t: t, dir: h.dir, key: h.key, env: append(h.env[:len(h.env):len(h.env)], "FAXBOT_HOST=other", "FAX_HEADER=its own")}
	other.open()
	h.put(`{"FAX_LOCAL_STATION_ID": "+1 555", "FAX_HEADER": "everybody's"}`, 200)
	other.serve.await(`msg="settings have changed"`)
	other.want("FAX_LOCAL_STATION_ID", "+1 555", api.FromStored, nil)
	other.want("FAX_HEADER", "its own", api.FromEnvironment, nil)
}

// What is to be tried before it is stored is tried, and nothing of it stays.
func TestSettingsAreTried(t *testing.T) {
	t.Parallel()
	h := build(t, "100")
	other := start(t, nil, "simulate", "--listen=127.0.0.1:0", "--speed=200", "--password=other-that-nobody-prints")
	_, port, err := net.SplitHostPort(other.await(`for="event socket" address=(\S+)`))
	if err != nil {
		t.Fatal(err)
	}
	h.forget("FREESWITCH_ESL_PORT", "FREESWITCH_ESL_PASSWORD")
	h.end()
	h.begin() // with a switch that is not there
	try := func(settings string) (failing []string) {
		status, text := h.admin(http.MethodPost, "/admin/diagnostics/run", settings)
		if status != 200 {
			t.Fatalf("%s: %d %s", settings, status, text)
		}
		var answer struct {
			Findings []struct{ Check, Outcome string }
		}
		if err := json.Unmarshal(text, &answer); err != nil {
			t.Fatal(err)
		}
		for _, f := range answer.Findings {
			if f.Outcome == "fails" {
				failing = append(failing, f.Check)
			}
		}
		return failing
	}
	if got := try(``); !slices.Equal(got, []string{"switch"}) {
		t.Errorf("without a switch: %v fail", got)
	}
	if got := try(`{"settings": {"FREESWITCH_ESL_PORT": ` + port + `, "FREESWITCH_ESL_PASSWORD": "wrong"}}`); !slices.Equal(got, []string{"password"}) {
		t.Errorf("with a wrong password: %v fail", got)
	}
	right := `{"FREESWITCH_ESL_PORT": ` + port + `, "FREESWITCH_ESL_PASSWORD": "other-that-nobody-prints"}`
	if got := try(`{"settings": ` + right + `}`); got != nil {
		t.Errorf("with what is right: %v fail", got)
	}
	if status, text := h.admin(http.MethodPost, "/admin/diagnostics/run", `{"settings": {"FREESWITCH_ESL_PORT": 0, "FREESWITCH_ESL_PASSWORD": "x"}}`); status != 422 || !strings.Contains(string(text), "These cannot be tried") {
		t.Errorf("what cannot be: %d %s", status, text)
	}
	h.put(`{"FREESWITCH_ESL_PORT": `+port+`}`, 409, "Give FREESWITCH_ESL_PASSWORD along with the address")
	if s := h.settings()["FREESWITCH_ESL_PORT"]; s.Stored {
		t.Error("what was tried is stored")
	}
	h.put(right, 200)
	_, fax := h.submit("+15551230601")
	h.until(fax.ID, "done")
}

// What FreeSWITCH must be told comes with the daemon's own addresses and
// secrets, and is what the command line prints.
func TestFreeSWITCHFiles(t *testing.T) {
	t.Parallel()
	h := build(t, "100")
	ask := func(body string) (files map[string]string, left []string) {
		status, text := h.admin(http.MethodPost, "/admin/freeswitch-files", body)
		if status != 200 {
			t.Fatalf("%s: %d %s", body, status, text)
		}
		var answer struct {
			Files []struct{ Path, Text string }
			Left  []string `json:"left_out"`
		}
		if err := json.Unmarshal(text, &answer); err != nil {
			t.Fatal(err)
		}
		files = map[string]string{}
		for _, f := range answer.Files {
			files[f.Path] = f.Text
		}
		return files, answer.Left
	}
	files, left := ask(``)
	if len(left) != 1 || !strings.Contains(left[0], "carrier") {
		t.Errorf("left out: %v", left)
	}
	hook := files["dialplan/default/10_faxbot_hook.xml"]
	if inner := strings.TrimPrefix(h.inner, "http://"); !strings.Contains(hook, inner) || !strings.Contains(hook, "hook-that-nobody-prints") {
		t.Errorf("the hook: %s", hook)
	}
	files, left = ask(`{"carrier": "sip.example.net", "username": "doe", "password": "carrier-that-nobody-prints", "shell": true}`)
	if gateway := files["sip_profiles/external/gw_signalwire.xml"]; len(left) != 0 || !strings.Contains(gateway, "carrier-that-nobody-prints") {
		t.Errorf("the gateway: %s; left out: %v", gateway, left)
	}
	if files["dialplan/default/10_faxbot_hook.xml"] == hook {
		t.Error("the hook is the same without mod_curl")
	}
	h.put(`{"FAXBOT_SWITCHES": "west=127.0.0.1:8021 password=w; east=127.0.0.1:8022 password=e gateways=gw_signalwire"}`, 200)
	for name, port := range map[string]string{"": "8021", "west": "8021", "east": "8022"} {
		files, _ := ask(fmt.Sprintf(`{"switch": %q}`, name))
		if socket := files["autoload_configs/event_socket.conf.xml"]; !strings.Contains(socket, port) {
			t.Errorf("the event socket of %q: %s", name, socket)
		}
	}
	for body, want := range map[string]int{`{"carrier": "a b"}`: 400, `{"from": ["x"]}`: 422, `{"switch": "north"}`: 409, `{`: 422} {
		if status, text := h.admin(http.MethodPost, "/admin/freeswitch-files", body); status != want {
			t.Errorf("%s: %d %s, want %d", body, status, text, want)
		}
	}
}
