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
	reach     = 12 // a pixel's surroundings: so many to each side, 1.5 mm, and as far up and down
	deadZone  = 6  // differences that noise and compression make
	photoGain = 2  // on photographs: surroundings up to photoTone
	photoTone = 128
	paleGain  = 10 // on what is nearly white: pale letters
	paleTone  = 224
	paperGain = 16 // on white paper: yellow letters
	paperTone = 248
)

// How the paper of a scan is told: more than half of a page has about the same
// shade, a bright one.
const (
	paperDarkest = 144
	paperSpread  = 48
	paperSpecks  = 50 // one in so many of its pixels may stay darker than white
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
	lines int        // within reach
	tones [256]uint8 // by darkness
	tone  [256]uint8 // of this page, of which the paper becomes white
	gain  [256]int
	black []byte // packed, 1 is black
	sums  []int32
	grey  []bool
	limit [6][6]uint8
	flat  [256]uint8
}

// newInker takes the darkness and the resolution of Options.
func newInker(darkness int, res Resolution) *inker {
	k := &inker{lines: reach * int(res) / 204}
	gamma := math.Pow(1.4, float64(darkness))
	for v := range 256 {
		k.tones[v] = uint8(math.Round(255 * math.Pow(float64(v)/255, gamma)))
		k.gain[v] = photoGain + between(v, photoTone, paleTone, paleGain-photoGain) + between(v, paleTone, paperTone, paperGain-paleGain)
		k.flat[v] = uint8(min(255, max(0, (v-paperBlack)*255/(paperWhite-paperBlack)))) //nolint:gosec // in range
	}
	for y, line := range dots {
		for x, n := range line {
			k.limit[y][x] = uint8((2*n + 1) * 255 / 36) //nolint:gosec // n is at most 17
		}
	}
	return k
}

// between is 0 up to low, whole from high on, and grows in between.
func between(v, low, high, whole int) int {
	return whole * (min(max(v, low), high) - low) / (high - low)
}

// page returns g, which is so many times 8 pixels wide, in black and white; valid
// until the next page.
func (k *inker) page(g *image.Gray) bitmap {
	w, h := g.Rect.Dx(), g.Rect.Dy()
	stride := w / 8
	if n := stride*h + bitmapSlack; cap(k.black) < n {
		k.black = make([]byte, n)
	} else {
		k.black = k.black[:n]
		clear(k.black)
	}
	k.grey = k.grey[:0]
	for y := range h {
		k.grey = append(k.grey, plain(g.Pix[y*g.Stride:][:w], k.black[y*stride:][:stride]))
	}
	k.expose(g)
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
	return bitmap{pixels: k.black, stride: stride, width: w, height: h}
}

// expose chooses the tones of a page: a scan's paper becomes white.
func (k *inker) expose(g *image.Gray) {
	k.tone = k.tones
	const sample = 4 // lines
	var has [256]int
	for y := 0; y < len(k.grey); y += sample {
		if k.grey[y] {
			for _, v := range g.Pix[y*g.Stride:][:g.Rect.Dx()] {
				has[v]++
			}
		}
	}
	within, most, from := 0, 0, 0
	for v := paperDarkest; v < 255; v++ {
		within += has[v]
		if v >= paperDarkest+paperSpread {
			within -= has[v-paperSpread]
		}
		if within > most {
			most, from = within, max(paperDarkest, v-paperSpread+1)
		}
	}
	if most*sample*2 < len(k.grey)*g.Rect.Dx() {
		return
	}
	white := from
	for darker := 0; darker < most/paperSpecks; white++ {
		darker += has[white]
	}
	for v := range k.tone {
		k.tone[v] = k.tones[min(255, v*255/white)]
	}
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
	for y := first - k.lines; y < first+k.lines; y++ {
		add(y, 1)
	}
	for y := first; y < last; y++ {
		add(y+k.lines, 1)
		k.shadeLine(g, k.black[y*stride:][:stride], sums, y, min(y+k.lines, h-1)-max(y-k.lines, 0)+1)
		add(y-k.lines, -1)
	}
}

func (k *inker) shadeLine(g *image.Gray, packed []byte, sums []int32, y, lines int) {
	w := g.Rect.Dx()
	line := g.Pix[y*g.Stride:][:w]
	above, below := g.Pix[max(0, y-1)*g.Stride:][:w], g.Pix[min(g.Rect.Dy()-1, y+1)*g.Stride:][:w]
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
			gain := k.gain[around]
			// Beside black or white: the edge of a letter on a coloured ground.
			if pure(line[max(0, x-2)]) || pure(line[max(0, x-1)]) || pure(line[min(w-1, x+1)]) || pure(line[min(w-1, x+2)]) || pure(above[x]) || pure(below[x]) {
				gain = paperGain
			}
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

// pure is what a drawn letter or line has; scans and photographs have little of
// it.
func pure(raw byte) bool { return raw == 0 || raw == 0xff }
