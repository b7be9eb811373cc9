package document

import (
	"image"
	"math"

	"github.com/go-text/typesetting/font"
	"github.com/go-text/typesetting/font/opentype"
	"golang.org/x/image/vector"
)

// The largest page, in points, as in fax.ps; and the shortest.
const (
	faxWidth     = Width * 72.0 / 204
	faxMaxHeight = 24 * 72.0
	faxMinHeight = 3 * 72.0
)

// rows is how many lines so many points are.
func (r Resolution) rows(points float64) int { return int(points/72*float64(r) + 0.5) }

// place is where a page of some size is on its sheet: in the middle, from the
// top. What is wider than the paper is turned by 90° to the left; nothing is
// cut or made larger. fax.ps has the same rules.
type place struct {
	width, rows int // pixels, as drawn on the fax
	turned      bool
}

func (r Resolution) place(wide, high float64) place {
	turned := wide > faxWidth+1 && wide > high // 1: rounding is no reason
	if turned {
		wide, high = high, wide
	}
	scale := min(1, faxWidth/wide, faxMaxHeight/high)
	return place{min(Width, max(1, int(wide*scale/72*204+0.5))), max(1, r.rows(high*scale)), turned}
}

// blank makes white paper.
func blank(rows int) *image.Gray {
	g := image.NewGray(image.Rect(0, 0, Width, rows))
	whiten(g.Pix)
	return g
}

func whiten(p []byte) {
	for n := copy(p, "\xff"); n < len(p); n *= 2 {
		copy(p[n:], p[:n])
	}
}

// canvas draws glyphs and rules on pages of one size, in points from the upper
// left corner, and hands each page on when it is full.
type canvas struct {
	to     func(*image.Gray) error
	res    Resolution
	height float64
	left   float64 // what the fax is wider than the page, on each side
	pages  int
	open   *image.Gray // nil when nothing was drawn
	paper  *image.Gray // of every page: it is free when to returns
	masks  map[glyphKey]*image.Alpha
	fill   vector.Rasterizer
}

// glyphKey names a glyph of a size, by the fraction of a pixel where its origin
// lies.
type glyphKey struct {
	face *font.Font
	gid  font.GID
	size float64
	x, y uint8
}

const fractions = 4

func newCanvas(to func(*image.Gray) error, res Resolution, width, height float64) *canvas {
	return &canvas{to: to, res: res, height: height, left: (faxWidth - width) / 2, masks: map[glyphKey]*image.Alpha{}}
}

func (c *canvas) page() *image.Gray {
	if c.open == nil {
		if c.paper == nil {
			c.paper = blank(c.res.rows(c.height))
		} else {
			whiten(c.paper.Pix)
		}
		c.open = c.paper
		c.pages++
	}
	return c.open
}

// Glyph draws a glyph with its origin at x, y.
func (c *canvas) Glyph(face *font.Face, gid font.GID, size, x, y float64) {
	px := math.Floor((x+c.left)/72*204*fractions + 0.5)
	py := math.Floor(y/72*float64(c.res)*fractions + 0.5)
	ix, iy := int(math.Floor(px/fractions)), int(math.Floor(py/fractions))
	key := glyphKey{face.Font, gid, size, uint8(int(px) - ix*fractions), uint8(int(py) - iy*fractions)} //nolint:gosec // below 4
	mask, ok := c.masks[key]
	if !ok {
		mask = c.mask(face, key)
		c.masks[key] = mask
	}
	g := c.page()
	area := mask.Rect.Add(image.Pt(ix, iy)).Intersect(g.Rect)
	for y := area.Min.Y; y < area.Max.Y; y++ {
		from := mask.Pix[mask.PixOffset(area.Min.X-ix, y-iy):]
		for i := range g.Pix[g.PixOffset(area.Min.X, y):][:area.Dx()] {
			if from[i] >= halfCovered {
				g.Pix[g.PixOffset(area.Min.X+i, y)] = 0
			}
		}
	}
}

// halfCovered makes a pixel black. It is less than half, so that thin strokes
// do not break at the standard resolution.
const halfCovered = 96

// mask draws the outline of a glyph around its origin.
func (c *canvas) mask(face *font.Face, key glyphKey) *image.Alpha {
	outline, _ := face.GlyphDataOutline(key.gid)
	em := key.size / float64(face.Upem()) / 72
	at := func(p opentype.SegmentPoint) (float32, float32) {
		return float32(float64(p.X)*em*204 + float64(key.x)/fractions), float32(float64(key.y)/fractions - float64(p.Y)*em*float64(c.res))
	}
	var minX, minY, maxX, maxY float32
	for _, s := range outline.Segments {
		for _, p := range s.ArgsSlice() {
			x, y := at(p)
			minX, minY, maxX, maxY = min(minX, x), min(minY, y), max(maxX, x), max(maxY, y)
		}
	}
	const most = 4096 // a font may say anything
	r := image.Rect(int(max(-most, minX))-1, int(max(-most, minY))-1, int(min(most, maxX))+2, int(min(most, maxY))+2)
	c.fill.Reset(r.Dx(), r.Dy())
	move := func(p opentype.SegmentPoint) (float32, float32) {
		x, y := at(p)
		return x - float32(r.Min.X), y - float32(r.Min.Y)
	}
	for _, s := range outline.Segments {
		x, y := move(s.Args[0])
		switch s.Op {
		case opentype.SegmentOpMoveTo:
			c.fill.ClosePath()
			c.fill.MoveTo(x, y)
		case opentype.SegmentOpLineTo:
			c.fill.LineTo(x, y)
		case opentype.SegmentOpQuadTo:
			x2, y2 := move(s.Args[1])
			c.fill.QuadTo(x, y, x2, y2)
		case opentype.SegmentOpCubeTo:
			x2, y2 := move(s.Args[1])
			x3, y3 := move(s.Args[2])
			c.fill.CubeTo(x, y, x2, y2, x3, y3)
		}
	}
	c.fill.ClosePath()
	mask := image.NewAlpha(image.Rect(0, 0, r.Dx(), r.Dy()))
	c.fill.Draw(mask, mask.Rect, image.Opaque, image.Point{})
	mask.Rect = r
	return mask
}

// Rule draws a black bar.
func (c *canvas) Rule(x, y, width, height float64) {
	g := c.page()
	r := image.Rect(int((x+c.left)/72*204), c.res.rows(y), int((x+c.left+width)/72*204), max(c.res.rows(y+height), c.res.rows(y)+1)).Intersect(g.Rect)
	for y := r.Min.Y; y < r.Max.Y; y++ {
		clear(g.Pix[g.PixOffset(r.Min.X, y):][:r.Dx()])
	}
}

// EndPage hands the open page on; without one it does nothing.
func (c *canvas) EndPage() error {
	if c.open == nil {
		return nil
	}
	g := c.open
	c.open = nil
	return c.to(g)
}
