package document

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// bitmap is black and white: lines of packed pixels, 1 is black, that begin at
// multiples of stride bytes. It may be narrower than a fax line; it begins left
// pixels from its left end, and beside it is white.
type bitmap struct {
	pixels      []byte // with bitmapSlack bytes after the last line
	stride      int
	left, width int
	height      int
}

// bitmapSlack is how much of a bitmap is read, but not used, beyond its end.
const bitmapSlack = 8

// group4 compresses one page by T.6: each line is told by how it differs from
// the line above, the first from a white one.
type group4 struct {
	out         []byte
	size        int    // of it used
	acc         uint64 // bits not yet in out, the first one highest
	held        uint64 // how many, fewer than 8
	above, here changes
	black       int // pixels of the page
}

// changes are the pixels of a line that differ from the one to their left; white
// is left of the first. It begins with -1 and ends with Width thrice.
type changes []int32

var noChanges = changes{-1, Width, Width, Width}

// page compresses a bitmap and adds white lines to be sheet lines long. The
// result is valid until the next page.
func (g *group4) page(b bitmap, sheet int) []byte {
	g.size, g.acc, g.held, g.black = 0, 0, 0, 0
	g.above = append(g.above[:0], noChanges...)
	for y := range sheet {
		if y < b.height {
			g.read(b, y)
		} else {
			g.here = append(g.here[:0], noChanges...)
		}
		g.line()
		g.above, g.here = g.here, g.above
	}
	g.acc |= endOfPage.bits << (64 - g.held - endOfPage.size)
	g.out = append(g.out[:g.size], binary.BigEndian.AppendUint64(nil, g.acc)...)
	g.size += int(g.held+endOfPage.size+7) / 8
	return g.out[:g.size]
}

// read lists the changes of line y, and counts its black pixels.
func (g *group4) read(b bitmap, y int) {
	list := slices.Grow(g.here[:0], 1+Width+3)[:1+Width+3]
	list[0] = -1
	n, last := 1, uint64(0)
	line := b.pixels[y*b.stride:]
	for x := 0; x < b.width; x += 64 {
		word := binary.BigEndian.Uint64(line[x/8:])
		if rest := b.width - x; rest < 64 {
			word &^= 1<<(64-rest) - 1
		}
		edges := word ^ (word>>1 | last<<63)
		last = word & 1
		if edges == 0 {
			if last != 0 {
				g.black += 64
			}
			continue
		}
		g.black += bits.OnesCount64(word)
		for ; edges != 0; n++ {
			at := bits.LeadingZeros64(edges)
			list[n] = int32(b.left + x + at) //nolint:gosec // within a line
			edges &^= 1 << 63 >> at
		}
	}
	if end := b.left + b.width; last != 0 && end < Width {
		list[n] = int32(end) //nolint:gosec // within a line
		n++
	}
	if list[n-1] == Width { // where the page ends in black
		n--
	}
	g.here = append(list[:n], Width, Width, Width)
}

// line codes one line (T.6, 2.2.5).
func (g *group4) line() {
	above, here := g.above, g.here
	// No change takes more than 32 bits, and 8 bytes are written for each.
	if most := g.size + 4*(len(above)+len(here)) + 8; most > len(g.out) {
		g.out = append(g.out, make([]byte, most)...)
	}
	out, size, acc, held := g.out, g.size, g.acc, g.held
	a0, next, up := int32(-1), 1, 1
	for black := 0; a0 < Width; {
		// b1 is the first change above, right of a0, to the other colour than
		// a0's: up is odd while that is white.
		b1, b2, a1 := above[up], above[up+1], here[next]
		var c code
		switch d := uint32(a1 - b1 + 3); {
		case b2 < a1:
			c = passMode
			a0, up = b2, up+2
		case d < uint32(len(vertical)):
			c = vertical[d]
			a0, black, next = a1, 1-black, next+1
			// The next b1 is of the other colour, and near.
			if above[up-1] > a0 {
				up--
			} else if up++; above[up] <= a0 {
				up += 2
			}
		default:
			a2 := here[next+1]
			one, two := runs[black][a1-max(a0, 0)], runs[1-black][a2-a1]
			c.bits = (horizontal.bits<<one.size|one.bits)<<two.size | two.bits
			c.size = horizontal.size + one.size + two.size
			a0, next = a2, next+2
			for above[up] <= a0 && a0 < Width {
				up += 2
			}
		}
		held += c.size
		acc |= c.bits << ((64 - held) & 63)
		binary.BigEndian.PutUint64(out[size:], acc)
		size += int(held / 8)
		acc <<= held &^ 7 & 63
		held &= 7
	}
	g.size, g.acc, g.held = size, acc, held
}
