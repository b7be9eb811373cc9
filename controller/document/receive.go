package document

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"faxbot/controller/fax"
)

// maxFiles limits the files of one job.
const maxFiles = 100

// Reception takes in the files of one job. Nothing is visible before Commit;
// Abort or Commit ends it. It is used by one goroutine.
type Reception struct {
	folder *Folder
	id     fax.JobID
	dir    string // inside the stage; "" once ended
	left   int64
	kinds  []Kind
	sums   []byte
	failed error // what made the job unacceptable
}

// Receive begins to take in the files of a job. The id is a fresh one from
// fax.NewJobID.
func (f *Folder) Receive(ctx context.Context, id fax.JobID) (*Reception, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if _, err := fax.ParseJobID(string(id)); err != nil {
		return nil, err
	}
	dir := filepath.Join(f.stage, string(id))
	if err := mkdir(dir); err != nil {
		return nil, unavailable("receiving a document", err)
	}
	return &Reception{folder: f, id: id, dir: dir, left: f.most.Load()}, nil
}

// Add reads one file to its end and keeps it. Errors that the sender can act on
// are *fax.Error: TooLarge over the size limit of the job, Unsupported for a
// kind that cannot be faxed, BadDocument for a file that is empty or broken off,
// Unavailable when the disk is full. An error of r is wrapped. After an error
// the job cannot be committed.
func (r *Reception) Add(ctx context.Context, from io.Reader) (Kind, error) {
	if r.dir == "" {
		return "", errors.New("document: Add after the end of a reception")
	}
	if r.failed != nil {
		return "", r.failed
	}
	kind, err := r.add(ctx, from)
	if err != nil {
		r.failed = err
		return "", err
	}
	r.kinds = append(r.kinds, kind)
	return kind, nil
}

func (r *Reception) add(ctx context.Context, from io.Reader) (Kind, error) {
	n := len(r.kinds) + 1
	if n > maxFiles {
		return "", fax.Errorf(fax.TooLarge, "More than %d files: join them into fewer", maxFiles)
	}
	// The kind, and so the name, is known only at the end.
	partial := filepath.Join(r.dir, "partial")
	w, err := os.OpenFile(partial, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return "", unavailable("receiving a document", err)
	}
	defer w.Close() //nolint:errcheck // closed and judged below; this is for the error returns

	sum, sniff := sha256.New(), &sniffer{}
	buf := make([]byte, 64<<10)
	for {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		got, readErr := from.Read(buf)
		if r.left -= int64(got); r.left < 0 {
			return "", fax.Errorf(fax.TooLarge, "The documents are larger than %s", size(r.folder.most.Load()))
		}
		if _, err := sniff.Write(buf[:got]); err != nil {
			return "", err
		}
		sum.Write(buf[:got])
		if _, err := w.Write(buf[:got]); err != nil {
			return "", unavailable("receiving a document", err)
		}
		if errors.Is(readErr, io.EOF) {
			break
		}
		if readErr != nil {
			return "", fmt.Errorf("receiving a document: %w", readErr)
		}
	}
	if err := sniff.Close(); err != nil {
		return "", err
	}
	if err := errors.Join(w.Sync(), w.Close()); err != nil {
		return "", unavailable("receiving a document", err)
	}
	kind, err := r.folder.kindOf(partial, sniff)
	if err != nil {
		return "", err
	}
	if err := os.Rename(partial, filepath.Join(r.dir, source{n, kind}.name())); err != nil {
		return "", unavailable("receiving a document", err)
	}
	r.sums = sum.Sum(r.sums)
	return kind, nil
}

// kindOf tells the kind of a whole file, and refuses what this server lacks the
// program for.
func (f *Folder) kindOf(path string, s *sniffer) (Kind, error) {
	if s.kind != zipped && s.kind != compound && s.kind != RTF {
		return s.kind, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return "", unavailable("receiving a document", err)
	}
	defer file.Close() //nolint:errcheck // read only
	kind, err := officeKind(file, s.size, s.kind)
	if err == nil {
		err = f.reads(kind)
	}
	return kind, err
}

// Files is how many files were added.
func (r *Reception) Files() int { return len(r.kinds) }

// Digest tells the added files from any others: the same files in the same
// order have the same digest, whatever the job. It is 64 hexadecimal digits.
func (r *Reception) Digest() string {
	sum := sha256.Sum256(r.sums)
	return hex.EncodeToString(sum[:])
}

// Commit makes the files durable under the job's id: when it returns nil they
// survive a power failure. On error nothing is kept.
func (r *Reception) Commit() error {
	if r.dir == "" {
		return errors.New("document: Commit after the end of a reception")
	}
	err := r.commit()
	if err != nil {
		r.Abort()
	}
	r.dir = ""
	return err
}

func (r *Reception) commit() error {
	if r.failed != nil {
		return r.failed
	}
	if len(r.kinds) == 0 {
		return fax.Errorf(fax.BadDocument, "No document was sent")
	}
	err := r.folder.moveIn(r.dir, r.id)
	if errors.Is(err, fs.ErrExist) {
		return fax.Errorf(fax.Conflict, "Documents of this job are kept already")
	}
	if err != nil {
		if _, moved := os.Stat(r.dir); errors.Is(moved, fs.ErrNotExist) {
			r.dir = r.folder.jobDir(r.id) // what Abort removes, since the last step failed
		}
		return unavailable("keeping a document", err)
	}
	return nil
}

// Abort forgets what was received. After Commit it does nothing, so it can be
// deferred.
func (r *Reception) Abort() {
	if r.dir == "" {
		return
	}
	if err := os.RemoveAll(r.dir); err != nil {
		r.folder.Logger.Warn("an aborted upload could not be removed", "error", err)
	}
	r.dir = ""
}

func size(n int64) string {
	if n >= 1<<20 {
		return fmt.Sprintf("%.4g MB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%d bytes", n)
}
