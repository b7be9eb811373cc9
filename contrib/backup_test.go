package contrib_test

import (
	"bytes"
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// daemon is faxbot serve, with an address for its clients.
type daemon struct {
	t      *testing.T
	env    []string
	client []string
	cmd    *exec.Cmd
	said   <-chan string
}

const key = "key-of-the-test"

// serve starts a daemon at a simulated switch.
func serve(t *testing.T, eventSocket string, env ...string) *daemon {
	t.Helper()
	_, port, _ := strings.Cut(eventSocket, ":")
	d := &daemon{t: t, env: append([]string{
		"API_KEY=" + key, "FREESWITCH_ESL_PORT=" + port, "FAXBOT_LISTEN=127.0.0.1:0", "FAXBOT_INTERNAL_LISTEN=127.0.0.1:0", "FAXBOT_SOCKET_LISTEN=127.0.0.1:0",
	}, env...)}
	d.cmd = exec.Command(program, "serve")
	d.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}, d.env...)
	d.said = start(t, d.cmd)
	d.client = []string{"FAXBOT_API_KEY=" + key, "FAXBOT_URL=http://" + await(t, d.said, `for=REST address=(\S+)`)}
	await(t, d.said, "command link is up")
	return d
}

// end stops the daemon as systemd does, and waits for it.
func (d *daemon) end() {
	d.t.Helper()
	if err := d.cmd.Process.Signal(os.Interrupt); err != nil {
		d.t.Fatal(err)
	}
	await(d.t, d.said, "msg=ended")
}

// faxbot runs the client; the last fax that it prints is returned.
func (d *daemon) faxbot(args ...string) (fax struct{ ID, Status, Cause string }) {
	d.t.Helper()
	cmd := exec.CommandContext(d.t.Context(), program, append(args, "--json")...)
	cmd.Env = append(os.Environ(), d.client...)
	out, err := cmd.Output()
	if err != nil {
		d.t.Fatalf("faxbot %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	if err := json.Unmarshal(lines[len(lines)-1], &fax); err != nil {
		d.t.Fatalf("%v in %s", err, out)
	}
	return fax
}

// simulate starts a simulated switch and returns its event socket and its ledger.
func simulate(t *testing.T) (eventSocket, ledger string) {
	t.Helper()
	ledger = filepath.Join(t.TempDir(), "ledger")
	cmd := exec.Command(program, "simulate", "--listen=127.0.0.1:0", "--speed=200", "--ledger="+ledger)
	return await(t, start(t, cmd), `for="event socket" address=(\S+)`), ledger
}

// A backup that was taken while the daemon ran gives everything back, and calls
// nobody by itself.
func TestBackupAndRestore(t *testing.T) {
	t.Parallel()
	need(t, "gs", "ghostscript")
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		need(t, "sqlite3", "sqlite3")
		dir := t.TempDir()
		backupAndRestore(t, "sqlite:///"+filepath.Join(dir, "old.db"), "sqlite:///"+filepath.Join(dir, "new.db"))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		postgres := need(t, "pg_virtualenv", "postgresql")
		cmd := exec.Command(postgres, "-t", "sh", "-c", `createdb old && createdb new && echo at $PGUSER $PGPASSWORD $PGPORT && exec cat`)
		end, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		said := start(t, cmd)
		t.Cleanup(func() { // a signal would leave the server behind
			end.Close()
			for range said {
			}
		})
		at := strings.Fields(await(t, said, `^at (.*)`))
		name := func(database string) string {
			return (&url.URL{Scheme: "postgresql", User: url.UserPassword(at[0], at[1]), Host: "127.0.0.1:" + at[2], Path: database}).String()
		}
		backupAndRestore(t, name("old"), name("new"))
	})
}

func backupAndRestore(t *testing.T, old, fresh string) {
	line, ledger := simulate(t)
	documents, restored, kept := filepath.Join(t.TempDir(), "documents"), filepath.Join(t.TempDir(), "documents"), filepath.Join(t.TempDir(), "kept")
	script := func(name, database, documents string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "sh", "backup/"+name, kept)
		cmd.Env = append(os.Environ(), "DATABASE_URL="+database, "FAX_DATA_DIR="+documents)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
	}
	document := "../cmd/faxbot/testfax/testfax.pdf"
	d := serve(t, line, "DATABASE_URL="+old, "FAX_DATA_DIR="+documents)
	sent := d.faxbot("send", document, "--to=+15551230001", "--wait")
	waits := d.faxbot("send", document, "--to=+15551230002", "--send-at="+time.Now().Add(8*time.Second).UTC().Format(time.RFC3339))
	script("backup.sh", old, documents)
	script("backup.sh", old, documents) // the next day
	d.faxbot("watch", waits.ID)         // it arrives, which the backup does not know
	d.end()
	calls := strings.Count(read(t, ledger), `"dial"`)

	script("restore.sh", fresh, restored)
	d = serve(t, line, "DATABASE_URL="+fresh, "FAX_DATA_DIR="+restored, "FAX_DISABLED=true")
	if fax := d.faxbot("show", sent.ID); fax.Status != "SUCCESS" {
		t.Errorf("the delivered fax is %+v", fax)
	}
	again := d.faxbot("resend", sent.ID) // its document is there, too
	if again.ID == sent.ID || again.Status == "FAILED" {
		t.Errorf("sent again: %+v", again)
	}
	if fax := d.faxbot("show", waits.ID); fax.Status == "SUCCESS" || fax.Status == "FAILED" {
		t.Errorf("the fax of which the backup does not know that it arrived is %+v", fax)
	}
	d.faxbot("cancel", waits.ID)
	d.end()
	if now := strings.Count(read(t, ledger), `"dial"`); now != calls {
		t.Errorf("%d calls after the restore", now-calls)
	}
}
