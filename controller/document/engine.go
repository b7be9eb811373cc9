package document

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"time"
)

// engine is a program that has started and waits for a document. It draws one
// and ends: nothing of a document ever meets another.
type engine struct {
	cmd    *exec.Cmd
	orders *os.File // what it shall do, ended by closing
	pipe   *os.File
	out    *bufio.Reader // what it draws or tells
	dir    string        // where it runs, and what it writes there; gone with it
	doc    *os.File      // the document, its descriptor 3
	script *os.File      // its program, its descriptor 4
	said   report
	born   time.Time
}

// Names under which an engine finds its files, which have no other.
const (
	documentName = "/dev/fd/3"
	programName  = "/dev/fd/4"
)

// startEngine starts a program that reads orders and runs a script. It sees no
// name of a file of ours.
func (f *Folder) startEngine(script []byte, p confined) (_ *engine, err error) {
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
	if e.pipe, theirs[1], err = os.Pipe(); err != nil {
		return nil, err
	}
	widen(theirs[1])
	e.out = bufio.NewReaderSize(e.pipe, 64<<10)
	if e.doc, err = nameless(f.stage); err != nil {
		return nil, err
	}
	if e.script, err = nameless(f.stage); err != nil {
		return nil, err
	}
	if _, err := e.script.Write(script); err != nil {
		return nil, err
	}
	p.env = append(p.env, "HOME=/nonexistent", "TMPDIR=/nonexistent")
	p.cpu, p.memory = f.limits.cpu, f.limits.memory
	p.in, p.out, p.said, p.files = theirs[0], theirs[1], &e.said, []*os.File{e.doc, e.script}
	e.cmd, err = f.start(p)
	return e, err
}

// startGhostscript starts an engine that has read its own programs and fax.ps.
func (f *Folder) startGhostscript() (*engine, error) {
	gs, err := f.ghostscript()
	if err != nil {
		return nil, err
	}
	return f.startEngine(program, confined{path: gs, args: []string{
		"-dSAFER", "-dBATCH", "-dNOPAUSE", "-q", "-P-", "-sDEVICE=pgmraw", "-sstdout=%stderr", "-sOutputFile=%stdout",
		"-dUseFastColor", "-dDOINTERPOLATE", "-sBandListStorage=memory", "-dMaxBitmap=" + strconv.Itoa(maxMemory>>2),
		"--permit-file-read=" + documentName, "--permit-file-read=/proc/self/status", programName, "-",
	}})
}

// load gives the engine its document.
func (e *engine) load(from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	_, err = io.Copy(e.doc, in)
	return errors.Join(err, in.Close())
}

// order tells the engine what to do. One that does not listen any more is judged
// by what it said.
func (e *engine) order(format string, args ...any) {
	_, _ = fmt.Fprintf(e.orders, format+"\n", args...)
}

// close frees everything; the program has ended or is killed.
func (e *engine) close() {
	if e.cmd != nil && e.cmd.Process != nil && e.cmd.ProcessState == nil {
		kill(e.cmd)
		_ = e.cmd.Wait()
	}
	for _, file := range []*os.File{e.orders, e.pipe, e.doc, e.script} {
		_ = file.Close()
	}
	if e.dir != "" {
		_ = os.RemoveAll(e.dir)
	}
}

// fresh is how long a waiting engine may be used: its programs may be replaced
// on disk.
const fresh = 5 * time.Minute

// spares are engines that wait for documents.
type spares struct {
	start    func() (*engine, error)
	want     int
	mu       sync.Mutex
	waiting  []*engine
	starting int
	closed   bool
	work     sync.WaitGroup
}

// take takes a waiting engine, or starts one, and has others started.
func (s *spares) take() (*engine, error) {
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
	for ; len(s.waiting)+s.starting < s.want && !s.closed; s.starting++ {
		s.work.Go(s.add)
	}
	s.mu.Unlock()
	if ready != nil {
		return ready, nil
	}
	return s.start()
}

func (s *spares) add() {
	e, err := s.start()
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

// stop ends what waits, for good.
func (s *spares) stop() {
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

// spareWanted is how many engines of a kind are kept ready.
func (c Config) spareWanted() int {
	if c.Spare == 0 {
		return runtime.GOMAXPROCS(0)
	}
	return c.Spare
}
