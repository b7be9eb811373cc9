package document

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"unicode"
	"unicode/utf8"

	"github.com/go-text/typesetting/di"
	"github.com/go-text/typesetting/font"
	"github.com/go-text/typesetting/fontscan"
	"github.com/go-text/typesetting/language"
	"github.com/go-text/typesetting/shaping"
	"golang.org/x/image/math/fixed"

	"faxbot/controller/fax"
)

// The page that text is set on fits both A4 and Letter paper. A line holds 86
// columns of 10 point type, legible at the standard resolution too.
const (
	paperWidth  = 595 // points
	paperHeight = 792
	margin      = 36
	typeSize    = 10
	tabStop     = 8
)

// maxParagraph is how many characters are set at once. Longer paragraphs go on
// in the next piece where the last full line of the former ended.
const maxParagraph = 4096

// typesetter sets one text.
type typesetter struct {
	fonts   *fontscan.FontMap
	split   shaping.Segmenter
	shaper  shaping.HarfbuzzShaper
	wrapper shaping.LineWrapper
	out     *canvas
	size    float64           // of the type, in points
	indent  float64           // of lines, in points; all then begin there, also Hebrew and Arabic
	down    float64           // points of the page that are used, below its margin
	shown   map[glyphKey]bool // glyphs that leave ink, or not
	hold    bool              // more comes on the page after a text
}

// lead is the distance of two lines, for one point of type.
const lead = 1.2

// indexRoom is more than the index of any system's fonts needs.
const indexRoom = 4 << 20

// systemFonts are the fonts that are installed. Their index is made once: when
// it cannot be written, the library has no fonts until the process ends. So it
// is made when the folder is opened, and never on a disk that is full.
func (f *Folder) systemFonts() (*fontscan.FontMap, error) {
	if free, err := freeBytes(f.Dir); !f.indexed.Load() && err == nil && free < indexRoom {
		return nil, unavailable("typesetting", syscall.ENOSPC)
	}
	fonts := fontscan.NewFontMap(quiet{})
	if err := fonts.UseSystemFonts(filepath.Join(f.Dir, "fonts")); err != nil {
		return nil, noFonts(err)
	}
	f.indexed.Store(true)
	return fonts, nil
}

func newTypesetter(f *Folder, out *canvas) (*typesetter, error) {
	fonts, err := f.systemFonts()
	if err != nil {
		return nil, err
	}
	fonts.SetQuery(fontscan.Query{Families: []string{"DejaVu Sans Mono", "DejaVu Sans", "monospace"}})
	if fonts.ResolveFace('A') == nil {
		return nil, noFonts(nil)
	}
	return &typesetter{fonts: fonts, out: out, size: typeSize, shown: map[glyphKey]bool{}}, nil
}

// drawText sets a text file.
func (f *Folder) drawText(ctx context.Context, from string, to *faxWriter) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // read only
	out := newCanvas(to.Page, to.opt.Resolution, paperWidth, paperHeight)
	t, err := newTypesetter(f, out)
	if err != nil {
		return err
	}
	return t.text(ctx, in)
}

// text sets a text to its end, and finishes the last page unless it is held.
func (t *typesetter) text(ctx context.Context, in io.Reader) error {
	text := newTextReader(in)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		paragraph, err := text.paragraph()
		if err == io.EOF { //nolint:errorlint // the reader's own
			if t.hold {
				return nil
			}
			return t.out.EndPage()
		}
		if err != nil {
			return err
		}
		if text.back, err = t.paragraph(paragraph, text.more); err != nil {
			return err
		}
		if text.feed {
			if err := t.newPage(); err != nil {
				return err
			}
		}
	}
}

func (t *typesetter) newPage() error {
	t.down = 0
	return t.out.EndPage()
}

func noFonts(err error) error {
	return &fax.Error{Problem: fax.Unavailable, Detail: "Text cannot be converted now: no fonts are installed on the server (apt-get install fonts-dejavu-core)", Cause: err}
}

// paragraph sets one paragraph. With more to come, it returns what belongs to a
// line that is not full yet.
func (t *typesetter) paragraph(text []rune, more bool) ([]rune, error) {
	if len(text) == 0 {
		t.down += t.size * lead
		return nil, nil
	}
	direction := directionOf(text)
	input := shaping.Input{
		Text: text, RunEnd: len(text), Direction: direction,
		Size: fixed.Int26_6(t.size * 64), Language: language.DefaultLanguage(),
	}
	var runs []shaping.Output
	for _, in := range apart(text, direction, t.split.Split(input, t.fonts)) {
		run := t.shaper.Shape(in)
		if err := t.legible(text, run); err != nil {
			return nil, err
		}
		runs = append(runs, run)
	}
	t.wrapper.Prepare(shaping.WrapConfig{Direction: direction}, text, shaping.NewSliceIterator(runs))
	for at := 0; ; {
		line, done := t.wrapper.WrapNextLine(paperWidth - 2*margin - int(t.indent))
		if done && more && at > 0 {
			return slices.Clone(text[at:]), nil
		}
		if err := t.place(text, line.Line, direction); err != nil {
			return nil, err
		}
		if done {
			return nil, nil
		}
		at = line.NextLine
	}
}

// place draws one line at the current position, on a new page if need be. Blank
// lines never begin a page.
func (t *typesetter) place(text []rune, line shaping.Line, direction di.Direction) error {
	var width fixed.Int26_6
	blank := true
	for _, run := range line {
		width += run.Advance
		blank = blank && !slices.ContainsFunc(run.Glyphs, func(g shaping.Glyph) bool { return g.Width != 0 })
	}
	if blank {
		t.down += t.size * lead
		return nil
	}
	if t.down+t.size*lead > paperHeight-2*margin {
		if err := t.newPage(); err != nil {
			return err
		}
	}
	x := fixed.I(margin + int(t.indent))
	if direction == di.DirectionRTL && t.indent == 0 {
		x = fixed.I(paperWidth-margin) - width
	}
	y := margin + t.down + t.size
	for _, run := range seen(text, direction, line) {
		for _, g := range run.Glyphs {
			if g.Width != 0 {
				t.out.Glyph(run.Face, g.GlyphID, t.size, float64(x+g.XOffset)/64, y-float64(g.YOffset)/64)
			}
			x += g.Advance
		}
	}
	t.down += t.size * lead
	return nil
}

// legible refuses a text of which something would not be seen.
func (t *typesetter) legible(text []rune, run shaping.Output) error {
	inked := map[int]bool{}
	for _, g := range run.Glyphs {
		ok := false
		if run.Face != nil && g.GlyphID != 0 {
			var known bool
			key := glyphKey{face: run.Face.Font, gid: g.GlyphID}
			if ok, known = t.shown[key]; !known {
				var outline font.GlyphOutline
				outline, ok = run.Face.GlyphDataOutline(g.GlyphID)
				ok = ok && len(outline.Segments) > 0
				t.shown[key] = ok
			}
		}
		inked[g.TextIndex()] = inked[g.TextIndex()] || ok
	}
	for _, g := range run.Glyphs {
		if inked[g.TextIndex()] {
			continue
		}
		for _, r := range text[g.TextIndex() : g.TextIndex()+g.RunesCount()] {
			if !invisible(r) {
				return fax.Errorf(fax.BadDocument,
					"The text has the character U+%04X (%c), which no font on the server has; remove it, send a PDF, or have %s installed and the server restarted",
					r, r, fontPackage(r))
			}
		}
	}
	return nil
}

// invisible characters rightly leave no ink.
func invisible(r rune) bool {
	const brailleBlank = 0x2800
	return unicode.IsSpace(r) || r == brailleBlank ||
		unicode.In(r, unicode.Z, unicode.Cf, unicode.Cc, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point)
}

// fontPackage names Debian's package that most likely has the character.
func fontPackage(r rune) string {
	switch language.LookupScript(r) {
	case language.Han, language.Hiragana, language.Katakana, language.Hangul, language.Bopomofo:
		return "fonts-noto-cjk"
	case language.Common:
		if r >= 0x3000 && r < 0x3400 || r >= 0xff00 && r < 0xfff0 {
			return "fonts-noto-cjk"
		}
		return "fonts-symbola"
	case language.Latin, language.Greek, language.Cyrillic:
		return "fonts-dejavu-core"
	default:
		return "fonts-noto-core"
	}
}

// quiet is the font library's logger: it tells of every odd font of the system.
type quiet struct{}

func (quiet) Printf(string, ...any) {}

// textReader cuts a text into paragraphs.
type textReader struct {
	next func() (rune, error)
	feed bool   // the paragraph ended with a form feed
	more bool   // it did not end, but was getting too long
	back []rune // to begin the next paragraph with
	cr   bool   // the last one ended with CR: an LF belongs to it
}

func newTextReader(in io.Reader) *textReader {
	r := bufio.NewReaderSize(in, 64<<10)
	mark, _ := r.Peek(2)
	if big := bytes.Equal(mark, []byte{0xfe, 0xff}); big || bytes.Equal(mark, []byte{0xff, 0xfe}) {
		return &textReader{next: func() (rune, error) {
			p, err := r.Peek(4)
			c, n := decodeUTF16(p, big)
			if n == 0 {
				return 0, err
			}
			_, err = r.Discard(n)
			return c, err
		}}
	}
	return &textReader{next: func() (rune, error) {
		c, n, err := r.ReadRune()
		if c == utf8.RuneError && n == 1 {
			return 0, fmt.Errorf("the text is not valid UTF-8 any more")
		}
		return c, err
	}}
}

// paragraph returns the next one, tabs expanded, without its end, and io.EOF
// when there is none.
func (t *textReader) paragraph() ([]rune, error) {
	text := t.back
	t.back, t.feed, t.more = nil, false, false
	column := len(text)
	begun := column > 0
	for {
		r, err := t.next()
		if err == io.EOF && begun { //nolint:errorlint // bufio returns it bare
			return text, nil
		}
		if err != nil {
			return nil, err
		}
		afterCR := t.cr
		t.cr = r == '\r'
		begun = true
		switch r {
		case '\n':
			if afterCR {
				begun = len(text) > 0
				continue
			}
			return text, nil
		case '\r', 0x85, '\u2028', '\u2029':
			return text, nil
		case '\f':
			t.feed = true
			return text, nil
		case 0xfeff:
			begun = len(text) > 0
		case '\t':
			for pad := tabStop - column%tabStop; pad > 0; pad-- {
				text = append(text, ' ')
				column++
			}
		default:
			text = append(text, r)
			if !unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) {
				column++
			}
		}
		if len(text) >= maxParagraph {
			t.more = true
			return text, nil
		}
	}
}
