package document

import (
	"context"
	"image"
	"strconv"
	"strings"
	"unicode"

	"faxbot/controller/fax"
)

// Cover is a page that tells who sends what to whom. What is empty is left out.
// No value is ever interpreted, whatever it contains.
type Cover struct {
	Template string // text with the marks below; our own design when empty
	To       string // {{to}}
	From     string // {{from}}
	Date     string // {{date}}, as it is to be read
	Subject  string // {{subject}}
	Message  string // {{message}}, of several lines
}

// {{pages}} is how many pages the fax has, with the cover.

// Our own design, in points.
const (
	titleSize = 40
	fieldSize = 13
	ruleWidth = 1.5

	valueIndent = 78
)

// drawCover puts the cover before the pages that to has.
func (f *Folder) drawCover(ctx context.Context, c Cover, to *faxWriter) error {
	pages := strconv.Itoa(to.made.Pages + 1)
	for _, field := range []*string{&c.To, &c.From, &c.Date, &c.Subject} {
		*field = oneLine(*field)
	}
	c.Message = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r == '\f' || r == '\v' || r == 0x85 || r == '\u2028' || r == '\u2029':
			return '\n'
		case unicode.IsControl(r):
			return -1
		}
		return r
	}, strings.ReplaceAll(strings.ReplaceAll(strings.ToValidUTF8(c.Message, "\ufffd"), "\r\n", "\n"), "\r", "\n"))

	var sheets []*image.Gray
	out := newCanvas(func(g *image.Gray) error {
		if sheets = append(sheets, g); len(sheets) > 1 {
			return fax.Errorf(fax.Invalid, "The cover is longer than one page: shorten its message or its template")
		}
		return nil
	}, to.opt.Resolution, paperWidth, paperHeight)
	t, err := newTypesetter(f, out)
	if err != nil {
		return err
	}
	out.page()
	if c.Template == "" {
		err = t.design(ctx, c, pages)
	} else {
		err = t.text(ctx, strings.NewReader(strings.NewReplacer( // in one pass
			"{{to}}", c.To, "{{from}}", c.From, "{{pages}}", pages, "{{date}}", c.Date, "{{subject}}", c.Subject, "{{message}}", c.Message).Replace(c.Template)))
	}
	if err == nil {
		err = out.EndPage()
	}
	if err != nil {
		return err
	}
	return to.Cover(sheets[0])
}

// design sets our own cover.
func (t *typesetter) design(ctx context.Context, c Cover, pages string) error {
	const width = paperWidth - 2*margin
	line := func(size float64, text string) error {
		t.size = size
		return t.text(ctx, strings.NewReader(text))
	}
	t.hold = true
	if err := line(titleSize, "FAX"); err != nil {
		return err
	}
	t.out.Rule(margin, margin+t.down+fieldSize/2, width, 2*ruleWidth)
	t.down += 2 * fieldSize
	for _, field := range []struct{ name, value string }{{"To", c.To}, {"From", c.From}, {"Date", c.Date}, {"Pages", pages}, {"Subject", c.Subject}} {
		if field.value == "" {
			continue
		}
		top := t.down
		if err := line(fieldSize, field.name+":"); err != nil {
			return err
		}
		t.down, t.indent = top, valueIndent
		if err := line(fieldSize, field.value); err != nil {
			return err
		}
		t.indent = 0
		t.down += fieldSize / 2
	}
	t.out.Rule(margin, margin+t.down+fieldSize/2, width, ruleWidth)
	t.down += 2 * fieldSize
	if c.Message == "" {
		return nil
	}
	return line(fieldSize, c.Message)
}

// oneLine leaves out what would end a line or cannot be seen.
func oneLine(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd")))
}
