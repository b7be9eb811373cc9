package document

import (
	"fmt"
	"image"
	"io"
	"math/bits"

	"faxbot/controller/fax"
)

// group3 reads the one- and two-dimensional coding of T.4 (MH and MR), with or
// without ends of lines, as TIFF 6.0 keeps them (sections 10 and 11). The codes
// themselves are those of group4codes.go.
type group3 struct {
	data []byte
	at   int // bits
}

// Meanings of codes beside the lengths of runs.
const (
	modePass = iota
	modeHorizontal
	modeVertical // and the six after it, for distances of -3 to 3
)

var (
	whiteLengths = lengthsOf(whiteRuns)
	blackLengths = lengthsOf(blackRuns)
	modes        = modesOf()
)

func lengthsOf(runs []code) map[code]int {
	lengths := map[code]int{}
	for i, c := range runs {
		lengths[c] = i
		if i > longestShort {
			lengths[c] = (i - longestShort) * 64
		}
	}
	return lengths
}

func modesOf() map[code]int {
	all := map[code]int{passMode: modePass, horizontal: modeHorizontal}
	for i, c := range vertical {
		all[c] = modeVertical + i
	}
	return all
}

// next reads one of the codes of a table.
func (g *group3) next(table map[code]int) (int, error) {
	const longest = 13
	c := code{}
	for at := g.at; c.size < longest && at < 8*len(g.data); at++ {
		c = code{bits: c.bits<<1 | g.bit(at), size: c.size + 1}
		if v, ok := table[c]; ok {
			g.at = at + 1
			return v, nil
		}
	}
	return 0, fmt.Errorf("no code at bit %d of %d", g.at, 8*len(g.data))
}

func (g *group3) bit(at int) uint64 { return uint64(g.data[at/8]>>(7-at%8)) & 1 }

// endOfLine skips an end of line, which has at least 11 zeros before a one.
func (g *group3) endOfLine() bool {
	zeros := 0
	for at := g.at; at < 8*len(g.data); at++ {
		if g.bit(at) == 0 {
			zeros++
			continue
		}
		if zeros < 11 {
			return false
		}
		g.at = at + 1
		return true
	}
	return false
}

// run reads a run of one colour.
func (g *group3) run(black bool) (int, error) {
	table := whiteLengths
	if black {
		table = blackLengths
	}
	for sum := 0; ; {
		n, err := g.next(table)
		if err != nil {
			return 0, err
		}
		if sum += n; n <= longestShort || sum > maxPixels {
			return sum, nil
		}
	}
}

// oneDimensional reads where a line of runs changes colour.
func (g *group3) oneDimensional(list []int, width int) ([]int, error) {
	x := 0
	for black := false; x < width; black = !black {
		n, err := g.run(black)
		if err != nil {
			return nil, err
		}
		x += n
		list = append(list, x)
	}
	if x != width {
		return nil, fmt.Errorf("a line of %d pixels", x)
	}
	return append(list, width, width, width), nil
}

// twoDimensional reads where a line changes colour that is told by how it
// differs from the line above (T.4, 4.2.1.3).
func (g *group3) twoDimensional(list, above []int, width int) ([]int, error) {
	x, black := -1, 0
	for x < width {
		up := 0
		for above[up] < width && (above[up] <= x || up&1 != black) {
			up++
		}
		mode, err := g.next(modes)
		if err != nil {
			return nil, err
		}
		switch mode {
		case modePass:
			x = above[min(up+1, len(above)-1)]
		case modeHorizontal:
			x = max(x, 0)
			for i := range 2 {
				n, err := g.run((black+i)&1 == 1)
				if err != nil {
					return nil, err
				}
				x += n
				list = append(list, x)
			}
		default:
			to := above[up] + mode - modeVertical - 3
			if to < 0 || to < x {
				return nil, fmt.Errorf("a change at %d, after %d", to, x)
			}
			x, black = to, 1-black
			list = append(list, x)
		}
	}
	if x != width {
		return nil, fmt.Errorf("a line of %d pixels", x)
	}
	return append(list, width, width, width), nil
}

// group3Options are those of a page that matter for reading it.
type group3Options struct {
	ends    bool // of lines (compression 3)
	aligned bool // each line begins at a byte (compression 2)
	two     bool // a bit after each end says in which dimension the line is
}

// lines reads so many lines into black, packed, 1 is black.
func (g *group3) lines(black []byte, stride, width, rows int, o group3Options) error {
	above := []int{width, width, width}
	for y := range rows {
		one := true
		switch {
		case o.ends:
			if !g.endOfLine() && o.two {
				return fmt.Errorf("line %d has no beginning", y+1)
			}
			if o.two && g.at < 8*len(g.data) {
				one = g.bit(g.at) == 1
				g.at++
			}
		case o.aligned:
			g.at = (g.at + 7) &^ 7
		}
		var here []int
		var err error
		if one {
			here, err = g.oneDimensional(nil, width)
		} else {
			here, err = g.twoDimensional(nil, above, width)
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", y+1, err)
		}
		line := black[y*stride:][:stride]
		for i := 0; i+1 < len(here); i += 2 {
			for x := here[i]; x < min(here[i+1], width); x++ {
				line[x/8] |= 0x80 >> (x % 8)
			}
		}
		above = here
	}
	return nil
}

// decodeGroup3 reads one page of a TIFF.
func decodeGroup3(r io.ReaderAt, d ifd) (picture, error) {
	if err := pixelLimit(d.width, d.length); err != nil {
		return picture{}, err
	}
	if d.missing {
		return picture{}, damagedPicture(TIFF, io.ErrUnexpectedEOF)
	}
	o := group3Options{ends: d.tag(tagCompression) == 3}
	o.aligned = !o.ends
	o.two = o.ends && d.tag(tagT4Options)&1 != 0
	stride := (d.width + 7) / 8
	black := make([]byte, stride*d.length)
	strip := int(d.tag(tagRowsPerStrip))
	if strip <= 0 || strip > d.length {
		strip = d.length
	}
	offsets, counts := d.tags[tagOffsets], d.tags[tagCounts]
	for i, y := 0, 0; y < d.length; i, y = i+1, y+strip {
		if i == len(offsets) {
			return picture{}, damagedPicture(TIFF, fmt.Errorf("%d strips", i))
		}
		data := make([]byte, counts[i])
		if _, err := r.ReadAt(data, int64(offsets[i])); err != nil {
			return picture{}, damagedPicture(TIFF, err)
		}
		const lowestBitFirst = 2
		if d.tag(tagFillOrder) == lowestBitFirst {
			for i, b := range data {
				data[i] = bits.Reverse8(b)
			}
		}
		rows := min(strip, d.length-y)
		if err := (&group3{data: data}).lines(black[y*stride:], stride, d.width, rows, o); err != nil {
			return picture{}, damagedPicture(TIFF, err)
		}
	}
	// White is 0, unless the page says otherwise.
	dark, light := uint8(0), uint8(255)
	if d.tag(tagPhotometric) == 1 {
		dark, light = light, dark
	}
	g := image.NewGray(image.Rect(0, 0, d.width, d.length))
	for y := range d.length {
		line := g.Pix[y*g.Stride:][:d.width]
		for x := range line {
			line[x] = light
			if black[y*stride+x/8]&(0x80>>(x%8)) != 0 {
				line[x] = dark
			}
		}
	}
	return picture{image: g, orientation: 1}, nil
}

func pixelLimit(width, height int) error {
	if width <= 0 || height <= 0 || width > maxPixels/height {
		return fax.Errorf(fax.BadDocument, "The picture has %d × %d pixels, more than %d million; make it smaller", width, height, maxPixels/1_000_000)
	}
	return nil
}
