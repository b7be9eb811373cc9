package document

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"io"
	"os"

	"faxbot/controller/fax"
)

// faxWriter writes a TIFF/F (RFC 2306, profile F with T.6) page by page, as grey
// pages come, and knows which of them are wanted.
type faxWriter struct {
	file *os.File
	w    *bufio.Writer
	size int64
	next int64 // where the file refers to the directory to come
	err  error

	opt     Options
	limit   int   // of pages
	most    int64 // bytes, maxOutput at most
	several bool  // files
	seen    int   // pages so far, wanted or not
	number  int   // of the next page in the list, from 0; a cover has 0
	ink     *inker
	pixels  []byte // of a page that is read
	code    group4
	made    Fax
}

// A page without more ink than a few specks is blank.
const specks = 64

// Costs of a page on the line, measured with two of spandsp's fax engines at
// 14400 bit/s with error correction: frames of 256 bytes with their heads and
// stuffed bits, and what is said after a page until the next one begins. A call
// begins with tones and training.
const (
	lineBitRate     = 14400
	lineOverhead    = 1.07
	secondsPerPage  = 4
	secondsPerCall  = 8
	tiffHeaderBytes = 8
)

func newFaxWriter(path string, opt Options, limit int, most int64) (*faxWriter, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	f := &faxWriter{file: file, w: bufio.NewWriterSize(file, 64<<10), next: 4, opt: opt, limit: limit, most: most, ink: newInker(opt.Darkness, opt.Resolution)}
	f.made.Path = path
	if opt.Cover != nil {
		f.number = 1
	}
	f.write([]byte("II*\x00\x00\x00\x00\x00"))
	return f, nil
}

func (f *faxWriter) write(p []byte) {
	n, err := f.w.Write(p)
	f.size += int64(n)
	if f.err == nil {
		f.err = err
	}
}

// wants says whether the next page is to be sent; if not it counts as seen.
func (f *faxWriter) wants() bool {
	if f.opt.wanted(f.seen+1, f.seen+1) == 0 {
		f.seen++
		return false
	}
	return true
}

// Page adds a page that is Width wide. It keeps nothing of g.
func (f *faxWriter) Page(g *image.Gray) error {
	if !f.wants() {
		return nil
	}
	return f.add(f.ink.page(g), g.Rect.Dy())
}

// Black adds a page and white lines, to be height lines long. It keeps nothing of
// its pixels.
func (f *faxWriter) Black(page bitmap, height int) error {
	if !f.wants() {
		return nil
	}
	return f.add(page, height)
}

// room is for the pixels of a page, until the next.
func (f *faxWriter) room(n int) []byte {
	if cap(f.pixels) < n {
		f.pixels = make([]byte, n)
	}
	return f.pixels[:n]
}

func (f *faxWriter) add(page bitmap, height int) error {
	f.seen++
	if f.made.Pages == f.limit {
		if f.several {
			return fax.Errorf(fax.BadDocument, "The documents have more than %d pages together; split the fax", f.limit)
		}
		return fax.Errorf(fax.BadDocument, "The document has more than %d pages; split it", f.limit)
	}
	data := f.code.page(page, height)
	black := f.code.black
	f.made.Pages++
	f.made.Sheets = append(f.made.Sheets, Sheet{
		Height: height, Ink: float64(black) / float64(Width*height), Blank: black <= specks,
		Seconds: secondsPerPage + lineOverhead*8*float64(len(data))/lineBitRate,
	})
	f.strip(data, height)
	if f.err == nil && f.size > f.most {
		return fax.Errorf(fax.BadDocument, "The document has too much detail for a fax; simplify it or print it in black and white")
	}
	return f.err
}

// mark is a state to which a writer can go back.
type mark struct {
	size, next   int64
	seen, number int
	made         Fax
}

func (f *faxWriter) mark() mark {
	return mark{f.size, f.next, f.seen, f.number, f.made}
}

// back forgets what was added since the mark.
func (f *faxWriter) back(to mark) error {
	if err := errors.Join(f.err, f.w.Flush()); err != nil {
		return err
	}
	f.size, f.next, f.seen, f.number, f.made = to.size, to.next, to.seen, to.number, to.made
	if err := f.file.Truncate(f.size); err != nil {
		return err
	}
	if _, err := f.file.WriteAt(make([]byte, 4), f.next); err != nil { // no directory follows
		return err
	}
	_, err := f.file.Seek(f.size, io.SeekStart)
	return err
}

// strip writes the data of a page and its directory.
func (f *faxWriter) strip(data []byte, height int) {
	at := f.size
	f.write(data)
	if f.size%2 == 1 {
		f.write([]byte{0})
	}
	type entry struct {
		tag, kind uint16
		value     int64
	}
	const short, long, rational = 3, 4, 5
	resolutions := f.size
	for _, dpi := range []uint32{204, uint32(f.opt.Resolution)} { //nolint:gosec // at most 391
		f.write(binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, dpi), 1))
	}
	entries := []entry{
		{254, long, 2}, // a page of several
		{tagWidth, long, Width},
		{tagLength, long, int64(height)},
		{258, short, 1}, // bits per sample
		{tagCompression, short, 4},
		{tagPhotometric, short, 0}, // 0 is white
		{266, short, 1},            // the first pixel is the highest bit
		{tagOffsets, long, at},
		{tagOrientation, short, 1},
		{277, short, 1},            // samples per pixel
		{278, long, int64(height)}, // rows per strip
		{tagCounts, long, int64(len(data))},
		{tagXResolution, rational, resolutions},
		{tagYResolution, rational, resolutions + 8},
		{293, long, 0}, // T.6 options
		{tagResolutionUnit, short, 2},
		{297, short, int64(f.number)}, // page number
	}
	directory := f.size
	b := binary.LittleEndian.AppendUint16(nil, uint16(len(entries))) //nolint:gosec // seventeen
	for _, e := range entries {
		count := uint32(1)
		value := uint32(e.value) //nolint:gosec // the file is limited to maxOutput
		if e.tag == 297 {
			count, value = 2, value&0xffff // of an unknown number: 0
		}
		b = binary.LittleEndian.AppendUint16(b, e.tag)
		b = binary.LittleEndian.AppendUint16(b, e.kind)
		b = binary.LittleEndian.AppendUint32(b, count)
		b = binary.LittleEndian.AppendUint32(b, value)
	}
	f.number++
	refer := f.next
	f.next = directory + int64(len(b))
	f.write(binary.LittleEndian.AppendUint32(b, 0))
	if f.err == nil {
		f.err = f.w.Flush()
	}
	if f.err == nil {
		_, f.err = f.file.WriteAt(binary.LittleEndian.AppendUint32(nil, uint32(directory)), refer) //nolint:gosec // see above
	}
}

// Cover puts a page before all others. It is the last call before Close.
func (f *faxWriter) Cover(g *image.Gray) error {
	first := make([]byte, 4)
	if _, err := f.file.ReadAt(first, 4); err != nil {
		return err
	}
	// The directories form a list: the file's head names the cover's, and that
	// names the one that was first.
	last := f.next
	f.next = 4
	f.opt.ranges, f.limit = []fax.Range{{First: f.seen + 1, Last: f.seen + 1}}, f.limit+1
	f.number = 0
	if err := f.Page(g); err != nil {
		return err
	}
	n := len(f.made.Sheets) - 1
	f.made.Sheets = append([]Sheet{f.made.Sheets[n]}, f.made.Sheets[:n]...)
	_, err := f.file.WriteAt(first, f.next)
	f.next = last
	return err
}

// Close finishes the file. The Fax it returns is what was written.
func (f *faxWriter) Close() (Fax, error) {
	err := errors.Join(f.err, f.w.Flush(), f.file.Close())
	if err != nil {
		return Fax{}, fmt.Errorf("writing a fax: %w", err)
	}
	f.made.Bytes, f.made.Seconds = f.size, secondsPerCall
	for _, s := range f.made.Sheets {
		f.made.Seconds += s.Seconds
	}
	return f.made, nil
}
