package document

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"

	"golang.org/x/image/ccitt"
)

// Another decoder reads every line back: noise, runs of any length and lines
// that hardly differ from the one above.
func TestGroup4IsReadBack(t *testing.T) {
	t.Parallel()
	const stride, height = 216, 60
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a test
	var g group4
	for round := range 60 {
		pixels := make([]byte, stride*height)
		for y := range height {
			line := pixels[y*stride:][:stride]
			switch kind := (round + y/7) % 5; {
			case kind == 0:
				for i := range line {
					line[i] = byte(random.Uint32()) //nolint:gosec // its low bits
				}
			case kind == 1 || y == 0: // runs
				black := round&1 == 1
				for x := 0; x < Width; black = !black {
					n := random.IntN(1 << random.IntN(12))
					for ; n > 0 && x < Width; n-- {
						if black {
							line[x/8] |= 0x80 >> (x % 8)
						}
						x++
					}
				}
			case kind == 2: // all black or white
				for i := range line {
					line[i] = byte(-(y & 1)) //nolint:gosec // 0 or 255
				}
			default: // the line above, moved, with a spot
				copy(line, pixels[(y-1)*stride:][:stride-random.IntN(2)])
				line[random.IntN(stride)] ^= byte(random.Uint32()) //nolint:gosec // its low bits
			}
		}
		code := g.page(bitmap{pixels: append(pixels, make([]byte, bitmapSlack)...), stride: stride, width: Width, height: height}, height)
		back, err := io.ReadAll(ccitt.NewReader(bytes.NewReader(code), ccitt.MSB, ccitt.Group4, Width, height, &ccitt.Options{Invert: true}))
		if err != nil || !bytes.Equal(back, pixels) {
			t.Fatalf("round %d: not the same: %v", round, err)
		}
	}
}
