package document_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"faxbot/controller/document"
	"faxbot/controller/document/bucket/buckettest"
	"faxbot/controller/fax"
)

// hosts are two folders that share a bucket.
func hosts(t *testing.T) (s *buckettest.Server, here, there *document.Folder) {
	t.Helper()
	s = buckettest.RunT(t)
	return s, open(t, document.Config{Bucket: s.Open(t)}), open(t, document.Config{Bucket: s.Open(t)})
}

// keys are those that the server has of a job.
func keys(id fax.JobID, names ...string) (all []string) {
	for _, name := range names {
		all = append(all, "test/"+string(id)+"/"+name)
	}
	return all
}

func TestDocumentsAreInTheBucketAndComeFromIt(t *testing.T) {
	t.Parallel()
	s, here, there := hosts(t)
	ctx := t.Context()
	id := receive(t, here, []byte("one\ftwo"), pdf(sheets[0].page()))
	if err := here.Keep(ctx, id); err != nil {
		t.Fatal(err)
	}
	if got := s.Files(); !slices.Equal(got, keys(id, "1.txt", "2.pdf")) {
		t.Fatalf("the bucket has %v", got)
	}
	// The other host has them without a word, and converts.
	r, kind, err := there.Source(ctx, id, 1)
	if err != nil || kind != document.Text {
		t.Fatal(kind, err)
	}
	defer r.Close()
	if text, err := io.ReadAll(r); err != nil || string(text) != "one\ftwo" {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := there.Prepare(ctx, id, document.Options{}); err != nil {
		t.Fatal(err)
	}
	if got := s.Files(); !slices.Equal(got, keys(id, "1.txt", "2.pdf", "fax.tiff")) {
		t.Fatalf("the bucket has %v", got)
	}
	// The first host sends what the other one made, also when that is made again.
	same := func(why string) {
		t.Helper()
		if err := here.Fetch(ctx, id); err != nil {
			t.Fatal(why, err)
		}
		ours, err := os.ReadFile(here.TIFF(id))
		if err != nil {
			t.Fatal(why, err)
		}
		theirs, err := os.ReadFile(there.TIFF(id))
		if err != nil || !bytes.Equal(ours, theirs) {
			t.Errorf("%s: the hosts have other pages, %v", why, err)
		}
	}
	same("made elsewhere")
	if at, err := here.Drawn(id); err != nil || at != document.Fine {
		t.Errorf("drawn at %d, %v", at, err)
	}
	if _, err := there.Prepare(ctx, id, document.Options{Resolution: document.Standard}); err != nil {
		t.Fatal(err)
	}
	same("made again elsewhere")
	if at, err := here.Drawn(id); err != nil || at != document.Standard {
		t.Errorf("drawn at %d, %v", at, err)
	}
	if st, err := os.Stat(here.TIFF(id)); err != nil || st.Mode().Perm() != 0o640 {
		t.Errorf("%v, %v", st, err)
	}
	// A host that has lost its disk has everything again.
	if err := os.RemoveAll(filepath.Dir(filepath.Dir(here.TIFF(id)))); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(here.TIFF(id)); err == nil {
		t.Fatal("the file is still there")
	}
	var page bytes.Buffer
	if err := here.Preview(ctx, id, 3, &page); err != nil {
		t.Error(err)
	}
	same("after the loss of the disk")

	// Nothing is left of what is removed, nor of the copies that are dropped.
	if err := here.Remove(ctx, id); err != nil {
		t.Fatal(err)
	}
	if got := s.Files(); len(got) != 0 {
		t.Errorf("the bucket still has %v", got)
	}
	if err := there.Drop(id); err != nil {
		t.Fatal(err)
	}
	for _, f := range []*document.Folder{here, there} {
		if _, _, err := f.Source(ctx, id, 1); fax.ProblemOf(err) != fax.NotFound {
			t.Errorf("after removal: %v", err)
		}
	}
}

func TestBucketThatIsDown(t *testing.T) {
	t.Parallel()
	s, here, there := hosts(t)
	ctx := t.Context()
	kept, lost := receive(t, here, []byte("kept")), receive(t, here, []byte("lost"))
	if err := here.Keep(ctx, kept); err != nil {
		t.Fatal(err)
	}
	if _, err := here.Prepare(ctx, kept, document.Options{}); err != nil {
		t.Fatal(err)
	}
	s.Fail(true)
	began := time.Now()
	for what, try := range map[string]func() error{
		"keep":   func() error { return here.Keep(ctx, lost) },
		"pages":  func() error { _, err := here.Prepare(ctx, lost, document.Options{}); return err },
		"absent": func() error { return there.Preview(ctx, kept, 1, io.Discard) },
	} {
		if err := try(); fax.ProblemOf(err) != fax.Unavailable || strings.Contains(err.Error(), "127.0.0.1") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if took := time.Since(began); took > 25*time.Second {
		t.Errorf("it took %s", took)
	}
	if err := here.Remove(ctx, lost); err == nil {
		t.Error("documents count as removed that may be in the bucket")
	}
	if err := here.Check(ctx); err == nil || !strings.Contains(err.Error(), "bucket faxes") {
		t.Errorf("check: %v", err)
	}
	if _, err := os.Stat(here.TIFF(lost)); err == nil {
		t.Error("pages are in the folder that are not in the bucket")
	}
	// What is here can still be sent.
	if err := here.Preview(ctx, kept, 1, io.Discard); err != nil {
		t.Error(err)
	}
	s.Fail(false)
	if err := there.Preview(ctx, kept, 1, io.Discard); err != nil {
		t.Errorf("when it works again: %v", err)
	}
	if err := here.Check(ctx); err != nil {
		t.Error(err)
	}
}

// Recordings of calls are in the bucket, too, and go from it.
func TestRecordings(t *testing.T) {
	t.Parallel()
	s, here, there := hosts(t)
	ctx, call := t.Context(), fax.NewAttemptID()
	id := receive(t, here, []byte("one"))
	if err := here.Keep(ctx, id); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"<< 0.000 1\nx\n", "of a second connection"} {
		if err := here.KeepRecording(ctx, id, call, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	for host, f := range map[string]*document.Folder{"here": here, "there": there} {
		if text, err := f.Recording(ctx, id, call); err != nil || string(text) != "<< 0.000 1\nx\n" {
			t.Errorf("%s: %q, %v", host, text, err)
		}
	}
	if _, err := here.Recording(ctx, id, fax.NewAttemptID()); fax.ProblemOf(err) != fax.NotFound {
		t.Errorf("a call that was not recorded: %v", err)
	}
	if _, err := here.Recording(ctx, id, "../1.txt"); err == nil {
		t.Error("a path is taken for a call")
	}
	if r, _, err := here.Source(ctx, id, 1); err != nil { // it is not taken for a document
		t.Error(err)
	} else {
		r.Close()
	}
	if err := here.Remove(ctx, id); err != nil {
		t.Fatal(err)
	}
	if err := here.KeepRecording(ctx, id, call, []byte("late")); err != nil {
		t.Error(err)
	}
	if got := s.Files(); len(got) > 0 {
		t.Errorf("the bucket still has %v", got)
	}
	if _, err := here.Recording(ctx, id, call); fax.ProblemOf(err) != fax.NotFound {
		t.Errorf("a recording outlives its documents: %v", err)
	}
}

// Names that somebody else put into the bucket lead nowhere.
func TestStrangeNamesInTheBucket(t *testing.T) {
	t.Parallel()
	s, here, there := hosts(t)
	id := receive(t, here, []byte("one"))
	if err := here.Keep(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	strange := filepath.Join(t.TempDir(), "strange")
	if err := os.WriteFile(strange, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"sub/2.txt", "notes", "7.txt"} {
		if err := s.Open(t).Put(t.Context(), string(id)+"/"+name, strange); err != nil {
			t.Fatal(err)
		}
	}
	r, _, err := there.Source(t.Context(), id, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if text, err := io.ReadAll(r); err != nil || string(text) != "one" {
		t.Errorf("%q, %v", text, err)
	}
	if _, _, err := there.Source(t.Context(), id, 2); fax.ProblemOf(err) != fax.NotFound {
		t.Error(err)
	}
}
