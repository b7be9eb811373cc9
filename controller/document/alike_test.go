package document_test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"faxbot/controller/document"
)

// stream is an object of a PDF.
func stream(entries, body string) string {
	return fmt.Sprintf("<< %s /Length %d >>\nstream\n%s\nendstream", entries, len(body), body)
}

// repeated draws lines below each other, some way down the middle of a pixel.
func repeated(format string, operands func(y float64) []any) string {
	var all strings.Builder
	for i := range 40 {
		fmt.Fprintf(&all, format, operands(200+float64(i)*7.3)...)
	}
	return all.String()
}

// noted is a page with an annotation.
func noted(annotation string, extra ...string) []byte {
	page := letter("noted")
	page.attributes += " /Annots [5 0 R]"
	fields := "/AcroForm << /Fields [5 0 R] /DR << /Font << /Helv << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> /DA (/Helv 12 Tf 0 g) >>"
	return pdfWith(fields, append([]string{"<< /Type /Annot /Rect [100 400 300 450] " + annotation + " >>"}, extra...), page)
}

// inFont is a page of letters in that font.
func inFont(font, shown string, extra ...string) []byte {
	file := content("BT /X 24 Tf 72 500 Td "+shown+" Tj ET", "", append([]string{font}, extra...)...)
	const given, wanted = "/F << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>", "/X 5 0 R"
	return []byte(strings.Replace(string(file), given, wanted+strings.Repeat(" ", len(given)-len(wanted)), 1))
}

// MuPDF draws nothing that Ghostscript alone would draw in another way: nothing is
// lost, and nothing is shown that is meant to be hidden, because the faster
// program was there.
func TestBothDrawAlike(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("mutool"); err != nil {
		t.Skip("no MuPDF: apt-get install mupdf-tools")
	}
	both, ghostscript := open(t, document.Config{}), open(t, document.Config{MuPDF: absent})
	appearance := stream("/Type /XObject /Subtype /Form /BBox [0 0 200 50]", "0 0 100 40 re f")
	form := func(entries string) string {
		return stream("/Type /XObject /Subtype /Form "+entries, "0 0 300 300 re f")
	}
	layers := func(config, of string) []byte {
		return pdfWith("/OCProperties << /OCGs [5 0 R] /D << "+config+" >> >>", []string{"<< /Type /OCG /Name (layer) >>", of, form("/BBox [0 0 300 300] /OC 5 0 R")},
			pdfPage{attributes: a4, resources: "/Properties << /A 6 0 R >> /XObject << /N 7 0 R >>", content: "400 400 50 50 re f /OC /A BDC 100 500 100 100 re f EMC /N Do"})
	}
	ink := func(name, model, from, to string) string {
		return fmt.Sprintf("/ColorSpace << /S [/Separation /%s /%s << /FunctionType 2 /Domain [0 1] /C0 [%s] /C1 [%s] /N 1 >>] >>", name, model, from, to)
	}
	inverse := "<< /FunctionType 2 /Domain [0 1] /C0 [1] /C1 [0] /N 1 >>"
	glyph := func(draws string) []byte {
		return inFont("<< /Type /Font /Subtype /Type3 /FontBBox [0 0 1000 1000] /FontMatrix [.001 0 0 .001 0 0] /FirstChar 97 /LastChar 97 /Widths [1000] "+
			"/Encoding << /Type /Encoding /Differences [97 /a] >> /CharProcs << /a 6 0 R >> /Resources << >> >>", "(aaaa)", stream("", draws))
	}
	of := func(box string) []byte {
		return pdf(pdfPage{attributes: box, content: "50 50 400 100 re f BT /F 30 Tf 72 400 Td (Hello) Tj ET"})
	}
	for name, file := range map[string][]byte{
		"bars":          content(repeated("100 %g 300 0.1 re f ", func(y float64) []any { return []any{y} }), ""),
		"bars of lines": content(repeated("100 %g m 400 %g l 400 %g l 100 %g l h f* ", func(y float64) []any { return []any{y, y, y + .2, y + .2} }), ""),
		"bars askew":    content(repeated("100 %g m 400 %g l 400 %g l 100 %g l h f ", func(y float64) []any { return []any{y, y + 30, y + 30.2, y + .2} }), ""),
		"bows": content(repeated("100 %g m 200 %g 300 %g 400 %g c 300 %g 200 %g 100 %g c h f ", func(y float64) []any {
			return []any{y, y + 40, y - 40, y, y - 39.8, y + 40.2, y}
		}), ""),
		"bars in a turned drawing": content("q .7 .7 -.7 .7 300 300 cm 0 0 200 0.1 re f 0 50 m 200 50 l 200 50.1 l 0 50.1 l h f Q", ""),
		"bars without height":      content("100 100 300 0 re f 100 150.3 m 400 150.3 l f", ""),
		"a slit":                   content("q 100 300.1 m 400 300.1 l 400 300.3 l 100 300.3 l h W n 0 0 600 800 re f Q", ""),
		"a slit askew":             content("q 100 500 m 400 550 l 400 550.3 l 100 500.3 l h W n 0 0 600 800 re f Q", ""),
		"dots":                     content("1 J 5 w 100 100 m 100 100 l S 200 100 m h S 300 100 m 300 100 l h S", ""),
		"dots in a row":            content("1 J 5 w 100 100 m 100 100 l 200 100 m 200 100 l 300 100 m 400 100 l S", ""),
		"dotted":                   content(repeated("1 J [0 3] 0 d 1 w 100 %g m 400 %g l S ", func(y float64) []any { return []any{y, y} }), ""),
		"dashes from before":       content(repeated("[50 30] -20 d 1 w 100 %g m 400 %g l S ", func(y float64) []any { return []any{y, y} }), ""),
		"an ink for no paper":      content("/S cs 1 scn 100 100 100 100 re f", ink("None", "DeviceCMYK", "0 0 0 0", "1 1 1 1")),
		"an ink of its own":        content("/S cs 1 scn 100 100 100 100 re f .5 scn 250 100 100 100 re f", ink("Spot", "DeviceGray", "0", "1")),
		"grey means another":       content("0 g 100 100 100 100 re f 1 g 250 100 100 100 re f", "/ColorSpace << /DefaultGray [/Separation /Spot /DeviceGray "+inverse+"] >>"),
		"a transfer function":      content("/G gs 0 g 100 100 100 100 re f 1 g 250 100 100 100 re f", "/ExtGState << /G << /TR "+inverse+" >> >>"),
		"a form without a box":     content("400 400 50 50 re f /N Do", "/XObject << /N 5 0 R >>", form("")),
		"layers":                   layers("", "5 0 R"),
		"a layer that is off":      layers("/OFF [5 0 R]", "5 0 R"),
		"layers are off":           layers("/BaseState /OFF", "5 0 R"),
		"a layer that is off on screen": layers("/OFF [5 0 R] /AS [<< /Event /Print /Category [/Print] /OCGs [5 0 R] >>]",
			"<< /Type /OCMD /OCGs 5 0 R /P /AllOff >>"),

		"a stamp":                  noted("/Subtype /Stamp /F 4 /AP << /N 6 0 R >>", appearance),
		"a stamp for the screen":   noted("/Subtype /Stamp /AP << /N 6 0 R >>", appearance),
		"a stamp that is hidden":   noted("/Subtype /Stamp /F 6 /AP << /N 6 0 R >>", appearance),
		"a square":                 noted("/Subtype /Square /F 4 /C [0]"),
		"a square for the screen":  noted("/Subtype /Square /C [0]"),
		"a remark":                 noted("/Subtype /Text /F 4 /Contents (note)"),
		"a link in a frame":        noted("/Subtype /Link /F 4"),
		"a link in a thick frame":  noted("/Subtype /Link /Border [0 0 5] /C [0 0 0]"),
		"a link without a frame":   noted("/Subtype /Link /Border [0 0 0] /C [0 0 0]"),
		"a link with a style":      noted("/Subtype /Link /F 4 /BS << /W 0 >>"),
		"a link in a styled frame": noted("/Subtype /Link /Border [0 0 0] /BS << /W 3 >> /C [0 0 0]"),
		"a field":                  noted("/Subtype /Widget /F 4 /T (a) /FT /Tx /V (field value) /DA (/Helv 12 Tf 0 g)"),
		"a field of several lines": noted("/Subtype /Widget /F 4 /T (a) /FT /Tx /Ff 4096 /V (a value that goes over several lines) /DA (/Helv 0 Tf 0 g)"),
		"a signature":              noted("/Subtype /Widget /F 4 /T (a) /FT /Sig /AP << /N 6 0 R >>", appearance),

		"a font that is missing":      inFont("<< /Type /Font /Subtype /TrueType /BaseFont /Calibri /Encoding /WinAnsiEncoding >>", "(Letters)"),
		"a bar code font":             inFont("<< /Type /Font /Subtype /TrueType /BaseFont /Code39 /Encoding /WinAnsiEncoding >>", "(*4711*)"),
		"a standard font":             inFont("<< /Type /Font /Subtype /Type1 /BaseFont /Times-BoldItalic >>", "(Letters)"),
		"a standard font, new letter": inFont("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding << /Differences [65 /g12 /checkmark /a4 /H22073] >> >>", "(ABCD)"),
		"a font of coloured drawings": glyph("1000 0 d0 1 1 0 rg 0 0 800 800 re f 0 g 0 0 100 100 re f"),
		"a font of thin lines":        glyph("1000 0 0 0 1000 1000 d1 0 0 800 2 re f 400 0 2 800 re f"),
		"a font that lies":            glyph("1000 0 0 0 10 10 d1 0 0 800 800 re f"),

		"cropped to elsewhere":   of("/MediaBox [0 0 595 842] /CropBox [1000 1000 1100 1100]"),
		"cropped to nearly none": of("/MediaBox [0 0 595 842] /CropBox [10 10 10.5 800]"),
		"a box of six numbers":   of("/MediaBox [0 0 595 842 9 9]"),
		"a unit below nothing":   of("/MediaBox [0 0 595 842] /UserUnit -1"),
		"turned by a little":     of("/MediaBox [0 0 595 842] /Rotate 46"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var drawn [2]bitmap
			for i, f := range []*document.Folder{both, ghostscript} {
				id, _, err := attempt(t, f, file)
				if err != nil {
					t.Fatal(err, unwrap(err))
				}
				drawn[i] = page(t, f, id, 1)
			}
			if drawn[0].Rect != drawn[1].Rect {
				t.Fatalf("%v with MuPDF, %v without", drawn[0].Rect.Max, drawn[1].Rect.Max)
			}
			if lost, added := drawn[1].beyond(drawn[0]), drawn[0].beyond(drawn[1]); lost+added > 0 {
				t.Errorf("with MuPDF %d black pixels are lost, and %d added", lost, added)
			}
		})
	}
}

// beyond counts the black pixels that are further than three from any of
// another's: more than a program's way to round a line.
func (b bitmap) beyond(other bitmap) (n int) {
	for y := range b.Rect.Dy() {
		for x := range b.Rect.Dx() {
			if b.black(x, y) && !other.blackNear(x, y) {
				n++
			}
		}
	}
	return n
}

func (b bitmap) blackNear(x, y int) bool {
	const near = 3
	for v := max(0, y-near); v <= min(y+near, b.Rect.Dy()-1); v++ {
		for u := max(0, x-near); u <= min(x+near, b.Rect.Dx()-1); u++ {
			if b.black(u, v) {
				return true
			}
		}
	}
	return false
}
