package chaos_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
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
	pause   func() time.Duration // before the next start
	heard   func(message string) // each that it logs; may be nil
	door    *wire                // through which calls reach it, shut while it is down; may be nil

	mu      sync.Mutex
	process *exec.Cmd // nil while it is down
	gone    chan struct{}
	address map[string]string
	ended   bool
	quit    chan struct{} // closed when it is ended for good
	hurry   bool          // until it is up it is started without a pause
	lives   int
	blind   []span // when it could hear nothing of the switch
	work    sync.WaitGroup
}

// span is a stretch of time; to is zero while it lasts.
type span struct{ from, to time.Time }

var errEnded = errors.New("it was ended for good")

// What the daemon says it listens for.
const (
	forREST    = "REST"
	forHooks   = "metrics and the result hook"
	forSockets = "answered calls"
)

func (d *daemon) start() error {
	d.darken()
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
		var line struct{ Msg, For, Address string }
		if json.Unmarshal(lines.Bytes(), &line) != nil {
			continue
		}
		if d.heard != nil {
			d.heard(line.Msg)
		}
		switch line.Msg {
		case "listening":
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
			d.lighten()
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
	d.darken()
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
		d.darken()
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

// at is the address of one of its doors; "" while it is closed.
func (d *daemon) at(door string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.address[door]
}

// darken notes that from now on the daemon hears nothing of the switch.
func (d *daemon) darken() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n := len(d.blind); n == 0 || !d.blind[n-1].to.IsZero() {
		d.blind = append(d.blind, span{from: time.Now()})
	}
}

func (d *daemon) lighten() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n := len(d.blind); n > 0 && d.blind[n-1].to.IsZero() {
		d.blind[n-1].to = time.Now()
	}
}

// wasBlind says that at some instant between the two the daemon heard nothing.
func (d *daemon) wasBlind(from, to time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range d.blind {
		if s.from.Before(to) && (s.to.IsZero() || s.to.After(from)) {
			return true
		}
	}
	return false
}
