package document

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// Every limit ends a program that goes beyond it, without anybody watching.
func TestLimitsOfPrograms(t *testing.T) {
	t.Parallel()
	f, err := Open(Config{Dir: t.TempDir(), Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	signal := func(err error) syscall.Signal {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			if s, ok := exit.Sys().(syscall.WaitStatus); ok && s.Signaled() {
				return s.Signal()
			}
		}
		return 0
	}
	shell := func(script string) confined {
		return confined{path: "/bin/sh", args: []string{"-c", script}, cpu: time.Minute, memory: 1 << 30, output: 1 << 20}
	}

	t.Run("processor", func(t *testing.T) {
		t.Parallel()
		p := shell("while :; do :; done")
		p.cpu = time.Second
		if err := f.run(t.Context(), p); signal(err) != syscall.SIGXCPU {
			t.Error(err)
		}
	})
	t.Run("processor, whatever it does about it", func(t *testing.T) {
		t.Parallel()
		p := shell("trap '' XCPU; while :; do :; done")
		p.cpu = time.Second
		if err := f.run(t.Context(), p); signal(err) != syscall.SIGKILL {
			t.Error(err)
		}
	})
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		p := shell("x=aaaaaaaa; while :; do x=$x$x; done")
		p.memory = 64 << 20
		var said bytes.Buffer
		p.said = &said
		if err := f.run(t.Context(), p); err == nil || signal(err) == syscall.SIGXCPU {
			t.Error(err, said.String())
		}
	})
	t.Run("file size", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		own, err := os.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer own.Close() //nolint:errcheck // only a name
		p := shell("exec yes >big")
		p.dir = own
		if err := f.run(t.Context(), p); signal(err) != syscall.SIGXFSZ {
			t.Error(err)
		}
		if st, err := os.Stat(filepath.Join(dir, "big")); err != nil || st.Size() != p.output {
			t.Error(st, err)
		}
	})
	t.Run("what it started", func(t *testing.T) {
		t.Parallel()
		ours, theirs, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer ours.Close() //nolint:errcheck // only read
		p := shell("sleep 1000 &")
		p.files = []*os.File{theirs}
		if err := errors.Join(f.run(t.Context(), p), theirs.Close()); err != nil {
			t.Fatal(err)
		}
		// The pipe ends with the last program that has it.
		if _, err := io.ReadAll(ours); err != nil {
			t.Error(err)
		}
	})
}
