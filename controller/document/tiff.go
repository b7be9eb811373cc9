package document

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Tags of TIFF 6.0 that matter here.
const (
	tagWidth          = 256
	tagLength         = 257
	tagCompression    = 259
	tagPhotometric    = 262
	tagFillOrder      = 266
	tagOffsets        = 273
	tagOrientation    = 274
	tagRowsPerStrip   = 278
	tagCounts         = 279
	tagXResolution    = 282
	tagYResolution    = 283
	tagT4Options      = 292
	tagResolutionUnit = 296
)

// ifd is one image of a TIFF, as its directory describes it.
type ifd struct {
	at      int64 // of the directory in the file
	width   int
	length  int // rows
	tags    map[uint16][]uint32
	missing bool // image data lies outside of the file
}

func (d ifd) tag(t uint16) uint32 {
	if v := d.tags[t]; len(v) > 0 {
		return v[0]
	}
	return 0
}

// ratio is the value of a RATIONAL; 0 when it is missing.
func (d ifd) ratio(t uint16) float64 {
	if v := d.tags[t]; len(v) == 2 && v[1] != 0 {
		return float64(v[0]) / float64(v[1])
	}
	return 0
}

// maxIFDs bounds the walk through a file whose directories may form a circle.
const maxIFDs = 10000

// readTIFF walks through the directories of a TIFF (TIFF 6.0, section 2). It
// does not look at the image data.
func readTIFF(r io.ReaderAt, size int64) ([]ifd, error) {
	head := make([]byte, 8)
	if _, err := r.ReadAt(head, 0); err != nil {
		return nil, fmt.Errorf("TIFF header: %w", err)
	}
	var order binary.ByteOrder = binary.LittleEndian
	switch string(head[:4]) {
	case "II*\x00":
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return nil, errors.New("not a TIFF")
	}
	var list []ifd
	for at := int64(order.Uint32(head[4:])); at != 0; {
		if len(list) == maxIFDs {
			return nil, errors.New("TIFF: too many images, or their directories form a circle")
		}
		d, next, err := readIFD(r, size, order, at)
		if err != nil {
			return nil, fmt.Errorf("TIFF image %d: %w", len(list)+1, err)
		}
		list, at = append(list, d), next
	}
	return list, nil
}

func readIFD(r io.ReaderAt, size int64, order binary.ByteOrder, at int64) (ifd, int64, error) {
	d := ifd{at: at, tags: map[uint16][]uint32{}}
	buf := make([]byte, 2)
	if _, err := r.ReadAt(buf, at); err != nil {
		return d, 0, err
	}
	buf = make([]byte, 12*int(order.Uint16(buf))+4)
	if _, err := r.ReadAt(buf, at+2); err != nil {
		return d, 0, err
	}
	for ; len(buf) > 4; buf = buf[12:] {
		values, err := readValues(r, order, buf[:12])
		if err != nil {
			return d, 0, err
		}
		d.tags[order.Uint16(buf)] = values
	}
	d.width, d.length = int(d.tag(tagWidth)), int(d.tag(tagLength))
	offsets, counts := d.tags[tagOffsets], d.tags[tagCounts]
	d.missing = len(offsets) == 0 || len(offsets) != len(counts)
	for i := range min(len(offsets), len(counts)) {
		d.missing = d.missing || int64(offsets[i])+int64(counts[i]) > size
	}
	return d, int64(order.Uint32(buf)), nil
}

// readValues reads the numbers of one directory entry, a RATIONAL as two of
// them; other types are skipped.
func readValues(r io.ReaderAt, order binary.ByteOrder, entry []byte) ([]uint32, error) {
	const short, long, rational, maxCount = 3, 4, 5, 1 << 16
	kind, count := order.Uint16(entry[2:]), order.Uint32(entry[4:])
	if count > maxCount {
		return nil, nil
	}
	var width uint32
	switch kind {
	case short:
		width = 2
	case long:
		width = 4
	case rational:
		width, count = 4, 2*count
	default:
		return nil, nil
	}
	raw := entry[8:]
	if count*width > 4 {
		raw = make([]byte, count*width)
		if _, err := r.ReadAt(raw, int64(order.Uint32(entry[8:]))); err != nil {
			return nil, err
		}
	}
	values := make([]uint32, count)
	for i := range values {
		if kind == short {
			values[i] = uint32(order.Uint16(raw[2*i:]))
		} else {
			values[i] = order.Uint32(raw[4*i:])
		}
	}
	return values, nil
}
