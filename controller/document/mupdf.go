package document

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"

	"faxbot/controller/fax"
)

// tellPages is what MuPDF is asked about a document.
//
//go:embed mupdf.js
var tellPages []byte

// errUnsure is for a document that MuPDF did not draw, or of which it said
// anything at all.
var errUnsure = errors.New("not plain to MuPDF")

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
	return f.startEngine(tellPages, confined{path: tool, each: true})
}

// drawMuPDF draws a PDF with MuPDF. It is several times faster than Ghostscript,
// and milder: so its pages count only when it found nothing to complain about.
// errUnsure is for all other documents; then some pages may have been drawn.
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

// drawPlain draws the pages that are wanted, with one order for neighbours of
// the same size: MuPDF makes all pages of an order equally large.
func (e *engine) drawPlain(to *faxWriter) error {
	before := to.seen
	first, last := max(before+1, to.opt.first()), to.opt.last()
	most := to.limit - to.made.Pages + last - first + 1 - to.opt.wanted(first, last)
	e.order("run %s %s %d %d %d", programName, documentName, first-before, last-before, most)
	var count int
	if _, err := fmt.Fscanln(e.pages, &count); err != nil || count < 1 {
		return fmt.Errorf("%d pages: %w", count, err)
	}
	type look struct {
		place
		grey int
	}
	type order struct {
		look
		first, last int
	}
	var orders []order
	for n := first; n <= min(last, before+count); n++ {
		var wide, high float64
		var as look
		if _, err := fmt.Fscanln(e.pages, &wide, &high, &as.grey); err != nil {
			return err
		}
		if !(wide > 0 && high > 0) {
			return fmt.Errorf("page %d is %g × %g", n, wide, high)
		}
		if to.opt.wanted(n, n) == 0 {
			continue
		}
		as.place = to.opt.Resolution.place(wide, high)
		if o := len(orders) - 1; o >= 0 && orders[o].look == as && orders[o].last == n-1 {
			orders[o].last = n
		} else {
			orders = append(orders, order{as, n, n})
		}
	}
	var end string
	if _, err := fmt.Fscanln(e.pages, &end); err != nil || end != "end" {
		return fmt.Errorf("%.10q, not the end: %w", end, err)
	}
	for _, o := range orders {
		turn := 0
		if o.turned {
			turn = 270
		}
		format := "-c mono -F pbm" // hardly any data
		if o.grey != 0 {
			format = "-c gray -F pgm"
		}
		// Without antialiasing letters and lines are black, as Ghostscript has
		// them.
		e.order("draw -q -D -N -A 0 %s -o - -R %d -f -w %d -h %d %s %d-%d", format, turn, o.width, o.rows, documentName, o.first-before, o.last-before)
		to.seen = o.first - 1
		if err := readPages(e.pages, o.last-o.first+1, to); err != nil {
			return err
		}
		if to.seen != o.last {
			return fmt.Errorf("page %d is the last of %d", to.seen, o.last)
		}
	}
	to.seen = before + count
	return nil
}
