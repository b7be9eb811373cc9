package document

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// confined is a program that reads a stranger's document.
type confined struct {
	path string
	args []string
	env  []string // beside PATH and LC_ALL

	cpu    time.Duration // of a processor, rounded up to seconds
	memory int64         // bytes of address space
	output int64         // bytes of each file that it writes; none when 0
	in     *os.File
	out    io.Writer
	said   io.Writer
	files  []*os.File // its descriptors from 3 on, which it may open again as /dev/fd/3 …
	dir    *os.File   // where it runs, a folder that becomes its own; / when nil
}

// limited sets limits that also hold when the daemon is gone. A limit that cannot
// be set is already stricter. POSIX counts files in blocks of 512 bytes.
const limited = `{ ulimit -S -t "$1"; ulimit -H -t $(($1 + 2)); ulimit -v "$2"; ulimit -f "$3"; ulimit -c 0; } 2>/dev/null; shift 3; exec "$@"`

// start starts a program as far away from everything as this system allows: an
// unprivileged user when we are root, without a network.
func (f *Folder) start(p confined) (*exec.Cmd, error) {
	for {
		level := f.level.Load()
		cmd := exec.Command("/bin/sh", append([]string{ //nolint:gosec // the operator names the program
			"-c", limited, "sh", strconv.Itoa(int((p.cpu + time.Second - 1) / time.Second)), strconv.FormatInt(p.memory>>10, 10), strconv.FormatInt(p.output/512, 10), p.path,
		}, p.args...)...)
		cmd.Dir = "/"
		cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}, p.env...)
		cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = p.out, p.said, p.files
		if p.in != nil {
			cmd.Stdin = p.in
		}
		cmd.WaitDelay = 5 * time.Second
		attributes, user := confinement(int(level))
		cmd.SysProcAttr = attributes
		theirs := p.files
		if p.dir != nil {
			// Its own name leads through folders that are closed to others.
			cmd.Dir = "/proc/self/fd/" + strconv.Itoa(int(p.dir.Fd()))
			theirs = append(theirs, p.dir)
		}
		for _, file := range theirs {
			if user < 0 {
				break
			}
			if err := file.Chown(user, user); err != nil {
				return nil, err
			}
		}
		err := cmd.Start()
		if err == nil {
			return cmd, nil
		}
		if level+1 >= confinements || errors.Is(err, exec.ErrNotFound) {
			return nil, err
		}
		if f.level.CompareAndSwap(level, level+1) {
			f.Logger.Warn("programs that read documents cannot be confined as much as wanted here", "to", confinementNames[level], "error", err)
		}
	}
}

// kill ends a program that was started, and all that it started.
func kill(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }

// run runs a program to its end, or until ctx ends.
func (f *Folder) run(ctx context.Context, p confined) error {
	cmd, err := f.start(p)
	if err != nil {
		return err
	}
	return wait(ctx, cmd)
}

// wait waits for the end of a program, which comes when ctx ends.
func wait(ctx context.Context, cmd *exec.Cmd) error {
	stop := context.AfterFunc(ctx, func() { kill(cmd) })
	err := cmd.Wait()
	stop()
	kill(cmd) // what it left behind: its group lives as long as one of them
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// unnamed makes a file that loses its name at once.
func unnamed(dir string) (*os.File, error) {
	file, err := os.CreateTemp(dir, "nameless-")
	if err != nil {
		return nil, err
	}
	return file, os.Remove(file.Name())
}

// openMade opens a file that a confined program made. It may have made anything
// of that name: a link, or a pipe that would be waited for.
func openMade(dir, name string) (*os.File, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close() //nolint:errcheck // only a name
	file, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no file, but %s", name, info.Mode())
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}
