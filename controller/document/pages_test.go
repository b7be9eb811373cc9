package document_test

import (
	"bytes"
	"fmt"
	"image"
	"os"
	"os/exec"
	"testing"

	"faxbot/controller/document"
	"faxbot/controller/fax"
)

// sheet is a page of some size with a mark in every corner, each another one, so
// that cutting, mirroring and turning are seen.
type sheet struct {
	name       string
	x, y, w, h float64 // MediaBox
	crop       []float64
	rotate     int
	unit       float64
	rows       int  // expected, ± 1
	turned     bool // expected to be turned by 90° to the left
	wide, tal  int  // where the page is expected, pixels
}

var sheets = []sheet{
	{name: "A4", w: 595, h: 842, rows: 2292, wide: 1686, tal: 2292},
	{name: "Letter", w: 612, h: 792, rows: 2149, wide: 1728, tal: 2149},
	{name: "Legal", w: 612, h: 1008, rows: 2735, wide: 1728, tal: 2735},
	{name: "A3", w: 842, h: 1191, rows: 2348, wide: 1728, tal: 2348},
	{name: "A5", w: 420, h: 595, rows: 1620, wide: 1190, tal: 1620},
	{name: "A4 landscape", w: 842, h: 595, rows: 2292, turned: true, wide: 1686, tal: 2292},
	{name: "A3 landscape", w: 1191, h: 842, rows: 2348, turned: true, wide: 1728, tal: 2348},
	{name: "A5 landscape", w: 595, h: 420, rows: 1143, wide: 1686, tal: 1143},
	{name: "Letter rotated 90", w: 612, h: 792, rotate: 90, rows: 2149, turned: true, wide: 1728, tal: 2149},
	{name: "Letter landscape rotated 90", w: 792, h: 612, rotate: 90, rows: 2149, wide: 1728, tal: 2149},
	{name: "Letter landscape rotated 270", w: 792, h: 612, rotate: 270, rows: 2149, wide: 1728, tal: 2149},
	{name: "Letter rotated 180", w: 612, h: 792, rotate: 180, rows: 2149, wide: 1728, tal: 2149},
	{name: "Letter rotated -90", w: 612, h: 792, rotate: -90, rows: 2149, turned: true, wide: 1728, tal: 2149},
	{name: "Letter rotated 450", w: 792, h: 612, rotate: 450, rows: 2149, wide: 1728, tal: 2149},
	{name: "card", w: 240, h: 150, rows: 588, wide: 680, tal: 408},
	{name: "stamp", w: 30, h: 40, rows: 588, wide: 85, tal: 109},
	{name: "wall", w: 14400, h: 14400, rows: 1660, wide: 1728, tal: 1660},
	{name: "roll", w: 612, h: 14400, rows: 4704, wide: 208, tal: 4704},
	{name: "banner", w: 14400, h: 612, rows: 4704, turned: true, wide: 208, tal: 4704},
	{name: "receipt", w: 226, h: 1200, rows: 3267, wide: 640, tal: 3267},
	{name: "cropped", w: 612, h: 792, crop: []float64{100, 150, 500, 700}, rows: 1497, wide: 1133, tal: 1497},
	{name: "cropped and rotated", w: 612, h: 792, crop: []float64{100, 150, 500, 700}, rotate: 90, rows: 1089, wide: 1558, tal: 1089},
	{name: "crop larger than the page", w: 595, h: 842, crop: []float64{-50, -50, 900, 900}, rows: 2292, wide: 1686, tal: 2292},
	{name: "origin elsewhere", x: -200, y: 3000, w: 612, h: 792, rows: 2149, wide: 1728, tal: 2149},
	{name: "user unit", w: 306, h: 396, unit: 2, rows: 2149, wide: 1728, tal: 2149},
}

// The marks, counted from the upper left corner, clockwise, as the reader sees
// the page: so many sixteenths of the page's shorter side long.
func (s sheet) page() pdfPage {
	x0, y0, x1, y1 := s.x, s.y, s.x+s.w, s.y+s.h
	attributes := fmt.Sprintf("/MediaBox [%g %g %g %g] /Rotate %d", x1, y0, x0, y1, s.rotate) // any two opposite corners will do
	if s.crop != nil {
		attributes += fmt.Sprintf(" /CropBox [%g %g %g %g]", s.crop[0], s.crop[1], s.crop[2], s.crop[3])
		x0, y0, x1, y1 = max(x0, s.crop[0]), max(y0, s.crop[1]), min(x1, s.crop[2]), min(y1, s.crop[3])
	}
	if s.unit != 0 {
		attributes += fmt.Sprintf(" /UserUnit %g", s.unit)
	}
	m := min(x1-x0, y1-y0) / 16
	mark := [4]string{
		fmt.Sprintf("%g %g %g %g re f ", x0, y1-m, m, m),
		fmt.Sprintf("%g %g %g %g re f ", x1-2*m, y1-2*m, 2*m, 2*m),
		fmt.Sprintf("%g %g %g %g re f ", x1-3*m, y0, 3*m, 3*m),
		fmt.Sprintf("%g %g %g %g re f ", x0, y0, 4*m, 4*m),
	}
	return pdfPage{attributes: attributes, content: mark[0] + mark[1] + mark[2] + mark[3]}
}

// want is the corner, clockwise from the upper left one, where the smallest
// mark is to be seen on the fax.
func (s sheet) want() int {
	quarter := ((s.rotate/90)%4 + 4) % 4
	if s.turned {
		quarter += 3
	}
	return quarter % 4
}

func (s sheet) check(t *testing.T, b bitmap, rows int) {
	t.Helper()
	if b.Rect.Dx() != document.Width {
		t.Errorf("%d pixels wide", b.Rect.Dx())
	}
	if b.Rect.Dy() != rows || rows < s.rows-1 || rows > s.rows+1 {
		t.Errorf("%d rows, reported %d, want %d", b.Rect.Dy(), rows, s.rows)
	}
	left := (document.Width - s.wide) / 2
	where := image.Rect(left, 0, left+s.wide, s.tal)
	got := b.extent()
	for _, d := range []int{got.Min.X - where.Min.X, got.Min.Y - where.Min.Y, got.Max.X - where.Max.X, got.Max.Y - where.Max.Y} {
		if d < -2 || d > 2 {
			t.Errorf("ink in %v, want %v", got, where)
			break
		}
	}
	// Each mark is black where it should be and white beyond its end.
	long := min(float64(s.wide)/204, float64(s.tal)/196) / 16 // inches to a unit
	for i := range 4 {
		size := (i-s.want()+4)%4 + 1 // of the mark in corner i
		point := func(units float64) (int, int) {
			dx, dy := int(units*long*204), int(units*long*196)
			x, y := where.Min.X+dx, where.Min.Y+dy
			if i == 1 || i == 2 {
				x = where.Max.X - 1 - dx
			}
			if i == 2 || i == 3 {
				y = where.Max.Y - 1 - dy
			}
			return x, y
		}
		in, out := 0.7, 0.4
		if long*196 < 5 { // a unit is hardly a few pixels
			in, out = 0.5, 0.6
		}
		if x, y := point(float64(size) - in); !b.black(x, y) {
			t.Errorf("corner %d: no mark of size %d: white at %d,%d", i, size, x, y)
		}
		if x, y := point(float64(size) + out); b.black(x, y) {
			t.Errorf("corner %d: a mark larger than %d: black at %d,%d", i, size, x, y)
		}
	}
}

// engines are folders for each program that draws PDFs.
func engines(t *testing.T) map[string]*document.Folder {
	t.Helper()
	all := map[string]*document.Folder{"Ghostscript": open(t, document.Config{MuPDF: absent})}
	if _, err := exec.LookPath("mutool"); err == nil {
		all["MuPDF"] = open(t, document.Config{Ghostscript: absent}) // no help
	}
	return all
}

func TestEveryPageSizeFitsUncutUpright(t *testing.T) {
	t.Parallel()
	for engine, f := range engines(t) {
		for _, s := range sheets {
			t.Run(engine+"/"+s.name, func(t *testing.T) {
				id, made := prepare(t, f, pdf(s.page()))
				if made.Pages != 1 || len(made.Sheets) != 1 {
					t.Fatalf("%+v", made)
				}
				s.check(t, page(t, f, id, 1), made.Sheets[0].Height)
			})
		}
	}
}

func TestPagesOfAllSizesInOneDocument(t *testing.T) {
	t.Parallel()
	var pages []pdfPage
	for _, s := range sheets {
		pages = append(pages, s.page())
	}
	for engine, f := range engines(t) {
		id, made := prepare(t, f, pdf(pages...))
		if made.Pages != len(sheets) {
			t.Fatalf("%d pages of %d", made.Pages, len(sheets))
		}
		for i, s := range sheets {
			t.Run(engine+"/"+s.name, func(t *testing.T) { s.check(t, page(t, f, id, i+1), made.Sheets[i].Height) })
		}
	}
}

// Many pages in black and white are drawn by Ghostscript, without greys, and look
// the same.
func TestLongDocuments(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("mutool"); err != nil {
		t.Skip("no MuPDF: apt-get install mupdf-tools")
	}
	var pages []pdfPage
	for i := range 30 {
		pages = append(pages, sheets[i%len(sheets)].page())
	}
	file := pdf(pages...)
	f, greys := open(t, document.Config{}), open(t, document.Config{MuPDF: absent})
	_, made := prepare(t, f, file)
	_, other := prepare(t, greys, file)
	if made.Pages != len(pages) {
		t.Fatalf("%d pages of %d", made.Pages, len(pages))
	}
	black, err := os.ReadFile(made.Path)
	if err != nil {
		t.Fatal(err)
	}
	grey, err := os.ReadFile(other.Path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(black, grey) {
		t.Error("they do not")
	}
	wantRefusal(t, refuse(t, open(t, document.Config{Ghostscript: absent}), file), fax.Unavailable, "Ghostscript is not installed")
}
