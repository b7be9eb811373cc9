package document_test

import (
	"bytes"
	"testing"

	"faxbot/controller/document"
	"faxbot/controller/fax"
)

// A PDF comes back as it was; anything else as pages that would make the very
// same fax again.
func TestPDF(t *testing.T) {
	t.Parallel()
	f := open(t, document.Config{})
	download := func(id fax.JobID) []byte {
		t.Helper()
		var b bytes.Buffer
		if err := f.PDF(t.Context(), id, &b); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	original := pdf(letter("as it was"))
	if id, _ := prepare(t, f, original); !bytes.Equal(download(id), original) {
		t.Error("a submitted PDF is changed")
	}
	id, made := prepare(t, f, []byte("Dear reader"), original)
	again, copied := prepare(t, f, download(id))
	if copied.Pages != made.Pages || made.Pages != 2 {
		t.Fatalf("%d pages became %d", made.Pages, copied.Pages)
	}
	for n := range made.Pages {
		a, b := page(t, f, id, n+1), page(t, f, again, n+1)
		if a.extent() != b.extent() || a.ink(a.Rect) != b.ink(b.Rect) {
			t.Errorf("page %d: ink %d in %v became %d in %v", n+1, a.ink(a.Rect), a.extent(), b.ink(b.Rect), b.extent())
		}
	}
	young := receive(t, f, []byte("not converted"))
	wantRefusal(t, f.PDF(t.Context(), young, &bytes.Buffer{}), fax.NotFound)
	wantRefusal(t, f.PDF(t.Context(), fax.NewJobID(), &bytes.Buffer{}), fax.NotFound)
}
