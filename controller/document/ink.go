package document

import (
	"encoding/binary"
	"image"
	"math"
)

// Shades at and beyond which a large area is plain black and white.
const (
	paperBlack = 32
	paperWhite = 224
)

// How local contrast is told and raised.
const (
	reach     = 12  // a pixel's surroundings: so many to each side, about 1.5 mm
	deadZone  = 6   // differences that noise and compression make
	paperGain = 10  // on what is nearly white: pale letters
	photoGain = 2   // on what is darker: photographs
	brightest = 224 // surroundings that have all of paperGain
	darkest   = 128 // and those that have photoGain
)

// dots is the order in which the pixels of a halftone cell become white. Dots
// that grow in clumps, at 45°, look smoother than scattered ones and take
// less time on the line, since T.6 codes edges.
var dots = [6][6]int{
	{9, 11, 10, 8, 6, 7},
	{12, 17, 16, 5, 0, 1},
	{13, 14, 15, 4, 3, 2},
	{8, 6, 7, 9, 11, 10},
	{5, 0, 1, 12, 17, 16},
	{4, 3, 2, 13, 14, 15},
}

// inker makes black and white of grey pages. What is black or white stays so.
// What is different from its surroundings becomes black or white, so that pale
// letters and thin lines of a scan do not vanish; the rest becomes dots.
type inker struct {
	tone  [256]uint8
	black []byte // packed, 1 is black
	sums  []int32
	grey  []bool
	limit [6][6]uint8
	flat  [256]uint8
}

// newInker takes the darkness of Options.
func newInker(darkness int) *inker {
	k := &inker{}
	gamma := math.Pow(1.4, float64(darkness))
	for v := range 256 {
		k.tone[v] = uint8(math.Round(255 * math.Pow(float64(v)/255, gamma)))
		k.flat[v] = uint8(min(255, max(0, (v-paperBlack)*255/(paperWhite-paperBlack)))) //nolint:gosec // in range
	}
	for y, line := range dots {
		for x, n := range line {
			k.limit[y][x] = uint8((2*n + 1) * 255 / 36) //nolint:gosec // n is at most 17
		}
	}
	return k
}

// page returns the lines of g, so many times 8 pixels wide, with one bit a pixel, each line a multiple of 8
// bytes long; valid until the next page.
func (k *inker) page(g *image.Gray) (black []byte, stride int) {
	w, h := g.Rect.Dx(), g.Rect.Dy()
	stride = (w + 63) / 64 * 8
	if n := stride * h; cap(k.black) < n {
		k.black = make([]byte, n)
	} else {
		k.black = k.black[:n]
		clear(k.black)
	}
	k.grey = k.grey[:0]
	for y := range h {
		k.grey = append(k.grey, plain(g.Pix[y*g.Stride:][:w], k.black[y*stride:][:stride]))
	}
	for y := 0; y < h; y++ {
		if k.grey[y] {
			last := y
			for last < h && k.grey[last] {
				last++
			}
			k.shade(g, y, last, stride)
			y = last
		}
	}
	return k.black, stride
}

// plain packs a line and reports whether it has greys, which it leaves white.
func plain(line, packed []byte) bool {
	const ones = 0x0101010101010101
	grey := false
	for ; len(line) >= 8; line, packed = line[8:], packed[1:] {
		eight := binary.LittleEndian.Uint64(line)
		if eight == math.MaxUint64 {
			continue
		}
		if low := eight & ones; low*0xff == eight { // nothing but 0 and 255
			packed[0] = byte((^eight & ones) * 0x8040201008040201 >> 56) // the lowest bits, first pixel first
			continue
		}
		for i, v := range line[:8] {
			if v == 0 {
				packed[0] |= 0x80 >> i
			} else if v != 0xff {
				grey = true
			}
		}
	}
	return grey
}

// shade draws the greys of lines first to last, exclusive.
func (k *inker) shade(g *image.Gray, first, last, stride int) {
	w, h := g.Rect.Dx(), g.Rect.Dy()
	if cap(k.sums) < w {
		k.sums = make([]int32, w)
	}
	sums := k.sums[:w] // of each column, over the lines within reach
	clear(sums)
	add := func(y int, sign int32) {
		if y >= 0 && y < h {
			for x, v := range g.Pix[y*g.Stride:][:w] {
				sums[x] += sign * int32(k.tone[v])
			}
		}
	}
	for y := first - reach; y < first+reach; y++ {
		add(y, 1)
	}
	for y := first; y < last; y++ {
		add(y+reach, 1)
		k.shadeLine(g.Pix[y*g.Stride:][:w], k.black[y*stride:][:stride], sums, y, min(y+reach, h-1)-max(y-reach, 0)+1)
		add(y-reach, -1)
	}
}

func (k *inker) shadeLine(line, packed []byte, sums []int32, y, lines int) {
	w := len(line)
	sum, columns := int32(0), 0
	for x := range min(reach, w) {
		sum += sums[x]
		columns++
	}
	limits := &k.limit[y%6]
	for x, raw := range line {
		if x+reach < w {
			sum += sums[x+reach]
			columns++
		}
		if raw != 0 && raw != 0xff {
			v, around := int(k.tone[raw]), int(sum)/(columns*lines)
			d := v - around
			switch {
			case d > deadZone:
				d -= deadZone
			case d < -deadZone:
				d += deadZone
			default:
				d = 0
			}
			gain := photoGain + (paperGain-photoGain)*(min(max(around, darkest), brightest)-darkest)/(brightest-darkest)
			if int(k.flat[v])+gain*d <= int(limits[x%6]) {
				packed[x/8] |= 0x80 >> (x % 8)
			}
		}
		if x >= reach {
			sum -= sums[x-reach]
			columns--
		}
	}
}
