package document

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"faxbot/controller/fax"
)

// Width is the number of pixels in every line of a fax (T.4, 2.2: 1728 along
// 215 mm).
const Width = 1728

// Resolution is the number of lines to an inch (T.4, 2.2 in metric units).
type Resolution int

// The resolutions that receivers have: every one Standard, nearly all Fine, many
// Superfine. A receiver that lacks it refuses a Superfine fax before the first
// page.
const (
	Standard  Resolution = 98
	Fine      Resolution = 196
	Superfine Resolution = 391
)

// Options are what a job may choose about its pages.
type Options struct {
	Resolution Resolution // Fine when 0
	// Pages to be sent, counted from 1 over all files; those beyond the end do
	// not count.
	Pages fax.Pages
	// Darkness makes greys, colours, photographs and scans lighter, down to -3,
	// or darker, up to 3. What is black or white stays so.
	Darkness int
	Cover    *Cover // a page before the first; none when nil

	ranges []fax.Range // of Pages; never empty once complete
}

// MaxDarkness is the farthest that Options.Darkness goes, either way.
const MaxDarkness = 3

func (o Options) complete() (Options, error) {
	if o.Resolution == 0 {
		o.Resolution = Fine
	}
	if o.Resolution != Standard && o.Resolution != Fine && o.Resolution != Superfine {
		return o, fax.Errorf(fax.Invalid, "Resolution %d: choose %d (standard), %d (fine) or %d (superfine)", o.Resolution, Standard, Fine, Superfine)
	}
	var err error
	if o.ranges, err = o.Pages.Ranges(); err != nil {
		return o, err
	}
	if o.Darkness < -MaxDarkness || o.Darkness > MaxDarkness {
		return o, fax.Errorf(fax.Invalid, "Darkness %d: choose -%d (lightest) to %d (darkest)", o.Darkness, MaxDarkness, MaxDarkness)
	}
	return o, nil
}

// first and last are the outermost pages to be sent.
func (o Options) first() int { return o.ranges[0].First }
func (o Options) last() int  { return o.ranges[len(o.ranges)-1].Last }

// wanted counts the pages to be sent from one to another, both included.
func (o Options) wanted(from, to int) int {
	n := 0
	for _, r := range o.ranges {
		n += max(0, min(to, r.Last)-max(from, r.First)+1)
	}
	return n
}

// Fax is a document ready to be transmitted.
type Fax struct {
	Path    string  // absolute
	Pages   int     // with the cover
	Sheets  []Sheet // what is on each page
	Seconds float64 // on the line, about, at 14400 bit/s with error correction
	Bytes   int64
}

// Sheet is a page of a fax.
type Sheet struct {
	Height  int     // pixels; the width is Width
	Ink     float64 // share of the page that is black: 0 to 1; text has 0.03 to 0.1
	Seconds float64 // on the line, about; a receiver without T.6 takes twice as long
	Blank   bool    // nothing to be seen but a few specks
}

// Prepare converts the files of a committed job, in order, into its TIFF. It can
// be repeated at any time and puts the new TIFF in the place of the old one at
// once. When it returns nil the TIFF is whole and survives a power failure.
//
// A *fax.Error is Invalid for impossible options, BadDocument when the document is at fault and trying again is
// useless, NotFound when it is not kept, Unavailable when the server is at fault
// and it is worth trying again. When ctx ends the error is ctx.Err().
func (f *Folder) Prepare(ctx context.Context, id fax.JobID, opt Options) (Fax, error) {
	opt, err := opt.complete()
	if err != nil {
		return Fax{}, err
	}
	list, err := f.sources(ctx, id)
	if err != nil {
		return Fax{}, err
	}
	work, err := os.MkdirTemp(f.stage, "prepare-")
	if err != nil {
		return Fax{}, unavailable("preparing a fax", err)
	}
	defer os.RemoveAll(work) //nolint:errcheck // swept by the next Open

	limited, cancel := context.WithTimeout(ctx, f.Timeout)
	defer cancel()
	made, err := f.convert(limited, work, id, list, opt)
	switch {
	case ctx.Err() != nil:
		return Fax{}, ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		return Fax{}, fax.Errorf(fax.BadDocument, "The document took longer than %s to convert; simplify it or split it", f.Timeout)
	case err != nil:
		return Fax{}, err
	}
	if err := made.readBack(); err != nil {
		return Fax{}, unavailable("reading back a fax", err)
	}
	if err := f.keepPages(ctx, id, made.Path); err != nil {
		return Fax{}, err
	}
	if err := f.publish(made.Path, f.TIFF(id)); err != nil {
		return Fax{}, err
	}
	made.Path = f.TIFF(id)
	return made, nil
}

// convert makes work/fax.tiff.
func (f *Folder) convert(ctx context.Context, work string, id fax.JobID, list []source, opt Options) (Fax, error) {
	to, err := newFaxWriter(filepath.Join(work, tiffName), opt, f.MaxPages, f.limits.output)
	if err != nil {
		return Fax{}, unavailable("preparing a fax", err)
	}
	defer to.file.Close() //nolint:errcheck // for the error returns
	to.several = len(list) > 1
	for _, s := range list {
		if to.seen >= opt.last() {
			break
		}
		from := filepath.Join(f.jobDir(id), s.name())
		switch s.kind {
		case PDF:
			err = f.drawPDF(ctx, from, s.n, len(list), to)
		case Text:
			err = f.drawText(ctx, from, to)
		case TIFF, PNG, JPEG, GIF, WebP:
			err = f.drawPicture(ctx, from, s.kind, to)
		case DOCX, XLSX, PPTX, ODT, ODS, ODP, DOC, XLS, PPT, RTF:
			err = f.drawOffice(ctx, work, from, s, len(list), to)
		default:
			err = fax.Errorf(fax.Unsupported, "File %d is of a kind that this version cannot convert", s.n)
		}
		if err != nil {
			return Fax{}, ours(ctx, err)
		}
	}
	if to.made.Pages == 0 {
		return Fax{}, fax.Errorf(fax.BadDocument, "There is no page %d to begin with: the fax has %d", opt.first(), to.seen)
	}
	if opt.Cover != nil {
		if err := f.drawCover(ctx, *opt.Cover, to); err != nil {
			return Fax{}, ours(ctx, err)
		}
	}
	made, err := to.Close()
	if err != nil {
		return Fax{}, ours(ctx, err)
	}
	return made, nil
}

// readBack compares the file with what it should hold: a fax that a machine
// cannot read must not be dialled.
func (m Fax) readBack() error {
	file, err := os.Open(m.Path)
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // only read
	st, err := file.Stat()
	if err != nil {
		return err
	}
	pages, err := readTIFF(file, st.Size())
	if err != nil {
		return err
	}
	if len(pages) != m.Pages || len(m.Sheets) != m.Pages {
		return fmt.Errorf("the file has %d pages, not %d", len(pages), m.Pages)
	}
	for i, p := range pages {
		if p.missing || p.width != Width || p.length != m.Sheets[i].Height || p.tag(tagCompression) != 4 {
			return fmt.Errorf("page %d is %d × %d, compression %d, data missing: %v", i+1, p.width, p.length, p.tag(tagCompression), p.missing)
		}
	}
	return nil
}

// ours makes an error that nobody explained yet one of the server.
func ours(ctx context.Context, err error) error {
	var refused *fax.Error
	if errors.As(err, &refused) || ctx.Err() != nil {
		return err
	}
	return unavailable("preparing a fax", err)
}

// publish puts the finished TIFF where FreeSWITCH finds it.
func (f *Folder) publish(from, to string) error {
	err := os.Chmod(from, tiffMode)
	if err == nil {
		err = syncDir(from) // a file is synced as a folder is
	}
	if err == nil {
		err = os.Rename(from, to)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return fax.Errorf(fax.NotFound, "The job's documents are not kept any more")
	}
	if err == nil {
		err = syncDir(filepath.Dir(to))
	}
	if err != nil {
		return unavailable("preparing a fax", err)
	}
	return nil
}
