package controller_test

import (
	"context"
	"net"
	"testing"
	"time"

	"faxbot/controller/fax"
	"faxbot/controller/freeswitch"
	"faxbot/controller/freeswitch/simulator"
	"faxbot/controller/store/pgtest"
)

// newHouses starts a daemon with a switch and one without, which share
// PostgreSQL and the documents.
func newHouses(t *testing.T, database string, sim simulator.Config) (dials, watches *house) {
	t.Helper()
	dir := t.TempDir()
	dials = &house{t: t, dir: dir, database: database, host: "dials", sim: simulator.RunT(t, sim)}
	dials.link = freeswitch.LinkConfig{Name: "test", Address: dials.sim.Addr(), Password: "ClueCon"}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close() // nobody is there
	watches = &house{t: t, dir: dir, database: database, host: "watches"}
	watches.link = freeswitch.LinkConfig{Name: "test", Address: l.Addr().String(), Password: "ClueCon"}
	for _, h := range []*house{dials, watches} {
		h.open(nil)
		t.Cleanup(h.close)
	}
	return dials, watches
}

// Whoever watches a fax at one host sees at once what another host does.
func TestPagesAreSeenAtEveryHost(t *testing.T) {
	t.Parallel()
	dials, watches := newHouses(t, pgtest.RunT(t).URL, simulator.Config{Speed: 20})
	id := watches.submit("15551230060", 3)
	seen := 0
	for n := range watches.heard.C {
		if n.Job.ID != id {
			continue
		}
		if n.Attempt.ID != "" && n.Attempt.Host != "dials" {
			t.Fatalf("%s calls without a switch", n.Attempt.Host)
		}
		if n.Attempt.Result.Pages > seen {
			seen = n.Attempt.Result.Pages
		}
		if n.Job.State == fax.Done {
			break
		}
	}
	if seen != 3 || dials.ledger("page") != 3 {
		t.Errorf("%d pages were seen, %d delivered", seen, dials.ledger("page"))
	}

	// Cancelled at one host, it is hung up at the other.
	id = watches.submit("15551230061", 5)
	dials.until(id, fax.Sending)
	if _, err := watches.Cancel(context.Background(), id); err != nil {
		t.Fatal(err)
	}
	asked := time.Now()
	if job, _ := dials.until(id, fax.Cancelled); job.Cause != fax.Withdrawn {
		t.Errorf("%+v", job)
	}
	if took := time.Since(asked); took > 8*time.Second {
		t.Errorf("hung up after %s: by looking, not by listening", took)
	}
}
