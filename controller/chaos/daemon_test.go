package chaos_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// daemon is `faxbot serve` in a process of its own, and its supervisor: when
// it ends, it is started again.
type daemon struct {
	program string
	args    []string
	env     []string
	log     *os.File
	pause   func() time.Duration       // before the next start
	heard   func(message, host string) // each that it logs; may be nil
	door    *wire                      // through which calls reach it, shut while it is down; may be nil

	mu      sync.Mutex
	process *exec.Cmd // nil while it is down
	gone    chan struct{}
	address map[string]string
	ended   bool
	quit    chan struct{} // closed when it is ended for good
	hurry   bool          // until it is up it is started without a pause
	lives   int
	work    sync.WaitGroup

	blind  spans // when it could hear nothing of the switch
	silent spans // when it could renew no lease

	frozen atomic.Bool // it stands still
}

// spans are stretches of time.
type spans struct {
	mu   sync.Mutex
	list []span
}

type span struct{ from, to time.Time } // to is zero while it lasts

func (s *spans) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.list); n == 0 || !s.list[n-1].to.IsZero() {
		s.list = append(s.list, span{from: time.Now()})
	}
}

func (s *spans) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.list); n > 0 && s.list[n-1].to.IsZero() {
		s.list[n-1].to = time.Now()
	}
}

// touch says that an instant between the two is in one of them.
func (s *spans) touch(from, to time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.list, func(s span) bool { return s.from.Before(to) && (s.to.IsZero() || s.to.After(from)) })
}

var errEnded = errors.New("it was ended for good")

// What the daemon says it listens for.
const (
	forREST    = "REST"
	forHooks   = "metrics and the result hook"
	forSockets = "answered calls"
)

func (d *daemon) start() error {
	d.hush()
	d.quit = make(chan struct{})
	err := d.spawn()
	if err == nil {
		d.work.Add(1)
		go d.supervise()
	}
	return err
}

func (d *daemon) spawn() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ended {
		return errEnded
	}
	cmd := exec.Command(d.program, d.args...)
	cmd.Env = append(os.Environ(), d.env...)
	// The kernel ends it with us, however we end.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	said, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	d.lives++
	fmt.Fprintf(d.log, "--- life %d, pid %d\n", d.lives, cmd.Process.Pid)
	d.process, d.gone, d.address = cmd, make(chan struct{}), map[string]string{}
	d.work.Add(1)
	go d.listen(cmd, said, d.gone)
	return nil
}

// listen reads what the daemon says, to its end.
func (d *daemon) listen(cmd *exec.Cmd, said io.Reader, gone chan struct{}) {
	defer d.work.Done()
	open := false // the door
	lines := bufio.NewScanner(said)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		fmt.Fprintf(d.log, "%s\n", lines.Bytes())
		var line struct{ Msg, For, Address, Host string }
		if json.Unmarshal(lines.Bytes(), &line) != nil {
			continue
		}
		if d.heard != nil {
			d.heard(line.Msg, line.Host)
		}
		switch line.Msg {
		case "listening":
			d.silent.end()
			d.mu.Lock()
			d.address[line.For], d.hurry = line.Address, false
			d.mu.Unlock()
			if line.For == forSockets && d.door != nil {
				if err := d.door.listen(); err != nil {
					fmt.Fprintf(d.log, "--- no calls will come: %v\n", err)
				}
				open = true
			}
		case "command link is up":
			d.blind.end()
		}
	}
	if open {
		d.door.shut()
	}
	err := cmd.Wait()
	d.mu.Lock()
	fmt.Fprintf(d.log, "--- ended: %v\n", err)
	d.process, d.address = nil, nil
	d.mu.Unlock()
	d.hush()
	close(gone)
}

func (d *daemon) supervise() {
	defer d.work.Done()
	for {
		d.mu.Lock()
		gone := d.gone
		d.mu.Unlock()
		<-gone
		d.mu.Lock()
		pause := d.pause()
		if d.hurry {
			pause = 10 * time.Millisecond
		}
		d.mu.Unlock()
		select {
		case <-d.quit:
		case <-time.After(pause):
		}
		if err := d.spawn(); err != nil {
			fmt.Fprintf(d.log, "--- not started again: %v\n", err)
			return
		}
	}
}

// kill is kill -9. When it returns, the process is gone.
func (d *daemon) kill() {
	d.mu.Lock()
	process, gone := d.process, d.gone
	d.mu.Unlock()
	if process != nil {
		d.hush()
		_ = process.Process.Kill()
		<-gone
	}
}

// hasten has it started again and again, without a pause, until it is up again.
func (d *daemon) hasten() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hurry = true
}

// signal asks it to end.
func (d *daemon) signal(s os.Signal) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.process != nil {
		_ = d.process.Process.Signal(s)
	}
}

// close ends it for good.
func (d *daemon) close() {
	d.mu.Lock()
	if !d.ended && d.quit != nil {
		close(d.quit)
	}
	d.ended = true
	d.mu.Unlock()
	d.kill()
	d.work.Wait()
}

// hush notes that it is down.
func (d *daemon) hush() {
	d.blind.begin()
	d.silent.begin()
}

// at is the address of one of its doors; "" while it is closed.
func (d *daemon) at(door string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.address[door]
}
