package main

import (
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Who had a key and faxes in an earlier Faxbot has them here, and the fax that
// was under way then is not sent.
func TestImport(t *testing.T) {
	t.Parallel()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3, which makes the earlier database")
	}
	dir := t.TempDir()
	old, ours, env := filepath.Join(dir, "old.db"), filepath.Join(dir, "ours.db"), filepath.Join(dir, "faxbot.env")
	token, err := exec.Command(python, "testdata/import/earlier.py", old).Output()
	if err != nil {
		t.Fatal(err)
	}
	settings, err := filepath.Abs("testdata/import/earlier.env")
	if err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) string {
		t.Helper()
		p := start(t, nil, append([]string{"import", "--from=sqlite:///" + old, "--database-url=sqlite:///" + ours, "--settings=" + settings}, args...)...)
		if status := p.status(); status != 0 {
			t.Fatalf("status %d:\n%s", status, p.output())
		}
		return p.output()
	}
	said := run("--dry-run", "--write-settings="+env)
	for _, want := range []string{
		"Faxes: 3", "SUCCESS      1", "in_progress  1", "Keys: 1", "\n  33333333333333333333333333333333  2025-09-01 10:00  ********0003  in_progress",
		"\n  API_KEY\n  FREESWITCH_ESL_PASSWORD\n  FAX_HEADER\n  MAX_FILE_SIZE_MB\n", "left out:\n  FAX_DATA_DIR\n  FAX_BACKEND\n  PHAXIO_API_KEY\n", "Nothing was written",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("it does not say %q:\n%s", want, said)
		}
	}
	for _, secret := range []string{"earlier key", "Clue Con", "nothing here", "5551230003"} {
		if strings.Contains(said, secret) {
			t.Errorf("it says %q", secret)
		}
	}
	for _, file := range []string{ours, env} {
		if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("--dry-run made %s", file)
		}
	}

	if said := run("--write-settings=" + env); !strings.Contains(said, "Taken over: 3 faxes and 1 keys; 0 faxes and 0 keys were here already.") {
		t.Error(said)
	}
	if said := run(); !strings.Contains(said, "Taken over: 0 faxes and 0 keys; 3 faxes and 1 keys were here already.") {
		t.Error(said)
	}
	written, err := os.ReadFile(env)
	want := `API_KEY="earlier key with a \$ and a \" in it"
FREESWITCH_ESL_PASSWORD="Clue Con"
FAX_HEADER="Company Name"
MAX_FILE_SIZE_MB="20"
`
	if err != nil || string(written) != want {
		t.Errorf("%s, %v", written, err)
	}

	h := build(t, "200", "DATABASE_URL=sqlite:///"+ours)
	for old, want := range map[string]string{"1": "done", "2": "failed", "3": "failed"} {
		if found := h.find(strings.Repeat(old, 32)); found.State != want || found.Pages != 2 || (found.Cause == "unknown") != (old == "3") {
			t.Errorf("the fax %s: %+v", old, found)
		}
	}
	h.key = string(token) + "x"
	if code, _ := h.submit("+15551230009"); code != http.StatusUnauthorized {
		t.Errorf("a key that never was: %d", code)
	}
	h.key = string(token)
	code, sent := h.submit("+15551230009")
	if code != http.StatusAccepted {
		t.Fatalf("the earlier key: %d %s", code, sent.Detail)
	}
	h.until(sent.ID, "done")
	if n := h.dials(); n != 1 {
		t.Errorf("%d calls were placed, not the one of the new fax", n)
	}
}
