package document_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"faxbot/controller/document"
)

// strips are the coded pages of a little-endian TIFF that has one strip a page.
func strips(t *testing.T, file []byte) (all [][]byte) {
	t.Helper()
	le := binary.LittleEndian
	for at := le.Uint32(file[4:]); at != 0; {
		entries := int(le.Uint16(file[at:]))
		var offset, count uint32
		for i := range entries {
			entry := file[int(at)+2+12*i:][:12]
			value := le.Uint32(entry[8:])
			if le.Uint16(entry[2:]) == 3 { // SHORT
				value &= 0xffff
			}
			switch tag := le.Uint16(entry); {
			case (tag == 273 || tag == 279) && le.Uint32(entry[4:]) != 1:
				t.Fatal("a page has several strips")
			case tag == 273:
				offset = value
			case tag == 279:
				count = value
			}
		}
		all = append(all, file[offset:][:count])
		at = le.Uint32(file[int(at)+2+12*entries:])
	}
	return all
}

// A fax that fits goes out untouched: T.6 leaves a coder no choice, so a page
// that is read and written again has the same bytes, unless they were not T.6.
func TestFaxThatFitsIsUntouched(t *testing.T) {
	t.Parallel()
	f := open(t, document.Config{})
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.pdf"), filepath.Join(dir, "out.tiff")
	file := pdf(sheets[0].page(), pdfPage{attributes: a4, content: "BT /F 9 Tf 50 700 Td (Letters of another fax machine) Tj ET 0.5 g 50 50 300 300 re f"})
	if err := os.WriteFile(in, file, 0o600); err != nil {
		t.Fatal(err)
	}
	gs := exec.CommandContext(t.Context(), "gs", "-q", "-dSAFER", "-dBATCH", "-dNOPAUSE", "-sDEVICE=tiffg4", "-r204x196", "-g1728x2291", //nolint:gosec // a test
		"-dMaxStripSize=0", "-sOutputFile="+out, in)
	if said, err := gs.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	ghostscripts, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	for name, fax := range map[string][]byte{
		"of Ghostscript": ghostscripts,
		"of libtiff":     tiffcp(t, ghostscripts, "-c", "g4", "-r", "100000"),
	} {
		_, made := prepare(t, f, fax)
		ours, err := os.ReadFile(made.Path)
		if err != nil {
			t.Fatal(err)
		}
		before, after := strips(t, fax), strips(t, ours)
		if len(before) != 2 || len(after) != 2 {
			t.Fatalf("%s: %d pages became %d", name, len(before), len(after))
		}
		for i := range before {
			if !bytes.Equal(before[i], after[i]) {
				t.Errorf("%s: page %d had %d bytes and has %d others", name, i+1, len(before[i]), len(after[i]))
			}
		}
	}
}
