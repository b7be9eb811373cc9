package document

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"faxbot/controller/fax"
)

func freeBytes(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return int64(st.Bavail) * int64(st.Bsize), nil //nolint:gosec,unconvert // the types differ between systems
}

// mkdir makes one folder as doc.go describes, whatever the umask. Where the
// umask is right already there is no chmod, which a hardened service may not
// use on a folder with a set-group-id bit.
func mkdir(path string) error {
	if err := os.Mkdir(path, dirMode); err != nil {
		return err
	}
	st, err := os.Stat(path)
	if err != nil || st.Mode().Perm() == dirMode {
		return err
	}
	return os.Chmod(path, dirMode|st.Mode()&fs.ModeSetgid)
}

// writeFile writes and syncs a new file.
func writeFile(path string, r io.Reader, mode fs.FileMode) error {
	w, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, r)
	if err == nil {
		err = w.Sync()
	}
	return errors.Join(err, w.Close())
}

// syncDir makes the names in a folder durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// unavailable turns an error of ours into one that may be shown.
func unavailable(what string, err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return &fax.Error{Problem: fax.Unavailable, Detail: "No room left for documents; try again later", Cause: fmt.Errorf("%s: %w", what, err)}
	}
	return &fax.Error{Problem: fax.Unavailable, Detail: "The document could not be stored; try again later", Cause: fmt.Errorf("%s: %w", what, err)}
}
