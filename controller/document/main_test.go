package document_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"faxbot/controller/document"
	"faxbot/controller/fax"
	"faxbot/controller/logtest"
)

func TestMain(m *testing.M) {
	if _, err := exec.LookPath("gs"); err != nil {
		fmt.Fprintln(os.Stderr, "these tests need Ghostscript: apt-get install ghostscript fonts-dejavu-core")
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if left := children(); left != "" {
			fmt.Fprintln(os.Stderr, "programs were left behind:", left)
			code = 1
		}
		os.Exit(code)
	}))
}

// children are the processes of ours that run, or were never waited for (proc(5),
// stat: after the name in parentheses the state and the parent).
func children() (all string) {
	list, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range list {
		text, _ := os.ReadFile(path)
		_, after, _ := strings.Cut(string(text), ") ")
		if fields := strings.Fields(after); len(fields) > 1 && fields[1] == strconv.Itoa(os.Getpid()) {
			all += strings.TrimSuffix(string(text), after)
		}
	}
	return all
}

// absent is the name of a program that is not installed.
const absent = "/nonexistent/program"

// open makes a folder that is gone after the test, and fails the test if
// anything half done is left in it.
func open(t *testing.T, c document.Config) *document.Folder {
	t.Helper()
	if c.Dir == "" {
		c.Dir = t.TempDir()
	}
	if c.Logger == nil {
		c.Logger = logtest.Logger(t)
	}
	f, err := document.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		left, err := filepath.Glob(filepath.Join(c.Dir, "incoming", "*", "*"))
		left = slices.DeleteFunc(left, func(name string) bool { // what a program that waits for a document will write to
			inside, err := os.ReadDir(name)
			return strings.HasPrefix(filepath.Base(name), "pages-") && err == nil && len(inside) == 0
		})
		if err != nil || len(left) != 1 || filepath.Base(left[0]) != "lock" {
			t.Errorf("left behind: %v, %v", left, err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		if left, err := os.ReadDir(filepath.Join(c.Dir, "incoming")); err != nil || len(left) != 0 {
			t.Errorf("left behind at the end: %v, %v", left, err)
		}
	})
	return f
}

// receive keeps files under a new id.
func receive(t *testing.T, f *document.Folder, files ...[]byte) fax.JobID {
	t.Helper()
	id := fax.NewJobID()
	keep(t, f, id, files...)
	return id
}

func keep(t testing.TB, f *document.Folder, id fax.JobID, files ...[]byte) {
	t.Helper()
	rec, err := f.Receive(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	defer rec.Abort()
	for _, file := range files {
		if _, err := rec.Add(t.Context(), bytes.NewReader(file)); err != nil {
			t.Fatal(err)
		}
	}
	if err := rec.Commit(); err != nil {
		t.Fatal(err)
	}
}

// prepare receives and converts.
func prepare(t *testing.T, f *document.Folder, files ...[]byte) (fax.JobID, document.Fax) {
	t.Helper()
	id := receive(t, f, files...)
	made, err := f.Prepare(t.Context(), id, document.Options{})
	if err != nil {
		t.Fatalf("%v (%v)", err, unwrap(err))
	}
	return id, made
}

func unwrap(err error) error {
	if e, ok := err.(*fax.Error); ok { //nolint:errorlint // for a message only
		return e.Cause
	}
	return nil
}

// refuse takes files in and expects them to be refused, at once or in Prepare.
func refuse(t *testing.T, f *document.Folder, files ...[]byte) error {
	t.Helper()
	id := fax.NewJobID()
	rec, err := f.Receive(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	defer rec.Abort()
	for _, file := range files {
		if _, err := rec.Add(t.Context(), bytes.NewReader(file)); err != nil {
			return err
		}
	}
	if err := rec.Commit(); err != nil {
		return err
	}
	made, err := f.Prepare(context.Background(), id, document.Options{})
	if err == nil {
		t.Fatalf("accepted: %+v", made)
	}
	if _, err := os.Stat(f.TIFF(id)); !os.IsNotExist(err) {
		t.Errorf("a refused document has a TIFF: %v", err)
	}
	return err
}

// wantRefusal checks the problem and that the sentence says what it should.
func wantRefusal(t *testing.T, err error, problem fax.Problem, words ...string) {
	t.Helper()
	if fax.ProblemOf(err) != problem {
		t.Errorf("problem %s, want %s: %v (%v)", fax.ProblemOf(err), problem, err, unwrap(err))
	}
	for _, w := range words {
		if !strings.Contains(fmt.Sprint(err), w) {
			t.Errorf("%q does not say %q", err, w)
		}
	}
}

// page returns a page as it will be transmitted.
func page(t *testing.T, f *document.Folder, id fax.JobID, n int) bitmap {
	t.Helper()
	img, err := f.Page(t.Context(), id, n)
	if err != nil {
		t.Fatal(err)
	}
	if dir := os.Getenv("FAXBOT_TEST_PAGES"); dir != "" { // to look at them
		file := encoded(t, func(b *bytes.Buffer) error { return png.Encode(b, img) })
		_ = os.WriteFile(filepath.Join(dir, strings.ReplaceAll(t.Name(), "/", "_")+fmt.Sprintf("-%d.png", n)), file, 0o600)
	}
	return bitmap{img}
}

// preview is the same as people see it.
func preview(t *testing.T, f *document.Folder, id fax.JobID, n int) bitmap {
	t.Helper()
	var buf bytes.Buffer
	if err := f.Preview(t.Context(), id, n, &buf); err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(&buf)
	if err != nil {
		t.Fatal(err)
	}
	return bitmap{img.(*image.Paletted)}
}

type bitmap struct{ *image.Paletted }

// black relies on the palette of a preview: white, black.
func (b bitmap) black(x, y int) bool { return b.Pix[y*b.Stride+x] == 1 }

// ink counts the black pixels in a rectangle.
func (b bitmap) ink(r image.Rectangle) int {
	n := 0
	r = r.Intersect(b.Rect)
	for y := r.Min.Y; y < r.Max.Y; y++ {
		n += bytes.Count(b.Pix[y*b.Stride+r.Min.X:y*b.Stride+r.Max.X], []byte{1})
	}
	return n
}

// extent is the smallest rectangle with all ink.
func (b bitmap) extent() image.Rectangle {
	var all image.Rectangle
	for y := range b.Rect.Dy() {
		line := b.Pix[y*b.Stride:][:b.Rect.Dx()]
		if first := bytes.IndexByte(line, 1); first >= 0 {
			all = all.Union(image.Rect(first, y, bytes.LastIndexByte(line, 1)+1, y+1))
		}
	}
	return all
}

// pdfPage is a page of a hand-written PDF.
type pdfPage struct {
	attributes string // of the page's dictionary
	content    string
	resources  string // beside the font
}

// pdf writes a PDF of the pages, with a font /F.
func pdf(pages ...pdfPage) []byte { return pdfWith("", nil, pages...) }

// pdfWith adds entries to the catalog, and objects: the first has the number
// that follows the pages', 3 + 2 × pages.
func pdfWith(catalog string, extra []string, pages ...pdfPage) []byte {
	var objects []string
	var kids strings.Builder
	for i := range pages {
		fmt.Fprintf(&kids, "%d 0 R ", 3+2*i)
	}
	objects = append(objects,
		"<< /Type /Catalog /Pages 2 0 R "+catalog+" >>",
		fmt.Sprintf("<< /Type /Pages /Kids [%s] /Count %d >>", kids.String(), len(pages)))
	for i, p := range pages {
		objects = append(objects,
			fmt.Sprintf("<< /Type /Page /Parent 2 0 R /Contents %d 0 R %s /Resources << %s /Font << /F << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>", 4+2*i, p.attributes, p.resources),
			fmt.Sprintf("<< /Length %d >>\nstream\n%s\nendstream", len(p.content), p.content))
	}
	objects = append(objects, extra...)
	var b bytes.Buffer
	b.WriteString("%PDF-1.6\n")
	offsets := make([]int, len(objects))
	for i, o := range objects {
		offsets[i] = b.Len()
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	xref := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(objects)+1)
	for _, o := range offsets {
		fmt.Fprintf(&b, "%010d 00000 n \n", o)
	}
	fmt.Fprintf(&b, "trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(objects)+1, xref)
	return b.Bytes()
}

// letter is a page of text.
func letter(text string) pdfPage {
	return pdfPage{attributes: "/MediaBox [0 0 612 792]", content: "BT /F 12 Tf 72 700 Td (" + text + ") Tj ET"}
}

func readAll(t *testing.T, r io.ReadCloser) []byte {
	t.Helper()
	defer r.Close() //nolint:errcheck // a test
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
