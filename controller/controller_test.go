package controller_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"faxbot/controller"
	"faxbot/controller/doctor"
	"faxbot/controller/fax"
	"faxbot/controller/freeswitch"
	"faxbot/controller/freeswitch/simulator"
	"faxbot/events"

	"github.com/google/go-cmp/cmp"
)

func once(s *controller.Submission) { s.MaxAttempts = 1 }

func TestFirstFax(t *testing.T) {
	t.Parallel()
	h := newHouse(t, simulator.Config{Speed: 200}, nil)
	job, attempts := h.until(h.submit("+15551230001", 3), fax.Done)
	if job.Pages != 3 || job.Confirmed != 3 || job.Cause != fax.OK || job.Error != "" || len(attempts) != 1 {
		t.Fatalf("%+v %+v", job, attempts)
	}
	r := attempts[0].Result
	if r.Cause != fax.OK || r.Code != 0 || r.Pages != 3 || !r.T38 || !r.ECM || r.Rate != 14400 || r.RemoteStation == "" {
		t.Errorf("%+v", r)
	}
	if h.ledger("dial") != 1 || h.ledger("page") != 3 {
		t.Errorf("the switch saw %d dials and %d pages", h.ledger("dial"), h.ledger("page"))
	}
}

// Each way a call can end gets its cause, and the fax what follows from it.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	h := newHouse(t, simulator.Config{Speed: 200}, nil)
	type want struct {
		state fax.State
		cause fax.Cause
		pages int
		by    []fax.Witness // one of them
	}
	heard, told := []fax.Witness{fax.ByCall, fax.ByLink}, []fax.Witness{fax.ByLink}
	ids := map[fax.JobID]want{}
	for number, w := range map[string]want{
		"1555991017": {fax.Failed, fax.Busy, 0, told},
		"1555991019": {fax.Failed, fax.NoAnswer, 0, told},
		"1555991001": {fax.Failed, fax.WrongNumber, 0, told},
		"1555991021": {fax.Failed, fax.Refused, 0, told},
		"1555991041": {fax.Retry, fax.Trunk, 0, told}, // costs nothing
		"1555991808": {fax.Held, fax.Misconfigured, 0, told},
		"1555992006": {fax.Failed, fax.Training, 0, heard},
		"1555992048": {fax.Failed, fax.PageLost, 0, heard},
		"1555993001": {fax.Failed, fax.Dropped, 1, heard},
		"1555994001": {fax.Failed, fax.NotAFax, 0, heard},
		"1555994002": {fax.Done, fax.OK, 2, heard},
		"1555994003": {fax.Done, fax.OK, 2, told}, // by the command link
		"1555994006": {fax.Failed, fax.Switch, 0, told},
		"1555994007": {fax.Done, fax.OK, 2, heard},
		"1555994008": {fax.Done, fax.OK, 2, heard},
		"1555994009": {fax.Done, fax.OK, 2, heard},
	} {
		edit := []func(*controller.Submission){once}
		if w.cause == fax.Misconfigured { // would hold the others' queue
			edit = append(edit, func(s *controller.Submission) { s.Options.Gateway = "own" })
		}
		ids[h.submit(number, 2, edit...)] = w
	}
	for id, w := range ids {
		job, attempts := h.until(id, w.state)
		if job.Cause != w.cause || job.Confirmed != w.pages || len(attempts) != 1 {
			t.Errorf("%s: %s, %d pages, %d calls; want %s, %d", job.To, job.Cause, job.Confirmed, len(attempts), w.cause, w.pages)
		}
		if said := attempts[0].Result.Witnesses; !slices.Contains(w.by, said.Decided) || len(said.Contradicted) > 0 {
			t.Errorf("%s: known by %+v", job.To, said)
		}
		if job.State != fax.Done && job.Error == "" {
			t.Errorf("%s: nobody is told why", job.To)
		}
	}
}

// The second call begins with the first page that was not confirmed, and the
// fax is delivered when both calls together have delivered it.
func TestResume(t *testing.T) {
	t.Parallel()
	h := newHouse(t, simulator.Config{Speed: 200}, nil)
	const number = "15551230002"
	h.sim.Script(number, simulator.Outcome{Drops: true, Pages: 2})
	id := h.submit(number, 3)
	job, _ := h.until(id, fax.Retry)
	if job.Confirmed != 2 || job.Cause != fax.Dropped || !job.DueAt.After(job.UpdatedAt) {
		t.Errorf("%+v", job)
	}
	h.sim.Script(number, simulator.Outcome{})
	h.release(id)
	job, attempts := h.until(id, fax.Done)
	if job.Confirmed != 3 || len(attempts) != 2 || attempts[1].Parameters.StartPage != 2 || attempts[1].Result.Pages != 1 {
		t.Errorf("%+v %+v", job, attempts)
	}
	if h.ledger("page") != 3 {
		t.Errorf("%d pages were delivered", h.ledger("page"))
	}
}

func (h *house) release(id fax.JobID) {
	h.t.Helper()
	if _, err := h.Release(context.Background(), id); err != nil {
		h.t.Fatal(err)
	}
}

// What failed on a line is left out of the next call.
func TestRetryChangesParameters(t *testing.T) {
	t.Parallel()
	h := newHouse(t, simulator.Config{Speed: 200}, nil)
	id := h.submit("1555992006", 1) // cannot train
	h.until(id, fax.Retry)
	h.release(id)
	_, attempts := h.until(id, fax.Retry)
	if len(attempts) != 2 || !attempts[0].Parameters.V17 || attempts[1].Parameters.V17 {
		t.Errorf("%+v", attempts)
	}
}

// One number is not called for two faxes at once.
func TestOneCallPerNumber(t *testing.T) {
	t.Parallel()
	h := newHouse(t, simulator.Config{Speed: 200}, nil)
	first, second := h.submit("15551230003", 1), h.submit("15551230003", 1)
	h.until(first, fax.Done)
	h.until(second, fax.Done)
	open := map[string]bool{}
	for _, e := range h.sim.Ledger() {
		switch e.Kind {
		case "dial":
			if len(open) > 0 {
				t.Error("the number was dialled while a call to it was up")
			}
			open[e.UUID] = true
		case "end":
			delete(open, e.UUID)
		}
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	// Slow enough to be in the middle of things.
	h := newHouse(t, simulator.Config{Speed: 10}, nil)
	cancel := func(id fax.JobID) fax.Job {
		t.Helper()
		job, err := h.Cancel(context.Background(), id)
		if err != nil {
			t.Fatal(err)
		}
		return job
	}
	later := func(s *controller.Submission) { s.SendAt = time.Now().Add(time.Hour) }

	waiting := h.submit("15551230010", 1, later)
	h.until(waiting, fax.Queued)
	if job := cancel(waiting); job.State != fax.Cancelled || job.Cause != fax.Withdrawn {
		t.Errorf("waiting: %+v", job)
	}
	ringing := h.submit("1555994010", 1)
	h.until(ringing, fax.Dialing)
	cancel(ringing)
	if job, attempts := h.until(ringing, fax.Cancelled); job.Cause != fax.Withdrawn || len(attempts) != 1 {
		t.Errorf("ringing: %+v", job)
	}
	sending := h.submit("15551230011", 5)
	h.until(sending, fax.Sending)
	h.page(sending, 1)
	cancel(sending)
	job, _ := h.until(sending, fax.Cancelled)
	if job.Confirmed < 1 || job.Confirmed > 2 || !strings.Contains(job.Error, "of 5 pages had been delivered") {
		t.Errorf("sending: %+v", job)
	}
	if again := cancel(sending); again.State != fax.Cancelled {
		t.Errorf("again: %+v", again)
	}
}

// page waits until so many pages are confirmed in the running call.
func (h *house) page(id fax.JobID, pages int) {
	h.t.Helper()
	for n := range h.heard.C {
		if n.Job.ID == id && n.Attempt.Result.Pages >= pages {
			return
		}
	}
}

// The fallback hook is a witness like others: believed when nobody else speaks,
// never against what is stored.
func TestHook(t *testing.T) {
	t.Parallel()
	h := newHouse(t, simulator.Config{Speed: 200}, nil)
	ctx := context.Background()
	success := events.Fax{Known: true, Success: true, Text: "OK", Pages: 2}

	if err := h.Hook(ctx, events.Hook{JobID: string(fax.NewJobID())}); fax.ProblemOf(err) != fax.NotFound {
		t.Errorf("unknown fax: %v", err)
	}
	failed := h.submit("1555993001", 2, once)
	h.until(failed, fax.Failed)
	for range 2 {
		if err := h.Hook(ctx, events.Hook{JobID: string(failed), Fax: success}); err != nil {
			t.Error(err)
		}
	}
	job, calls := h.until(failed, fax.Failed)
	if said := calls[0].Result.Witnesses; job.Cause != fax.Dropped || said.Decided == fax.ByHook || !slices.Equal(said.Contradicted, []fax.Witness{fax.ByHook}) {
		t.Errorf("a hook moved an ended fax, or is not noted: %+v %+v", job, said)
	}
	if n := h.figure("faxbot_verdict_conflicts_total"); n != 2 {
		t.Errorf("%v conflicts counted", n)
	}
	if err := h.Hook(ctx, events.Hook{JobID: string(failed), AttemptID: "another"}); fax.ProblemOf(err) != fax.Conflict {
		t.Errorf("hook of another call: %v", err)
	}
	// Silence about a fax under way is no verdict.
	stalled := h.submit("1555994004", 2, once)
	h.until(stalled, fax.Sending)
	if err := h.Hook(ctx, events.Hook{JobID: string(stalled)}); err != nil {
		t.Error(err)
	}
	if job, _ := h.until(stalled, fax.Sending); job.State != fax.Sending {
		t.Errorf("%+v", job)
	}
	// And a verdict is one.
	_, attempts, err := h.Find(ctx, stalled)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Hook(ctx, events.Hook{JobID: string(stalled), AttemptID: string(attempts[0].ID), Fax: success}); err != nil {
		t.Error(err)
	}
	h.until(stalled, fax.Done)
}

func (h *house) figure(name string) float64 {
	h.t.Helper()
	families, _ := h.metrics.Gather() // without what a database that is away would count
	for _, f := range families {
		if f.GetName() == name {
			m := f.GetMetric()[0]
			return m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	h.t.Fatalf("no metric %s", name)
	return 0
}

// A drained daemon finishes its calls and takes nothing new.
func TestDrain(t *testing.T) {
	t.Parallel()
	h := newHouse(t, simulator.Config{Speed: 50}, nil)
	id := h.submit("15551230020", 2)
	h.until(id, fax.Sending)
	h.drain()
	if err := <-h.exited; err != nil {
		t.Error(err)
	}
	h.exited <- nil
	if job, _, err := h.Find(context.Background(), id); err != nil || job.State != fax.Done {
		t.Errorf("%+v %v", job, err)
	}
	if _, err := h.Receive(context.Background()); fax.ProblemOf(err) != fax.Unavailable {
		t.Errorf("a drained daemon takes faxes: %v", err)
	}
}

func TestReady(t *testing.T) {
	t.Parallel()
	h := newHouse(t, simulator.Config{Gateways: []string{"other"}}, nil)
	h.until(h.submit("15551230021", 1), fax.Retry)
	want := map[string]bool{
		"settings": true, "accepting": true, "database": true, "documents": true, "bucket": true, "disk": true, "ghostscript": true,
		"switch": true, "acl": true, "password": true, "fax_engine": true, "gateway": false, "reads_documents": true,
	}
	got := map[string]bool{}
	for _, f := range doctor.Ready(context.Background(), h.Patient()) {
		got[f.Check] = f.Outcome == doctor.OK
		if f.Outcome != doctor.OK && f.Mend == "" {
			t.Errorf("%s: not said why", f.Check)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A document that cannot be faxed is told, and never dialled.
func TestBadDocument(t *testing.T) {
	t.Parallel()
	h := newHouse(t, simulator.Config{}, nil)
	ctx := context.Background()
	heard := h.Notices().Listen(10)
	defer heard.Close()
	r, err := h.Receive(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Add(ctx, strings.NewReader("%PDF-1.4\nthis is no PDF at all\nstartxref\n9\n%%EOF\n")); err != nil {
		t.Fatal(err)
	}
	job, _, err := h.Submit(ctx, r, controller.Submission{To: "15551230022"})
	if err != nil {
		t.Fatal(err)
	}
	job, attempts := h.until(job.ID, fax.Failed)
	if job.Cause != fax.Document || job.Error == "" || len(attempts) != 0 || h.ledger("dial") != 0 {
		t.Errorf("%+v %+v", job, attempts)
	}
	for n := range heard.C {
		if n.Job.State == fax.Failed {
			break
		}
	}
	if h.gauge("faxbot_faxes_total", "failed") != 1 || h.gauge("faxbot_conversions_total", "refused") != 1 {
		t.Error("it is not counted")
	}
	if h.figure("faxbot_documents_free_bytes") <= 0 {
		t.Error("nobody is told how full the disk is")
	}
}

// Documents go when their retention ends, whatever became of the fax; so do
// those whose fax was never stored. The record of the fax stays.
func TestRetention(t *testing.T) {
	t.Parallel()
	h := newHouse(t, simulator.Config{Speed: 200}, nil)
	done, failed := h.submit("15551230030", 1), h.submit("1555991017", 1, once)
	h.until(done, fax.Done)
	h.until(failed, fax.Failed)

	// What a daemon leaves that dies between document and job.
	orphan := fax.JobID("0190163d8694739b9b6a2f1f4e5b6c7d") // of 2024
	r, err := h.config.Documents.Receive(context.Background(), orphan)
	if err == nil {
		_, err = r.Add(context.Background(), strings.NewReader("nobody's"))
	}
	if err == nil {
		err = r.Commit()
	}
	if err != nil {
		t.Fatal(err)
	}
	all := []fax.JobID{done, failed, orphan}
	for _, id := range all {
		if !h.exists(id) {
			t.Fatalf("the document of %s is gone too early", id)
		}
	}
	h.close()
	h.open(func(c *controller.Config) { c.Retention = time.Nanosecond })
	for _, id := range all {
		eventually(t, "the document of "+string(id)+" is gone", func() bool { return !h.exists(id) })
	}
	if job, _, err := h.Find(context.Background(), done); err != nil || job.State != fax.Done {
		t.Errorf("%+v %v", job, err)
	}
	h.close()
	h.open(func(c *controller.Config) { c.Records = time.Nanosecond })
	for _, id := range []fax.JobID{done, failed} {
		eventually(t, string(id)+" is erased", func() bool {
			_, _, err := h.Find(context.Background(), id)
			return fax.ProblemOf(err) == fax.NotFound
		})
	}
}

func (h *house) exists(id fax.JobID) bool {
	f, _, err := h.config.Documents.Source(context.Background(), id, 1)
	if err == nil {
		f.Close()
	}
	return err == nil
}

// A call in which nothing moves any more is hung up, and judged by what was
// heard of it.
func TestWatchdogs(t *testing.T) {
	t.Parallel()
	// The first page is through after 24 s of the line's time.
	h := newHouse(t, simulator.Config{Speed: 100}, func(c *controller.Config) {
		c.Socket.Timers = freeswitch.Timers{Negotiation: time.Second, Page: 2 * time.Second, Hangup: time.Second}
	})
	start, page := h.submit("1555994005", 2, once), h.submit("1555994004", 2, once)
	for name, id := range map[string]fax.JobID{"before negotiation": start, "in the first page": page} {
		job, attempts := h.until(id, fax.Failed)
		if job.Cause != fax.Dropped || job.Confirmed != 0 || attempts[0].Result.HangupCause != "MANAGER_REQUEST" {
			t.Errorf("stalled %s: %+v %+v", name, job, attempts[0].Result)
		}
	}
	eventually(t, "both calls are over", func() bool { return h.sim.Calls() == 0 })
}
