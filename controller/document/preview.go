package document

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"io/fs"
	"math"
	"os"

	"golang.org/x/image/ccitt"

	"faxbot/controller/fax"
)

// Preview writes the nth page of a prepared fax, from 1, as a PNG: pixel by
// pixel what is transmitted, each line doubled at the standard resolution, each
// column at the superfine one, so that shapes keep their proportion.
func (f *Folder) Preview(ctx context.Context, id fax.JobID, n int, w io.Writer) error {
	page, err := f.page(ctx, id, n)
	if err != nil {
		return err
	}
	fast := png.Encoder{CompressionLevel: png.BestSpeed}
	if err := fast.Encode(w, page); err != nil {
		return fmt.Errorf("writing a preview: %w", err)
	}
	return nil
}

// page is what Preview shows.
func (f *Folder) page(ctx context.Context, id fax.JobID, n int) (*image.Paletted, error) {
	if _, err := fax.ParseJobID(string(id)); err != nil {
		return nil, err
	}
	if err := f.Fetch(ctx, id); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	file, err := os.Open(f.TIFF(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fax.Errorf(fax.NotFound, "The fax has not been converted yet, or is not kept any more")
	}
	if err != nil {
		return nil, fmt.Errorf("opening a fax: %w", err)
	}
	defer file.Close() //nolint:errcheck // read only
	st, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("opening a fax: %w", err)
	}
	pages, err := readTIFF(file, st.Size())
	if err != nil {
		return nil, fmt.Errorf("reading a fax: %w", err)
	}
	if n < 1 || n > len(pages) {
		return nil, fax.Errorf(fax.NotFound, "The fax has no page %d: it has %d", n, len(pages))
	}
	page, err := readPage(file, pages[n-1])
	if err != nil {
		return nil, fmt.Errorf("reading a fax: page %d: %w", n, err)
	}
	return page, nil
}

// readPage decodes one page of a fax that Prepare has made.
func readPage(r io.ReaderAt, d ifd) (*image.Paletted, error) {
	offsets, counts := d.tags[tagOffsets], d.tags[tagCounts]
	if len(offsets) != 1 || len(counts) != 1 {
		return nil, fmt.Errorf("the page has %d strips", len(offsets))
	}
	across, down := 1, 1
	switch lines := d.ratio(tagYResolution); {
	case lines < 150:
		down = 2
	case lines > 300:
		across = 2
	}
	strip := io.NewSectionReader(r, int64(offsets[0]), int64(counts[0]))
	rows := ccitt.NewReader(strip, ccitt.MSB, ccitt.Group4, d.width, d.length, &ccitt.Options{Invert: true})
	page := image.NewPaletted(image.Rect(0, 0, d.width*across, d.length*down), color.Palette{color.White, color.Black})
	packed := make([]byte, (d.width+7)/8)
	for y := range d.length {
		if _, err := io.ReadFull(rows, packed); err != nil {
			return nil, fmt.Errorf("line %d: %w", y+1, err)
		}
		line := page.Pix[y*down*page.Stride:][:page.Stride]
		for i, p := range packed {
			if p != 0 { // most of a page is white
				for x := 8 * i * across; x < min(8*i+8, d.width)*across; x++ {
					line[x] = p >> (7 - x/across%8) & 1
				}
			}
		}
		for i := 1; i < down; i++ {
			copy(page.Pix[(y*down+i)*page.Stride:], line)
		}
	}
	return page, nil
}

// Drawn returns the resolution of the pages that Prepare has made.
func (f *Folder) Drawn(id fax.JobID) (Resolution, error) {
	file, err := os.Open(f.TIFF(id))
	if err != nil {
		return 0, err
	}
	defer file.Close() //nolint:errcheck // read only
	st, err := file.Stat()
	if err != nil {
		return 0, err
	}
	pages, err := readTIFF(file, st.Size())
	if err != nil {
		return 0, fmt.Errorf("reading a fax: %w", err)
	}
	return Resolution(math.Round(pages[0].ratio(tagYResolution))), nil
}
