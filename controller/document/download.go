package document

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"faxbot/controller/fax"
)

// PDF writes a job's documents as one PDF: what was submitted when that was one
// PDF, else the pages pixel by pixel as they are transmitted. Refusals, as
// fax.NotFound while there are no pages yet, come before the first byte.
func (f *Folder) PDF(ctx context.Context, id fax.JobID, w io.Writer) error {
	list, err := f.sources(id)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(list) == 1 && list[0].kind == PDF {
		source, _, err := f.Source(id, 1)
		if err != nil {
			return err
		}
		defer source.Close() //nolint:errcheck // read only
		if _, err := io.Copy(w, source); err != nil {
			return fmt.Errorf("writing a submitted document: %w", err)
		}
		return nil
	}
	file, err := os.Open(f.TIFF(id))
	if errors.Is(err, fs.ErrNotExist) {
		return fax.Errorf(fax.NotFound, "The fax has not been converted yet, or is not kept any more")
	}
	if err != nil {
		return fmt.Errorf("opening a fax: %w", err)
	}
	defer file.Close() //nolint:errcheck // read only
	if err := faxToPDF(file, w); err != nil {
		return fmt.Errorf("writing a fax as PDF: %w", err)
	}
	return nil
}

// faxToPDF packs the pages of a fax that readFax has accepted.
func faxToPDF(file *os.File, w io.Writer) error {
	st, err := file.Stat()
	if err != nil {
		return err
	}
	pages, err := readTIFF(file, st.Size())
	if err != nil {
		return err
	}
	out := newPDF(w, 0, 0)
	for i, p := range pages {
		xdpi, ydpi := p.ratio(tagXResolution), p.ratio(tagYResolution)
		if len(p.tags[tagOffsets]) != 1 || p.missing || xdpi <= 0 || ydpi <= 0 {
			return fmt.Errorf("page %d has %d strips, %g × %g dpi", i+1, len(p.tags[tagOffsets]), xdpi, ydpi)
		}
		code := make([]byte, p.tag(tagCounts))
		if _, err := file.ReadAt(code, int64(p.tag(tagOffsets))); err != nil {
			return err
		}
		out.Fax(code, p.width, p.length, xdpi, ydpi)
	}
	return out.Close()
}
