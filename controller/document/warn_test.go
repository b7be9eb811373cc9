package document_test

import (
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"faxbot/controller/document"
)

func TestWarnings(t *testing.T) {
	t.Parallel()
	f := open(t, document.Config{})
	blank := pdfPage{attributes: a4}
	_, plain := prepare(t, f, long)
	_, gaps := prepare(t, f, pdf(blank, letter("two"), blank, blank, blank, letter("six"), blank, blank))
	_, one := prepare(t, f, pdf(letter("one"), blank))
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a test
	noise := make([]byte, 1686*2292/8)
	for i := range noise {
		noise[i] = byte(random.Uint32()) //nolint:gosec // its low bits
	}
	_, slow := prepare(t, f, content("595 0 0 842 0 0 cm /I Do", "/XObject << /I 5 0 R >>",
		flate("/Type /XObject /Subtype /Image /Width 1686 /Height 2292 /BitsPerComponent 1 /ColorSpace /DeviceGray", string(noise), 1)))
	for _, c := range []struct {
		made document.Fax
		want []string
	}{
		{plain, nil},
		{gaps, []string{"Pages 1, 3 to 5, 7 and 8 are blank."}},
		{one, []string{"Page 2 is blank."}},
		{slow, []string{"Page 1 takes about 10 minutes to send: it has much grey or detail."}},
	} {
		if diff := cmp.Diff(c.want, c.made.Warnings()); diff != "" {
			t.Errorf("%+v\n%s", c.made.Sheets, diff)
		}
	}
}
