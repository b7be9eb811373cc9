package document

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"faxbot/controller/fax"
)

// PDF writes a job's documents as one PDF: what was submitted when that was one
// PDF, else the pages pixel by pixel as they are transmitted. Refusals, as
// fax.NotFound while there are no pages yet, come before the first byte.
func (f *Folder) PDF(ctx context.Context, id fax.JobID, w io.Writer) error {
	list, err := f.sources(ctx, id)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(list) == 1 && list[0].kind == PDF {
		source, _, err := f.Source(ctx, id, 1)
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

// faxToPDF packs the pages of a fax that Prepare has made into a PDF (ISO
// 32000-1). A page is one image, whose T.6 code is taken as it is (7.4.6).
func faxToPDF(file *os.File, to io.Writer) error {
	st, err := file.Stat()
	if err != nil {
		return err
	}
	pages, err := readTIFF(file, st.Size())
	if err != nil {
		return err
	}
	w := bufio.NewWriter(to)
	size, offsets := 0, []int{}
	put := func(format string, args ...any) {
		n, _ := fmt.Fprintf(w, format, args...) // Flush tells
		size += n
	}
	object := func(format string, args ...any) {
		offsets = append(offsets, size)
		put("%d 0 obj\n"+format+"\nendobj\n", append([]any{len(offsets)}, args...)...)
	}
	// Objects 1 and 2 are catalog and page tree; then each page has three.
	const first, each = 3, 3
	var kids strings.Builder
	for i := range pages {
		fmt.Fprintf(&kids, "%d 0 R ", first+each*i)
	}
	put("%%PDF-1.4\n")
	object("<< /Type /Catalog /Pages 2 0 R >>")
	object("<< /Type /Pages /Count %d /Kids [%s] >>", len(pages), kids.String())
	for i, p := range pages {
		xdpi, ydpi := p.ratio(tagXResolution), p.ratio(tagYResolution)
		if len(p.tags[tagOffsets]) != 1 || p.missing || xdpi <= 0 || ydpi <= 0 {
			return fmt.Errorf("page %d has %d strips, %g × %g dpi", i+1, len(p.tags[tagOffsets]), xdpi, ydpi)
		}
		code := make([]byte, p.tag(tagCounts))
		if _, err := file.ReadAt(code, int64(p.tag(tagOffsets))); err != nil {
			return err
		}
		width, height := float64(p.width)/xdpi*72, float64(p.length)/ydpi*72 // points
		draw := fmt.Sprintf("%.4f 0 0 %.4f 0 0 cm /I Do", width, height)
		n := first + each*i
		object("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %.4f %.4f] /Contents %d 0 R /Resources << /XObject << /I %d 0 R >> >> >>", width, height, n+1, n+2)
		object("<< /Length %d >>\nstream\n%s\nendstream", len(draw), draw)
		object("<< /Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace /DeviceGray /BitsPerComponent 1 "+
			"/Filter /CCITTFaxDecode /DecodeParms << /K -1 /Columns %d /Rows %d >> /Length %d >>\nstream\n%s\nendstream",
			p.width, p.length, p.width, p.length, len(code), code)
	}
	xref := size
	put("xref\n0 %d\n0000000000 65535 f \n", len(offsets)+1)
	for _, at := range offsets {
		put("%010d 00000 n \n", at)
	}
	put("trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(offsets)+1, xref)
	return w.Flush()
}
