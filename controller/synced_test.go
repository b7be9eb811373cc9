package controller

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"faxbot/controller/fax"
)

// A result that is kept outlives a loss of power: its bytes are on the disk before
// they get their name, the name before keep returns, and the folder before the
// daemon begins. The kernel is asked what was done, in this order.
func TestJournalIsSynced(t *testing.T) {
	t.Parallel()
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("no strace")
	}
	dir := t.TempDir()
	trace := filepath.Join(dir, "trace")
	child := exec.Command(strace, "-f", "-qq", "-y", "-e", "trace=fsync,mkdirat,renameat,renameat2", "-o", trace,
		os.Args[0], "-test.run=^TestJournalKeeps$", "-test.count=1")
	if out, err := child.CombinedOutput(); err != nil {
		if text, _ := os.ReadFile(trace); len(text) == 0 {
			t.Skipf("strace may not trace here: %s", out)
		}
		t.Fatalf("%v: %s", err, out)
	}
	said, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	order := regexp.MustCompile(`(?s)mkdirat\([^\n]*/verdicts".*fsync\([^\n]*/data>.*fsync\([^\n]*/verdicts/[-0-9a-f]+\.json\.new>` +
		`.*renameat2?\([^\n]*\.json\.new".*fsync\([^\n]*/verdicts>`)
	if !order.Match(said) {
		t.Errorf("not synced in the right order:\n%s", said)
	}
}

// What is kept is found again, once; a line that was torn is told.
func TestJournalKeeps(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	j, err := openJournal(filepath.Join(data, "verdicts"))
	if err != nil {
		t.Fatal(err)
	}
	want := verdictFile{fax.NewAttemptID(), time.Now().UTC(), fax.Result{Cause: fax.OK, Pages: 3}}
	for range 2 {
		if err := j.keep(want); err != nil {
			t.Fatal(err)
		}
	}
	torn := j.file(fax.NewAttemptID())
	for _, name := range []string{torn, torn + unfinished} {
		if err := os.WriteFile(name, []byte(`{"Attempt": "0`), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	list, err := j.all()
	if err == nil || len(list) != 1 || list[0].Attempt != want.Attempt || list[0].Result.Pages != 3 {
		t.Errorf("%+v, %v", list, err)
	}
	for range 2 {
		if err := j.drop(want.Attempt); err != nil {
			t.Error(err)
		}
	}
}
