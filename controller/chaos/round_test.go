package chaos_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"faxbot/controller/freeswitch/simulator"
	"faxbot/controller/logtest"
	"faxbot/dialplan"

	_ "modernc.org/sqlite" // to stand in the daemon's way, and to make retries due
)

// round is one experiment: a switch, a daemon in a process of its own, wires
// between them, a few faxes and one fault.
type round struct {
	seed   uint64
	number int
	fault  fault
	detail string // what was chosen, for a person

	rand     *rand.Rand // for the goroutine that runs the round
	dir      string
	state    string // where the daemon keeps everything
	sw       exchange
	commands *wire
	calls    *wire
	daemon   *daemon
	fleet    *stand // of a round with several hosts; the four above are those of the first
	faxes    []*submission
	struck   chan struct{} // closed when the fault has happened
	cleanup  []func()
	evidence string        // of what went wrong
	outage   time.Duration // how long something is broken

	mu       sync.Mutex
	crashes  []crash
	problems []problem
	work     sync.WaitGroup
}

// crash is a restart of the switch.
type crash struct {
	sw       exchange
	from, at time.Time // it died between the two
	kept     bool      // mod_db's table survived
}

// problem is a broken promise.
type problem struct {
	kind promise
	text string
}

type promise int

const (
	lost    promise = iota // an accepted fax without an end
	doubled                // a number dialled or a page sent once too often
	wrong                  // a status that the switch's ledger contradicts
	unfit                  // the round itself could not be run
)

func (r *round) complain(kind promise, format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.problems = append(r.problems, problem{kind, fmt.Sprintf(format, args...)})
}

// patience is how long the faxes of a round may take to their ends.
const patience = 90 * time.Second

// run does the whole round and leaves what is broken in problems.
func (r *round) run(program string) {
	if err := r.setUp(program); err != nil {
		r.complain(unfit, "set up: %v", err)
	} else {
		r.perform()
		r.daemon.close()
		r.checkLog()
	}
	if len(r.problems) > 0 {
		r.evidence = r.gather()
	}
	r.tearDown()
}

// checkLog looks for what a daemon must never say.
func (r *round) checkLog() {
	log, err := os.ReadFile(r.daemon.log.Name())
	if err != nil {
		r.complain(unfit, "log: %v", err)
	}
	for _, leak := range logtest.Leaks(string(log)) {
		r.complain(wrong, "%s", leak)
	}
	for _, word := range []string{"panic: ", "fatal error: ", "DATA RACE"} {
		if bytes.Contains(log, []byte(word)) {
			r.complain(wrong, "the daemon's log has a %q", word)
		}
	}
}

func (r *round) tearDown() {
	for i := len(r.cleanup) - 1; i >= 0; i-- {
		r.cleanup[i]()
	}
}

func (r *round) later(end func()) { r.cleanup = append(r.cleanup, end) }

func (r *round) setUp(program string) (err error) {
	r.struck, r.daemon = make(chan struct{}), &daemon{}
	if r.dir, err = os.MkdirTemp("", "faxbot-chaos-"); err != nil {
		return err
	}
	r.later(func() { os.RemoveAll(r.dir) })
	r.state = filepath.Join(r.dir, "state")
	if err := os.Mkdir(r.state, 0o750); err != nil {
		return err
	}
	if r.fault.prepare != nil {
		if err := r.fault.prepare(r); err != nil {
			return err
		}
	}
	sw, err := simulator.New(simulator.Config{
		Speed: 40 + 160*r.rand.Float64(), Seed: r.seed + uint64(r.number) + 1,
		LedgerPath: filepath.Join(r.dir, "ledger.jsonl"), StatePath: filepath.Join(r.dir, "switch.jsonl"),
	})
	if err != nil {
		return err
	}
	ctx, end := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- sw.Run(ctx) }()
	r.later(func() { end(); <-ended })
	r.sw = sw

	if r.commands, err = newWire(toSwitch, r.sw.Addr); err != nil {
		return err
	}
	r.later(r.commands.close)
	if r.calls, err = newWire(toDaemon, func() string { return r.daemon.at(forSockets) }); err != nil {
		return err
	}
	r.later(r.calls.close)
	files, err := dialplan.Files(dialplan.Site{Socket: r.calls.addr()}, dialplan.ExtensionPart)
	if err != nil {
		return err
	}
	if err := sw.Load("default", string(files[0].Text)); err != nil {
		return err
	}
	return r.setUpDaemon(program)
}

func (r *round) setUpDaemon(program string) error {
	log, err := os.Create(filepath.Join(r.dir, "daemon.log"))
	if err != nil {
		return err
	}
	r.later(func() { log.Close() })
	_, port, err := net.SplitHostPort(r.commands.addr())
	if err != nil {
		return err
	}
	slow := rand.New(rand.NewPCG(r.seed, uint64(r.number)<<32))
	d := r.daemon
	d.program, d.log = program, log
	d.pause = func() time.Duration { return time.Duration(slow.IntN(300)) * time.Millisecond }
	d.env = []string{"API_KEY=" + apiKey, "FREESWITCH_HOOK_SECRET=" + hookSecret, clockVariable + "=" + r.clock()}
	d.args = []string{
		"serve", "--listen=127.0.0.1:0", "--internal-listen=127.0.0.1:0", "--socket-listen=127.0.0.1:0",
		"--socket-advertise=" + r.calls.addr(), "--freeswitch-port=" + port, "--gateway-name=carrier", "--gateway-cps=1000", "--grace=2s",
		"--database-url=sqlite:///" + r.database(), "--data-dir=" + filepath.Join(r.state, "documents"),
		"--host=chaos", "--log-format=json", "--log-level=debug",
	}
	if r.number%2 == 1 { // calls come through the switch's dialplan
		d.args = append(d.args, "--dialplan=faxbot XML default")
	}
	r.later(d.close)
	return d.start()
}

func (r *round) database() string { return filepath.Join(r.state, "faxbot.db") }

// perform submits, lets the fault happen, waits for the ends and judges them.
func (r *round) perform() {
	r.faxes = r.choose()
	r.fault.arm(r)
	for _, s := range r.faxes {
		r.script(s.number, s.outcomes[0])
		r.work.Add(1)
		go func() { defer r.work.Done(); r.submit(s) }()
	}
	settled := r.wait(patience)
	if !r.hasStruck() {
		r.complain(unfit, "the fault did not happen")
		r.strike(func() {})
	}
	r.hangUps()
	r.work.Wait()
	r.judge(settled)
}

// strike lets the fault happen; only the first time counts.
func (r *round) strike(do func()) {
	r.mu.Lock()
	first := !r.hasStruck()
	if first {
		close(r.struck)
	}
	r.mu.Unlock()
	if first {
		do()
	}
}

// after does something in another goroutine after a while.
func (r *round) after(d time.Duration, do func()) {
	r.work.Add(1)
	go func() {
		defer r.work.Done()
		time.Sleep(d)
		do()
	}()
}

// restart is a crash and a new start of the switch.
func (r *round) restart(keep bool) {
	r.crash(r.sw, keep, func() { r.sw.Restart(keep) })
}

// crash notes that a switch dies in do.
func (r *round) crash(sw exchange, keep bool, do func()) {
	for _, d := range r.daemons() {
		d.blind.begin()
	}
	from := time.Now()
	do()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.crashes = append(r.crashes, crash{sw, from, time.Now(), keep})
}

func (r *round) switches() []exchange {
	if r.fleet == nil {
		return []exchange{r.sw}
	}
	var all []exchange
	for _, sw := range r.fleet.switches {
		all = append(all, sw)
	}
	return all
}

func (r *round) daemons() []*daemon {
	if r.fleet != nil {
		return r.fleet.daemons
	}
	return []*daemon{r.daemon}
}

// up counts the calls that are up.
func (r *round) up() (n int) {
	for _, sw := range r.switches() {
		n += sw.Calls()
	}
	return n
}

// wasBlind says that at some instant between the two a daemon heard nothing.
func (r *round) wasBlind(from, to time.Time) bool {
	return slices.ContainsFunc(r.daemons(), func(d *daemon) bool { return d.blind.touch(from, to) })
}

func (r *round) script(number string, o simulator.Outcome) {
	for _, sw := range r.switches() {
		sw.Script(number, o)
	}
}

// wait returns true when every fax has come to an end. It makes the faxes that
// wait for their next call due, when nothing else goes on.
func (r *round) wait(limit time.Duration) bool {
	calm := time.Now() // since when faxes only wait
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		waiting, open := r.look()
		if open == 0 && r.hasStruck() {
			return true
		}
		if open == 0 || waiting < open {
			calm = time.Now()
		}
		if open > 0 && waiting == open && (r.up() == 0 || time.Since(calm) > hangUpTime) {
			r.makeDue()
			calm = time.Now()
		}
	}
	return false
}

// hangUpTime is how long a call may stay up after its fax has ended.
const hangUpTime = 8 * time.Second

// hangUps waits until no call is left. The daemon hangs up those that stay up
// by themselves, unless it dies first: then that is left to the switch.
func (r *round) hangUps() {
	for end := time.Now().Add(hangUpTime); r.up() > 0 && time.Now().Before(end); {
		time.Sleep(20 * time.Millisecond)
	}
	for _, h := range r.history() {
		if r.over(h).IsZero() && h.judged && !r.wasBlind(h.done, h.done.Add(hangUpTime/2)) {
			r.complain(wrong, "call %s is still up, %s after its fax ended", h.attempt, time.Since(h.done))
		}
	}
}

func (r *round) hasStruck() bool {
	select {
	case <-r.struck:
		return true
	default:
		return false
	}
}

// makeDue lets time pass for the faxes and numbers that rest, and
// has the daemon notice: by a restart, or by a link that comes up.
func (r *round) makeDue() {
	for _, s := range r.faxes {
		s.next(r)
	}
	if r.fleet != nil {
		r.releaseAll()
		return
	}
	if err := r.alter("UPDATE jobs SET due_at = 1 WHERE state IN ('queued', 'retry'); UPDATE destinations SET rest_until = NULL"); err != nil {
		return // the next look tries again
	}
	if r.rand.IntN(2) == 0 {
		r.daemon.kill()
	} else {
		r.daemon.blind.begin()
		r.commands.cut()
	}
	// Time to claim them.
	for range 20 {
		time.Sleep(50 * time.Millisecond)
		if waiting, open := r.look(); waiting < open || open == 0 {
			return
		}
	}
}

// alter changes the daemon's database behind its back.
func (r *round) alter(query string) error {
	db, err := sql.Open("sqlite", "file:"+r.database()+"?_busy_timeout=2000&mode=rw")
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.Exec(query)
	return err
}

// seize takes the database's only write lock, until free is called.
func (r *round) seize() (free func(), err error) {
	db, err := sql.Open("sqlite", "file:"+r.database()+"?_busy_timeout=2000&mode=rw&_txlock=immediate")
	if err != nil {
		return nil, err
	}
	tx, err := db.Begin()
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return func() { _ = errors.Join(tx.Rollback(), db.Close()) }, nil
}

// gather keeps what the folder of the round would take with it.
func (r *round) gather() string {
	var b strings.Builder
	for _, name := range []string{"ledger.jsonl", "daemon.log"} {
		text, err := os.ReadFile(filepath.Join(r.dir, name))
		fmt.Fprintf(&b, "--- %s %v\n%s", name, errors.Join(err), text)
	}
	return b.String()
}
