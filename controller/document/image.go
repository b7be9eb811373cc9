package document

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"os"

	"golang.org/x/image/tiff"
	"golang.org/x/image/webp"

	"faxbot/controller/fax"
)

// maxPixels is what one picture may have: A4 at 600 dpi has 35 million. A
// picture is decoded in memory, at up to 8 bytes a pixel for a short time.
const maxPixels = 40_000_000

// pictureDPI gives a picture that does not say its size one: a screenshot fills
// the page, an icon stays small.
const pictureDPI = 100

// codecs decode pictures; a TIFF has several.
var codecs = map[Kind]struct {
	config func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
}{
	PNG:  {png.DecodeConfig, png.Decode},
	JPEG: {jpeg.DecodeConfig, jpeg.Decode},
	GIF:  {gif.DecodeConfig, gif.Decode}, // the first frame of a moving one
	WebP: {webp.DecodeConfig, webp.Decode},
	TIFF: {tiff.DecodeConfig, tiff.Decode},
}

// picture is one page made of an image.
type picture struct {
	image       image.Image
	width       float64 // points, as stored
	height      float64
	orientation int // as TIFF 6.0 and Exif have it: 1 to 8
}

// drawPicture draws the pictures of a file, each on its page.
func (f *Folder) drawPicture(ctx context.Context, from string, kind Kind, to *faxWriter) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // read only
	if kind == TIFF {
		return f.drawTIFF(ctx, in, to)
	}
	p, err := decode(in, kind)
	if err != nil {
		return err
	}
	p.width, p.height = points(p.image, pictureDPI, pictureDPI)
	return to.Page(p.sheet(to.opt.Resolution))
}

func (f *Folder) drawTIFF(ctx context.Context, in *os.File, to *faxWriter) error {
	st, err := in.Stat()
	if err != nil {
		return err
	}
	list, err := readTIFF(in, st.Size())
	if err != nil {
		return damagedPicture(TIFF, err)
	}
	if len(list) == 0 {
		return fax.Errorf(fax.BadDocument, "The TIFF has no pages")
	}
	for n, d := range list {
		if err := ctx.Err(); err != nil {
			return err
		}
		var p picture
		switch d.tag(tagCompression) {
		case 2, 3: // Group 3
			p, err = decodeGroup3(in, d)
		case 6, 7:
			err = fax.Errorf(fax.BadDocument, "Page %d of the TIFF is a JPEG inside, which is not read; save it as JPEG or PDF", n+1)
		default:
			p, err = decode(&tiffPage{ReaderAt: in, at: d.at}, TIFF)
		}
		if err != nil {
			return err
		}
		p.width, p.height = points(p.image, d.dpi(tagXResolution), d.dpi(tagYResolution))
		if o := int(d.tag(tagOrientation)); o >= 1 && o <= 8 {
			p.orientation = o
		}
		if err := to.Page(p.sheet(to.opt.Resolution)); err != nil {
			return err
		}
	}
	return nil
}

// sheet draws the picture on a page of its size, by the same rules as fax.ps.
func (p picture) sheet(res Resolution) *image.Gray {
	g := grey(p.image)
	quarter := map[int]int{3: 2, 4: 2, 5: 3, 6: 1, 7: 1, 8: 3}[p.orientation]
	if p.orientation == 2 || p.orientation == 4 || p.orientation == 5 || p.orientation == 7 {
		g = mirror(g)
	}
	wide, high := p.width, p.height
	if quarter%2 == 1 {
		wide, high = high, wide
	}
	at := res.place(wide, high)
	if at.turned {
		quarter += 3
	}
	width, rows := at.width, at.rows
	if quarter%2 == 1 {
		g = resize(g, rows, width)
	} else {
		g = resize(g, width, rows)
	}
	for range quarter % 4 {
		g = turn(g)
	}
	out := blank(max(rows, res.rows(faxMinHeight)))
	left := (Width - width) / 2
	for y := range rows {
		copy(out.Pix[y*out.Stride+left:], g.Pix[y*g.Stride:][:width])
	}
	return out
}

// dpi of a TIFF page; what is not plausible is replaced.
func (d ifd) dpi(tag uint16) float64 {
	const centimetre = 3
	v := d.ratio(tag)
	if d.tag(tagResolutionUnit) == centimetre {
		v *= 2.54
	}
	if v < 50 || v > 2400 {
		return pictureDPI
	}
	return v
}

func points(img image.Image, x, y float64) (width, height float64) {
	return float64(img.Bounds().Dx()) / x * 72, float64(img.Bounds().Dy()) / y * 72
}

// tiffPage is a TIFF whose first page is the one at at: decoders know of no
// other.
type tiffPage struct {
	io.ReaderAt
	at   int64
	next int64
}

func (p *tiffPage) ReadAt(b []byte, off int64) (int, error) {
	n, err := p.ReaderAt.ReadAt(b, off)
	if off < 8 {
		head := make([]byte, 8)
		if _, err := p.ReaderAt.ReadAt(head, 0); err != nil {
			return 0, err
		}
		var order binary.ByteOrder = binary.LittleEndian
		if head[0] == 'M' {
			order = binary.BigEndian
		}
		order.PutUint32(head[4:], uint32(p.at)) //nolint:gosec // it was read from 32 bits
		copy(b[:n], head[off:])
	}
	return n, err
}

func (p *tiffPage) Read(b []byte) (int, error) {
	n, err := p.ReadAt(b, p.next)
	p.next += int64(n)
	return n, err
}

// Seek serves decode, which reads a file twice.
func (p *tiffPage) Seek(off int64, _ int) (int64, error) {
	p.next = off
	return off, nil
}

// decode reads one picture, after a look at its size.
func decode(r io.ReadSeeker, kind Kind) (picture, error) {
	codec := codecs[kind]
	config, err := codec.config(r)
	if err != nil {
		return picture{}, damagedPicture(kind, err)
	}
	if err := pixelLimit(config.Width, config.Height); err != nil {
		return picture{}, err
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return picture{}, err
	}
	p := picture{orientation: 1}
	if kind == JPEG {
		p.orientation = exifOrientation(r)
		if _, err := r.Seek(0, io.SeekStart); err != nil {
			return picture{}, err
		}
	}
	if p.image, err = codec.decode(r); err != nil {
		return picture{}, damagedPicture(kind, err)
	}
	switch img := p.image.(type) {
	case *image.YCbCr:
		stretch(kind, img.Y)
	case *image.NYCbCrA:
		stretch(kind, img.Y)
	}
	return p, nil
}

// stretch makes black and white of a WebP's luma, which ends at 16 and 235
// (RFC 6386, 9.2); the decoder leaves it so, and white would be grey.
func stretch(kind Kind, luma []byte) {
	if kind != WebP {
		return
	}
	for i, v := range luma {
		luma[i] = uint8(min(255, max(0, (int(v)-16)*255/219))) //nolint:gosec // in range
	}
}

func damagedPicture(kind Kind, err error) error {
	return &fax.Error{Problem: fax.BadDocument, Detail: fmt.Sprintf("The picture (%s) is damaged or of an unusual kind; save it again, as PNG or PDF", kind), Cause: err}
}

// exifOrientation finds how the camera was held (Exif 2.3, 4.6.4): in a TIFF
// directory inside one of the first segments of a JPEG.
func exifOrientation(r io.Reader) int {
	head := make([]byte, 128<<10)
	n, err := io.ReadFull(r, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return 1
	}
	for p := head[:n]; ; {
		at := bytes.Index(p, []byte("Exif\x00\x00"))
		if at < 0 {
			return 1
		}
		p = p[at+6:]
		list, _ := readTIFF(bytes.NewReader(p), int64(len(p)))
		if len(list) > 0 {
			if o := int(list[0].tag(tagOrientation)); o >= 1 && o <= 8 {
				return o
			}
			return 1
		}
	}
}

// grey draws an image on white paper.
func grey(img image.Image) *image.Gray {
	b := img.Bounds()
	switch img := img.(type) {
	case *image.Gray:
		return img
	case *image.YCbCr: // its first component is the grey picture
		return &image.Gray{Pix: img.Y, Stride: img.YStride, Rect: img.Rect}
	}
	out := image.NewGray(image.Rect(0, 0, b.Dx(), b.Dy()))
	draw.Draw(out, out.Rect, image.White, image.Point{}, draw.Src)
	draw.Draw(out, out.Rect, img, b.Min, draw.Over)
	return out
}

// shrink averages the pixels of g into fewer. An axis on which it has few
// enough stays as it is.
func shrink(g *image.Gray, width, height int) *image.Gray {
	w, h := g.Rect.Dx(), g.Rect.Dy()
	width, height = max(1, min(width, w)), max(1, min(height, h))
	if width == w && height == h {
		return g
	}
	out := image.NewGray(image.Rect(0, 0, width, height))
	sums := make([]int, width)
	for y := range height {
		top, bottom := y*h/height, max((y+1)*h/height, y*h/height+1)
		clear(sums)
		for sy := top; sy < bottom; sy++ {
			line := g.Pix[sy*g.Stride:][:w]
			for x := range sums {
				for _, v := range line[x*w/width : (x+1)*w/width] {
					sums[x] += int(v)
				}
			}
		}
		for x, sum := range sums {
			out.SetGray(x, y, color.Gray{Y: uint8(sum / ((bottom - top) * ((x+1)*w/width - x*w/width)))}) //nolint:gosec // an average of bytes
		}
	}
	return out
}

// resize gives g another size. Pixels that become fewer are averaged; those that
// become more are repeated.
func resize(g *image.Gray, width, height int) *image.Gray {
	g = shrink(g, width, height)
	w, h := g.Rect.Dx(), g.Rect.Dy()
	if w == width && h == height {
		return g
	}
	out := image.NewGray(image.Rect(0, 0, width, height))
	for y := range height {
		from, to := g.Pix[y*h/height*g.Stride:], out.Pix[y*out.Stride:][:width]
		for x := range to {
			to[x] = from[x*w/width]
		}
	}
	return out
}

// turn turns by 90 degrees to the right.
func turn(g *image.Gray) *image.Gray {
	w, h := g.Rect.Dx(), g.Rect.Dy()
	out := image.NewGray(image.Rect(0, 0, h, w))
	for y := range h {
		line := g.Pix[y*g.Stride:][:w]
		for x, v := range line {
			out.Pix[x*out.Stride+h-1-y] = v
		}
	}
	return out
}

// mirror turns left and right around.
func mirror(g *image.Gray) *image.Gray {
	out := image.NewGray(image.Rect(0, 0, g.Rect.Dx(), g.Rect.Dy()))
	for y := range out.Rect.Dy() {
		line := g.Pix[y*g.Stride:][:g.Rect.Dx()]
		for x, v := range line {
			out.Pix[y*out.Stride+len(line)-1-x] = v
		}
	}
	return out
}
