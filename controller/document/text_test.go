package document_test

import (
	"bytes"
	"image"
	"strings"
	"testing"
	"unicode/utf16"

	"faxbot/controller/document"
	"faxbot/controller/fax"
)

// Where the first line of a text page and its first column are.
var (
	lineHeight = 12.0 / 72 * 196
	column     = 10 * 0.602 / 72 * 204
	leftEdge   = (document.Width-595.0/72*204)/2 + 36.0/72*204
	topEdge    = 36.0 / 72 * 196
)

// cell is the place of a character, counted from 0.
func cell(line, col int) image.Rectangle {
	x, y := leftEdge+float64(col)*column, topEdge+float64(line)*lineHeight
	return image.Rect(int(x), int(y), int(x+column), int(y+lineHeight))
}

// textRow is the ink of one line from one column to another.
func textRow(b bitmap, line, from, to int) int {
	return b.ink(cell(line, from).Union(cell(line, to-1)))
}

func TestTextLayout(t *testing.T) {
	t.Parallel()
	f := open(t, document.Config{})
	id, made := prepare(t, f, []byte("\xef\xbb\xbfX\r\n\tX\n\rX\n  X\fX\r\n\r\n"))
	if made.Pages != 2 {
		t.Fatalf("%d pages", made.Pages)
	}
	b := page(t, f, id, 1)
	for _, c := range []struct{ line, col int }{{0, 0}, {1, 8}, {3, 0}, {4, 2}} {
		if b.ink(cell(c.line, c.col)) < 20 {
			t.Errorf("nothing at line %d, column %d", c.line, c.col)
		}
	}
	if n := textRow(b, 2, 0, 80) + textRow(b, 1, 0, 8) + textRow(b, 1, 9, 80) + textRow(b, 4, 0, 2); n != 0 {
		t.Errorf("ink where blanks should be: %d", n)
	}
	if b := page(t, f, id, 2); b.ink(cell(0, 0)) < 20 {
		t.Error("the form feed did not begin a page")
	}
}

func TestLongLinesAreWrappedNotCut(t *testing.T) {
	t.Parallel()
	f := open(t, document.Config{})
	// Words, one word of 300 characters, and a line beyond any piece that is
	// set at once: of each the last character must be seen.
	id, made := prepare(t, f, []byte(strings.Repeat("word ", 60)+"|\n"+strings.Repeat("m", 300)+"\n"+strings.Repeat("ab ", 3000)+"\n.\nM"))
	if made.Pages != 2 {
		t.Fatalf("%d pages", made.Pages)
	}
	b := page(t, f, id, 1)
	const columns = 86
	for line := range 3 {
		if textRow(b, line, 0, 80) == 0 {
			t.Errorf("line %d is blank", line)
		}
	}
	if textRow(b, 3, 0, 60) == 0 || textRow(b, 3, 62, columns) != 0 {
		t.Error("17 words to a line leave nine for the fourth")
	}
	for line := 4; line < 7; line++ {
		if b.ink(cell(line, columns-1)) == 0 {
			t.Errorf("the long word does not fill line %d", line)
		}
	}
	if b.ink(cell(7, 300-3*columns-1)) == 0 || b.ink(cell(7, 300-3*columns)) != 0 {
		t.Error("the end of the long word is missing")
	}
	// 3000 × "ab " at 28 to a line and the last without a blank at its end: 29
	// fit. So 104 lines, none of them shorter for being set in pieces.
	lines, perPage := 8+(3000+28)/29+2, 60
	last := page(t, f, id, 2)
	if last.ink(cell(lines-1-perPage, 0)) == 0 || textRow(last, lines-perPage, 0, columns) != 0 {
		t.Errorf("the last line is not line %d of the second page: ink in %v", lines-perPage, last.extent())
	}
	if r := b.extent(); r.Max.X > document.Width-int(leftEdge)+2 {
		t.Errorf("ink beyond the margin: %v", r)
	}
}

func TestLettersOfTheWorldAreSeen(t *testing.T) {
	t.Parallel()
	f := open(t, document.Config{})
	for name, text := range map[string]string{
		"Latin": "Žluťoučký kůň", "Greek": "Ξεσκεπάζω", "Cyrillic": "Съешь ещё", "box drawing": "┌─┬─┐", "euro": "€ 5 – “quoted”",
		"combining": "e\u0301 n\u0303", "ligature": "ﬁ", "soft hyphen": "a\u00adb",
	} {
		t.Run(name, func(t *testing.T) {
			id, _ := prepare(t, f, []byte(text))
			if page(t, f, id, 1).ink(cell(0, 0)) < 10 {
				t.Error("nothing to be seen")
			}
		})
	}
	for name, text := range map[string]string{"Hebrew": "שלום עולם", "Arabic": "مرحبا بالعالم"} {
		t.Run(name, func(t *testing.T) {
			id, _ := prepare(t, f, []byte(text))
			if r := page(t, f, id, 1).extent(); r.Min.X < document.Width/2 || r.Max.X > document.Width-int(leftEdge)+4 {
				t.Errorf("not set from the right: ink in %v", r)
			}
		})
	}
}

// Numbers and brackets among Hebrew and Arabic letters stand where people expect
// them: as if the line were written in the order in which it is seen.
func TestNumbersAmongLettersFromTheRight(t *testing.T) {
	t.Parallel()
	f := open(t, document.Config{})
	const leftToRight = "\u202d"
	for text, seen := range map[string]string{
		"aשלום(123)b":     "a(123)םולשb",
		"aשלום12.5%b":     "a12.5%םולשb",
		"aשלום1,000עולםb": "aםלוע1,000םולשb",
		"a12שלוםb":        "a12םולשb",
		"12aשלום":         "12aםולש",
	} {
		a, _ := prepare(t, f, []byte(text))
		b, _ := prepare(t, f, []byte(leftToRight+seen))
		if got, want := page(t, f, a, 1), page(t, f, b, 1); !bytes.Equal(got.Pix, want.Pix) {
			t.Errorf("%q: ink in %v, want %v", text, got.extent(), want.extent())
		}
	}
}

func TestArabicLettersAreJoined(t *testing.T) {
	t.Parallel()
	f := open(t, document.Config{})
	joined, _ := prepare(t, f, []byte("سسس"))
	apart, _ := prepare(t, f, []byte("س\u200cس\u200cس"))
	if j, a := page(t, f, joined, 1).extent(), page(t, f, apart, 1).extent(); j.Dx() >= a.Dx() && j == a {
		t.Errorf("joined %v, apart %v", j, a)
	}
}

func TestCharacterWithoutAFontIsNamed(t *testing.T) {
	t.Parallel()
	f := open(t, document.Config{})
	// Private use: no font that anybody has here.
	err := refuse(t, f, []byte("ok so far \U000F1234"))
	wantRefusal(t, err, fax.BadDocument, "U+F1234")
}

func TestUTF16(t *testing.T) {
	t.Parallel()
	f := open(t, document.Config{})
	plain, _ := prepare(t, f, []byte("Grüße Ω 𝔸\nzweite"))
	want := page(t, f, plain, 1)
	for _, big := range []bool{true, false} {
		var b []byte
		for _, u := range utf16.Encode([]rune("\ufeffGrüße Ω 𝔸\nzweite")) {
			if big {
				b = append(b, byte(u>>8), byte(u))
			} else {
				b = append(b, byte(u), byte(u>>8))
			}
		}
		id, _ := prepare(t, f, b)
		if got := page(t, f, id, 1); string(got.Pix) != string(want.Pix) {
			t.Errorf("big endian %v: another page than in UTF-8", big)
		}
		wantRefusal(t, refuse(t, f, b[:len(b)-1]), fax.Unsupported)
	}
	wantRefusal(t, refuse(t, f, []byte("\xff\xfe\x00\xd8a\x00")), fax.Unsupported, "UTF-16")
}

func TestStandardResolutionIsLegible(t *testing.T) {
	t.Parallel()
	f := open(t, document.Config{})
	id := receive(t, f, []byte("The quick brown fox\n"))
	fine, err := f.Prepare(t.Context(), id, document.Options{})
	if err != nil {
		t.Fatal(err)
	}
	inkFine := page(t, f, id, 1).ink(image.Rect(0, 0, document.Width, 400))
	standard, err := f.Prepare(t.Context(), id, document.Options{Resolution: document.Standard})
	if err != nil {
		t.Fatal(err)
	}
	if d := fine.Sheets[0].Height - 2*standard.Sheets[0].Height; d < -1 || d > 1 {
		t.Errorf("%d and %d rows", fine.Sheets[0].Height, standard.Sheets[0].Height)
	}
	// The preview doubles the lines, so the letters have about the same weight.
	if got := page(t, f, id, 1).ink(image.Rect(0, 0, document.Width, 400)); got < inkFine*3/4 || got > inkFine*3/2 {
		t.Errorf("%d black pixels, %d at the fine resolution", got, inkFine)
	}
	_, err = f.Prepare(t.Context(), id, document.Options{Resolution: 100})
	wantRefusal(t, err, fax.Invalid, "100")
}

func TestTextHasAPageLimit(t *testing.T) {
	t.Parallel()
	f := open(t, document.Config{MaxPages: 3})
	wantRefusal(t, refuse(t, f, []byte(strings.Repeat("line\n", 200))), fax.BadDocument, "more than 3 pages")
	wantRefusal(t, refuse(t, f, long, []byte("one more")), fax.BadDocument, "more than 3 pages together")
	wantRefusal(t, refuse(t, f, []byte(" \n\t\r\n")), fax.BadDocument, "empty")
}

func cover(t *testing.T, f *document.Folder, c document.Cover, files ...[]byte) (fax.JobID, document.Fax, error) {
	t.Helper()
	id := receive(t, f, files...)
	made, err := f.Prepare(t.Context(), id, document.Options{Cover: &c})
	return id, made, err
}

func TestCover(t *testing.T) {
	t.Parallel()
	f := open(t, document.Config{})
	same := func(a, b bitmap) bool { return a.Rect == b.Rect && bytes.Equal(a.Pix, b.Pix) }

	plain, _ := prepare(t, f, []byte("the letter\fits second page"))
	full := document.Cover{To: "Alice", From: "Bob", Date: "1 May", Message: "Two lines\nof a message"}
	id, made, err := cover(t, f, full, []byte("the letter\fits second page"))
	if err != nil {
		t.Fatal(err, unwrap(err))
	}
	if made.Pages != 3 || len(made.Sheets) != 3 || made.Sheets[0].Ink < 0.001 || made.Sheets[0].Blank {
		t.Errorf("%+v", made)
	}
	for n := 1; n <= 2; n++ {
		if !same(page(t, f, plain, n), page(t, f, id, n+1)) {
			t.Errorf("page %d is another one behind a cover", n)
		}
	}
	own := page(t, f, id, 1)
	less, _, err := cover(t, f, document.Cover{To: "Alice"}, []byte("the letter"))
	if err != nil {
		t.Fatal(err)
	}
	if a, b := own.extent().Dy(), page(t, f, less, 1).extent().Dy(); b > a-100 {
		t.Errorf("what is empty takes room: %d rows, %d with everything", b, a)
	}

	// A value of several lines stays beside its name.
	wide, _, err := cover(t, f, document.Cover{To: strings.Repeat("Universitätsklinikum ", 8)}, []byte("the letter"))
	if err != nil {
		t.Fatal(err)
	}
	names := func(b bitmap) (n int) { // and rules
		before := 0
		for y := range b.Rect.Dy() {
			ink := b.ink(image.Rect(int(leftEdge), y, int(leftEdge)+150, y+1))
			if ink > 0 && before == 0 {
				n++
			}
			before = ink
		}
		return n
	}
	if a, b := names(page(t, f, less, 1)), names(page(t, f, wide, 1)); a != b {
		t.Errorf("%d lines begin where names do, not %d", b, a)
	}

	// A template has the same look as a text, its marks replaced once.
	template := "To {{to}}, from {{from}}{{date}}, {{pages}} pages: {{message}} {{other}}"
	id, _, err = cover(t, f, document.Cover{Template: template, To: "{{message}} %s", From: "a\r\nb\fc\x00", Message: "{{to}} ${x}\n<b>"}, []byte("one"))
	if err != nil {
		t.Fatal(err)
	}
	want, _ := prepare(t, f, []byte("To {{message}} %s, from a  b c, 2 pages: {{to}} ${x}\n<b> {{other}}"))
	if !same(page(t, f, id, 1), page(t, f, want, 1)) {
		t.Error("the template is not set as it should be")
	}
	if _, _, err := cover(t, f, document.Cover{Message: strings.Repeat("line\n", 100)}, []byte("one")); err == nil {
		t.Error("a cover of two pages")
	} else {
		wantRefusal(t, err, fax.Invalid, "longer than one page")
	}
}

func TestDarkness(t *testing.T) {
	t.Parallel()
	f := open(t, document.Config{})
	grey := receive(t, f, content("0.5 g 50 50 400 400 re f", ""))
	letter := receive(t, f, long)
	last, black := 0, 0
	for _, darkness := range []int{-3, -1, 0, 1, 3} {
		for _, id := range []fax.JobID{grey, letter} {
			if _, err := f.Prepare(t.Context(), id, document.Options{Darkness: darkness}); err != nil {
				t.Fatal(err)
			}
		}
		b := page(t, f, grey, 1)
		if n := b.ink(b.Rect); n < last+last/10 {
			t.Errorf("darkness %d: %d black pixels, %d before", darkness, n, last)
		} else {
			last = n
		}
		b = page(t, f, letter, 1)
		if n := b.ink(b.Rect); black != 0 && n != black {
			t.Errorf("darkness %d: black letters changed from %d to %d pixels", darkness, black, n)
		} else {
			black = n
		}
	}
	_, err := f.Prepare(t.Context(), grey, document.Options{Darkness: 4})
	wantRefusal(t, err, fax.Invalid, "Darkness 4")
}
