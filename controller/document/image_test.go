package document_test

import (
	"bytes"
	"encoding/base64"
	"image"
	"image/color"
	"image/draw"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/image/tiff"

	"faxbot/controller/document"
	"faxbot/controller/fax"
)

// What is a fax already passes unchanged, all its pages.
func TestFaxTIFFPassesPixelByPixel(t *testing.T) {
	t.Parallel()
	f := open(t, document.Config{})
	source := receive(t, f, []byte("A fax of\ntwo pages\fwith text"), pdf(sheets[0].page(), sheets[2].page(), sheets[14].page()))
	for _, res := range []document.Resolution{document.Fine, document.Standard} {
		made, err := f.Prepare(t.Context(), source, document.Options{Resolution: res})
		if err != nil {
			t.Fatal(err)
		}
		file, err := os.ReadFile(made.Path)
		if err != nil {
			t.Fatal(err)
		}
		id := receive(t, f, file)
		again, err := f.Prepare(t.Context(), id, document.Options{Resolution: res})
		if err != nil {
			t.Fatal(err, unwrap(err))
		}
		if again.Pages != 5 {
			t.Fatalf("%d pages", again.Pages)
		}
		for n := 1; n <= 5; n++ {
			if a, b := page(t, f, source, n), page(t, f, id, n); a.Rect != b.Rect || !bytes.Equal(a.Pix, b.Pix) {
				t.Errorf("resolution %d, page %d: not the same: %v and %v, %v and %v", res, n, a.Rect, b.Rect, a.extent(), b.extent())
			}
		}
	}
}

// drawing is a picture with a black square in the upper left corner and a grey
// one in the lower right one.
func drawing(w, h int) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, w, h)) // transparent: white paper
	draw.Draw(img, image.Rect(0, 0, w/4, h/4), image.Black, image.Point{}, draw.Src)
	draw.Draw(img, image.Rect(w-w/4, h-h/4, w, h), image.NewUniform(color.Gray{0x80}), image.Point{}, draw.Src)
	return img
}

// opaque is the same on white.
func opaque(img image.Image) *image.RGBA {
	out := image.NewRGBA(img.Bounds())
	draw.Draw(out, out.Rect, image.White, image.Point{}, draw.Src)
	draw.Draw(out, out.Rect, img, img.Bounds().Min, draw.Over)
	return out
}

func encoded(t *testing.T, encode func(*bytes.Buffer) error) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := encode(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func jpegOf(t *testing.T, img image.Image) []byte {
	t.Helper()
	return encoded(t, func(b *bytes.Buffer) error { return jpeg.Encode(b, opaque(img), nil) })
}

// converted is an image in another colour model.
func converted(to draw.Image, from image.Image) image.Image {
	draw.Draw(to, to.Bounds(), from, image.Point{}, draw.Src)
	return to
}

// fewColours is a drawing on white with all its colours, and no others.
func fewColours(img image.Image) image.Image {
	return converted(image.NewPaletted(img.Bounds(), color.Palette{color.White, color.Black, color.Gray{0x80}}), opaque(img))
}

// vast is a picture of 81 million pixels.
func vast(t *testing.T) []byte {
	t.Helper()
	white := image.NewGray(image.Rect(0, 0, 9000, 9000))
	return encoded(t, func(b *bytes.Buffer) error { return png.Encode(b, white) })
}

// cmyk is drawing(600, 800) as a JPEG with inks for colours.
func cmyk(t *testing.T) []byte {
	t.Helper()
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.pdf"), filepath.Join(dir, "out.jpeg")
	file := pdf(pdfPage{attributes: "/MediaBox [0 0 432 576]", content: "0 432 108 144 re f 0.5 g 324 0 108 144 re f"})
	if err := os.WriteFile(in, file, 0o600); err != nil {
		t.Fatal(err)
	}
	if said, err := exec.CommandContext(t.Context(), "gs", "-q", "-dSAFER", "-dBATCH", "-dNOPAUSE", "-sDEVICE=jpegcmyk", "-r100", "-sOutputFile="+out, in).CombinedOutput(); err != nil { //nolint:gosec // a test
		t.Fatalf("%v: %s", err, said)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestPictures(t *testing.T) {
	t.Parallel()
	f := open(t, document.Config{})
	img := drawing(600, 800) // 6 × 8 inches
	few := color.Palette{color.Transparent, color.Black, color.Gray{0x80}}
	for name, file := range map[string][]byte{
		"PNG":  encoded(t, func(b *bytes.Buffer) error { return png.Encode(b, img) }),
		"JPEG": jpegOf(t, img),
		"GIF":  encoded(t, func(b *bytes.Buffer) error { return gif.Encode(b, fewColours(img), nil) }),
		"TIFF": encoded(t, func(b *bytes.Buffer) error {
			return tiff.Encode(b, opaque(img), &tiff.Options{Compression: tiff.Deflate})
		}),
		"PNG with 16 bits": encoded(t, func(b *bytes.Buffer) error { return png.Encode(b, converted(image.NewNRGBA64(img.Rect), img)) }),
		"grey PNG with 16 bits": encoded(t, func(b *bytes.Buffer) error {
			return png.Encode(b, converted(image.NewGray16(img.Rect), opaque(img)))
		}),
		"PNG with a palette": encoded(t, func(b *bytes.Buffer) error {
			return png.Encode(b, converted(image.NewPaletted(img.Rect, few), img))
		}),
		"GIF with holes": encoded(t, func(b *bytes.Buffer) error {
			return gif.Encode(b, converted(image.NewPaletted(img.Rect, few), img), nil)
		}),
		"grey JPEG": encoded(t, func(b *bytes.Buffer) error {
			return jpeg.Encode(b, converted(image.NewGray(img.Rect), opaque(img)), nil)
		}),
		"JPEG with inks": cmyk(t),
	} {
		t.Run(name, func(t *testing.T) {
			if config, _, err := image.DecodeConfig(bytes.NewReader(file)); name == "JPEG with inks" && (err != nil || config.ColorModel != color.CMYKModel) {
				t.Fatalf("%+v, %v", config, err)
			}
			id, made := prepare(t, f, file)
			b := page(t, f, id, 1)
			if d := made.Sheets[0].Height - 8*196; made.Pages != 1 || d < -2 || d > 2 && name != "TIFF" {
				t.Errorf("%+v", made)
			}
			all := b.extent()
			w, h := all.Dx()/4, all.Dy()/4
			black := image.Rectangle{all.Min, all.Min.Add(image.Pt(w, h))}.Inset(8)
			half := image.Rectangle{all.Max.Sub(image.Pt(w, h)), all.Max}.Inset(8)
			if n := b.ink(black); n != black.Dx()*black.Dy() {
				t.Errorf("the black square has %d of %d pixels", n, black.Dx()*black.Dy())
			}
			if n, of := b.ink(half), half.Dx()*half.Dy(); n < of*2/5 || n > of*3/5 {
				t.Errorf("the grey square has %d of %d pixels", n, of)
			}
			if n := b.ink(all) - b.ink(black.Inset(-9)) - b.ink(half.Inset(-9)); n > 0 {
				t.Errorf("%d black pixels where paper should be", n)
			}
		})
	}
}

const webpLossless = "UklGRigAAABXRUJQVlA4TBsAAAAvH8AHAA8w//M///MfeBALJvOXjqA/ov9BvQEA"

func TestWebP(t *testing.T) {
	t.Parallel()
	f := open(t, document.Config{})
	// 32 × 32 pixels, the left half black, the right half white.
	for name, text := range map[string]string{
		"lossy":    "UklGRjYAAABXRUJQVlA4ICoAAACwAgCdASogACAAPikQhkKhoQ36AAwBQlpAACxX/QAA/v7QTj/3S8AAAAA=",
		"lossless": webpLossless,
		// The right half is transparent there.
		"lossless with alpha": "UklGRiQAAABXRUJQVlA4TBcAAAAvH8AHEA8QEfMfQiyYzF86gv6I/kfxBgA=",
		"lossy with alpha":    "UklGRmAAAABXRUJQVlA4WAoAAAAQAAAAHwAAHwAAQUxQSBMAAAABDzD/ERFCLJjMXzqC/oj+R/EGAFZQOCAmAAAA0AIAnQEqIAAgAD6RRJ1KpaOioagIALASCWkAAD2joAD++M8awAA=",
	} {
		t.Run(name, func(t *testing.T) {
			file, err := base64.StdEncoding.DecodeString(text)
			if err != nil {
				t.Fatal(err)
			}
			id, _ := prepare(t, f, file)
			b := page(t, f, id, 1)
			if r := b.extent(); b.ink(r) != r.Dx()*r.Dy() || r.Dx() < 30 || r.Dx() > 35 || r.Max.X < 860 || r.Max.X > 868 {
				t.Errorf("ink in %v", r)
			}
		})
	}
}

// A telephone held upright stores its picture lying, and says so.
func TestOrientationOfTheCamera(t *testing.T) {
	t.Parallel()
	f := open(t, document.Config{})
	file := jpegOf(t, drawing(800, 600))
	for orientation, want := range map[byte]image.Point{1: {0, 0}, 2: {1, 0}, 3: {1, 1}, 4: {0, 1}, 5: {0, 0}, 6: {1, 0}, 7: {1, 1}, 8: {0, 1}} {
		exif := append([]byte("\xff\xe1\x00\x22Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00"), orientation, 0, 0, 0, 0, 0, 0)
		id, _ := prepare(t, f, append(append(append([]byte(nil), file[:2]...), exif...), file[2:]...))
		b := page(t, f, id, 1)
		all := b.extent()
		if upright := orientation >= 5; (all.Dy() > all.Dx()) != upright {
			t.Errorf("orientation %d: ink in %v", orientation, all)
		}
		corner := image.Rectangle{all.Min, all.Min.Add(image.Pt(all.Dx()/4, all.Dy()/4))}.
			Add(image.Pt(want.X*(all.Dx()-all.Dx()/4), want.Y*(all.Dy()-all.Dy()/4))).Inset(8)
		if n := b.ink(corner); n != corner.Dx()*corner.Dy() {
			t.Errorf("orientation %d: the black square is not at %v: %d of %d", orientation, want, n, corner.Dx()*corner.Dy())
		}
	}
}

// Lines that are thinner than a fax pixel must not fall between two.
func TestLargePicturesKeepThinLines(t *testing.T) {
	t.Parallel()
	f := open(t, document.Config{})
	img := image.NewGray(image.Rect(0, 0, 3400, 4400)) // 400 dpi on Letter
	for i := range img.Pix {
		img.Pix[i] = 0xff
	}
	for i := 100; i < 3300; i += 101 {
		for y := range 4400 {
			img.SetGray(i, y, color.Gray{})
		}
	}
	id, _ := prepare(t, f, encoded(t, func(b *bytes.Buffer) error { return png.Encode(b, img) }))
	b := page(t, f, id, 1)
	for i := 100; i < 3300; i += 101 {
		x := i * document.Width / 3400
		// A line of half a pixel is half as black, so dotted.
		if n := b.ink(image.Rect(x-2, 1000, x+4, 1100)); n < 25 {
			t.Errorf("the line at %d is lost: %d black pixels of 50", i, n)
		}
	}
}

// A letter that was scanned or photographed lies on grey paper, unevenly lit and
// with noise. The letters arrive, and the paper does not.
func TestPaperOfAScanBecomesWhite(t *testing.T) {
	t.Parallel()
	f := open(t, document.Config{})
	letter, _ := prepare(t, f, []byte(strings.Repeat("the quick brown fox jumps over the lazy dog 0123456789\n", 40)))
	was := page(t, f, letter, 1)
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a test
	scan := image.NewGray(was.Rect)
	for y := range was.Rect.Dy() {
		for x := range was.Rect.Dx() {
			v := 210 + 15*float64(x)/document.Width - 15*float64(y)/2000
			if was.black(x, y) {
				v = 90
			}
			scan.SetGray(x, y, color.Gray{Y: uint8(min(255, max(0, v+5*random.NormFloat64())))})
		}
	}
	id, made := prepare(t, f, encoded(t, func(b *bytes.Buffer) error { return png.Encode(b, scan) }))
	is := page(t, f, id, 1)
	letters := was.extent()
	if got, want := is.ink(letters), was.ink(letters); got < want*8/10 || got > want*12/10 {
		t.Errorf("%d black pixels of %d among the letters", got, want)
	}
	if rest := is.ink(is.Rect) - is.ink(letters); rest > is.Rect.Dx()*is.Rect.Dy()/500 {
		t.Errorf("%d black pixels on the paper", rest)
	}
	if made.Seconds > 60 {
		t.Errorf("%.0f seconds on the line", made.Seconds)
	}
}

func TestDamagedPicturesAreRefused(t *testing.T) {
	t.Parallel()
	f := open(t, document.Config{})
	good := encoded(t, func(b *bytes.Buffer) error { return png.Encode(b, drawing(600, 800)) })
	lying := jpegOf(t, drawing(600, 800))
	tif := encoded(t, func(b *bytes.Buffer) error { return tiff.Encode(b, opaque(drawing(60, 80)), nil) })
	circle := append([]byte("II*\x00\x08\x00\x00\x00\x00\x00\x08\x00\x00\x00"), 0)
	for name, file := range map[string][]byte{
		"half a PNG": good[:len(good)/2], "half a JPEG": lying[:len(lying)/2], "PNG header": good[:20], "half a TIFF": tif[:len(tif)/2],
		"TIFF header": []byte("II*\x00\x00\x00\x00\x00"), "TIFF circle": circle, "GIF header": []byte("GIF89a"), "WebP header": []byte("RIFF\x00\x00\x00\x00WEBPVP8 "),
	} {
		t.Run(name, func(t *testing.T) { wantRefusal(t, refuse(t, f, file), fax.BadDocument) })
	}
	wantRefusal(t, refuse(t, f, vast(t)), fax.BadDocument, "9000 × 9000 pixels")
}

func TestPageRange(t *testing.T) {
	t.Parallel()
	f := open(t, document.Config{MaxPages: 4})
	id := receive(t, f, []byte("one\ftwo"), pdf(sheets[0].page(), sheets[1].page(), sheets[2].page()))
	for _, c := range []struct {
		choice  fax.Pages
		pages   int
		problem fax.Problem
	}{
		{"2-3", 2, ""},
		{"3-", 3, ""},
		{"1", 1, ""},
		{"5-99", 1, ""},
		{"1-4", 4, ""},
		{"1,5", 2, ""},
		{"1-2,4-", 4, ""},
		{"2,4", 2, ""},
		{"5,1000000000", 1, ""},
		{"", 0, fax.BadDocument},
		{"6-", 0, fax.BadDocument},
		{"3-2", 0, fax.Invalid},
		{"0", 0, fax.Invalid},
	} {
		made, err := f.Prepare(t.Context(), id, document.Options{Pages: c.choice})
		if (err != nil) != (c.problem != "") || made.Pages != c.pages {
			t.Errorf("pages %s: %d pages, %v", c.choice, made.Pages, err)
		} else if err != nil {
			wantRefusal(t, err, c.problem)
		}
	}
	if _, err := f.Prepare(t.Context(), id, document.Options{Pages: "3,5"}); err != nil {
		t.Fatal(err)
	}
	sheets[0].check(t, page(t, f, id, 1), 2292)
	sheets[2].check(t, page(t, f, id, 2), 2735)
}
