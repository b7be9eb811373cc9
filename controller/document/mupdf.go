package document

import (
	"bufio"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"faxbot/controller/fax"
)

// What MuPDF is to do with a document, and with which: one script of two files.
var (
	//go:embed plain.js
	onlyPlain []byte
	//go:embed mupdf.js
	drawPages []byte
)

// errUnsure is for a document that MuPDF did not draw, or of which it said
// anything at all.
var errUnsure = errors.New("not plain to MuPDF")

// errLong is for a document that Ghostscript draws faster, black and white.
var errLong = errors.New("many pages in black and white")

// longest is the number of pages from which Ghostscript is faster: a page is two
// thirds of what it is for MuPDF, but its start costs as much as a dozen.
const longest = 25

// mupdf is the path of the program; empty when there is none.
func (f *Folder) mupdf() string {
	name := f.MuPDF
	switch name {
	case "":
		name = "mutool"
	case None:
		return ""
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return ""
	}
	return path
}

func (f *Folder) startMuPDF() (*engine, error) {
	tool := f.mupdf()
	if tool == "" {
		return nil, errUnsure
	}
	// It writes a page to a file, by a name that it has to make itself.
	dir, err := os.MkdirTemp(f.stage, "pages-")
	if err != nil {
		return nil, err
	}
	own, err := os.Open(dir)
	if err != nil {
		return nil, errors.Join(err, os.Remove(dir))
	}
	defer own.Close() //nolint:errcheck // only a name
	e, err := f.startEngine(slices.Concat(onlyPlain, drawPages), confined{
		path: tool, args: []string{"run", programName, documentName}, dir: own, output: maxDrawn,
		// Large blocks of memory in large pages: fewer of them to ask for.
		env: []string{"GLIBC_TUNABLES=glibc.malloc.hugetlb=1"},
	})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	e.dir = dir
	return e, nil
}

// drawMuPDF draws a PDF with MuPDF. It is several times faster than Ghostscript,
// and milder: so its pages count only when it found nothing to complain about.
// errUnsure is for all other documents; then some pages may have been drawn, and
// errLong for those it leaves to Ghostscript.
func (f *Folder) drawMuPDF(ctx context.Context, from string, to *faxWriter) error {
	// It tells kinds by their first bytes, and knows others than PDF.
	if plain, err := startsWith(from, "%PDF-"); err != nil || !plain {
		return errors.Join(err, errUnsure)
	}
	e, err := f.fast.take()
	if err != nil {
		return errUnsure
	}
	defer e.close()
	if err := e.load(from); err != nil {
		return err
	}
	half, cancel := context.WithTimeout(ctx, f.Timeout/2) // the rest is Ghostscript's
	defer cancel()
	stop := context.AfterFunc(half, func() { kill(e.cmd) })
	defer stop()
	failed := e.drawPlain(to)
	_ = e.orders.Close()
	if failed != nil {
		kill(e.cmd)
	}
	err = wait(half, e.cmd)
	var refused *fax.Error
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(failed, &refused):
		return refused
	case errors.Is(failed, errLong) && len(e.said.last) == 0:
		return errLong
	case failed != nil || err != nil || len(e.said.last) > 0:
		return fmt.Errorf("%w: %w: %s", errUnsure, errors.Join(failed, err), e.said.last)
	}
	return nil
}

func startsWith(path, magic string) (bool, error) {
	in, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer in.Close() //nolint:errcheck // read only
	head := make([]byte, len(magic))
	_, err = io.ReadFull(in, head)
	return err == nil && string(head) == magic, nil
}

// order is for pages that follow each other and look the same.
type order struct {
	look
	first, last int // counted within the document, from 1
}

type look struct {
	place
	grey int // 1 if not all is black and white
}

// drawPlain draws the pages that are wanted.
func (e *engine) drawPlain(to *faxWriter) error {
	before := to.seen
	count, orders, err := e.plan(to)
	if err != nil {
		return err
	}
	pages, greys := 0, 0
	for _, o := range orders {
		pages += o.last - o.first + 1
		greys += o.grey
	}
	if pages > longest && greys == 0 {
		return errLong
	}
	for _, o := range orders {
		turned, format := 0, "pbm" // hardly any data
		if o.turned {
			turned = 1
		}
		if o.grey != 0 {
			format = "pgm"
		}
		e.order("%d %d %d %s %d %d", o.width, o.rows, turned, format, o.first, o.last)
	}
	e.order("")
	for i, o := range orders {
		for n := o.first; n <= o.last; n++ {
			var drawn string
			if _, err := fmt.Fscanln(e.out, &drawn); err != nil || drawn != "drawn" {
				return fmt.Errorf("page %d is not drawn: %.10q: %w", n, drawn, err)
			}
			to.seen = before + n - 1
			if err := e.readDrawn(fmt.Sprintf("%d-%d", i, n-o.first+1), to); err != nil {
				return fmt.Errorf("page %d: %w", n, err)
			}
			e.order("")
		}
	}
	to.seen = before + count
	return nil
}

// plan has MuPDF look at the document: how many pages there are, and orders for
// those that are wanted.
func (e *engine) plan(to *faxWriter) (count int, orders []order, err error) {
	before := to.seen
	first, last := max(before+1, to.opt.first()), to.opt.last()
	most := to.limit - to.made.Pages + last - first + 1 - to.opt.wanted(first, last)
	e.order("%d %d %d", first-before, last-before, most)
	if _, err := fmt.Fscanln(e.out, &count); err != nil || count < 1 {
		return 0, nil, fmt.Errorf("%d pages: %w", count, err)
	}
	for n := first - before; n <= min(last-before, count); n++ {
		var wide, high, thin float64
		var as look
		if _, err := fmt.Fscanln(e.out, &wide, &high, &thin, &as.grey); err != nil {
			return 0, nil, err
		}
		if !(wide > 0 && high > 0) {
			return 0, nil, fmt.Errorf("page %d is %g × %g", n, wide, high)
		}
		if to.opt.wanted(before+n, before+n) == 0 {
			continue
		}
		as.place = to.opt.Resolution.place(wide, high)
		if as.turned {
			wide, high = high, wide
		}
		if thin*min(float64(as.width)/wide, float64(as.rows)/high) < 1 {
			return 0, nil, fmt.Errorf("page %d has something thinner than a pixel", n)
		}
		if o := len(orders) - 1; o >= 0 && orders[o].look == as && orders[o].last == n-1 {
			orders[o].last = n
		} else {
			orders = append(orders, order{as, n, n})
		}
	}
	var end string
	if _, err := fmt.Fscanln(e.out, &end); err != nil || end != "end" {
		return 0, nil, fmt.Errorf("%.10q, not the end: %w", end, err)
	}
	return count, orders, nil
}

// readDrawn adds the page in a file of the engine's and removes the file.
func (e *engine) readDrawn(name string, to *faxWriter) error {
	file, err := openMade(e.dir, name)
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // read only
	if err := readDrawnPage(bufio.NewReaderSize(file, 4<<10), to); err != nil {
		return err
	}
	return os.Remove(filepath.Join(e.dir, name))
}
