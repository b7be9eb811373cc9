package controller_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"faxbot/controller"
	"faxbot/controller/fax"
	"faxbot/controller/freeswitch/simulator"
	"faxbot/controller/store/pgtest"
)

// The database crashes while calls are up: they go on, what they came to is on
// our disk, and in the database once that is back. Meanwhile nobody's fax is
// taken, and nobody is dialled.
func TestDatabaseCrashDuringCalls(t *testing.T) {
	t.Parallel()
	server := pgtest.RunT(t)
	journal := filepath.Join(t.TempDir(), "verdicts")
	// A call takes longer than a server that stops.
	h := newHouseOn(t, server.URL, simulator.Config{Speed: 8}, func(c *controller.Config) { c.Journal = journal })

	var ids []fax.JobID
	for i := range 3 {
		ids = append(ids, h.submit(fmt.Sprintf("1555123007%d", i), 3))
	}
	dropped := h.submit("1555993001", 3, once) // hangs up after a page
	for _, id := range append(ids, dropped) {
		h.until(id, fax.Sending, fax.Failed)
	}
	due := time.Now().Add(5 * time.Second) // by when the database is gone
	waits := h.submit("15551230079", 1, func(s *controller.Submission) { s.SendAt = due })
	if err := server.Stop("immediate"); err != nil {
		t.Fatal(err)
	}
	// No fax is taken: 503 is what REST makes of this.
	r, err := h.Receive(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Add(context.Background(), strings.NewReader("nobody takes it")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.Submit(context.Background(), r, controller.Submission{To: "15551230078"}); fax.ProblemOf(err) != fax.Unavailable {
		t.Errorf("submitted without a database: %v", err)
	}
	eventually(t, "the calls are over, without a database", func() bool { return h.sim.Calls() == 0 })
	kept := func() int {
		files, err := os.ReadDir(journal)
		if err != nil {
			t.Fatal(err)
		}
		return len(files)
	}
	eventually(t, "their results are on disk", func() bool { return kept() >= len(ids) })
	eventually(t, "another fax is due", func() bool { return time.Now().After(due) })
	if n := h.ledger("dial"); n != 4 {
		t.Errorf("%d calls, before the database is back", n)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		if job, attempts := h.until(id, fax.Done); len(attempts) != 1 || job.Confirmed != 3 {
			t.Errorf("%+v %+v", job, attempts)
		}
	}
	if job, _ := h.until(dropped, fax.Failed); job.Cause != fax.Dropped || job.Confirmed != 1 {
		t.Errorf("%+v", job)
	}
	h.until(waits, fax.Done)
	eventually(t, "the journal is empty", func() bool { return kept() == 0 })
	if n := h.ledger("dial"); n != 5 {
		t.Errorf("%d calls", n)
	}
	if n := h.ledger("page"); n != 3*3+1+1 {
		t.Errorf("%d pages", n)
	}
}
