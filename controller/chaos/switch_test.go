package chaos_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"faxbot/controller/freeswitch/simulator"
)

// exchange is a simulated switch: in this process, or in one of its own.
type exchange interface {
	Addr() string // "" while it is down
	Script(number string, o simulator.Outcome)
	Ledger() []simulator.Entry
	Calls() int // that are up
	Restart(keepMemory bool)
}

// switchProcess is a simulated switch in a process of its own, which can be
// killed and can stand still. What it writes to its ledger outlives it.
type switchProcess struct {
	dir, name string
	seed      uint64

	mu      sync.Mutex // held to talk to it, and to start and to kill it
	process *exec.Cmd  // nil while it is down
	to      io.WriteCloser
	from    *bufio.Reader
	lives   uint64
	scripts map[string]simulator.Outcome

	state   sync.Mutex // of what others look at while it does not answer
	address string
	died    time.Time
	ledger  []simulator.Entry
	read    int64 // of the ledger's file
}

// What it is told, a line of JSON each; it answers each with its address.
type order struct {
	Config  simulator.Config
	Scripts map[string]simulator.Outcome
}

// switchVariable makes this program be a switch.
const switchVariable = "FAXBOT_CHAOS_SWITCH"

// beSwitch is the process: it ends when nobody talks to it any more.
func beSwitch() error {
	in := json.NewDecoder(os.Stdin)
	var first order
	if err := in.Decode(&first); err != nil {
		return err
	}
	sw, err := simulator.New(first.Config)
	if err != nil {
		return err
	}
	ctx, end := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- sw.Run(ctx) }()
	for next := first; err == nil; err = in.Decode(&next) {
		for number, o := range next.Scripts {
			sw.Script(number, o)
		}
		if _, err := fmt.Println(sw.Addr()); err != nil {
			break
		}
		next = order{}
	}
	end()
	return <-ended
}

func (s *switchProcess) file(kind string) string { return filepath.Join(s.dir, s.name+"."+kind) }

func (s *switchProcess) start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	s.lives++
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), switchVariable+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Stderr = os.Stderr
	to, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	from, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	s.process, s.to, s.from = cmd, to, bufio.NewReader(from)
	address, err := s.tell(order{simulator.Config{
		Speed: 60, Seed: s.seed + s.lives<<32, LedgerPath: s.file("ledger"), StatePath: s.file("state"),
	}, s.scripts})
	s.state.Lock()
	defer s.state.Unlock()
	s.address = address
	return err
}

// tell says something to the process and waits until it is done. s.mu is held.
func (s *switchProcess) tell(o order) (answer string, err error) {
	if err := json.NewEncoder(s.to).Encode(o); err != nil {
		return "", err
	}
	answer, err = s.from.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("switch %s says nothing: %w", s.name, err)
	}
	return answer[:len(answer)-1], nil
}

// kill is kill -9. When it returns, the process is gone.
func (s *switchProcess) kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return
	}
	_ = s.process.Process.Kill()
	_ = s.process.Wait()
	s.process = nil
	s.state.Lock()
	defer s.state.Unlock()
	s.address, s.died = "", time.Now()
}

// signal returns what goes to the process that runs now, even while that does
// not answer.
func (s *switchProcess) signal() func(syscall.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return func(syscall.Signal) error { return errors.New("the switch is down") }
	}
	process := s.process.Process
	return func(sig syscall.Signal) error { return process.Signal(sig) }
}

// forget loses what mod_db has kept.
func (s *switchProcess) forget() error {
	if err := os.Remove(s.file("state")); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// Restart implements exchange.
func (s *switchProcess) Restart(keepMemory bool) {
	s.kill()
	err := error(nil)
	if !keepMemory {
		err = s.forget()
	}
	if err = errors.Join(err, s.start()); err != nil {
		panic(err) // the referee has nothing left to judge by
	}
}

// Addr implements exchange.
func (s *switchProcess) Addr() string {
	s.state.Lock()
	defer s.state.Unlock()
	return s.address
}

// Script implements exchange.
func (s *switchProcess) Script(number string, o simulator.Outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.scripts == nil {
		s.scripts = map[string]simulator.Outcome{}
	}
	s.scripts[number] = o
	if s.process != nil {
		_, _ = s.tell(order{Scripts: map[string]simulator.Outcome{number: o}}) // the next life is told of it
	}
}

// Ledger implements exchange.
func (s *switchProcess) Ledger() []simulator.Entry {
	s.state.Lock()
	defer s.state.Unlock()
	f, err := os.Open(s.file("ledger"))
	if err != nil {
		return nil // nobody has been dialled yet
	}
	defer f.Close()
	if _, err := f.Seek(s.read, io.SeekStart); err != nil {
		panic(err)
	}
	for lines := bufio.NewReader(f); ; {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return slices.Clone(s.ledger) // the rest of a line is yet to come
		}
		s.read += int64(len(line))
		var e simulator.Entry
		if err := json.Unmarshal(line, &e); err != nil {
			panic(fmt.Sprintf("the ledger of switch %s has the line %q", s.name, line))
		}
		s.ledger = append(s.ledger, e)
	}
}

// Calls implements exchange.
func (s *switchProcess) Calls() int {
	all := s.Ledger()
	s.state.Lock()
	died := s.died
	s.state.Unlock()
	up := map[string]bool{}
	for _, e := range all {
		switch {
		case e.Kind == "dial" && e.Time.After(died):
			up[e.UUID] = true
		case e.Kind == "end":
			delete(up, e.UUID)
		}
	}
	return len(up)
}
