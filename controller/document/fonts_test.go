package document_test

import (
	"os"
	"path/filepath"
	"testing"

	"faxbot/controller/document"

	"golang.org/x/sys/unix"
)

// Texts are set on a disk that has become full since the folder was opened: what
// is known of the fonts by then does not need it.
func TestFontsOnADiskThatFillsUp(t *testing.T) {
	t.Parallel()
	disk := t.TempDir()
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=12m"); err != nil {
		t.Skipf("no disk can be mounted here: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(disk, unix.MNT_DETACH) })
	f := open(t, document.Config{Dir: filepath.Join(disk, "documents")})
	id := receive(t, f, []byte("Hello\n"))
	var left unix.Statfs_t
	if err := unix.Statfs(disk, &left); err != nil {
		t.Fatal(err)
	}
	const enough = 1 << 20 // for a page, but for no index of fonts
	if err := os.WriteFile(filepath.Join(disk, "other"), make([]byte, int64(left.Bavail)*left.Bsize-enough), 0o600); err != nil {
		t.Fatal(err)
	}
	if made, err := f.Prepare(t.Context(), id, document.Options{}); err != nil || made.Pages != 1 {
		t.Errorf("%d pages, %v", made.Pages, err)
	}
}
