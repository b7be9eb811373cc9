package main

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"faxbot/controller/freeswitch/simulator"
	"faxbot/controller/store/pgtest"
)

// The database crashes during a call, then the daemon is killed, then the switch
// forgets everything: what the call came to is known all the same, from the
// journal, and nobody is called again.
func TestEverythingCrashesButTheDisk(t *testing.T) {
	t.Parallel()
	server := pgtest.RunT(t)
	line := simulator.RunT(t, simulator.Config{Speed: 20, Password: "sesame-that-nobody-prints"})
	_, port, err := net.SplitHostPort(line.Addr())
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, dir: t.TempDir(), key: testKey}
	data := filepath.Join(h.dir, "faxes")
	h.env = []string{
		"FREESWITCH_ESL_PORT=" + port, "FREESWITCH_ESL_PASSWORD=sesame-that-nobody-prints",
		"API_KEY=" + testKey, "DATABASE_URL=" + server.URL, "FAX_DATA_DIR=" + data, "FAXBOT_HOST=a",
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
	line.Restart(false)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	h.open()
	h.until(fax.ID, "done")
	dials := 0
	for _, e := range line.Ledger() {
		if e.Kind == "dial" {
			dials++
		}
	}
	if dials != 1 {
		t.Errorf("%d calls for one fax", dials)
	}
	late := time.Now().Add(waiting)
	for len(files) > 0 && time.Now().Before(late) {
		if files, err = os.ReadDir(filepath.Join(data, "verdicts")); err != nil {
			t.Fatal(err)
		}
	}
	if len(files) > 0 {
		t.Error("the journal forgets nothing")
	}
}
