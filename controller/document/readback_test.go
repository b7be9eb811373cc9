package document

import (
	"image"
	"os"
	"path/filepath"
	"testing"
)

// What is published is what was drawn: a file that lost its end, or holds other
// pages than were counted, is noticed before anybody is called.
func TestReadBack(t *testing.T) {
	t.Parallel()
	write := func() Fax {
		opt, err := Options{}.complete()
		if err != nil {
			t.Fatal(err)
		}
		w, err := newFaxWriter(filepath.Join(t.TempDir(), "fax.tiff"), opt, 10, maxOutput)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := w.Page(image.NewGray(image.Rect(0, 0, Width, 600))); err != nil {
				t.Fatal(err)
			}
		}
		made, err := w.Close()
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	if err := write().readBack(); err != nil {
		t.Errorf("a good fax: %v", err)
	}
	cut := write()
	if err := os.Truncate(cut.Path, cut.Bytes/2); err != nil {
		t.Fatal(err)
	}
	fewer := write()
	fewer.Pages, fewer.Sheets = 3, append(fewer.Sheets, fewer.Sheets[0])
	shorter := write()
	shorter.Sheets[1].Height--
	for name, bad := range map[string]Fax{"cut": cut, "a page too few": fewer, "another height": shorter} {
		if bad.readBack() == nil {
			t.Errorf("%s: not noticed", name)
		}
	}
}
