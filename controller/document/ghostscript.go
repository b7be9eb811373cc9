package document

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"faxbot/controller/fax"
)

// program draws the pages.
//
//go:embed fax.ps
var program []byte

// What one conversion may use. A fax of maxOutput bytes would be on the line for
// a day.
const (
	maxMemory   = 1 << 30
	maxOutput   = 128 << 20
	oldestMajor = 10 // the first with the PDF interpreter that fax.ps was written for
)

// limits are those that tests lower, to reach them.
type limits struct {
	cpu          time.Duration // more than Config.Timeout, which ends a program while somebody watches
	memory       int64         // bytes that Ghostscript and MuPDF may address
	officeMemory int64         // bytes that LibreOffice may address
	output       int64         // bytes of each file that it writes, and of a fax
}

// ghostscript finds the program.
func (f *Folder) ghostscript() (string, error) {
	name := f.Ghostscript
	if name == "" {
		name = "gs"
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("ghostscript was not found: %w; install it (apt-get install ghostscript), or name it in FAXBOT_GHOSTSCRIPT", err)
	}
	return path, nil
}

// CheckGhostscript returns the version of Ghostscript, and an error when it is
// missing or too old.
func (f *Folder) CheckGhostscript(ctx context.Context) (string, error) {
	path, err := f.ghostscript()
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, "--version").Output() //nolint:gosec // the operator names the program
	if err != nil {
		return "", fmt.Errorf("%s --version: %w; reinstall it: apt-get install --reinstall ghostscript libgs-common", path, err)
	}
	version := strings.TrimSpace(string(out))
	major, _, _ := strings.Cut(version, ".")
	if n, err := strconv.Atoi(major); err != nil || n < oldestMajor {
		return version, fmt.Errorf("%s is version %.20q, but %d.0 or newer is needed (Debian 12, Ubuntu 24.04)", path, version, oldestMajor)
	}
	return version, nil
}

// drawPDF draws the PDF from, file n of so many: fast if it is plain, else with
// Ghostscript, which also says what is wrong with it.
func (f *Folder) drawPDF(ctx context.Context, from string, n, files int, to *faxWriter) error {
	begun := to.mark()
	err := f.drawMuPDF(ctx, from, to)
	black := errors.Is(err, errLong)
	if !black && !errors.Is(err, errUnsure) {
		return err
	}
	if err := to.back(begun); err != nil {
		return err
	}
	return f.drawGhostscript(ctx, from, n, files, black, to)
}

func (f *Folder) drawGhostscript(ctx context.Context, from string, n, files int, black bool, to *faxWriter) error {
	e, err := f.spare.take()
	if err != nil {
		return &fax.Error{Problem: fax.Unavailable, Detail: "Documents cannot be converted now: Ghostscript is not installed on the server", Cause: err}
	}
	defer e.close()
	if err := e.load(from); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { kill(e.cmd) })
	defer stop()
	before, made := to.seen, to.made.Pages
	first, last := max(before+1, to.opt.first()), to.opt.last()
	// What lies between the pages to be sent is drawn, too, and left out here.
	e.order("/FaxBlack %t def /FaxLines %d def /FaxFirst %d def /FaxLast %d def /FaxMaxPages %d def (%s) faxfile",
		black, to.opt.Resolution, first-before, last-before, to.limit-made+last-first+1-to.opt.wanted(first, last), documentName)
	_ = e.orders.Close()
	to.seen = first - 1
	failed := readDrawing(e.out, to)
	if failed != nil {
		kill(e.cmd)
	}
	err = wait(ctx, e.cmd)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var refused *fax.Error
	if errors.As(failed, &refused) {
		return refused
	}
	if err := f.judge(&e.said, err, n, files); err != nil {
		return err
	}
	to.seen = before + e.said.pages
	if want := to.opt.wanted(before+1, to.seen); failed != nil || to.made.Pages-made != want {
		return damaged(fmt.Errorf("%d pages were drawn of %d: %w", to.made.Pages-made, want, failed))
	}
	return nil
}

func damaged(cause error) error {
	return &fax.Error{Problem: fax.BadDocument, Detail: "The document is damaged and cannot be shown completely; export it to PDF again", Cause: cause}
}

// judge turns what Ghostscript did and said into a verdict: it ends with
// success for many a document that it could not draw.
func (f *Folder) judge(said *report, err error, n, files int) error {
	if err == nil && said.trouble == nil && said.done == 1 && said.pages > 0 {
		return nil
	}
	cause := fmt.Errorf("ghostscript: %w: %s", errors.Join(err, said.trouble), said.last)
	which := "The document"
	if files > 1 {
		which = fmt.Sprintf("File %d", n)
	}
	bad := func(format string, args ...any) error {
		return &fax.Error{Problem: fax.BadDocument, Detail: which + " " + fmt.Sprintf(format, args...), Cause: cause}
	}
	var exit *exec.ExitError
	var signal syscall.Signal
	if errors.As(err, &exit) {
		if ws, ok := exit.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
			signal = ws.Signal()
		}
	}
	free, freeErr := freeBytes(f.Dir)
	switch {
	case !said.begun, signal == syscall.SIGKILL, signal == syscall.SIGTERM:
		return &fax.Error{Problem: fax.Unavailable, Detail: "Documents cannot be converted now: Ghostscript failed on the server", Cause: cause}
	case said.has(errDisk), freeErr == nil && free < 1<<20:
		return &fax.Error{Problem: fax.Unavailable, Detail: "No room left for documents; try again later", Cause: cause}
	case signal == syscall.SIGXCPU:
		return bad("takes longer than %s to convert; simplify it", f.Timeout)
	case said.has(errTooMany):
		if files > 1 {
			return &fax.Error{Problem: fax.BadDocument, Detail: fmt.Sprintf("The documents have more than %d pages together; split the fax", f.MaxPages), Cause: cause}
		}
		return bad("has %d pages, more than %d can be sent; split it", said.pages, f.MaxPages)
	case said.has(errPassword):
		return bad("is protected by a password; remove the password")
	case said.has(errPortfolio):
		return bad("is a PDF portfolio; send the files in it one by one")
	case said.has(errMemory):
		return bad("needs more memory than a conversion may use; simplify it")
	case said.memory > f.limits.memory/2: // mostly it calls that an error of the document
		return bad("needs more memory than a conversion may use, or is damaged; simplify it")
	case said.has(errEmpty) && !said.has(errDamaged):
		return bad("has no pages")
	default:
		return bad("is damaged and cannot be shown completely; export it to PDF again")
	}
}

// Troubles that the report can tell.
var (
	errTooMany   = errors.New("too many pages")
	errPassword  = errors.New("password needed")
	errPortfolio = errors.New("a portfolio")
	errMemory    = errors.New("out of memory")
	errDisk      = errors.New("disk full")
	errEmpty     = errors.New("no pages")
	errDamaged   = errors.New("content lost")
)

// lost are the errors after which something of a page may be missing, in the
// words of Ghostscript's pdf_errors.h. Those not named here are repaired without
// loss (a wrong cross-reference table, a missing endobj).
var lost = regexp.MustCompile(`^\s+(request for unknown filter|error executing PDF token|couldn't repair PDF file|error reading a stream|` +
	`error in Page dictionary|error reading page dictionary|error in stream dictionary|error in transparency XObject|error in image colour|` +
	`circular reference to indirect object|Dictionaries/arrays nested too deeply|Error retrieving Group dictionary.*)$`)

// report reads what Ghostscript says, line by line, and keeps what matters.
type report struct {
	begun   bool
	pages   int   // announced so far
	done    int   // files drawn
	memory  int64 // bytes that the program had, at most
	trouble error
	line    []byte
	last    []byte // the end of it all, for the log
}

const (
	maxLine = 1 << 10
	maxLast = 2 << 10
)

func (r *report) has(err error) bool { return errors.Is(r.trouble, err) }

func (r *report) Write(p []byte) (int, error) {
	if r.last = append(r.last, p[max(0, len(p)-maxLast):]...); len(r.last) > maxLast {
		r.last = append([]byte(nil), r.last[len(r.last)-maxLast:]...)
	}
	for rest := p; ; {
		line, after, complete := bytes.Cut(rest, []byte("\n"))
		r.line = append(r.line, line[:min(len(line), maxLine-min(len(r.line), maxLine))]...)
		if !complete {
			return len(p), nil
		}
		r.read(string(r.line))
		r.line, rest = r.line[:0], after
	}
}

func (r *report) read(line string) {
	found := func(err error) {
		if !errors.Is(r.trouble, err) {
			r.trouble = errors.Join(r.trouble, err)
		}
	}
	if word, ok := strings.CutPrefix(line, "FAX: "); ok {
		count, isPages := strings.CutPrefix(word, "pages ")
		used, isMemory := strings.CutPrefix(word, "memory ")
		switch {
		case isMemory:
			n, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(used), " kB"), 10, 64) // proc(5)
			r.memory = n << 10
		case isPages:
			n, err := strconv.Atoi(count)
			if err != nil || n <= 0 {
				found(errEmpty)
			}
			r.pages += max(n, 0)
		case word == "begin":
			r.begun = true
		case word == "done":
			r.done++
		case word == "toomany":
			found(errTooMany)
		case word == "portfolio":
			found(errPortfolio)
		case word == "error VMerror":
			found(errMemory)
		case word == "nopage":
			found(errDamaged)
		}
		return
	}
	switch {
	case strings.Contains(line, "requires a password"), strings.Contains(line, "Password did not work"):
		found(errPassword)
	case strings.Contains(line, "gpdf-collection"): // would be unpacked into temporary files
		found(errPortfolio)
	case strings.Contains(line, "Could not open temporary file"):
		found(errMemory)
	case strings.Contains(line, "No space left on device"):
		found(errDisk)
	case strings.Contains(line, "/VMerror"), strings.Contains(line, "out of memory"), strings.Contains(line, "memory allocation failed"), strings.Contains(line, "failed to allocate"):
		found(errMemory)
	case strings.HasPrefix(line, "jbig2dec FATAL ERROR"), strings.HasPrefix(line, "openjpeg error"): // for Ghostscript these are no errors
		found(errDamaged)
	case strings.Contains(line, "**** Error"), strings.HasPrefix(line, "Error: /"), lost.MatchString(line):
		found(errDamaged)
	}
}
