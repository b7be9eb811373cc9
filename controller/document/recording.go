package document

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"faxbot/controller/fax"
)

// Recordings of calls stand beside the documents of their fax and go with
// them. They are packed, to a tenth: few are ever looked at.
func recordingName(call fax.AttemptID) string { return "call-" + string(call) + ".txt.gz" }

// maxRecording bounds what is unpacked.
const maxRecording = 16 << 20

// KeepRecording keeps what was said in a call. The first recording of a call
// stays, and where the documents are gone none is kept.
func (f *Folder) KeepRecording(ctx context.Context, id fax.JobID, call fax.AttemptID, text []byte) error {
	name := recordingName(call)
	to := filepath.Join(f.jobDir(id), name)
	if _, err := os.Stat(filepath.Dir(to)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if _, err := os.Stat(to); err == nil {
		return nil
	}
	work, err := os.MkdirTemp(f.stage, "call-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work) //nolint:errcheck // swept by the next Open
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err = z.Write(text)
	from := filepath.Join(work, name)
	if err = errors.Join(err, z.Close()); err == nil {
		err = writeFile(from, &packed, 0o600)
	}
	if err == nil && f.Bucket != nil {
		err = f.Bucket.Put(ctx, key(id, name), from)
	}
	if err != nil {
		return err
	}
	err = os.Rename(from, to)
	if errors.Is(err, fs.ErrNotExist) { // the documents have just been deleted
		err = nil
		if f.Bucket != nil {
			err = f.Bucket.Remove(ctx, key(id, name))
		}
	}
	return err
}

// Recording returns what KeepRecording has kept; fax.NotFound when there is
// nothing, or not any more.
func (f *Folder) Recording(ctx context.Context, id fax.JobID, call fax.AttemptID) ([]byte, error) {
	_, wrongJob := fax.ParseJobID(string(id))
	_, wrongCall := fax.ParseAttemptID(string(call))
	if err := errors.Join(wrongJob, wrongCall); err != nil {
		return nil, err
	}
	name := recordingName(call)
	packed, err := os.ReadFile(filepath.Join(f.jobDir(id), name))
	if errors.Is(err, fs.ErrNotExist) && f.Bucket != nil {
		var b bytes.Buffer
		err = f.Bucket.Get(ctx, key(id, name), &b)
		packed = b.Bytes()
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fax.Errorf(fax.NotFound, "This call was not recorded, or its recording is not kept any more")
	}
	var z *gzip.Reader
	if err == nil {
		z, err = gzip.NewReader(bytes.NewReader(packed))
	}
	var text []byte
	if err == nil {
		text, err = io.ReadAll(io.LimitReader(z, maxRecording))
	}
	if err != nil {
		return nil, fmt.Errorf("reading the recording of a call: %w", err)
	}
	return text, nil
}
