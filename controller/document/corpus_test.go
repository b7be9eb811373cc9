package document_test

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"image"
	"image/gif"
	"image/png"
	"strings"
	"testing"
	"time"

	"golang.org/x/image/tiff"

	"faxbot/controller/document"
	"faxbot/controller/fax"
)

const (
	a4   = "/MediaBox [0 0 595 842]"
	form = "<< /Type /XObject /Subtype /Form /BBox [0 0 595 842] %s /Length %d >>\nstream\n%s\nendstream"
)

// flate is a compressed stream of so many repetitions. Of gigabytes only two
// blocks are compressed, and the second stands there again and again, since to
// compress them all takes minutes; the checksum at their end is wrong then.
func flate(entries, piece string, times int) string {
	const block = 1 << 20 // bytes
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	write := func(n int) {
		_, _ = z.Write([]byte(strings.Repeat(piece, n)))
		_ = z.Flush()
	}
	if n := max(1, block/len(piece)); times > 64*n {
		write(n)
		first := b.Len()
		write(n)
		again := bytes.Clone(b.Bytes()[first:])
		b.Write(bytes.Repeat(again, times/n-2))
	} else {
		write(times)
	}
	_ = z.Close()
	return fmt.Sprintf("<< %s /Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream", entries, b.Len(), b.String())
}

// content is a page of A4 that draws, with objects beside it from number 5 on.
func content(draws, resources string, extra ...string) []byte {
	return pdfWith("", extra, pdfPage{attributes: a4, content: draws, resources: resources})
}

// scan is a page of 600 dpi with lines one pixel wide, every 101st in both
// directions.
func scan(kind string) []byte {
	const w, h = 4960, 7016
	line := bytes.Repeat([]byte{0xff}, w/8)
	for x := 200; x < w-200; x += 101 {
		line[x/8] &^= 0x80 >> (x % 8)
	}
	var all strings.Builder
	for y := range h {
		if y%101 == 50 {
			all.Write(make([]byte, w/8))
		} else {
			all.Write(line)
		}
	}
	return content("595 0 0 842 0 0 cm /I Do", "/XObject << /I 5 0 R >>",
		flate(fmt.Sprintf("/Type /XObject /Subtype /Image /Width %d /Height %d /BitsPerComponent 1 %s", w, h, kind), all.String(), 1))
}

// image of one colour on a page.
func imageOf(w, h int, entries, pixel string) []byte {
	return content("595 0 0 842 0 0 cm /I Do", "/XObject << /I 5 0 R >>",
		flate(fmt.Sprintf("/Type /XObject /Subtype /Image /Width %d /Height %d %s", w, h, entries), pixel, w*h))
}

func said(paint string) []byte {
	return content(paint+" BT /F 12 Tf 100 700 Td (The quick brown fox jumps) Tj ET", "")
}

// inkOf is what a word looks like in black.
var words = image.Rect(250, 300, 1000, 420)

// legible wants so much of the ink that black letters have.
func legible(share float64) func(*testing.T, *document.Folder, bitmap, document.Fax) {
	return func(t *testing.T, f *document.Folder, b bitmap, _ document.Fax) {
		id, _ := prepare(t, f, said("0 g"))
		if got, want := float64(b.ink(b.Rect)), float64(page(t, f, id, 1).ink(words.Union(b.Rect))); got < share*want || got > 1.3*want {
			t.Errorf("%.0f black pixels, %.0f in black", got, want)
		}
	}
}

// outlined wants white letters to stand out from a coloured ground.
func outlined(t *testing.T, f *document.Folder, b bitmap, _ document.Fax) {
	id, _ := prepare(t, f, said("0 g"))
	letters := page(t, f, id, 1)
	edge, black := 0, 0
	for y := range letters.Rect.Dy() {
		for x := 1; x < document.Width; x++ {
			if left, right := letters.black(x-1, y), letters.black(x, y); left != right {
				edge++
				if right && b.black(x-1, y) || left && b.black(x, y) {
					black++
				}
			}
		}
	}
	if edge < 1000 || black < edge*9/10 {
		t.Errorf("%d black pixels beside %d edges of letters", black, edge)
	}
}

// hairlines wants each line of a scan seen, all along.
func hairlines(t *testing.T, _ *document.Folder, b bitmap, _ document.Fax) {
	left := (document.Width - 1686) / 2
	for x := 200; x < 4960-200; x += 101 {
		at := left + x*1686/4960
		if n := b.ink(image.Rect(at-2, 1001, at+3, 1021)); n < 16 {
			t.Errorf("the upright line at %d has %d of 20 pixels", at, n)
		}
	}
	for y := 50; y < 7016; y += 101 {
		at := y * 2292 / 7016
		if n := b.ink(image.Rect(500, at-2, 600, at+3)); n < 80 {
			t.Errorf("the level line at %d has %d of 100 pixels", at, n)
		}
	}
}

// share wants so much black on the page.
func share(low, high float64) func(*testing.T, *document.Folder, bitmap, document.Fax) {
	return func(t *testing.T, _ *document.Folder, b bitmap, made document.Fax) {
		ink := float64(b.ink(b.Rect)) / float64(b.Rect.Dx()*b.Rect.Dy())
		if s := made.Sheets[0]; ink < low || ink > high || s.Ink < ink-1e-9 || s.Ink > ink+1e-9 || s.Blank != (ink < 1e-5) {
			t.Errorf("%.4f black, want %.4f to %.4f: %+v", ink, low, high, s)
		}
	}
}

// A document of each kind and each trap, with what becomes of it.
func TestCorpus(t *testing.T) {
	t.Parallel()
	f := open(t, document.Config{MaxPages: 30, Timeout: 2 * time.Minute})
	hasty := open(t, document.Config{MaxPages: 30, Timeout: 1500 * time.Millisecond})
	picture := drawing(300, 400)
	photo := image.NewGray(image.Rect(0, 0, 512, 512))
	for i := range photo.Pix {
		photo.Pix[i] = uint8(40 + (i%512+i/512)/6) //nolint:gosec // below 256
	}
	onPage := fmt.Sprintf("%s /Annots [<< /Type /Annot /Subtype /Link /Rect [0 0 500 500] /A << /S /URI /URI (http://127.0.0.1:9/) >> >>]", a4)
	manyPages := bytes.ReplaceAll(pdf(letter("again")), []byte("/Kids [3 0 R ] /Count 1"),
		[]byte("/Kids ["+strings.Repeat("3 0 R ", 100_000)+"] /Count 100000"))
	nested := func(depth int) []byte { // each form draws the next one ten times
		var forms []string
		for i := range depth {
			forms = append(forms, fmt.Sprintf(form, fmt.Sprintf("/Resources << /XObject << /N %d 0 R >> >>", 6+i), 60, strings.Repeat("/N Do ", 10)))
		}
		return content("/N Do", "/XObject << /N 5 0 R >>", append(forms, fmt.Sprintf(form, "", 17, "0 0 9 9 re f     "))...)
	}
	const (
		late    = "longer than"
		damaged = "damaged and cannot be shown completely"
	)
	engine := engines(t)
	for i, c := range []struct {
		name    string
		file    []byte
		pages   int // 0: refused
		problem fax.Problem
		words   string
		look    func(*testing.T, *document.Folder, bitmap, document.Fax)
		in      *document.Folder
		by      string // one engine alone
	}{
		{name: "PDF", file: pdf(letter("hello")), pages: 1, look: share(0.0001, 0.01)},
		{name: "PDF of three pages", file: long, pages: 3},
		{name: "text", file: []byte("hello"), pages: 1, look: share(0.0001, 0.01)},
		{name: "text in Greek, Cyrillic, Hebrew", file: []byte("Γειά σου, привет, שלום\n"), pages: 1},
		{name: "text in UTF-16", file: []byte("\xff\xfeh\x00i\x00"), pages: 1},
		{name: "text with form feeds", file: []byte("one\ftwo\fthree"), pages: 3},
		{name: "text with tabs and CRLF", file: []byte("a\tb\r\nc\r\n"), pages: 1},
		{name: "text of many lines", file: []byte(strings.Repeat("line\n", 200)), pages: 4},
		{name: "PNG", file: encoded(t, func(b *bytes.Buffer) error { return png.Encode(b, picture) }), pages: 1, look: share(0.03, 0.2)},
		{name: "JPEG", file: jpegOf(t, picture), pages: 1, look: share(0.03, 0.2)},
		{name: "GIF", file: encoded(t, func(b *bytes.Buffer) error { return gif.Encode(b, opaque(picture), nil) }), pages: 1, look: share(0.03, 0.2)},
		{name: "TIFF", file: encoded(t, func(b *bytes.Buffer) error { return tiff.Encode(b, opaque(picture), nil) }), pages: 1, look: share(0.03, 0.2)},
		{name: "photograph", file: encoded(t, func(b *bytes.Buffer) error { return png.Encode(b, photo) }), pages: 1, look: share(0.1, 0.5)},

		{name: "yellow letters", file: said("1 1 0 rg"), pages: 1, look: legible(0.8)},
		{name: "yellow letters in CMYK", file: said("0 0 1 0 k"), pages: 1, look: legible(0.8)},
		{name: "light grey letters", file: said("0.8 g"), pages: 1, look: legible(0.9)},
		{name: "red letters", file: said("1 0 0 rg"), pages: 1, look: legible(0.8)},
		{name: "letters on yellow", file: said("1 1 0.6 rg 50 650 400 100 re f 0 g"), pages: 1, look: legible(0.9)},
		{name: "white on black", file: said("0 g 50 650 400 100 re f 1 g"), pages: 1, look: share(0.05, 0.085)},
		{name: "white on grey", file: said("0.5 g 50 650 400 100 re f 1 g"), pages: 1, look: outlined},
		{name: "white on blue", file: said("0.2 0.5 0.9 rg 50 650 400 100 re f 1 g"), pages: 1, look: outlined},
		{name: "scan", file: scan("/ColorSpace /DeviceGray"), pages: 1, look: hairlines},
		{name: "scan as a mask", file: scan("/ImageMask true"), pages: 1, look: hairlines},
		{name: "blank page", file: pdf(pdfPage{attributes: a4}), pages: 1, look: share(0, 0)},
		{name: "black page", file: content("0 0 595 842 re f", ""), pages: 1, look: share(0.97, 1)},
		{name: "grey page", file: content("0.5 g 0 0 595 842 re f", ""), pages: 1, look: share(0.4, 0.6)},
		{name: "largest page", file: pdf(pdfPage{attributes: "/MediaBox [0 0 14400 14400]", content: "0 0 14400 14400 re f"}), pages: 1, look: share(0.9, 1)},
		{name: "transparency", file: content("/G gs 0 g 100 100 300 300 re f", "/ExtGState << /G << /ca 0.5 /BM /Multiply >> >>"), pages: 1, look: share(0.05, 0.13)},

		{name: "JavaScript", file: pdfWith("/OpenAction << /S /JavaScript /JS (while(true){}) >>", nil, letter("hello")), pages: 1},
		{name: "launch", file: pdfWith("/OpenAction << /S /Launch /F (/bin/sh) >>", nil, letter("hello")), pages: 1},
		{name: "link", file: pdf(pdfPage{attributes: onPage, content: "0 0 9 9 re f"}), pages: 1},
		{name: "stream in a file", file: bytes.Replace(pdf(letter("hello")), []byte("<< /Length"), []byte("<< /F (/etc/passwd) /Length"), 1), words: damaged},
		{name: "stream in a pipe", file: bytes.Replace(pdf(letter("hello")), []byte("<< /Length"), []byte("<< /F (%pipe%id) /Length"), 1), words: damaged},
		{name: "stream at an address", file: bytes.Replace(pdf(letter("hello")), []byte("<< /Length"), []byte("<< /FS /URL /F (http://127.0.0.1:9/) /Length"), 1), words: damaged},
		{name: "PostScript inside", file: content("/P Do", "/XObject << /P 5 0 R >>", "<< /Type /XObject /Subtype /PS /Length 30 >>\nstream\n(/etc/passwd) (r) file quit    \nendstream"), pages: 1, look: share(0, 0)},
		{name: "form draws itself", file: content("/N Do 0 0 9 9 re f", "/XObject << /N 5 0 R >>", fmt.Sprintf(form, "/Resources << /XObject << /N 5 0 R >> >>", 5, "/N Do")), by: "Ghostscript", words: damaged},
		{name: "form draws itself once", file: content("/N Do 0 0 9 9 re f", "/XObject << /N 5 0 R >>", fmt.Sprintf(form, "/Resources << /XObject << /N 5 0 R >> >>", 5, "/N Do")), by: "MuPDF", pages: 1, look: share(0.0001, 0.0003)},
		{name: "forms a million deep", file: nested(14), in: hasty, words: late},
		{name: "endless drawing", file: endless(), in: hasty, words: late},
		{name: "content that unpacks to 4 GB", file: bytes.Replace(content("q", "", flate("", "0 0 1 1 re n ", 300_000_000)), []byte("/Contents 4 0 R"), []byte("/Contents 5 0 R"), 1), in: hasty, words: late},
		{name: "array of 100 million numbers", file: bytes.Replace(content("q", "", flate("", "[1 1 1 1 1 1 1 1 1", 6_000_000)), []byte("/Contents 4 0 R"), []byte("/Contents 5 0 R"), 1), in: hasty, words: late},
		{name: "image that lies about its size", file: imageOf(100, 100, "/Width 100000 /Height 100000 /ColorSpace /DeviceGray /BitsPerComponent 8", "x"), pages: 1, look: share(0.4, 0.7)},
		{name: "image of 400 million pixels", file: imageOf(20000, 20000, "/ColorSpace /DeviceGray /BitsPerComponent 8", "\x80"), pages: 1, look: share(0.45, 0.55)},
		{name: "100,000 pages", file: manyPages, words: "pages, more than 30"},
		{name: "pages form a circle", file: bytes.Replace(long, []byte("/Kids [3 0 R"), []byte("/Kids [2 0 R"), 1)},
		{name: "cut off", file: long[:len(long)/2], words: "its end is missing"},
		{name: "empty", words: "empty"},
		{name: "picture of 81 million pixels", file: vast(t), words: "9000 × 9000"},
		{name: "PostScript", file: []byte("%!PS\nshowpage"), problem: fax.Unsupported, words: "PostScript"},
		{name: "HTML", file: []byte("<html></html>"), problem: fax.Unsupported, words: "HTML"},
		{name: "program", file: []byte("\x7fELF\x02\x01"), problem: fax.Unsupported},
		{name: "text in an old encoding", file: []byte("caf\xe9 au lait"), problem: fax.Unsupported, words: "UTF-8"},
	} {
		t.Run(fmt.Sprintf("%02d %s", i+1, c.name), func(t *testing.T) {
			folder := c.in
			if c.by != "" {
				folder = engine[c.by]
			} else if folder == nil {
				folder = f
			}
			if folder == nil {
				t.Skip("no MuPDF: apt-get install mupdf-tools")
			}
			began := time.Now()
			id, made, err := attempt(t, folder, c.file)
			if took := time.Since(began); took > folder.Timeout+20*time.Second {
				t.Errorf("took %v", took)
			}
			problem := c.problem
			if problem == "" {
				problem = fax.BadDocument
			}
			switch {
			case c.pages == 0:
				if c.words == late && strings.Contains(fmt.Sprint(err), "needs more memory") {
					c.words = "" // another limit, which it reached first
				}
				wantRefusal(t, err, problem, c.words)
			case err != nil:
				t.Fatal(err, unwrap(err))
			case made.Pages != c.pages || len(made.Sheets) != c.pages || made.Seconds <= 8:
				t.Errorf("%+v", made)
			case c.look != nil:
				c.look(t, folder, page(t, folder, id, 1), made)
			}
		})
	}
}

// attempt takes a document in and converts it.
func attempt(t *testing.T, f *document.Folder, file []byte) (fax.JobID, document.Fax, error) {
	t.Helper()
	id := fax.NewJobID()
	rec, err := f.Receive(t.Context(), id)
	if err != nil {
		return id, document.Fax{}, err
	}
	defer rec.Abort()
	if _, err := rec.Add(t.Context(), bytes.NewReader(file)); err != nil {
		return id, document.Fax{}, err
	}
	if err := rec.Commit(); err != nil {
		return id, document.Fax{}, err
	}
	made, err := f.Prepare(t.Context(), id, document.Options{})
	return id, made, err
}
