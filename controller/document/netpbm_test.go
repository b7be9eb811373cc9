package document

import (
	"bytes"
	"image"
	"math/rand/v2"
	"testing"
)

// A page of any width lies in the middle of its lines, the same whether it comes
// as greys or as black and white.
func TestPagesLieInTheMiddle(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4)) //nolint:gosec // a test
	const rows = 3
	for _, width := range []int{1, 7, 8, 63, 64, 65, 1000, 1001, 1600, 1663, 1664, 1665, 1721, 1726, 1727, 1728} {
		packed, greys := make([]byte, (width+7)/8*rows), make([]byte, width*rows)
		for i := range packed {
			packed[i] = byte(random.Uint32()) //nolint:gosec // its low bits
		}
		for i := range greys {
			if packed[i/width*((width+7)/8)+i%width/8]&(0x80>>(i%width%8)) == 0 {
				greys[i] = 255
			}
		}
		pixels := image.NewGray(image.Rect(0, 0, Width, rows))
		if err := readGrey(bytes.NewReader(greys), pixels.Pix, width, rows); err != nil {
			t.Fatal(err)
		}
		var grey, black group4
		want := grey.page(newInker(0, Fine).page(pixels), rows)
		got := black.page(bitmap{
			pixels: append(packed, make([]byte, bitmapSlack)...), stride: (width + 7) / 8, left: (Width - width) / 2, width: width, height: rows,
		}, rows)
		if !bytes.Equal(got, want) || black.black != grey.black {
			t.Errorf("%d pixels: not the same", width)
		}
	}
}
