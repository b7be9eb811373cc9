package document

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"fmt"
	"io"
	"strings"

	"github.com/go-text/typesetting/font"
	"github.com/go-text/typesetting/font/opentype"
	"golang.org/x/image/math/fixed"
)

// pdfWriter writes a PDF (ISO 32000-1) for our own Ghostscript to read: pages of
// one size with glyphs of any fonts. Glyphs become procedures of Type 3 fonts
// (9.6.5), 256 to a font, so that no font has to be embedded or found again.
type pdfWriter struct {
	w       *bufio.Writer
	size    int64
	offsets []int64 // of objects 1, 2, …
	err     error

	width, height int
	pages         int
	kids          []int
	page          *bytes.Buffer // drawing of the page that is open; nil when none is
	codes         map[glyphKey]int
	glyphs        []int // object numbers, by code
}

type glyphKey struct {
	face *font.Font
	gid  font.GID
}

// Objects that everything refers to, numbered before they are known.
const (
	pdfCatalog = 1 + iota
	pdfPages
	pdfFonts
	pdfReserved
)

const glyphsPerFont = 256

// The largest page, in points, as in fax.ps.
const (
	faxWidth     = 1728 * 72.0 / 204
	faxMaxHeight = 24 * 72.0
)

func newPDF(w io.Writer, width, height int) *pdfWriter {
	p := &pdfWriter{w: bufio.NewWriter(w), width: width, height: height, codes: map[glyphKey]int{}, offsets: make([]int64, pdfReserved-1)}
	p.print("%%PDF-1.4\n")
	return p
}

func (p *pdfWriter) print(format string, args ...any) {
	n, err := fmt.Fprintf(p.w, format, args...)
	p.size += int64(n)
	if p.err == nil {
		p.err = err
	}
}

// object writes object number n, or a new one when n is 0, and returns its
// number.
func (p *pdfWriter) object(n int, body string) int {
	if n == 0 {
		p.offsets = append(p.offsets, 0)
		n = len(p.offsets)
	}
	p.offsets[n-1] = p.size
	p.print("%d 0 obj\n%s\nendobj\n", n, body)
	return n
}

func (p *pdfWriter) stream(entries string, data []byte) int {
	var packed bytes.Buffer
	z := zlib.NewWriter(&packed)
	_, _ = z.Write(data) // a buffer does not fail
	_ = z.Close()
	return p.object(0, fmt.Sprintf("<< %s /Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream", entries, packed.Len(), packed.String()))
}

// Glyph draws a glyph on the open page, or on a new one, with its origin at x, y
// from the lower left corner in points.
func (p *pdfWriter) Glyph(face *font.Face, gid font.GID, size int, x, y fixed.Int26_6) {
	if p.page == nil {
		p.page = &bytes.Buffer{}
		p.pages++
	}
	key := glyphKey{face.Font, gid}
	code, ok := p.codes[key]
	if !ok {
		code = len(p.glyphs)
		p.codes[key] = code
		p.glyphs = append(p.glyphs, p.outline(face, gid))
	}
	fmt.Fprintf(p.page, "/F%d %d Tf 1 0 0 1 %.2f %.2f Tm <%02x> Tj\n", code/glyphsPerFont, size, float64(x)/64, float64(y)/64, code%glyphsPerFont)
}

// outline writes the procedure of one glyph, in thousandths of the type size.
func (p *pdfWriter) outline(face *font.Face, gid font.GID) int {
	var b strings.Builder
	outline, _ := face.GlyphDataOutline(gid)
	scale := 1000 / float32(face.Upem())
	box, _ := face.GlyphExtents(gid)
	fmt.Fprintf(&b, "0 0 %.1f %.1f %.1f %.1f d1\n", scale*box.XBearing-1, scale*(box.YBearing+box.Height)-1, scale*(box.XBearing+box.Width)+1, scale*box.YBearing+1)
	var at opentype.SegmentPoint
	for _, s := range outline.Segments {
		a := s.Args
		for i := range a {
			a[i].X, a[i].Y = a[i].X*scale, a[i].Y*scale
		}
		switch s.Op {
		case opentype.SegmentOpMoveTo:
			fmt.Fprintf(&b, "%.2f %.2f m\n", a[0].X, a[0].Y)
			at = a[0]
		case opentype.SegmentOpLineTo:
			fmt.Fprintf(&b, "%.2f %.2f l\n", a[0].X, a[0].Y)
			at = a[0]
		case opentype.SegmentOpQuadTo: // the cubic with the same shape
			fmt.Fprintf(&b, "%.2f %.2f %.2f %.2f %.2f %.2f c\n",
				(at.X+2*a[0].X)/3, (at.Y+2*a[0].Y)/3, (a[1].X+2*a[0].X)/3, (a[1].Y+2*a[0].Y)/3, a[1].X, a[1].Y)
			at = a[1]
		case opentype.SegmentOpCubeTo:
			fmt.Fprintf(&b, "%.2f %.2f %.2f %.2f %.2f %.2f c\n", a[0].X, a[0].Y, a[1].X, a[1].Y, a[2].X, a[2].Y)
			at = a[2]
		}
	}
	b.WriteString("f\n")
	return p.stream("", []byte(b.String()))
}

// EndPage finishes the open page; without one it does nothing.
func (p *pdfWriter) EndPage() {
	if p.page == nil {
		return
	}
	contents := p.stream("", []byte("BT\n"+p.page.String()+"ET\n"))
	p.kids = append(p.kids, p.object(0, fmt.Sprintf("<< /Type /Page /Parent %d 0 R /MediaBox [0 0 %d %d] /Resources << /Font %d 0 R >> /Contents %d 0 R >>",
		pdfPages, p.width, p.height, pdfFonts, contents)))
	p.page = nil
}

// Picture adds a page of the picture's size with nothing else. Pixels that the
// fax cannot show are averaged into those that it can, one to one, by the same
// rules as in fax.ps: Ghostscript would leave some out.
func (p *pdfWriter) Picture(pic picture, res Resolution) {
	p.EndPage()
	p.pages++
	g := grey(pic.image)
	rotate := map[int]int{3: 180, 4: 180, 5: 270, 6: 90, 7: 90, 8: 270}[pic.orientation]
	if pic.orientation == 2 || pic.orientation == 4 || pic.orientation == 5 || pic.orientation == 7 {
		g = mirror(g)
	}
	xdpi, ydpi := 204.0, float64(res)
	seenX, seenY := pic.width, pic.height
	if rotate%180 == 90 {
		seenX, seenY, xdpi, ydpi = seenY, seenX, ydpi, xdpi
	}
	if seenX > faxWidth+1 && seenX > seenY {
		seenX, seenY, xdpi, ydpi = seenY, seenX, ydpi, xdpi
	}
	scale := min(1, faxWidth/seenX, faxMaxHeight/seenY)
	g = shrink(g, int(pic.width*scale/72*xdpi+0.5), int(pic.height*scale/72*ydpi+0.5))
	samples, bits := pack(g)
	object := p.stream(fmt.Sprintf("/Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace /DeviceGray /BitsPerComponent %d",
		g.Rect.Dx(), g.Rect.Dy(), bits), samples)
	contents := p.stream("", fmt.Appendf(nil, "%.4f 0 0 %.4f 0 0 cm /I Do\n", pic.width, pic.height))
	p.kids = append(p.kids, p.object(0, fmt.Sprintf("<< /Type /Page /Parent %d 0 R /MediaBox [0 0 %.4f %.4f] /Rotate %d /Resources << /XObject << /I %d 0 R >> >> /Contents %d 0 R >>",
		pdfPages, pic.width, pic.height, rotate, object, contents)))
}

// Fax adds a page of the size that rows of Group 4 code (T.6) have at a
// resolution. The code is taken as it is.
func (p *pdfWriter) Fax(code []byte, columns, rows int, xdpi, ydpi float64) {
	p.EndPage()
	p.pages++
	width, height := float64(columns)/xdpi*72, float64(rows)/ydpi*72
	object := p.object(0, fmt.Sprintf("<< /Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace /DeviceGray /BitsPerComponent 1 "+
		"/Filter /CCITTFaxDecode /DecodeParms << /K -1 /Columns %d /Rows %d >> /Length %d >>\nstream\n%s\nendstream",
		columns, rows, columns, rows, len(code), code))
	contents := p.stream("", fmt.Appendf(nil, "%.4f 0 0 %.4f 0 0 cm /I Do\n", width, height))
	p.kids = append(p.kids, p.object(0, fmt.Sprintf("<< /Type /Page /Parent %d 0 R /MediaBox [0 0 %.4f %.4f] /Resources << /XObject << /I %d 0 R >> >> /Contents %d 0 R >>",
		pdfPages, width, height, object, contents)))
}

// Close writes what remains. It does not close the underlying writer.
func (p *pdfWriter) Close() error {
	p.EndPage()
	var fonts strings.Builder
	for first := 0; first < len(p.glyphs); first += glyphsPerFont {
		list := p.glyphs[first:min(first+glyphsPerFont, len(p.glyphs))]
		var procs, names, widths strings.Builder
		for i, object := range list {
			fmt.Fprintf(&procs, "/g%d %d 0 R ", i, object)
			fmt.Fprintf(&names, "/g%d ", i)
			widths.WriteString("0 ")
		}
		n := p.object(0, fmt.Sprintf("<< /Type /Font /Subtype /Type3 /FontBBox [0 0 0 0] /FontMatrix [0.001 0 0 0.001 0 0] /Resources << >> "+
			"/CharProcs << %s>> /Encoding << /Type /Encoding /Differences [0 %s] >> /FirstChar 0 /LastChar %d /Widths [%s] >>",
			procs.String(), names.String(), len(list)-1, widths.String()))
		fmt.Fprintf(&fonts, "/F%d %d 0 R ", first/glyphsPerFont, n)
	}
	p.object(pdfFonts, "<< "+fonts.String()+">>")
	var kids strings.Builder
	for _, n := range p.kids {
		fmt.Fprintf(&kids, "%d 0 R ", n)
	}
	p.object(pdfPages, fmt.Sprintf("<< /Type /Pages /Count %d /Kids [%s] >>", len(p.kids), kids.String()))
	p.object(pdfCatalog, fmt.Sprintf("<< /Type /Catalog /Pages %d 0 R >>", pdfPages))
	xref := p.size
	p.print("xref\n0 %d\n0000000000 65535 f \n", len(p.offsets)+1)
	for _, at := range p.offsets {
		p.print("%010d 00000 n \n", at)
	}
	p.print("trailer << /Size %d /Root %d 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(p.offsets)+1, pdfCatalog, xref)
	if p.err != nil {
		return p.err
	}
	return p.w.Flush()
}
