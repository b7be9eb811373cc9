package document

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Ways to confine a program, the strictest first.
const confinements = 2

var confinementNames = [confinements]string{"a network namespace of its own", ""}

// nobody is the user without rights (Debian's base-passwd).
const nobody = 65534

// confinement returns how to start a program: in a process group of its own, as
// nobody when we are root, and at level 0 without any network. The user is -1
// when it stays ours.
func confinement(level int) (*syscall.SysProcAttr, int) {
	attr, user := &syscall.SysProcAttr{Setpgid: true}, -1
	root := os.Geteuid() == 0
	if root {
		user = nobody
		attr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	if level == 0 {
		attr.Cloneflags = syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC
		if !root {
			uid, gid := os.Geteuid(), os.Getegid()
			attr.Cloneflags |= syscall.CLONE_NEWUSER
			attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: uid, HostID: uid, Size: 1}}
			attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: gid, HostID: gid, Size: 1}}
		}
	}
	return attr, user
}

// widen lets a pipe hold a megabyte, a third of a page, so that two programs
// wait less for each other. Where it may not it works as it is.
func widen(pipe *os.File) { _, _ = unix.FcntlInt(pipe.Fd(), unix.F_SETPIPE_SZ, 1<<20) }

// nameless makes a file in memory: it never has a name, is never written to disk,
// and is gone with its last descriptor.
func nameless(dir string) (*os.File, error) {
	fd, err := unix.MemfdCreate("document", unix.MFD_CLOEXEC)
	if err != nil {
		return unnamed(dir)
	}
	return os.NewFile(uintptr(fd), "document"), nil //nolint:gosec // a descriptor
}
