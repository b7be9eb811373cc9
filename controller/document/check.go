package document

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"faxbot/controller/fax"
)

// Check says whether documents can be taken in and converted now; its error
// tells the operator what to do.
func (f *Folder) Check(ctx context.Context) error {
	_, gs := f.CheckGhostscript(ctx)
	_, free := f.CheckFree()
	return errors.Join(gs, f.CheckWritable(), free, f.CheckBucket(ctx))
}

// CheckBucket says whether the bucket can be used, where there is one.
func (f *Folder) CheckBucket(ctx context.Context) error {
	if f.Bucket == nil {
		return nil
	}
	return f.Bucket.Check(ctx)
}

// MissingOffice lists the packages without which some office documents are
// refused.
func (f *Folder) MissingOffice() []string {
	var missing []string
	for _, o := range offices {
		if f.reads(o.kinds[0]) != nil {
			missing = append(missing, o.packaged)
		}
	}
	return missing
}

// Programs are the paths of those that documents can do without; "" where there
// is none.
func (f *Folder) Programs() (libreOffice, muPDF string) { return f.office(), f.mupdf() }

// CheckWritable writes a file, syncs and removes it.
func (f *Folder) CheckWritable() error {
	probe := filepath.Join(f.stage, rand.Text())
	err := writeFile(probe, strings.NewReader("written by the health check"), 0o600)
	if err == nil {
		err = syncDir(f.stage)
	}
	_ = os.Remove(probe)
	if err != nil {
		return fmt.Errorf("document folder %s cannot be written: %w; check its owner and mode", f.Dir, err)
	}
	return nil
}

// CheckFree returns how many bytes are free for documents, and an error when
// they are too few.
func (f *Folder) CheckFree() (int64, error) {
	free, err := freeBytes(f.Dir)
	if err != nil {
		return 0, fmt.Errorf("document folder %s: %w", f.Dir, err)
	}
	if free < minFree {
		return free, fmt.Errorf("document folder %s: only %d MiB are free, %d are needed; remove files or enlarge the disk", f.Dir, free>>20, minFree>>20)
	}
	return free, nil
}

// Probe returns the path of a file that FreeSWITCH must be able to read if it
// can read faxes, since it lies in the same folder and has the same mode, and
// its text. It lives as long as the Folder.
func (f *Folder) Probe() (path, text string, err error) {
	f.probe.Lock()
	defer f.probe.Unlock()
	path = filepath.Join(f.stage, "probe")
	if f.probed != "" {
		if _, err := os.Stat(path); err == nil {
			return path, f.probed, nil
		}
	}
	text = "FreeSWITCH reads this " + rand.Text()
	if err := writeFile(path, strings.NewReader(text), tiffMode); err != nil {
		return "", "", fmt.Errorf("document folder %s cannot be written: %w; check its owner and mode", f.Dir, err)
	}
	if err := os.Chmod(path, tiffMode); err != nil { // whatever the umask
		return "", "", err
	}
	f.probed = text
	return path, text, nil
}

// TryDrawing has a small PDF made a fax, in its place like any other, and
// removes it.
func (f *Folder) TryDrawing(ctx context.Context) (err error) {
	id := fax.NewJobID()
	r, err := f.Receive(ctx, id)
	if err != nil {
		return err
	}
	defer r.Abort()
	if _, err := r.Add(ctx, bytes.NewReader(smallPDF())); err != nil {
		return err
	}
	if err := r.Commit(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Remove(context.WithoutCancel(ctx), id)) }()
	made, err := f.Prepare(ctx, id, Options{})
	if err != nil {
		return fmt.Errorf("%w (%w)", err, errors.Unwrap(err))
	}
	if made.Pages != 1 || made.Sheets[0].Blank {
		return errors.New("Ghostscript drew another page than it was told to") //nolint:staticcheck // a name
	}
	return nil
}

// smallPDF is a page with a picture, which is for Ghostscript to draw.
func smallPDF() []byte {
	const square = "q 144 0 0 144 72 600 cm BI /W 1 /H 1 /BPC 8 /CS /G /F /AHx ID 00> EI Q"
	var b bytes.Buffer
	b.WriteString("%PDF-1.4\n")
	var at []int
	for i, object := range []string{
		"<</Type/Catalog/Pages 2 0 R>>",
		"<</Type/Pages/Kids[3 0 R]/Count 1>>",
		"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Resources<<>>/Contents 4 0 R>>",
		fmt.Sprintf("<</Length %d>>stream\n%s\nendstream", len(square), square),
	} {
		at = append(at, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, object)
	}
	start := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(at)+1)
	for _, offset := range at {
		fmt.Fprintf(&b, "%010d 00000 n \n", offset)
	}
	fmt.Fprintf(&b, "trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n", len(at)+1, start)
	return b.Bytes()
}
