package document

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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

// limited runs a program under limits that also hold when the daemon is gone. A
// limit that cannot be set is already stricter.
const limited = `ulimit -t "$1"; ulimit -v "$2"; ulimit -f "$3"; shift 3; exec "$@"`

// ghostscript finds the program.
func (f *Folder) ghostscript() (string, error) {
	name := f.Ghostscript
	if name == "" {
		name = "gs"
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("ghostscript was not found: %w; install it: apt-get install ghostscript", err)
	}
	return path, nil
}

func (f *Folder) checkGhostscript(ctx context.Context) error {
	path, err := f.ghostscript()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, "--version").Output() //nolint:gosec // the operator names the program
	if err != nil {
		return fmt.Errorf("%s --version: %w; reinstall it: apt-get install --reinstall ghostscript libgs-common", path, err)
	}
	version := strings.TrimSpace(string(out))
	major, _, _ := strings.Cut(version, ".")
	if n, err := strconv.Atoi(major); err != nil || n < oldestMajor {
		return fmt.Errorf("%s is version %.20q, but %d.0 or newer is needed (Debian 12, Ubuntu 24.04)", path, version, oldestMajor)
	}
	return nil
}

// draw has Ghostscript draw the PDFs, by their names in the folder work, into
// work/fax.tiff, and returns how many pages that should have.
func (f *Folder) draw(ctx context.Context, work string, pdfs []string, opt Options) (int, error) {
	gs, err := f.ghostscript()
	if err != nil {
		return 0, &fax.Error{Problem: fax.Unavailable, Detail: "Documents cannot be converted now: Ghostscript is not installed on the server", Cause: err}
	}
	if err := os.WriteFile(filepath.Join(work, "fax.ps"), program, 0o600); err != nil {
		return 0, unavailable("converting a document", err)
	}
	args := []string{
		"-c", limited, "sh",
		strconv.Itoa(int(f.Timeout.Seconds()) + 1), strconv.Itoa(maxMemory >> 10), strconv.Itoa(maxOutput / 512),
		gs, "-dSAFER", "-dBATCH", "-dNOPAUSE", "-q", "-P-",
		"-sDEVICE=tiffg4", "-r" + opt.Resolution.dpi(), "-dMaxStripSize=0", "-sOutputFile=" + tiffName,
		"-dFaxFirst=" + strconv.Itoa(opt.First), "-dFaxLast=" + strconv.Itoa(opt.Last), "-dFaxMaxPages=" + strconv.Itoa(f.MaxPages),
	}
	var calls strings.Builder
	for _, name := range pdfs {
		args = append(args, "--permit-file-read="+name)
		fmt.Fprintf(&calls, "(%s) faxfile ", name)
	}
	args = append(args, "fax.ps", "-c", calls.String())

	var said report
	cmd := exec.CommandContext(ctx, "/bin/sh", args...) //nolint:gosec // no argument comes from a user
	cmd.Dir = work
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + work, "TMPDIR=" + work, "LC_ALL=C"}
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	err = cmd.Run()
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	if err := f.judge(&said, err, len(pdfs)); err != nil {
		return 0, err
	}
	if opt.First > said.pages {
		return 0, fax.Errorf(fax.BadDocument, "There is no page %d to begin with: the fax has %d", opt.First, said.pages)
	}
	return min(opt.Last, said.pages) - opt.First + 1, nil
}

// judge turns what Ghostscript did and said into a verdict: it ends with
// success for many a document that it could not draw.
func (f *Folder) judge(said *report, err error, files int) error {
	if err == nil && said.trouble == nil && said.done == files && said.pages > 0 {
		return nil
	}
	cause := fmt.Errorf("ghostscript: %w: %s", errors.Join(err, said.trouble), said.last)
	which := "The document"
	if files > 1 {
		which = fmt.Sprintf("File %d", min(said.done+1, files))
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
	case signal == syscall.SIGXFSZ, said.has(errSize):
		return bad("has too much detail for a fax; simplify it or print it in black and white")
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
	errSize      = errors.New("output too large")
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
	pages   int // announced so far
	done    int // files drawn
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
		switch count, isPages := strings.CutPrefix(word, "pages "); {
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
		case word == "nopage":
			found(errDamaged)
		}
		return
	}
	switch {
	case strings.Contains(line, "requires a password"), strings.Contains(line, "Password did not work"):
		found(errPassword)
	case strings.Contains(line, "No space left on device"):
		found(errDisk)
	case strings.Contains(line, "File too large"):
		found(errSize)
	case strings.Contains(line, "/VMerror"), strings.Contains(line, "out of memory"), strings.Contains(line, "memory allocation failed"):
		found(errMemory)
	case strings.Contains(line, "**** Error"), strings.HasPrefix(line, "Error: /"), lost.MatchString(line):
		found(errDamaged)
	}
}
