package dialplan

import (
	"strings"
	"unicode"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/unicode/norm"
)

// maxHeader is how many characters spandsp prints; it prints none of a header
// that has more (t30.h, T30_MAX_PAGE_HEADER_INFO).
const maxHeader = 50

// instead of characters that people type and few machines have.
var instead = strings.NewReplacer("–", "-", "—", "-", "‘", "'", "’", "'", "‚", ",", "“", `"`, "”", `"`, "„", `"`, "€", "EUR")

// headerLetters is a header in the letters that spandsp prints: those of code
// page 437, one byte each (spandsp, faxfont.h). It takes UTF-8 for others.
func headerLetters(s string) string {
	s = spell(s, charmap.CodePage437.EncodeRune)
	return s[:min(len(s), maxHeader)]
}

// identLetters is a station id in the letters that fax machines show (T.30,
// 5.3.6.2.4 and T.50).
func identLetters(s string) string {
	return spell(s, func(r rune) (byte, bool) { return byte(r), r < 0x7f }) //nolint:gosec // ASCII
}

// spell writes a text with the letters that there are. Of others the accents are
// left out, and what is still unknown is a question mark.
func spell(s string, letter func(rune) (byte, bool)) string {
	var b strings.Builder
	for _, r := range norm.NFC.String(instead.Replace(s)) {
		if unicode.IsControl(r) {
			r = ' '
		}
		if c, ok := letter(r); ok {
			b.WriteByte(c)
			continue
		}
		known := b.Len()
		for _, part := range norm.NFKD.String(string(r)) {
			if c, ok := letter(part); ok {
				b.WriteByte(c)
			}
		}
		if b.Len() == known && !unicode.Is(unicode.Mn, r) {
			b.WriteByte('?')
		}
	}
	return b.String()
}
