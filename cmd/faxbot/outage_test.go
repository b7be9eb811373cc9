package main

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"faxbot/controller/freeswitch/simulator"
	"faxbot/controller/store/pgtest"
)

// The database crashes during a call, then the daemon is killed: what the call
// came to is known all the same, and nobody is called again.
func TestEverythingCrashes(t *testing.T) {
	t.Parallel()
	for name, next := range map[string]func(t *testing.T, h *house, line *simulator.Switch, kept string){
		"but the disk": func(_ *testing.T, h *house, line *simulator.Switch, _ string) {
			line.Restart(false) // and the switch forgets everything: the journal knows
			h.open()
		},
		"the journal is torn": func(t *testing.T, h *house, _ *simulator.Switch, kept string) {
			if err := os.Truncate(kept, 100); err != nil { // the switch knows
				t.Fatal(err)
			}
			h.open()
			h.serve.await("results in the journal could not be read")
		},
		"the host does not come back": func(t *testing.T, h *house, _ *simulator.Switch, _ string) {
			h.env = append(h.env, "FAXBOT_HOST=b", "FAX_DATA_DIR="+filepath.Join(t.TempDir(), "faxes"))
			h.open()
			h.serve.await("taking over a call of a host that is silent")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			everythingCrashes(t, next)
		})
	}
}

func everythingCrashes(t *testing.T, next func(t *testing.T, h *house, line *simulator.Switch, kept string)) {
	t.Helper()
	server := pgtest.RunT(t)
	// A call takes longer than a server that stops.
	line := simulator.RunT(t, simulator.Config{Speed: 8, Password: "sesame-that-nobody-prints"})
	_, port, err := net.SplitHostPort(line.Addr())
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, dir: t.TempDir(), key: testKey}
	data := filepath.Join(h.dir, "faxes")
	h.env = []string{
		"FREESWITCH_ESL_PORT=" + port, "FREESWITCH_ESL_PASSWORD=sesame-that-nobody-prints",
		"API_KEY=" + testKey, "DATABASE_URL=" + server.URL, "FAX_DATA_DIR=" + data, "FAXBOT_HOST=a", "FAXBOT_LEASE=6s", "FAXBOT_GRACE=5s",
		"FAXBOT_LISTEN=127.0.0.1:0", "FAXBOT_INTERNAL_LISTEN=127.0.0.1:0", "FAXBOT_SOCKET_LISTEN=127.0.0.1:0",
	}
	h.open()
	code, fax := h.submit("+15551230080")
	if code != http.StatusAccepted {
		t.Fatal(code, fax)
	}
	h.until(fax.ID, "sending")
	if err := server.Stop("immediate"); err != nil {
		t.Fatal(err)
	}
	answer := h.do(http.MethodGet, h.rest+"/fax/"+fax.ID, "", nil)
	answer.Body.Close()
	if answer.StatusCode != http.StatusServiceUnavailable || answer.Header.Get("Retry-After") == "" {
		t.Errorf("asked without a database: %s %v", answer.Status, answer.Header)
	}
	if code, refused := h.submit("+15551230081"); code != http.StatusServiceUnavailable {
		t.Errorf("submitted without a database: %d %+v", code, refused)
	}
	h.serve.await("kept in the journal")
	h.serve.signal(syscall.SIGKILL)
	<-h.serve.exited
	files, err := os.ReadDir(filepath.Join(data, "verdicts"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%d results are on disk: %v", len(files), err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	next(t, h, line, filepath.Join(data, "verdicts", files[0].Name()))
	h.until(fax.ID, "done")
	if n := dials(line); n != 1 {
		t.Errorf("%d calls for one fax", n)
	}
}
