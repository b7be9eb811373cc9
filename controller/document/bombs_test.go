package document_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"faxbot/controller/document"
	"faxbot/controller/fax"
)

// objectBomb is a PDF whose objects lie in a stream that unpacks to gigabytes
// (ISO 32000-1, 7.5.7).
func objectBomb() []byte {
	const objects = 300_000_000
	var b bytes.Buffer
	at := []int{0}
	add := func(object string) {
		at = append(at, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", len(at)-1, object)
	}
	b.WriteString("%PDF-1.6\n")
	add("<< /Type /Catalog /Pages 2 0 R >>")
	add("<< /Type /Pages /Kids [3 0 R] /Count 1 >>")
	add("<< /Type /Page /Parent 2 0 R " + a4 + " /Resources 5 0 R /Contents 5 0 R >>")
	add(flate(fmt.Sprintf("/Type /ObjStm /N %d /First %d", objects, 4*objects), "5 0 ", 2*objects))
	xref := b.Len()
	var table []byte
	for i, offset := range append(at, 0, xref) {
		kind := byte(1)
		switch i {
		case 0:
			kind = 0
		case 5: // in the stream that is object 4
			kind, offset = 2, 4
		}
		table = append(binary.BigEndian.AppendUint32(append(table, kind), uint32(offset)), 0) //nolint:gosec // a small file
	}
	fmt.Fprintf(&b, "6 0 obj\n<< /Type /XRef /Size 7 /W [1 4 1] /Root 1 0 R /Length %d >>\nstream\n%s\nendstream\nendobj\nstartxref\n%d\n%%%%EOF\n", len(table), table, xref)
	return b.Bytes()
}

// jbig2 is a square page of JBIG2 (T.88, 7.4.8), so many pixels wide, and what
// follows on it, in hexadecimal.
func jbig2(side int, segments string) []byte {
	data := fmt.Sprintf("00000000 30 00 01 00000013 %08X %08X 00000000 00000000 00 0000 %s>", side, side, segments)
	return content("595 0 0 842 0 0 cm /I Do", "/XObject << /I 5 0 R >>", fmt.Sprintf(
		"<< /Type /XObject /Subtype /Image /Width %d /Height %d /BitsPerComponent 1 /ColorSpace /DeviceGray /Filter [/ASCIIHexDecode /JBIG2Decode] /Length %d >>\nstream\n%s\nendstream",
		side, side, len(data), data))
}

// slowFunction is an image of which each pixel's colour is calculated for ever,
// as far as PDF allows: its PostScript functions have no loops (7.10.5).
func slowFunction() []byte {
	program := "{ " + strings.Repeat("sin cos ", 20_000) + "}"
	return content("595 0 0 842 0 0 cm /I Do", "/XObject << /I 5 0 R >>",
		flate("/Type /XObject /Subtype /Image /Width 2000 /Height 2000 /BitsPerComponent 16 /ColorSpace [/Separation /Spot /DeviceGray 6 0 R]", "\x01\x02\x03\x05\x07\x0b", 2000*2000/3),
		fmt.Sprintf("<< /FunctionType 4 /Domain [0 1] /Range [0 1] /Length %d >>\nstream\n%s\nendstream", len(program), program))
}

// sameStrip is a TIFF of many pages that share one strip, the worst for T.6:
// every other line is of single pixels.
func sameStrip(pages int) []byte {
	const rows, at = 24 * int(document.Superfine), 8
	le := binary.LittleEndian
	b := append([]byte("II*\x00\x00\x00\x00\x00"), bytes.Repeat(append(bytes.Repeat([]byte{0x55}, document.Width/8), make([]byte, document.Width/8)...), rows/2)...)
	dpi := len(b)
	for _, n := range []uint32{204, 1, uint32(document.Superfine), 1} {
		b = le.AppendUint32(b, n)
	}
	next := 4
	for range pages {
		le.PutUint32(b[next:], uint32(len(b))) //nolint:gosec // a small file
		tags := [][2]int{{256, document.Width}, {257, rows}, {258, 1}, {259, 1}, {262, 0}, {273, at}, {277, 1}, {278, rows}, {279, dpi - at}, {282, dpi}, {283, dpi + 8}}
		b = le.AppendUint16(b, uint16(len(tags))) //nolint:gosec // eleven
		for _, tag := range tags {
			kind := uint16(4)
			if tag[0] == 282 || tag[0] == 283 {
				kind = 5
			}
			b = le.AppendUint32(le.AppendUint32(le.AppendUint16(le.AppendUint16(b, uint16(tag[0])), kind), 1), uint32(tag[1])) //nolint:gosec // small
		}
		next = len(b)
		b = le.AppendUint32(b, 0)
	}
	return b
}

// Objects that unpack to gigabytes, pixels that are calculated for ever and pages
// that are all detail end in time, and in an error.
func TestBombs(t *testing.T) {
	t.Parallel()
	for engine, f := range map[string]*document.Folder{
		"Ghostscript": open(t, document.Config{Timeout: 1500 * time.Millisecond, MuPDF: absent}),
		"both":        open(t, document.Config{Timeout: 1500 * time.Millisecond}),
	} {
		for name, file := range map[string][]byte{"objects": objectBomb(), "function": slowFunction()} {
			t.Run(engine+"/"+name, func(t *testing.T) {
				began := time.Now()
				wantRefusal(t, refuse(t, f, file), fax.BadDocument)
				if took := time.Since(began); took > 20*time.Second {
					t.Errorf("took %v", took)
				}
			})
		}
	}
	f := open(t, document.Config{})
	f.SetLimits(0, 0, 0, 20<<20) // two pages
	id := receive(t, f, sameStrip(100))
	_, err := f.Prepare(t.Context(), id, document.Options{Resolution: document.Superfine})
	wantRefusal(t, err, fax.BadDocument, "too much detail")
}

// groups is a page of so many transparency groups, each inside another one, with
// pixels of its own (ISO 32000-1, 11.4).
func groups(n int) []byte {
	var forms []string
	for i := range n {
		draws, resources := "0.5 g 10 10 500 800 re f /G gs /N Do", fmt.Sprintf("/Resources << /XObject << /N %d 0 R >> /ExtGState << /G << /ca 0.5 >> >> >>", 6+i)
		if i == n-1 {
			draws, resources = "0 g 0 0 99 99 re f", ""
		}
		forms = append(forms, fmt.Sprintf(form, "/Group << /S /Transparency /CS /DeviceCMYK >> "+resources, len(draws), draws))
	}
	return content("/G gs /N Do", "/XObject << /N 5 0 R >> /ExtGState << /G << /ca 0.5 >> >>", forms...)
}

// A document that needs more memory than it gets is not called damaged, and one
// that is damaged does not need memory.
func TestMemoryIsNotDamage(t *testing.T) {
	t.Parallel()
	large, broken := groups(20), bytes.Replace(groups(20), []byte("0 g 0 0 99 99 re f"), []byte("0 g Do Do 99 re Do"), 1)
	f := open(t, document.Config{})
	prepare(t, f, large)
	err := refuse(t, f, broken)
	wantRefusal(t, err, fax.BadDocument, "damaged")
	if strings.Contains(err.Error(), "memory") {
		t.Error(err)
	}
	tight := open(t, document.Config{})
	tight.SetLimits(0, 200<<20, 0, 0)
	wantRefusal(t, refuse(t, tight, large), fax.BadDocument, "needs more memory")
	prepare(t, tight, long)
}

// Ghostscript and LibreOffice themselves go beyond each limit that the kernel
// keeps, and the sender is told.
func TestProgramsBeyondTheirLimits(t *testing.T) {
	t.Parallel()
	libreOffice(t)
	office := []byte(`{\rtf1\ansi ` + strings.Repeat(`A line of a long letter\par `, 50_000) + `}`)
	for name, c := range map[string]struct {
		cpu            time.Duration
		memory, output int64 // of LibreOffice
		file           []byte
		words          string
	}{
		"Ghostscript/processor": {cpu: time.Second, file: endless(), words: "takes longer than"},
		"Ghostscript/memory":    {file: jbig2(120_000, ""), words: "needs more memory"},
		"LibreOffice/processor": {cpu: time.Second, file: office, words: "more than LibreOffice can convert"},
		"LibreOffice/memory":    {memory: 150 << 20, file: office, words: "more than LibreOffice can convert"},
		"LibreOffice/file size": {output: 4096, file: []byte(rtfPage), words: "more than LibreOffice can convert"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := open(t, document.Config{MuPDF: absent})
			f.SetLimits(c.cpu, 0, c.memory, c.output)
			wantRefusal(t, refuse(t, f, c.file), fax.BadDocument, c.words)
		})
	}
}
