package controller_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"faxbot/controller"
	"faxbot/controller/fax"
	"faxbot/controller/freeswitch/simulator"
)

func recording(c *controller.Config) { c.RecordCalls = 100 }

// recorded waits for the recording of a call.
func (h *house) recorded(id fax.JobID, call int) []byte {
	h.t.Helper()
	var text []byte
	eventually(h.t, "the recording is kept", func() bool {
		var err error
		text, err = h.Recording(h.t.Context(), id, call)
		return err == nil
	})
	return text
}

// Whatever happens in a call, its recording is judged as the call was.
func TestRecordingIsJudgedAsTheCall(t *testing.T) {
	t.Parallel()
	h := newHouse(t, simulator.Config{Speed: 200}, recording)
	const resumed = "15551230050"
	h.sim.Script(resumed, simulator.Outcome{Drops: true, Pages: 2})
	h.sim.Script("15551230051", simulator.Outcome{NoFine: true})
	twice := h.submit(resumed, 3)
	ids := []fax.JobID{twice}
	for _, number := range []string{"15551230052", "1555992006", "1555992048", "1555993001", "1555994001"} {
		ids = append(ids, h.submit(number, 2, once))
	}
	ids = append(ids, h.submit("15551230051", 1), h.submit("15551230053", 60))
	h.until(twice, fax.Retry)
	h.sim.Script(resumed, simulator.Outcome{})
	h.release(twice)
	for _, id := range ids {
		job, calls := h.until(id, fax.Done, fax.Failed)
		for i, call := range calls {
			text := h.recorded(id, i+1)
			all, err := controller.Replay(bytes.NewReader(text))
			if err != nil || len(all) != 1 {
				t.Errorf("%s: %v, %d calls", job.To, err, len(all))
				continue
			}
			got, want := all[0], call.Result
			if got.Call != string(call.ID) || got.Cause != want.Cause || got.Pages != want.Pages || got.RemoteStation != want.RemoteStation {
				t.Errorf("%s, call %d: recorded %+v, judged %+v", job.To, i+1, got, want)
			}
			if bytes.Contains(text, []byte(call.Token)) {
				t.Errorf("%s: the token is in the recording", job.To)
			}
			if cut := bytes.Contains(text, []byte("are left out here")); cut != (job.Pages == 60) || len(text) > 300<<10 {
				t.Errorf("%s, %d pages: %d bytes, cut %v", job.To, job.Pages, len(text), cut)
			}
		}
	}
	if _, calls := h.until(twice, fax.Done); calls[1].Parameters.StartPage != 2 {
		t.Errorf("%+v", calls)
	}
}

// A recording is ours alone to read, and goes with the documents.
func TestRecordingGoesWithTheDocuments(t *testing.T) {
	t.Parallel()
	h := newHouse(t, simulator.Config{Speed: 200}, recording)
	files := func(id fax.JobID) []string {
		list, err := filepath.Glob(filepath.Join(filepath.Dir(h.config.Documents.TIFF(id)), "call-*"))
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	purge := func(s *controller.Submission) { s.Options.PurgeOnSuccess = true }
	kept, purged, undelivered := h.submit("15551230054", 1), h.submit("15551230055", 1, purge), h.submit("1555992006", 1, purge, once)
	busy := h.submit("1555991017", 1, once)
	h.until(kept, fax.Done)
	h.recorded(kept, 1)
	h.until(undelivered, fax.Failed)
	h.recorded(undelivered, 1)
	list := files(kept)
	if len(list) != 1 {
		t.Fatalf("%v", list)
	}
	if st, err := os.Stat(list[0]); err != nil || st.Mode().Perm() != 0o600 || st.Size() > 30<<10 {
		t.Errorf("%v %v", st, err)
	}
	h.until(purged, fax.Done)
	h.until(busy, fax.Failed)
	eventually(t, "the calls are over", func() bool { return h.sim.Calls() == 0 })
	eventually(t, "a delivered fax is purged", func() bool { return !h.exists(purged) })
	h.close()
	if list := files(purged); len(list) > 0 {
		t.Errorf("kept of a purged fax: %v", list)
	}
	h.open(func(c *controller.Config) { c.Retention = time.Nanosecond })
	eventually(t, "the recording is gone", func() bool { return len(files(kept))+len(files(undelivered)) == 0 })
	for what, call := range map[string]struct {
		id fax.JobID
		no int
	}{"deleted": {kept, 1}, "never connected": {busy, 1}, "no such call": {kept, 2}, "no call at all": {kept, 0}} {
		if _, err := h.Recording(t.Context(), call.id, call.no); fax.ProblemOf(err) != fax.NotFound {
			t.Errorf("%s: %v", what, err)
		}
	}
	// Recording is switched off and on while the daemon runs.
	off := h.submit("15551230056", 1)
	h.until(off, fax.Done)
	p := h.policy()
	p.RecordCalls = 1
	if err := h.Apply(p); err != nil {
		t.Fatal(err)
	}
	on := h.submit("15551230057", 1)
	h.until(on, fax.Done)
	h.recorded(on, 1)
	if _, err := h.Recording(t.Context(), off, 1); fax.ProblemOf(err) != fax.NotFound {
		t.Errorf("recorded all the same: %v", err)
	}
}
