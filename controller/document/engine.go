package document

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// engine is a Ghostscript that has read its own programs and waits for a
// document. It draws one and ends: nothing of a document ever meets another.
type engine struct {
	cmd    *exec.Cmd
	orders *os.File // its program, ended by closing
	pages  *os.File // what it draws, as PGM
	doc    *os.File // the document, its descriptor 3
	ps     *os.File // fax.ps, its descriptor 4
	said   report
	born   time.Time
}

// limited runs a program under limits that also hold when the daemon is gone. A
// limit that cannot be set is already stricter. No file can be written at all.
const limited = `ulimit -t "$1"; ulimit -v "$2"; ulimit -f 0; ulimit -c 0; shift 2; exec "$@"`

// Names under which an engine finds its files, which have no other.
const (
	documentName = "/dev/fd/3"
	programName  = "/dev/fd/4"
)

// start starts an engine. It needs no folder, sees no name of a file of ours,
// and, where the system allows, is an unprivileged user without a network.
func (f *Folder) start() (_ *engine, err error) {
	gs, err := f.ghostscript()
	if err != nil {
		return nil, err
	}
	e := &engine{born: time.Now()}
	var theirs [2]*os.File
	defer func() {
		for _, file := range theirs {
			_ = file.Close()
		}
		if err != nil {
			e.close()
		}
	}()
	if theirs[0], e.orders, err = os.Pipe(); err != nil {
		return nil, err
	}
	if e.pages, theirs[1], err = os.Pipe(); err != nil {
		return nil, err
	}
	widen(theirs[1])
	if e.doc, err = nameless(f.stage); err != nil {
		return nil, err
	}
	if e.ps, err = nameless(f.stage); err != nil {
		return nil, err
	}
	if _, err := e.ps.Write(program); err != nil {
		return nil, err
	}
	for {
		level := f.level.Load()
		e.cmd = exec.Command("/bin/sh", //nolint:gosec // the operator names the program
			"-c", limited, "sh", strconv.Itoa(int(f.Timeout.Seconds())+1), strconv.Itoa(maxMemory>>10),
			gs, "-dSAFER", "-dBATCH", "-dNOPAUSE", "-q", "-P-", "-sDEVICE=pgmraw", "-sstdout=%stderr", "-sOutputFile=%stdout",
			"-dUseFastColor", "-dDOINTERPOLATE", "-sBandListStorage=memory", "-dMaxBitmap="+strconv.Itoa(maxMemory>>2), "--permit-file-read="+documentName, programName, "-")
		e.cmd.Dir = "/"
		e.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent", "TMPDIR=/nonexistent", "LC_ALL=C"}
		e.cmd.Stdin, e.cmd.Stdout, e.cmd.Stderr = theirs[0], theirs[1], &e.said
		e.cmd.ExtraFiles = []*os.File{e.doc, e.ps}
		e.cmd.WaitDelay = 5 * time.Second
		attributes, user := confinement(int(level))
		e.cmd.SysProcAttr = attributes
		if user >= 0 {
			if err := errors.Join(e.doc.Chown(user, user), e.ps.Chown(user, user)); err != nil {
				return nil, err
			}
		}
		err := e.cmd.Start()
		if err == nil {
			return e, nil
		}
		if level+1 >= confinements || errors.Is(err, exec.ErrNotFound) {
			return nil, err
		}
		if f.level.CompareAndSwap(level, level+1) {
			f.Logger.Warn("Ghostscript cannot be confined as much as wanted here", "to", confinementNames[level], "error", err)
		}
	}
}

// nameless makes a file that is gone with its last descriptor.
func nameless(dir string) (*os.File, error) {
	file, err := os.CreateTemp(dir, "nameless-")
	if err != nil {
		return nil, err
	}
	return file, os.Remove(file.Name())
}

// kill ends the program and all it started.
func (e *engine) kill() { _ = syscall.Kill(-e.cmd.Process.Pid, syscall.SIGKILL) }

// close frees everything; the program has ended or is killed.
func (e *engine) close() {
	if e.cmd != nil && e.cmd.Process != nil && e.cmd.ProcessState == nil {
		e.kill()
		_ = e.cmd.Wait()
	}
	for _, file := range []*os.File{e.orders, e.pages, e.doc, e.ps} {
		_ = file.Close()
	}
}

// fresh is how long a waiting engine may be used: its programs may be replaced
// on disk.
const fresh = 5 * time.Minute

// spares are engines that wait for documents.
type spares struct {
	mu       sync.Mutex
	waiting  []*engine
	starting int
	closed   bool
	work     sync.WaitGroup
}

// engine takes a waiting engine, or starts one, and has others started.
func (f *Folder) engine() (*engine, error) {
	s := &f.spare
	s.mu.Lock()
	var ready *engine
	for len(s.waiting) > 0 && ready == nil {
		e := s.waiting[0]
		s.waiting = s.waiting[1:]
		if time.Since(e.born) < fresh {
			ready = e
		} else {
			e.close()
		}
	}
	for want := f.spareWanted(); len(s.waiting)+s.starting < want && !s.closed; s.starting++ {
		s.work.Go(f.startSpare)
	}
	s.mu.Unlock()
	if ready != nil {
		return ready, nil
	}
	return f.start()
}

func (f *Folder) spareWanted() int {
	if f.Spare == 0 {
		return runtime.GOMAXPROCS(0)
	}
	return f.Spare
}

func (f *Folder) startSpare() {
	e, err := f.start()
	s := &f.spare
	s.mu.Lock()
	defer s.mu.Unlock()
	s.starting--
	switch {
	case err != nil: // whoever needs one will be told
	case s.closed:
		e.close()
	default:
		s.waiting = append(s.waiting, e)
	}
}

// stopSpares ends what waits, for good.
func (f *Folder) stopSpares() {
	s := &f.spare
	s.mu.Lock()
	s.closed = true
	waiting := s.waiting
	s.waiting = nil
	s.mu.Unlock()
	for _, e := range waiting {
		e.close()
	}
	s.work.Wait()
}

// order gives the engine its document, which was written to e.doc, and what to
// draw of it.
func (e *engine) order(res Resolution, first, last, most int) {
	// An engine that does not listen any more is judged by what it said.
	_, _ = fmt.Fprintf(e.orders, "/FaxLines %d def /FaxFirst %d def /FaxLast %d def /FaxMaxPages %d def (%s) faxfile\n", res, first, last, most, documentName)
	_ = e.orders.Close()
}
