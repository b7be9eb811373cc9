package dialplan_test

import (
	"net/url"
	"strings"
	"testing"

	"golang.org/x/text/encoding/charmap"
)

// The other machine's owner reads the header that was written, as far as the fax
// engine has the letters.
func TestHeaderIsReadable(t *testing.T) {
	for header, want := range map[string]string{
		"Praxis Dr. Weiß, Zoë":               "Praxis Dr. Weiß, Zoë",
		"Zoe\u0308 100 % 'a', \"b\" {c}":     "Zoë 100 % 'a', \"b\" {c}",
		"Š. Dvořák – 10 €":                   "S. Dvorák - 10 EUR",
		"a\r\nb\x00":                         "a  b ",
		"שלום":                               "????",
		strings.Repeat("ü", 50):              strings.Repeat("ü", 50),
		strings.Repeat("x", 49) + "€ beyond": strings.Repeat("x", 49) + "E",
		"\xff":                               "?",
	} {
		c := sample()
		c.Header, c.StationID = header, "Zoë +49 89 €"
		text, err := c.Originate()
		if err != nil {
			t.Fatal(err)
		}
		raw, err := url.PathUnescape(variable(text, "fax_header"))
		if err != nil {
			t.Fatal(err)
		}
		// The engine's font is code page 437.
		if got, err := charmap.CodePage437.NewDecoder().String(raw); err != nil || got != want {
			t.Errorf("%q is printed as %q, want %q", header, got, want)
		}
		if ident, err := url.PathUnescape(variable(text, "fax_ident")); err != nil || ident != "Zoe +49 89 EUR" {
			t.Errorf("station id %q, %v", ident, err)
		}
	}
}

// variable is what a variable of a call is set to.
func variable(text, name string) string {
	_, value, _ := strings.Cut(text, name+"=")
	return value[:strings.IndexAny(value, ",}")]
}
