package document

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"faxbot/controller/document/bucket"
	"faxbot/controller/fax"
)

// Config says where documents are kept and what they may cost.
type Config struct {
	Dir         string        // FAX_DATA_DIR; created when missing
	MaxBytes    int64         // of all files of one job; 10 MiB when 0
	MaxPages    int           // of one fax; 500 when 0
	Timeout     time.Duration // of one Prepare; 60 s when 0
	Ghostscript string        // program; "gs" from PATH when empty
	MuPDF       string        // program, or None; "mutool" from PATH when empty; where there is none, Ghostscript draws every PDF
	LibreOffice string        // program, or None; "soffice" or "libreoffice" from PATH when empty; where there is none, office documents are refused
	Spare       int           // interpreters kept ready after the first PDF, 30 MB each; as many as processors when 0, none when negative
	Logger      *slog.Logger  // slog.Default when nil

	// Bucket has a copy of all that is kept, which other hosts share; nil for
	// none.
	Bucket *bucket.Bucket
}

// None names no program.
const None = "none"

// Limits where Config is silent, and what Check wants to find free.
const (
	DefaultMaxBytes = 10 << 20
	DefaultMaxPages = 500
	DefaultTimeout  = time.Minute
	minFree         = 64 << 20
)

const (
	incoming  = "incoming"
	tiffName  = "fax.tiff"
	bucketLen = 6
	dirMode   = 0o750
	tiffMode  = 0o640 // FreeSWITCH reads it through the folder's group
)

// Folder keeps documents. It is safe for concurrent use, also by several
// processes and hosts that share Config.Dir.
type Folder struct {
	Config
	stage  string   // ours alone, inside DIR/incoming
	lock   *os.File // held as long as stage is in use
	spare  spares   // of Ghostscript
	fast   spares   // of MuPDF
	limits limits
	level  atomic.Int32 // of confinement that this system allows
	most   atomic.Int64 // MaxBytes, as it is now

	indexed atomic.Bool // there is an index of the fonts

	probe  sync.Mutex
	probed string // the text of the file that Probe made; "" before
}

// Open makes the folders and sweeps what earlier processes left half done.
// Ghostscript may be missing: Check and Prepare say so. The caller closes the
// Folder.
func Open(c Config) (*Folder, error) {
	if c.Dir == "" {
		return nil, errors.New("FAX_DATA_DIR is empty: name a folder for documents")
	}
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return nil, fmt.Errorf("document folder (FAX_DATA_DIR): %w", err)
	}
	c.Dir = dir
	if c.MaxPages <= 0 {
		c.MaxPages = DefaultMaxPages
	}
	if c.Timeout <= 0 {
		c.Timeout = DefaultTimeout
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	f := &Folder{Config: c, limits: limits{cpu: c.Timeout + time.Second, memory: maxMemory, officeMemory: officeMemory, output: maxOutput}}
	f.spare.start, f.spare.want = f.startGhostscript, c.spareWanted()
	f.fast.start, f.fast.want = f.startMuPDF, c.spareWanted()
	f.SetMaxBytes(c.MaxBytes)
	if err := f.open(); err != nil {
		return nil, fmt.Errorf("document folder (FAX_DATA_DIR): %w", err)
	}
	_, _ = f.systemFonts() // whoever sends a text is told why there are none
	return f, nil
}

// SetMaxBytes replaces Config.MaxBytes, for what is received from now on.
func (f *Folder) SetMaxBytes(n int64) {
	if n <= 0 {
		n = DefaultMaxBytes
	}
	f.most.Store(n)
}

func (f *Folder) open() error {
	if err := os.MkdirAll(filepath.Dir(f.Dir), dirMode); err != nil {
		return err
	}
	all := filepath.Join(f.Dir, incoming)
	for _, dir := range []string{f.Dir, all} {
		if err := mkdir(dir); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	if err := f.sweep(all); err != nil {
		return err
	}
	return f.makeStage(all)
}

// makeStage makes our own folder for what is under way. Another process that is
// just sweeping may take it for abandoned until it is locked, so it tries again.
func (f *Folder) makeStage(all string) error {
	var failed error
	for range 10 {
		stage := filepath.Join(all, rand.Text())
		err := mkdir(stage)
		if err == nil {
			f.lock, err = lockStage(stage)
		}
		if err == nil {
			f.stage = stage
			return nil
		}
		failed = err
	}
	return failed
}

// sweep removes the stages whose process is gone, which their lock tells.
func (f *Folder) sweep(all string) error {
	stages, err := os.ReadDir(all)
	if err != nil {
		return err
	}
	for _, s := range stages {
		stage := filepath.Join(all, s.Name())
		lock, err := lockStage(stage)
		if err != nil {
			continue // another process is using it
		}
		err = os.RemoveAll(stage)
		_ = lock.Close()
		if err != nil {
			return err
		}
		f.Logger.Info("removed uploads that an earlier process left incomplete", "folder", stage)
	}
	return nil
}

// lockStage fails at once when another process has the lock. The kernel frees
// it when its holder dies, however it dies.
func lockStage(stage string) (*os.File, error) {
	lock, err := os.OpenFile(filepath.Join(stage, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = lock.Close()
		return nil, err
	}
	return lock, nil
}

// Close removes what is under way. No other method may be running or be called
// afterwards.
func (f *Folder) Close() error {
	f.spare.stop()
	f.fast.stop()
	return errors.Join(os.RemoveAll(f.stage), f.lock.Close())
}

// Free is how many bytes the disk of the folder has left; -1 when it cannot be
// asked.
func (f *Folder) Free() int64 {
	free, err := freeBytes(f.Dir)
	if err != nil {
		return -1
	}
	return free
}

func (f *Folder) jobDir(id fax.JobID) string {
	return filepath.Join(f.Dir, string(id)[:bucketLen], string(id))
}

// TIFF returns the absolute path of a job's fax, which exists after Prepare.
func (f *Folder) TIFF(id fax.JobID) string { return filepath.Join(f.jobDir(id), tiffName) }

// Source opens the nth file of a job as it was submitted; n counts from 1. The
// caller closes it.
func (f *Folder) Source(ctx context.Context, id fax.JobID, n int) (io.ReadCloser, Kind, error) {
	list, err := f.sources(ctx, id)
	if err != nil {
		return nil, "", err
	}
	if n < 1 || n > len(list) {
		return nil, "", fax.Errorf(fax.NotFound, "Document not found")
	}
	r, err := os.Open(filepath.Join(f.jobDir(id), list[n-1].name()))
	if err != nil {
		return nil, "", fmt.Errorf("opening a submitted document: %w", err)
	}
	return r, list[n-1].kind, nil
}

// source is one submitted file: the nth, from 1.
type source struct {
	n    int
	kind Kind
}

func (s source) name() string { return strconv.Itoa(s.n) + "." + string(s.kind) }

// sources lists a job's files in order, and fetches them if need be.
func (f *Folder) sources(ctx context.Context, id fax.JobID) ([]source, error) {
	if err := f.Fetch(ctx, id); err != nil {
		return nil, err
	}
	return f.here(id)
}

// here lists the files of a job that this folder has.
func (f *Folder) here(id fax.JobID) ([]source, error) {
	if _, err := fax.ParseJobID(string(id)); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(f.jobDir(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fax.Errorf(fax.NotFound, "The job's documents are not kept any more")
	}
	if err != nil {
		return nil, fmt.Errorf("listing a job's documents: %w", err)
	}
	list := make([]source, len(entries))
	count := 0
	for _, e := range entries {
		base, kind, _ := strings.Cut(e.Name(), ".")
		if n, err := strconv.Atoi(base); err == nil && n >= 1 && n <= len(list) {
			list[n-1] = source{n, Kind(kind)}
			count++
		}
	}
	for _, s := range list[:count] {
		if s.n == 0 {
			return nil, fax.Errorf(fax.NotFound, "A document of the job is missing from the document folder")
		}
	}
	return list[:count], nil
}

// Remove deletes all that is kept of a job. A job that is not kept is no error.
func (f *Folder) Remove(ctx context.Context, id fax.JobID) error {
	if _, err := fax.ParseJobID(string(id)); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	var err error
	if f.Bucket != nil {
		err = f.Bucket.Remove(ctx, key(id, ""))
	}
	if err == nil { // what is here reminds of what is in the bucket
		err = f.removeHere(id)
	}
	if err != nil {
		return fmt.Errorf("removing a job's documents: %w", err)
	}
	return nil
}

func (f *Folder) removeHere(id fax.JobID) error {
	dir := f.jobDir(id)
	// The folder goes out of sight first, so that a job is either whole or gone.
	trash := filepath.Join(f.stage, "removed-"+string(id))
	switch err := os.Rename(dir, trash); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	}
	parent := filepath.Dir(dir)
	if err := syncDir(parent); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	_ = os.Remove(parent) // succeeds for the last of its time only
	return os.RemoveAll(trash)
}

// moveIn makes the folder dir that of a job. fs.ErrExist when the job has one.
func (f *Folder) moveIn(dir string, id fax.JobID) error {
	to := f.jobDir(id)
	parent := filepath.Dir(to)
	err := syncDir(dir)
	if err != nil {
		return err
	}
	for range 10 {
		if err = mkdir(parent); err == nil || errors.Is(err, fs.ErrExist) {
			err = os.Rename(dir, to)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
		// Remove took the parent away in between, since it was empty.
	}
	if err != nil {
		return err
	}
	return errors.Join(syncDir(parent), syncDir(f.Dir))
}

// Jobs yields the id of every job whose documents are kept, oldest first by
// four and a half hours, so that the caller can remove those nobody knows.
func (f *Folder) Jobs() iter.Seq2[fax.JobID, error] {
	return func(yield func(fax.JobID, error) bool) {
		buckets, err := os.ReadDir(f.Dir)
		if err != nil {
			yield("", fmt.Errorf("listing the document folder: %w", err))
			return
		}
		for _, b := range buckets {
			if len(b.Name()) != bucketLen {
				continue
			}
			jobs, err := os.ReadDir(filepath.Join(f.Dir, b.Name()))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				yield("", fmt.Errorf("listing the document folder: %w", err))
				return
			}
			for _, j := range jobs {
				id, err := fax.ParseJobID(j.Name())
				if err == nil && !yield(id, nil) {
					return
				}
			}
		}
	}
}
