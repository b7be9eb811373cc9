package controller_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"faxbot/controller"
	"faxbot/controller/document"
	"faxbot/controller/document/bucket/buckettest"
	"faxbot/controller/fax"
	"faxbot/controller/freeswitch/simulator"

	"golang.org/x/sys/unix"
)

// later keeps a fax from being called before it is released.
func later(s *controller.Submission) { s.SendAt = time.Now().Add(time.Hour) }

func with(o fax.Options) func(*controller.Submission) {
	return func(s *controller.Submission) { s.Options = o }
}

// previews are the pages of a fax as PNG.
func (h *house) previews(id fax.JobID) (pages []string) {
	h.t.Helper()
	job, _, err := h.Find(h.t.Context(), id)
	if err != nil {
		h.t.Fatal(err)
	}
	for n := range job.Pages {
		var b bytes.Buffer
		if err := h.Preview(h.t.Context(), id, n+1, &b); err != nil {
			h.t.Fatal(err)
		}
		pages = append(pages, b.String())
	}
	return pages
}

// Pages that are made again are those that were chosen, with the cover as it
// was when the fax was submitted.
func TestPagesMadeAgainAreTheSame(t *testing.T) {
	t.Parallel()
	covers := t.TempDir()
	template := filepath.Join(covers, "letterhead.txt")
	write := func(text string) {
		if err := os.WriteFile(template, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("Doe Ltd\nTo {{to}} from {{from}}, {{date}}, {{pages}} pages\n{{subject}}\n{{message}}")
	h := newHouse(t, simulator.Config{Speed: 200}, func(c *controller.Config) { c.Covers, c.Disabled = covers, true })
	const again, other = "15551230031", "15551230032"
	chosen := fax.Options{
		Pages: "2,4-", Darkness: 3,
		Cover: fax.Cover{Name: "letterhead", To: "Dr. Who {{message}}", From: "Doe", Subject: "Hello", Message: "Two\nlines"},
	}
	unreadable := h.submit(again, 5, with(chosen))
	h.sim.Script(again, simulator.Outcome{Code: 41})
	standard := chosen
	standard.Resolution = "standard"
	coarse, small := h.submit(other, 5, with(chosen)), h.submit(other+"9", 5, with(standard))
	h.sim.Script(other, simulator.Outcome{Code: 11})
	for _, id := range []fax.JobID{unreadable, coarse, small} {
		if job, _ := h.until(id, fax.Held); job.Pages != 4 || job.Status() != fax.StatusDisabled {
			t.Fatalf("%+v", job)
		}
	}
	before, fine := h.previews(unreadable), h.previews(coarse)
	_, _, facts, err := h.Look(t.Context(), coarse)
	if err != nil || len(facts.Sheets) != 4 {
		t.Fatal(facts, err)
	}
	write("Another template")
	h.apply(func(p *controller.Policy) { p.Disabled = false })
	h.release(unreadable)
	h.release(coarse)
	h.until(unreadable, fax.Failed)
	h.until(coarse, fax.Failed)
	for i, page := range h.previews(unreadable) {
		if page != before[i] {
			t.Errorf("page %d became another when it was made again", i+1)
		}
	}
	want := h.previews(small)
	for i, page := range h.previews(coarse) {
		if page != want[i] || page == fine[i] {
			t.Errorf("page %d at standard resolution is not the one that was chosen", i+1)
		}
	}
	_, _, redrawn, err := h.Look(t.Context(), coarse)
	if err != nil || len(redrawn.Sheets) != 4 || redrawn.Sheets[0].Seconds >= facts.Sheets[0].Seconds {
		t.Errorf("at standard resolution %+v, before %+v, %v", redrawn, facts, err)
	}
}

func TestCoversThatAreRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"covers/long.txt": strings.Repeat("line\n", 200), "covers/huge.txt": strings.Repeat("x", 20<<10),
		"covers/binary.txt": "\xff\xfe", "covers/.txt": "nameless", "secret.txt": "not yours",
	} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../secret.txt", filepath.Join(dir, "covers", "link.txt")); err != nil {
		t.Fatal(err)
	}
	h := newHouse(t, simulator.Config{}, func(c *controller.Config) { c.Covers = filepath.Join(dir, "covers") })
	for name, want := range map[string]fax.Problem{
		"missing": fax.Invalid, "../secret": fax.Invalid, "..": fax.Invalid, "/etc/passwd": fax.Invalid,
		strings.Repeat("x", 300): fax.Invalid, "a\x00b": fax.Invalid,
		"link": fax.Unavailable, "huge": fax.Unavailable, "binary": fax.Unavailable,
	} {
		r, err := h.Receive(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Add(t.Context(), strings.NewReader("Hello\n")); err != nil {
			t.Fatal(err)
		}
		s := controller.Submission{To: "15551230033", Options: fax.Options{Cover: fax.Cover{Name: name}}}
		if _, _, err := h.Submit(t.Context(), r, s); fax.ProblemOf(err) != want || strings.Contains(err.Error(), dir) {
			t.Errorf("cover %.40q: %v", name, err)
		}
	}
	job, _ := h.until(h.submit("15551230033", 1, with(fax.Options{Cover: fax.Cover{Name: "long"}})), fax.Failed)
	if job.Cause != fax.Document || !strings.Contains(job.Error, "longer than one page") {
		t.Errorf("%+v", job)
	}
}

// files lists what is kept in the document folder, but for an index of fonts and
// the folder of what is under way.
func (h *house) files() (list []string) {
	_ = filepath.WalkDir(filepath.Join(h.dir, "documents"), func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() && filepath.Base(path) != "lock" && !strings.Contains(path, "/fonts/") {
			list = append(list, path)
		}
		return nil
	})
	return list
}

func TestDeliveredDocumentsGoAtOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t, simulator.Config{}, nil)
	h.sim.Script("15551230043", simulator.Outcome{Cause: "UNALLOCATED_NUMBER"})
	purge := with(fax.Options{PurgeOnSuccess: true, Cover: fax.Cover{Name: "plain", Message: "in confidence"}})
	delivered, failed, kept := h.submit("15551230041", 2, purge), h.submit("15551230043", 1, purge), h.submit("15551230042", 1)
	h.until(failed, fax.Failed)
	h.until(kept, fax.Done)
	h.until(delivered, fax.Done)
	eventually(t, "the delivered document is gone", func() bool { return !h.exists(delivered) })
	eventually(t, "what its cover said is gone", func() bool {
		job, _, err := h.Find(t.Context(), delivered)
		return err == nil && job.Options.Cover == fax.Cover{Name: "plain"}
	})
	if !h.exists(failed) || !h.exists(kept) {
		t.Error("documents of other faxes are gone")
	}
	h.apply(func(p *controller.Policy) { p.PurgeOnSuccess = true })
	everybodys := h.submit("15551230042", 1)
	h.until(everybodys, fax.Done)
	eventually(t, "a document goes as the daemon is told", func() bool { return !h.exists(everybodys) })
	eventually(t, "nothing is left of them", func() bool {
		return !slices.ContainsFunc(h.files(), func(path string) bool {
			return strings.Contains(path, string(delivered)) || strings.Contains(path, string(everybodys))
		})
	})
}

// A document that should have gone when the daemon died goes with the next run.
func TestDeliveredDocumentsGoAfterACrash(t *testing.T) {
	t.Parallel()
	h := newHouse(t, simulator.Config{}, nil)
	id := h.submit("15551230044", 1)
	h.until(id, fax.Done)
	h.close()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(h.dir, "faxbot.db"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.ExecContext(t.Context(), `UPDATE jobs SET purge_on_success = TRUE WHERE id = ?`, id)
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	h.open(nil)
	eventually(t, "the document is gone", func() bool { return !h.exists(id) })
}

// However a fax ends, its documents go with their retention, and nothing is
// left of them.
func TestRetentionOfEveryEnd(t *testing.T) {
	t.Parallel()
	h := newHouse(t, simulator.Config{}, nil)
	h.sim.Script("15551230053", simulator.Outcome{Cause: "UNALLOCATED_NUMBER"})
	h.sim.Script("15551230054", simulator.Outcome{Cause: "USER_BUSY"})
	ends := map[string]fax.JobID{
		"delivered":        h.submit("15551230051", 1),
		"not convertible":  h.submit("15551230052", 1, with(fax.Options{Pages: "9"})),
		"given up":         h.submit("15551230053", 1),
		"cancelled":        h.submit("15551230055", 1, later),
		"cancelled, retry": h.submit("15551230054", 1),
		"expired":          h.submit("15551230056", 1, later),
	}
	held := h.submit("15551230057", 1, later)
	h.until(ends["delivered"], fax.Done)
	h.until(ends["not convertible"], fax.Failed)
	h.until(ends["given up"], fax.Failed)
	h.until(ends["cancelled, retry"], fax.Retry)
	for _, name := range []string{"cancelled", "cancelled, retry"} {
		if _, err := h.Cancel(t.Context(), ends[name]); err != nil {
			t.Fatal(err)
		}
	}
	h.until(ends["expired"], fax.Queued)
	h.until(held, fax.Queued)
	if _, err := h.store.Hold(t.Context(), held, fax.Unknown, "waits for a person"); err != nil {
		t.Fatal(err)
	}
	if _, err := h.store.Expire(t.Context(), time.Now().Add(24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	ended := map[fax.State]bool{}
	for name, id := range ends {
		job, _, err := h.Find(t.Context(), id)
		if err != nil || !job.State.Terminal() || !h.exists(id) {
			t.Fatalf("%s: %+v, %v", name, job, err)
		}
		ended[job.State] = true
	}
	for _, state := range fax.States {
		if state.Terminal() && !ended[state] {
			t.Errorf("no fax is %s", state)
		}
	}
	h.close()
	h.open(func(c *controller.Config) { c.Retention = time.Nanosecond })
	for name, id := range ends {
		eventually(t, "the documents of a fax that was "+name+" are gone", func() bool { return !h.exists(id) })
	}
	if !h.exists(held) {
		t.Error("the documents of a fax that waits for a person are gone")
	}
	eventually(t, "nothing is left of them", func() bool {
		return !slices.ContainsFunc(h.files(), func(path string) bool { return !strings.Contains(path, string(held)) })
	})
}

// Submission does not wait for conversion, which takes every processor and no
// more: as many interpreters run as there are, however many documents wait.
func TestConversionTakesEveryProcessorAndNoMore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	gate := filepath.Join(dir, "gate")
	script := filepath.Join(dir, "gs")
	// An interpreter is an unprivileged user that can write nothing, but may
	// make an empty file here.
	err := errors.Join(os.Chmod(filepath.Dir(dir), 0o755), os.Chmod(dir, 0o777), unix.Mkfifo(gate, 0o600), os.Chmod(gate, 0o666),
		os.WriteFile(script, []byte("#!/bin/sh\ncase $* in *--version*) exec gs \"$@\";; esac\n: >"+dir+"/started.$$\nread line <"+gate+"\nexec gs \"$@\"\n"), 0o755))
	if err != nil {
		t.Fatal(err)
	}
	opened, err := os.OpenFile(gate, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	h := newHouse(t, simulator.Config{}, func(c *controller.Config) {
		old := c.Documents
		var err error
		if c.Documents, err = document.Open(document.Config{Dir: old.Dir, Ghostscript: script, Spare: -1}); err != nil {
			t.Fatal(err)
		}
		old.Close()
	})
	pdf, err := os.ReadFile("../cmd/faxbot/testfax/testfax.pdf")
	if err != nil {
		t.Fatal(err)
	}
	workers := runtime.GOMAXPROCS(0)
	total := 2*workers + 1
	var ids []fax.JobID
	for range total {
		r, err := h.Receive(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Add(t.Context(), bytes.NewReader(pdf)); err != nil {
			t.Fatal(err)
		}
		job, _, err := h.Submit(t.Context(), r, controller.Submission{To: "15551230061", SendAt: time.Now().Add(time.Hour)})
		if err != nil || job.State != fax.Received {
			t.Fatalf("%+v, %v", job, err)
		}
		ids = append(ids, job.ID)
	}
	for released := range total {
		eventually(t, "every processor converts", func() bool {
			started, err := filepath.Glob(filepath.Join(dir, "started.*"))
			if err != nil || len(started) > workers+released {
				t.Fatalf("%d conversions at once, of %d processors: %v", len(started)-released, workers, err)
			}
			return len(started) == min(total, workers+released)
		})
		if _, err := opened.WriteString("go\n"); err != nil {
			t.Fatal(err)
		}
		eventually(t, "a document is converted", func() bool {
			done := 0
			for _, id := range ids {
				if job, _, err := h.Find(context.Background(), id); err == nil && job.State == fax.Queued {
					done++
				}
			}
			return done == released+1
		})
	}
}

// Pages that cannot be put into the bucket are made again until they can, and
// nobody is called before.
func TestConversionWaitsForTheBucket(t *testing.T) {
	t.Parallel()
	server := buckettest.RunT(t)
	server.FailOn("/fax.tiff")
	h := newHouse(t, simulator.Config{}, func(c *controller.Config) { c.Documents.Bucket = server.Open(t) })
	id := h.submit("15551230074", 1)
	eventually(t, "a conversion has failed", func() bool { return h.gauge("faxbot_conversions_total", "failed") > 0 })
	if job, _, err := h.Find(t.Context(), id); err != nil || job.State != fax.Received || h.ledger("dial") != 0 {
		t.Errorf("%+v, %v", job, err)
	}
	server.Fail(false)
	h.until(id, fax.Done)
}

// shared gives a host a folder of its own beside a bucket.
func shared(t *testing.T, server *buckettest.Server, host string) func(c *controller.Config) {
	return func(c *controller.Config) {
		old := c.Documents
		var err error
		c.Documents, err = document.Open(document.Config{Dir: filepath.Join(filepath.Dir(old.Dir), host), Bucket: server.Open(t)})
		if err != nil {
			t.Fatal(err)
		}
		old.Close()
	}
}

// Pages that are in no folder, while the bucket is away, cost the fax time, but
// none of the calls that it may have: nobody was dialled.
func TestABucketThatIsAwayUsesUpNoCalls(t *testing.T) {
	t.Parallel()
	server := buckettest.RunT(t)
	h := newHouse(t, simulator.Config{Speed: 200}, shared(t, server, "first"))
	id := h.submit("15551230077", 1, func(s *controller.Submission) { s.Options.Hold = true })
	h.until(id, fax.Held)
	h.close()
	server.FailOn("/fax.tiff")
	h.open(shared(t, server, "second"))
	eventually(t, "the switch can be told to dial", h.linkUp)
	h.release(id)
	job, attempts := h.until(id, fax.Retry)
	if job.Dials != 0 || job.Tries != 0 || len(attempts) != 1 || attempts[0].Result.Cause != fax.Switch || h.ledger("dial") != 0 {
		t.Errorf("%+v %+v", job, attempts)
	}
	server.Fail(false)
	h.release(id)
	if job, _ := h.until(id, fax.Done); job.Dials != 1 || h.ledger("dial") != 1 {
		t.Errorf("%d dials, the ledger has %d", job.Dials, h.ledger("dial"))
	}
}

// What one host has, the others have, and what one deletes, the others delete.
func TestHostsThatShareABucket(t *testing.T) {
	t.Parallel()
	server := buckettest.RunT(t)
	share := func(host string) func(c *controller.Config) { return shared(t, server, host) }
	h := newHouse(t, simulator.Config{}, share("first"))
	delivered, kept := h.submit("15551230071", 1), h.submit("15551230072", 1)
	h.until(delivered, fax.Done)
	h.until(kept, fax.Done)
	h.close()
	// The same job on a host with an empty folder.
	h.open(share("second"))
	if pages := h.previews(delivered); len(pages) != 1 {
		t.Errorf("%d pages", len(pages))
	}
	if _, _, err := h.Resend(t.Context(), kept, controller.Submission{To: "15551230073"}); err != nil {
		t.Error(err)
	}
	if err := errors.Join(h.config.Documents.Remove(t.Context(), delivered), h.store.Purged(t.Context(), []fax.JobID{delivered})); err != nil {
		t.Fatal(err)
	}
	h.close()
	h.open(share("first"))
	first := h.config.Documents
	eventually(t, "the first host has dropped its copy", func() bool { _, err := os.Stat(first.TIFF(delivered)); return err != nil })
	if _, err := os.Stat(first.TIFF(kept)); err != nil {
		t.Errorf("what is kept: %v", err)
	}
}
