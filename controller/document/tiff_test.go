package document_test

import (
	"bytes"
	"image"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/image/tiff"

	"faxbot/controller/document"
	"faxbot/controller/fax"
)

// tiffcp writes a TIFF in another way, with libtiff.
func tiffcp(t *testing.T, file []byte, args ...string) []byte {
	t.Helper()
	if _, err := exec.LookPath("tiffcp"); err != nil {
		t.Skip("no libtiff: apt-get install libtiff-tools")
	}
	dir := t.TempDir()
	from, to := filepath.Join(dir, "from.tiff"), filepath.Join(dir, "to.tiff")
	if err := os.WriteFile(from, file, 0o600); err != nil {
		t.Fatal(err)
	}
	if said, err := exec.CommandContext(t.Context(), "tiffcp", append(args, from, to)...).CombinedOutput(); err != nil { //nolint:gosec // a test
		t.Fatalf("%v: %s", err, said)
	}
	b, err := os.ReadFile(to)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A fax passes pixel by pixel, however its TIFF is written.
func TestFlavoursOfTIFF(t *testing.T) {
	t.Parallel()
	f := open(t, document.Config{})
	source, made := prepare(t, f, []byte("A fax of\ntwo pages\fwith text"), pdf(sheets[0].page(), sheets[2].page(), sheets[14].page()))
	file, err := os.ReadFile(made.Path)
	if err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"MH":                        {"-c", "g3:1d"},
		"MH with fill":              {"-c", "g3:1d:fill"},
		"MR":                        {"-c", "g3:2d"},
		"MR with fill":              {"-c", "g3:2d:fill"},
		"MR in strips":              {"-c", "g3:2d", "-r", "100"},
		"MR with lowest bit first":  {"-c", "g3:2d", "-f", "lsb2msb"},
		"MMR":                       {"-c", "g4"},
		"MMR in strips":             {"-c", "g4", "-r", "64"},
		"MMR with lowest bit first": {"-c", "g4", "-f", "lsb2msb"},
		"big-endian":                {"-c", "g4", "-B"},
		"big-endian MR":             {"-c", "g3:2d", "-B"},
		"no compression":            {"-c", "none"},
		"LZW":                       {"-c", "lzw"},
		"PackBits":                  {"-c", "packbits"},
		"Deflate":                   {"-c", "zip"},
		"tiles":                     {"-c", "zip", "-t", "-w", "256", "-l", "256"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			id, again := prepare(t, f, tiffcp(t, file, args...))
			if again.Pages != made.Pages {
				t.Fatalf("%d pages", again.Pages)
			}
			for n := 1; n <= made.Pages; n++ {
				if a, b := page(t, f, source, n), page(t, f, id, n); a.Rect != b.Rect || !bytes.Equal(a.Pix, b.Pix) {
					t.Errorf("page %d is not the same: %v and %v", n, a.extent(), b.extent())
				}
			}
		})
	}
	// A line broken in its middle is not guessed at.
	mr := tiffcp(t, file, "-c", "g3:2d")
	for i := 2000; i < 2040; i++ {
		mr[i] = 0x55
	}
	wantRefusal(t, refuse(t, f, mr), fax.BadDocument, "damaged")
	wantRefusal(t, refuse(t, f, tiffcp(t, file, "-8")), fax.Unsupported, "BigTIFF")
	grey := encoded(t, func(b *bytes.Buffer) error { return tiff.Encode(b, image.NewGray(image.Rect(0, 0, 64, 64)), nil) })
	wantRefusal(t, refuse(t, f, tiffcp(t, grey, "-c", "jpeg")), fax.BadDocument, "a JPEG inside")
}
