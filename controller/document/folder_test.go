package document_test

import (
	"bytes"
	"context"
	"errors"
	"image/gif"
	"image/png"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"golang.org/x/image/tiff"

	"faxbot/controller/document"
	"faxbot/controller/fax"
	"faxbot/controller/logtest"
)

func TestSeveralFilesAreOneFaxInOrder(t *testing.T) {
	t.Parallel()
	f := open(t, document.Config{})
	picture := drawing(300, 400)
	files := [][]byte{
		[]byte("first"), long,
		encoded(t, func(b *bytes.Buffer) error { return png.Encode(b, picture) }),
		[]byte("between\fpictures"),
		jpegOf(t, drawing(200, 100)),
		encoded(t, func(b *bytes.Buffer) error { return gif.Encode(b, opaque(picture), nil) }),
		encoded(t, func(b *bytes.Buffer) error { return tiff.Encode(b, opaque(drawing(100, 300)), nil) }),
		pdf(letter("last")),
	}
	id, made := prepare(t, f, files...)
	if made.Pages != 11 || made.Path != f.TIFF(id) || made.Bytes <= 0 {
		t.Fatalf("%+v", made)
	}
	var pages []bitmap
	for i := range files {
		alone, of := prepare(t, f, files[i])
		for n := 1; n <= of.Pages; n++ {
			pages = append(pages, page(t, f, alone, n))
			if !bytes.Equal(pages[len(pages)-1].Pix, page(t, f, id, len(pages)).Pix) {
				t.Errorf("page %d is not page %d of file %d", len(pages), n, i+1)
			}
		}
	}
	if _, err := f.Prepare(t.Context(), id, document.Options{Pages: "1,3-6,9-"}); err != nil {
		t.Fatal(err)
	}
	for i, n := range []int{1, 3, 4, 5, 6, 9, 10, 11} {
		if !bytes.Equal(pages[n-1].Pix, page(t, f, id, i+1).Pix) {
			t.Errorf("page %d of the chosen is not page %d", i+1, n)
		}
	}
	for i, want := range []document.Kind{document.Text, document.PDF, document.PNG, document.Text, document.JPEG, document.GIF, document.TIFF, document.PDF} {
		r, kind, err := f.Source(t.Context(), id, i+1)
		if err != nil {
			t.Fatal(err)
		}
		if b := readAll(t, r); kind != want || !bytes.Equal(b, files[i]) {
			t.Errorf("file %d: %s, %d bytes", i+1, kind, len(b))
		}
	}
	if _, _, err := f.Source(t.Context(), id, 9); fax.ProblemOf(err) != fax.NotFound {
		t.Error(err)
	}
	if err := f.Preview(t.Context(), id, 9, io.Discard); fax.ProblemOf(err) != fax.NotFound {
		t.Error(err)
	}
}

func TestPrepareCanBeRepeated(t *testing.T) {
	t.Parallel()
	f := open(t, document.Config{})
	id, first := prepare(t, f, long)
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			again, err := f.Prepare(t.Context(), id, document.Options{})
			if err != nil || again.Pages != first.Pages || again.Bytes != first.Bytes {
				t.Errorf("%+v, %v", again, err)
			}
		})
	}
	all.Wait()
}

func TestFreeSWITCHMayReadTheFaxOnly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o750|fs.ModeSetgid); err != nil {
		t.Fatal(err)
	}
	f := open(t, document.Config{Dir: dir})
	id, made := prepare(t, f, []byte("hello"))
	modes := map[string]fs.FileMode{made.Path: 0o640, filepath.Join(filepath.Dir(made.Path), "1.txt"): 0o600}
	for d := filepath.Dir(made.Path); d != filepath.Dir(dir); d = filepath.Dir(d) {
		modes[d] = fs.ModeDir | fs.ModeSetgid | 0o750
	}
	for path, want := range modes {
		if st, err := os.Stat(path); err != nil || st.Mode() != want {
			t.Errorf("%s: %v, want %v; %v", path, st.Mode(), want, err)
		}
	}
	if !strings.Contains(made.Path, string(id)) || !filepath.IsAbs(made.Path) {
		t.Error(made.Path)
	}
}

func TestReceptionLimits(t *testing.T) {
	t.Parallel()
	f := open(t, document.Config{MaxBytes: 100})
	add := func(files ...io.Reader) error {
		rec, err := f.Receive(t.Context(), fax.NewJobID())
		if err != nil {
			return err
		}
		defer rec.Abort()
		for _, r := range files {
			if _, err := rec.Add(t.Context(), r); err != nil {
				if again := rec.Commit(); again == nil {
					t.Error("committed after an error")
				}
				return err
			}
		}
		return rec.Commit()
	}
	hundred := strings.Repeat("x", 100)
	if err := add(strings.NewReader(hundred)); err != nil {
		t.Error(err)
	}
	wantRefusal(t, add(strings.NewReader(hundred+"x")), fax.TooLarge, "100 bytes")
	wantRefusal(t, add(strings.NewReader(hundred), strings.NewReader("x")), fax.TooLarge)
	wantRefusal(t, add(strings.NewReader("")), fax.BadDocument, "empty")
	wantRefusal(t, add(), fax.BadDocument, "No document")
	if err := add(iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader(hundred)))); !errors.Is(err, iotest.ErrTimeout) {
		t.Error(err)
	}
	if _, err := f.Receive(t.Context(), "../../../../../../../etc/passwd0"); fax.ProblemOf(err) != fax.NotFound {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Receive(ctx, fax.NewJobID()); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// A character may be broken anywhere by a buffer, also by ours of 65,536 bytes.
func TestCharactersAcrossBuffers(t *testing.T) {
	t.Parallel()
	f := open(t, document.Config{})
	kind := func(r io.Reader) error {
		rec, err := f.Receive(t.Context(), fax.NewJobID())
		if err != nil {
			return err
		}
		defer rec.Abort()
		k, err := rec.Add(t.Context(), r)
		if err == nil && k != document.Text {
			t.Errorf("kind %s", k)
		}
		return err
	}
	for _, char := range []string{"é", "中", "𝔸"} {
		for back := range len(char) + 1 {
			for _, edge := range []int{1024, 4096, 65536} {
				text := strings.Repeat("x", edge-back) + char + "tail"
				if err := kind(strings.NewReader(text)); err != nil {
					t.Errorf("%s at %d: %v", char, edge-back, err)
				}
				wantRefusal(t, kind(strings.NewReader(text[:edge-back+len(char)-1])), fax.Unsupported)
			}
		}
		if err := kind(iotest.OneByteReader(strings.NewReader(strings.Repeat(char, 2000)))); err != nil {
			t.Error(err)
		}
	}
}

func TestDigestTellsFilesApart(t *testing.T) {
	t.Parallel()
	f := open(t, document.Config{})
	digest := func(files ...string) string {
		rec, err := f.Receive(t.Context(), fax.NewJobID())
		if err != nil {
			t.Fatal(err)
		}
		defer rec.Abort()
		for _, file := range files {
			if _, err := rec.Add(t.Context(), strings.NewReader(file)); err != nil {
				t.Fatal(err)
			}
		}
		return rec.Digest()
	}
	seen := map[string]bool{}
	for _, d := range []string{digest("a", "b"), digest("ab"), digest("b", "a"), digest("a")} {
		if seen[d] || len(d) != 64 {
			t.Error(d)
		}
		seen[d] = true
	}
	if !seen[digest("a", "b")] {
		t.Error("not the same for the same files")
	}
}

func TestRemoveLeavesNothing(t *testing.T) {
	t.Parallel()
	f := open(t, document.Config{})
	kept, gone := receive(t, f, []byte("kept")), receive(t, f, []byte("gone"))
	if err := f.Remove(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	if err := f.Remove(t.Context(), gone); err != nil {
		t.Error(err)
	}
	var left []fax.JobID
	for id, err := range f.Jobs() {
		if err != nil {
			t.Fatal(err)
		}
		left = append(left, id)
	}
	if len(left) != 1 || left[0] != kept {
		t.Error(left)
	}
	if _, err := f.Prepare(t.Context(), gone, document.Options{}); fax.ProblemOf(err) != fax.NotFound {
		t.Error(err)
	}
	if err := f.Remove(t.Context(), kept); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(f.Dir)
	entries = slices.DeleteFunc(entries, func(e os.DirEntry) bool { return e.Name() == "incoming" || e.Name() == "fonts" }) // nobody's
	if err != nil || len(entries) > 0 {
		t.Errorf("left: %v, %v", entries, err)
	}
	if err := f.Remove(t.Context(), ".."); fax.ProblemOf(err) != fax.NotFound {
		t.Error(err)
	}
}

// Reception and removal may meet in the same folder.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	f := open(t, document.Config{})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 20 {
				id := receive(t, f, []byte("text"))
				if err := f.Remove(t.Context(), id); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}

func TestOpenSweepsTheDeadOnly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	alive := open(t, document.Config{Dir: dir})
	rec, err := alive.Receive(t.Context(), fax.NewJobID())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rec.Add(t.Context(), strings.NewReader("under way")); err != nil {
		t.Fatal(err)
	}
	dead := filepath.Join(dir, "incoming", "123456", "0123456789abcdef0123456789abcdef")
	if err := os.MkdirAll(dead, 0o750); err != nil {
		t.Fatal(err)
	}
	other, err := document.Open(document.Config{Dir: dir, Logger: logtest.Logger(t)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Dir(dead)); !os.IsNotExist(err) {
		t.Error("what a dead process left is still there")
	}
	if err := other.Close(); err != nil {
		t.Error(err)
	}
	if err := rec.Commit(); err != nil {
		t.Error(err)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := open(t, document.Config{Dir: dir})
	if err := f.Check(t.Context()); err != nil {
		t.Error(err)
	}
	old := open(t, document.Config{Ghostscript: stand(t, "echo 9.53.3")})
	if err := old.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "9.53.3") {
		t.Error(err)
	}
	if _, err := document.Open(document.Config{}); err == nil || !strings.Contains(err.Error(), "FAX_DATA_DIR") {
		t.Error(err)
	}
	if _, err := document.Open(document.Config{Dir: "/dev/null/faxdata"}); err == nil || !strings.Contains(err.Error(), "FAX_DATA_DIR") {
		t.Error(err)
	}
	gone := open(t, document.Config{})
	stage, _ := filepath.Glob(filepath.Join(gone.Dir, "incoming", "*"))
	if err := os.Rename(stage[0], stage[0]+".away"); err != nil {
		t.Fatal(err)
	}
	if err := gone.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "cannot be written") {
		t.Error(err)
	}
	if err := os.Rename(stage[0]+".away", stage[0]); err != nil {
		t.Fatal(err)
	}
}
