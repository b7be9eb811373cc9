package document

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// group4 compresses one page by T.6: each line is told by how it differs from
// the line above, the first from a white one.
type group4 struct {
	out   []byte
	acc   uint64 // bits not yet in out, the first one highest
	held  uint
	above []int // where the last line changes colour, ending with width thrice
	here  []int
}

// page compresses lines of packed pixels, 1 is black, that begin at multiples
// of stride, a multiple of 8. The result is valid until the next page.
func (g *group4) page(pixels []byte, stride, width, height int) []byte {
	g.out, g.acc, g.held = g.out[:0], 0, 0
	g.above = append(g.above[:0], width, width, width)
	for y := range height {
		g.here = changes(g.here, pixels[y*stride:][:stride], width)
		g.line(width)
		g.above, g.here = g.here, g.above
	}
	g.put(endOfPage)
	for ; g.held > 0; g.held -= min(8, g.held) {
		g.out = append(g.out, byte(g.acc>>56))
		g.acc <<= 8
	}
	return g.out
}

// changes lists the pixels that differ from the one to their left; white is left
// of the first.
func changes(list []int, line []byte, width int) []int {
	list = slices.Grow(list[:0], width+3)[:width+3]
	n, last := 0, uint64(0)
	for x := 0; x < width; x += 64 {
		word := binary.BigEndian.Uint64(line[x/8:])
		edges := word ^ (word>>1 | last<<63)
		if rest := width - x; rest < 64 {
			edges &^= 1<<(64-rest) - 1
		}
		for last = word & 1; edges != 0; n++ {
			at := bits.LeadingZeros64(edges)
			list[n] = x + at
			edges &^= 1 << 63 >> at
		}
	}
	return append(list[:n], width, width, width)
}

// line codes one line (T.6, 2.2.5).
func (g *group4) line(width int) {
	above, here := g.above, g.here
	a0, next, up := -1, 0, 0
	for black := 0; a0 < width; {
		// b1 is the first change above, right of a0, to the other colour than
		// a0's: up is even while that is white.
		for above[up] <= a0 && above[up] < width {
			up += 2
		}
		b1, b2, a1 := above[up], above[up+1], here[next]
		switch d := a1 - b1; {
		case b2 < a1:
			g.put(passMode)
			a0 = b2
		case d == 0: // as above, and often some more
			same := uint(0)
			for a0 < width && here[next] == above[up] {
				a0, next, up, same = here[next], next+1, up+1, same+1
			}
			black ^= int(same & 1)
			for ; same > 0; same -= min(same, 16) {
				g.put(code{1<<min(same, 16) - 1, min(same, 16)})
			}
		case -3 <= d && d <= 3:
			g.put(vertical[d+3])
			a0, black, next = a1, 1-black, next+1
			if up--; up < 0 { // the one before is of the other colour and may be beyond a0
				up = 1
			}
		default:
			a2 := here[next+1]
			g.put(horizontal)
			g.run(a1-max(a0, 0), black)
			g.run(a2-a1, 1-black)
			a0, next = a2, next+2
		}
	}
}

func (g *group4) run(n, black int) {
	table := whiteRuns
	if black == 1 {
		table = blackRuns
	}
	for ; n > longestRun+longestShort; n -= longestRun {
		g.put(table[longestShort+longestRun/64])
	}
	if n > longestShort {
		g.put(table[longestShort+n/64])
		n %= 64
	}
	g.put(table[n])
}

func (g *group4) put(c code) {
	g.acc |= uint64(c.bits) << (64 - g.held - c.size)
	g.held += c.size
	if g.held >= 32 {
		g.out = binary.BigEndian.AppendUint32(g.out, uint32(g.acc>>32))
		g.acc <<= 32
		g.held -= 32
	}
}
