package chaos_test

import (
	"bufio"
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"faxbot/controller/fax"
	"faxbot/controller/freeswitch/simulator"
)

// What a person can try by hand: `faxbot simulate` and `faxbot serve`, ten
// pages, and kill -9 of the daemon in the fourth. The switch goes on sending;
// the next life of the daemon learns that all of them arrived, and dials
// nobody.
func TestKilledInTenPages(t *testing.T) {
	r := &round{
		rand: rand.New(rand.NewPCG(1, 1)), dir: t.TempDir(), state: t.TempDir(),
		struck: make(chan struct{}), daemon: &daemon{},
	}
	ledger := filepath.Join(r.dir, "ledger.jsonl")
	sw := exec.Command(program, "simulate", "--listen=127.0.0.1:0", "--speed=60", "--ledger="+ledger, "--state="+filepath.Join(r.dir, "switch.jsonl"))
	sw.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	said, err := sw.StderrPipe()
	if err == nil {
		err = sw.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sw.Process.Kill(); _ = sw.Wait() })
	line, err := bufio.NewReader(said).ReadString('\n')
	found := regexp.MustCompile(`address=(\S+)`).FindStringSubmatch(line)
	if err != nil || found == nil {
		t.Fatalf("the switch says %q, %v", line, err)
	}
	if r.commands, err = newWire(toSwitch, func() string { return found[1] }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.commands.close)
	if r.calls, err = newWire(toDaemon, func() string { return r.daemon.at(forSockets) }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.calls.close)
	t.Cleanup(r.tearDown)
	if err := r.setUpDaemon(program); err != nil {
		t.Fatal(err)
	}

	s := &submission{key: "ten pages", number: "+15551230001", pages: 10}
	r.faxes = []*submission{s}
	r.submit(s)
	count := func(kind string) (n int) {
		text, _ := os.ReadFile(ledger)
		for line := range strings.Lines(string(text)) {
			var e simulator.Entry
			if json.Unmarshal([]byte(line), &e) == nil && e.Kind == kind {
				n++
			}
		}
		return n
	}
	killed := false
	for end := time.Now().Add(patience); !s.last.over(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the fax is still %s; %s", s.last.State, r.gather())
		}
		if !killed && count("page") >= 3 {
			killed = true
			r.daemon.kill()
		}
		r.look()
	}
	if s.last.State != fax.Done || s.last.Confirmed != 10 || !killed || r.daemon.lives != 2 || count("dial") != 1 || count("page") != 10 {
		t.Errorf("killed: %v, %d lives, %d dials, %d pages: %+v\n%s", killed, r.daemon.lives, count("dial"), count("page"), s.last, r.gather())
	}
}
