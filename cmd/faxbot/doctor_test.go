package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"faxbot/controller/store"
)

// Where no daemon runs, a doctor works with the settings that one would work
// with: also with those that administrators stored, beneath the environment.
func TestDoctorKnowsStoredSettings(t *testing.T) {
	line := start(t, nil, "simulate", "--listen=127.0.0.1:0", "--speed=0")
	_, port, _ := strings.Cut(line.await(`for="event socket" address=(\S+)`), ":")
	dir := t.TempDir()
	for name, value := range map[string]string{
		"FREESWITCH_ESL_PORT": port, "API_KEY": "a-key-that-nobody-can-guess", "FAXBOT_API_KEY": "", "FAXBOT_URL": "",
		"FAXBOT_LISTEN": "127.0.0.1:0", "FAXBOT_INTERNAL_LISTEN": "127.0.0.1:0", "FAXBOT_SOCKET_LISTEN": "127.0.0.1:0",
		"FAX_DATA_DIR": filepath.Join(dir, "documents"), "DATABASE_URL": "sqlite:///" + filepath.Join(dir, "faxbot.db"),
		"FREESWITCH_GATEWAY_NAME": "by_environment",
	} {
		t.Setenv(name, value)
	}
	db, err := store.Open(t.Context(), "sqlite:///"+filepath.Join(dir, "faxbot.db"), store.Options{Host: "test"})
	if err != nil {
		t.Fatal(err)
	}
	no, gateway := "false", "stored"
	_, err = db.Settings().Change(t.Context(), map[string]*string{"FREESWITCH_T38_ENABLE": &no, "FREESWITCH_GATEWAY_NAME": &gateway},
		func(map[string]string) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	var out, errout bytes.Buffer
	status := run([]string{"doctor"}, strings.NewReader(""), &out, &errout)
	if status != exitDoubts || !strings.Contains(out.String(), "warning  t38: ") || !strings.Contains(out.String(), "gateway: by_environment is up") ||
		!strings.Contains(out.String(), "its tables are up to date") {
		t.Errorf("status %d\n%s%s", status, out.String(), errout.String())
	}
}
