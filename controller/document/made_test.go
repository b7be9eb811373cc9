package document

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// Whatever a program leaves, nothing but a file of its own folder is read, and
// nothing is waited for.
func TestOnlyFilesAreOpened(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	other := filepath.Join(t.TempDir(), "other")
	for _, name := range []string{filepath.Join(dir, "file"), other} {
		if err := os.WriteFile(name, []byte("page"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(other, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"link", "pipe", "folder", "absent", "../" + filepath.Base(filepath.Dir(other)) + "/other"} {
		if file, err := openMade(dir, name); err == nil {
			t.Errorf("%s is opened", name)
			_ = file.Close()
		}
	}
	file, err := openMade(dir, "file")
	if err != nil {
		t.Fatal(err)
	}
	_ = file.Close()
}
