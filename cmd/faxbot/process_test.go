package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"faxbot/controller/logtest"
)

// nobodyPrints is in every key, password and path that tests give to a daemon.
const nobodyPrints = "that-nobody-prints"

// waiting bounds every wait; it is long because machines may be busy.
const waiting = time.Minute

// process is a faxbot that runs beside the test.
type process struct {
	t      testing.TB
	cmd    *exec.Cmd
	log    *logtest.Log  // what it says, if that is a log
	exited chan struct{} // closed when it has ended and all it said was read

	mu   sync.Mutex
	said []string      // lines of its output
	more chan struct{} // closed when there is another line
}

// start runs faxbot with these arguments in the test's environment without any
// of our variables, plus env. It is killed when the test ends.
func start(t testing.TB, env []string, args ...string) *process {
	t.Helper()
	cmd := exec.Command("faxbot", args...)
	cmd.Dir = t.TempDir()
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "FAX") && !strings.HasPrefix(v, "FREESWITCH") && !strings.HasPrefix(v, "API_KEY") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, env...)
	output, theirs, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = theirs, theirs
	err = cmd.Start()
	theirs.Close()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: cmd, exited: make(chan struct{}), more: make(chan struct{})}
	if args[0] == "serve" { // what demo says is for the person before it; simulate is the switch
		p.log = logtest.New(t, nobodyPrints)
	}
	go p.read(output)
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-p.exited
	})
	return p
}

func (p *process) read(output io.ReadCloser) {
	defer close(p.exited)
	defer output.Close()
	for lines := bufio.NewScanner(output); lines.Scan(); {
		p.mu.Lock()
		p.said = append(p.said, lines.Text())
		if p.log != nil {
			fmt.Fprintln(p.log, lines.Text())
		}
		close(p.more)
		p.more = make(chan struct{})
		p.mu.Unlock()
	}
	_ = p.cmd.Wait() // status judges
}

// await waits for a line that the pattern matches and returns the first group.
func (p *process) await(pattern string) string {
	p.t.Helper()
	re := regexp.MustCompile(pattern)
	late := time.After(waiting)
	for seen := 0; ; {
		p.mu.Lock()
		fresh, more := p.said[seen:], p.more
		p.mu.Unlock()
		for _, line := range fresh {
			if m := re.FindStringSubmatch(line); m != nil {
				return m[len(m)-1]
			}
		}
		seen += len(fresh)
		select {
		case <-more:
		case <-p.exited:
			p.mu.Lock()
			done := seen == len(p.said)
			p.mu.Unlock()
			if done {
				p.t.Fatalf("faxbot ended before it said %q:\n%s", pattern, p.output())
			}
		case <-late:
			p.t.Fatalf("faxbot did not say %q:\n%s", pattern, p.output())
		}
	}
}

func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.said, "\n")
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// status waits for the end and returns the exit status.
func (p *process) status() int {
	p.t.Helper()
	select {
	case <-p.exited:
	case <-time.After(waiting):
		p.t.Fatalf("faxbot did not end:\n%s", p.output())
	}
	return p.cmd.ProcessState.ExitCode()
}
