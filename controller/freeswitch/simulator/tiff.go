package simulator

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
)

// image is one page of a fax document, as its TIFF directory tells.
type image struct {
	width, length int
	xres, yres    int // pixels per metre
	bytes         int // of the compressed page
	bilevel       bool
}

// errTIFF is any document that spandsp could not open.
var errTIFF = errors.New("not a TIFF")

// readTIFF lists the pages of a TIFF. It reads directories only, no pixels:
// what spandsp looks at before it agrees to send (t4_tx.c,
// get_tiff_directory_info). A missing file is fs.ErrNotExist.
func readTIFF(path string) ([]image, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	r := tiffReader{r: file}
	var head [8]byte
	if _, err := file.ReadAt(head[:], 0); err != nil {
		return nil, errTIFF
	}
	switch string(head[:4]) {
	case "II*\x00":
		r.order = binary.LittleEndian
	case "MM\x00*":
		r.order = binary.BigEndian
	default:
		return nil, errTIFF
	}
	const most = 10000 // pages; also stops directories that form a ring
	var pages []image
	for at := int64(r.order.Uint32(head[4:])); at != 0; {
		if len(pages) == most {
			return nil, fmt.Errorf("%w: more than %d pages", errTIFF, most)
		}
		var page image
		if page, at, err = r.directory(at); err != nil {
			return nil, err
		}
		pages = append(pages, page)
	}
	if len(pages) == 0 {
		return nil, errTIFF
	}
	return pages, nil
}

type tiffReader struct {
	r     io.ReaderAt
	order binary.ByteOrder
}

func (t *tiffReader) directory(at int64) (page image, next int64, err error) {
	var count [2]byte
	if _, err := t.r.ReadAt(count[:], at); err != nil {
		return page, 0, errTIFF
	}
	entries := make([]byte, 12*int(t.order.Uint16(count[:]))+4)
	if _, err := t.r.ReadAt(entries, at+2); err != nil {
		return page, 0, errTIFF
	}
	bits, samples, unit := 1, 1, 2
	var xres, yres float64 = 204, 196
	for e := entries; len(e) > 12; e = e[12:] {
		switch v := t.number(e); t.order.Uint16(e) {
		case 256:
			page.width = v
		case 257:
			page.length = v
		case 258:
			bits = v
		case 277:
			samples = v
		case 279:
			page.bytes = t.sum(e)
		case 282:
			xres = t.rational(e, xres)
		case 283:
			yres = t.rational(e, yres)
		case 296:
			unit = v
		}
	}
	perMetre := 1 / 0.0254
	if unit == 3 {
		perMetre = 100
	}
	page.xres, page.yres = int(xres*perMetre), int(yres*perMetre)
	page.bilevel = bits == 1 && samples == 1
	if page.width <= 0 || page.length <= 0 {
		return page, 0, errTIFF
	}
	return page, int64(t.order.Uint32(entries[len(entries)-4:])), nil
}

// number reads the single value of an entry.
func (t *tiffReader) number(e []byte) int {
	if t.order.Uint16(e[2:]) == 3 {
		return int(t.order.Uint16(e[8:]))
	}
	return int(t.order.Uint32(e[8:]) & math.MaxInt32)
}

// sum adds the values of an entry up: the strips of a page.
func (t *tiffReader) sum(e []byte) int {
	size, n := 4, int(t.order.Uint32(e[4:])&0xffff)
	if t.order.Uint16(e[2:]) == 3 {
		size = 2
	}
	raw := e[8:12]
	if n*size > 4 {
		raw = make([]byte, n*size)
		if _, err := t.r.ReadAt(raw, int64(t.order.Uint32(e[8:]))); err != nil {
			return 0
		}
	}
	total := 0
	for i := range n {
		if size == 2 {
			total += int(t.order.Uint16(raw[2*i:]))
		} else {
			total += int(t.order.Uint32(raw[4*i:]))
		}
	}
	return total
}

func (t *tiffReader) rational(e []byte, otherwise float64) float64 {
	var raw [8]byte
	if _, err := t.r.ReadAt(raw[:], int64(t.order.Uint32(e[8:]))); err != nil {
		return otherwise
	}
	den := t.order.Uint32(raw[4:])
	if den == 0 {
		return otherwise
	}
	return float64(t.order.Uint32(raw[:4])) / float64(den)
}
