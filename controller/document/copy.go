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
	"strings"

	"faxbot/controller/fax"
)

// The folder is a cache of Config.Bucket, where there is one: everything is put
// there before it counts, and what is missing here comes from there.

// key is the name of a job's file in the bucket.
func key(id fax.JobID, name string) string { return string(id) + "/" + name }

// Keep puts what was submitted into the bucket. When it returns nil the files of
// a committed job survive the loss of this host. On error they are kept here.
func (f *Folder) Keep(ctx context.Context, id fax.JobID) error {
	if f.Bucket == nil {
		return nil
	}
	list, err := f.here(id)
	if err != nil {
		return err
	}
	for _, s := range list {
		if err := f.Bucket.Put(ctx, key(id, s.name()), filepath.Join(f.jobDir(id), s.name())); err != nil {
			return unavailable("keeping a document", err)
		}
	}
	return nil
}

// keepPages puts a TIFF into the bucket that is about to be published, so that
// no host ever takes the one before it for the newer.
func (f *Folder) keepPages(ctx context.Context, id fax.JobID, from string) error {
	if f.Bucket == nil {
		return nil
	}
	if err := f.Bucket.Put(ctx, key(id, tiffName), from); err != nil {
		return unavailable("keeping the pages of a fax", err)
	}
	return nil
}

// Fetch brings what the bucket has of a job and this folder has not, or has of
// an earlier time. A job that the bucket does not know is no error, and while it
// cannot be reached what is here must do.
func (f *Folder) Fetch(ctx context.Context, id fax.JobID) error {
	if f.Bucket == nil {
		return nil
	}
	if _, err := fax.ParseJobID(string(id)); err != nil {
		return err
	}
	if _, err := os.Stat(f.jobDir(id)); errors.Is(err, fs.ErrNotExist) {
		return f.fetchAll(ctx, id)
	}
	return f.fetchPages(ctx, id)
}

func (f *Folder) fetchAll(ctx context.Context, id fax.JobID) error {
	temporary, err := os.MkdirTemp(f.stage, "fetch-")
	work := filepath.Join(temporary, "job")
	if err == nil {
		err = mkdir(work)
	}
	if err != nil {
		return unavailable("fetching a document", err)
	}
	defer os.RemoveAll(temporary) //nolint:errcheck // swept by the next Open
	found := false
	for name, err := range f.Bucket.List(ctx, key(id, "")) {
		if err == nil && (!filepath.IsLocal(name) || strings.ContainsAny(name, `/\`)) {
			continue // not ours
		}
		if err == nil {
			found = true
			err = f.fetch(ctx, id, name, filepath.Join(work, name))
		}
		if err != nil {
			return unavailable("fetching a document", err)
		}
	}
	if !found {
		return nil
	}
	if err := f.moveIn(work, id); err != nil && !errors.Is(err, fs.ErrExist) { // somebody was quicker
		return unavailable("fetching a document", err)
	}
	return nil
}

// fetchPages replaces the TIFF when another host has made it again.
func (f *Folder) fetchPages(ctx context.Context, id fax.JobID) error {
	theirs, err := f.Bucket.Sum(ctx, key(id, tiffName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	ours, missing := sumOf(f.TIFF(id))
	switch {
	case err != nil && missing == nil && ctx.Err() == nil:
		f.Logger.Warn("the bucket cannot be asked whether the pages of a fax are the latest; those in the folder are used", "fax", id, "error", err)
		return nil
	case err != nil:
		return unavailable("fetching the pages of a fax", err)
	case missing == nil && ours == theirs:
		return nil
	}
	work, err := os.MkdirTemp(f.stage, "fetch-")
	if err != nil {
		return unavailable("fetching the pages of a fax", err)
	}
	defer os.RemoveAll(work) //nolint:errcheck // swept by the next Open
	fresh := filepath.Join(work, tiffName)
	if err := f.fetch(ctx, id, tiffName, fresh); err != nil {
		return unavailable("fetching the pages of a fax", err)
	}
	return f.publish(fresh, f.TIFF(id))
}

// fetch writes a file of the bucket here.
func (f *Folder) fetch(ctx context.Context, id fax.JobID, name, to string) error {
	mode := fs.FileMode(0o600)
	if name == tiffName {
		mode = 0o640
	}
	file, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	err = f.Bucket.Get(ctx, key(id, name), file)
	if err == nil {
		err = errors.Join(file.Chmod(mode), file.Sync()) // whatever the umask
	}
	return errors.Join(err, file.Close())
}

// sumOf is the SHA-256 of a file, in hexadecimal.
func sumOf(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close() //nolint:errcheck // read only
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// Drop deletes what this folder has of a job whose documents another host has
// removed. Without a bucket that is the same folder, and nothing is left.
func (f *Folder) Drop(id fax.JobID) error {
	if f.Bucket == nil {
		return nil
	}
	if _, err := fax.ParseJobID(string(id)); err != nil {
		return err
	}
	if err := f.removeHere(id); err != nil {
		return fmt.Errorf("removing a job's documents: %w", err)
	}
	return nil
}
