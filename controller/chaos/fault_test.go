package chaos_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// fault is one thing that goes wrong.
type fault struct {
	name    string
	prepare func(*round) error // before anything runs; may be nil
	arm     func(*round)       // before the first fax is submitted
	clock   bool               // needs a daemon whose clock can jump
	root    bool               // may be had by root only
}

var faults = []fault{
	{name: "kill -9 at any instant", arm: func(r *round) { r.at(anyInstant(r), r.daemon.kill) }},
	{name: "kill -9 during submission", arm: func(r *round) { r.at(r.instant(40*time.Millisecond), r.daemon.kill) }},
	{name: "kill -9 during conversion", arm: func(r *round) { r.at(r.instant(500*time.Millisecond), r.daemon.kill) }},
	{name: "kill -9, call stored, originate not sent", arm: func(r *round) { r.at(r.originates(true), r.daemon.kill) }},
	{name: "kill -9, originate sent, answer unread", arm: func(r *round) { r.at(r.originates(false), r.daemon.kill) }},
	{name: "kill -9, originate acknowledged", arm: func(r *round) { r.at(moment{toDaemon, "+OK Job-UUID", 1, false, true}, r.soon(r.daemon.kill)) }},
	{name: "kill -9, answered, call connects", arm: func(r *round) { r.at(moment{toDaemon, "", 1, false, false}, r.daemon.kill) }},
	{name: "kill -9, call has said who it is", arm: func(r *round) { r.at(moment{toDaemon, "CHANNEL_DATA", 1, false, false}, r.soon(r.daemon.kill)) }},
	{name: "kill -9, txfax stored, not sent", arm: func(r *round) { r.at(r.sends(true), r.daemon.kill) }},
	{name: "kill -9, txfax sent", arm: func(r *round) { r.at(r.sends(false), r.daemon.kill) }},
	{name: "kill -9 after a page", arm: func(r *round) { r.at(r.page(), r.soon(r.daemon.kill)) }},
	{name: "kill -9, fax ended, result unread", arm: func(r *round) { r.at(moment{toDaemon, "txfaxresult", 1, true, false}, r.daemon.kill) }},
	{name: "kill -9 at the commit of the result", arm: func(r *round) { r.at(moment{toDaemon, "txfaxresult", 1, false, false}, r.soon(r.daemon.kill)) }},
	{name: "kill -9, call ended", arm: func(r *round) {
		r.at(moment{toDaemon, "Event-Name: CHANNEL_HANGUP_COMPLETE", 1, false, false}, r.soon(r.daemon.kill))
	}},
	{name: "kill -9 after the commit", arm: func(r *round) { r.at(moment{toSwitch, "db delete/faxbot/", 1, r.coin(), true}, r.daemon.kill) }},
	{name: "kill -9, and again while taking up", arm: func(r *round) {
		pause := time.Duration(r.rand.IntN(1500)) * time.Millisecond
		r.at(r.anyMoment(), func() {
			r.daemon.kill()
			r.after(pause, r.daemon.kill)
		})
	}},
	{name: "command link drops", arm: func(r *round) { r.at(r.anyMoment(), r.cutCommands) }},
	{name: "call connections drop", arm: func(r *round) { r.at(r.anyMoment(), r.calls.cut) }},
	{name: "both drop", arm: func(r *round) { r.at(r.anyMoment(), func() { r.calls.cut(); r.cutCommands() }) }},
	{name: "switch restarts, memory kept", arm: func(r *round) { r.at(r.anyMoment(), func() { r.restart(true) }) }},
	{name: "switch restarts, memory lost", arm: func(r *round) { r.at(r.anyMoment(), func() { r.restart(false) }) }},
	{name: "kill -9, then switch restarts", arm: func(r *round) {
		keep, pause := r.coin(), time.Duration(r.rand.IntN(400))*time.Millisecond
		r.at(r.anyMoment(), func() {
			r.daemon.kill()
			r.after(pause, func() { r.restart(keep) })
		})
	}},
	{name: "hooks, repeated and late", arm: (*round).hooks},
	{name: "hooks, repeated and late, kill -9", arm: func(r *round) { r.hooks(); r.at(r.anyMoment(), r.daemon.kill) }},
	{name: "database locked", arm: func(r *round) { r.at(r.anyMoment(), r.lock(false)) }},
	{name: "database locked, kill -9", arm: func(r *round) { r.at(r.anyMoment(), r.lock(true)) }},
	{name: "cancelled, kill -9", arm: (*round).cancelAndKill},
	{name: "SIGTERM, drained", arm: func(r *round) { r.at(r.anyMoment(), func() { r.daemon.signal(syscall.SIGTERM) }) }},
	{name: "SIGTERM twice, calls hung up", arm: func(r *round) {
		r.at(r.anyMoment(), func() {
			r.daemon.signal(syscall.SIGTERM)
			r.after(200*time.Millisecond, func() { r.daemon.signal(syscall.SIGTERM) })
		})
	}},
	{name: "disk full", prepare: smallDisk, arm: func(r *round) { r.at(r.anyMoment(), r.fill) }, root: true},
	{name: "clock jumps", arm: func(r *round) { r.at(r.anyMoment(), r.jump()) }, clock: true},
}

// moment is when a fault happens: when a text passes on a wire.
type moment struct {
	toward   side
	text     string
	nth      int
	lose     bool // the message does not arrive
	commands bool // on the command link, else on a call's connection
}

func (m moment) String() string {
	return fmt.Sprintf("when %q passes the %s time (lost: %v)", m.text, []string{"0th", "1st", "2nd", "3rd"}[m.nth], m.lose)
}

// at has the fault happen then: at a moment, or after a while.
func (r *round) at(when any, do func()) {
	r.detail += fmt.Sprint(when, " ")
	switch when := when.(type) {
	case moment:
		w := r.calls
		if when.commands {
			w = r.commands
		}
		w.set(&trap{toward: when.toward, text: when.text, nth: when.nth, lose: when.lose, do: func() { r.strike(do) }})
	case time.Duration:
		r.after(when, func() { r.strike(do) })
	}
}

func (r *round) coin() bool { return r.rand.IntN(2) == 0 }
func (r *round) instant(within time.Duration) time.Duration {
	return time.Duration(r.rand.Int64N(int64(within)))
}
func anyInstant(r *round) time.Duration { return r.instant(2500 * time.Millisecond) }

func (r *round) originates(lose bool) moment {
	return moment{toSwitch, "bgapi originate", 1, lose, true}
}

func (r *round) sends(lose bool) moment {
	return moment{toSwitch, "execute-app-name: txfax", 1, lose, false}
}

func (r *round) page() moment {
	return moment{toDaemon, "txfaxpageresult", 1 + r.rand.IntN(3), r.coin(), false}
}

// anyMoment is one of those at which most is at stake, or any instant.
func (r *round) anyMoment() any {
	all := []any{
		anyInstant(r), anyInstant(r),
		r.originates(r.coin()),
		moment{toDaemon, "+OK Job-UUID", 1, r.coin(), true},
		moment{toDaemon, "", 1, false, false},
		moment{toDaemon, "CHANNEL_DATA", 1, r.coin(), false},
		r.sends(r.coin()),
		moment{toDaemon, "txfaxnegociateresult", 1, r.coin(), false},
		r.page(), r.page(),
		moment{toDaemon, "txfaxresult", 1, r.coin(), false},
		moment{toDaemon, "Event-Name: CHANNEL_HANGUP_COMPLETE", 1, r.coin(), false},
		moment{toDaemon, "Event-Name: BACKGROUND_JOB", 1, r.coin(), true},
	}
	return all[r.rand.IntN(len(all))]
}

// soon does something within 3 ms: before, in or after what follows.
func (r *round) soon(do func()) func() {
	pause := r.instant(3 * time.Millisecond)
	r.detail += fmt.Sprint("+", pause, " ")
	return func() { time.Sleep(pause); do() }
}

func (r *round) cutCommands() {
	r.daemon.blind.begin()
	r.commands.cut()
}

// hooks reports every call to the daemon as a dialplan's api_hangup_hook does,
// one to four times, at once or late, with and without the name of the call.
func (r *round) hooks() {
	r.work.Add(1)
	quit := make(chan struct{})
	r.later(func() { close(quit) })
	go func() {
		defer r.work.Done()
		told := map[string]bool{}
		for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			for _, h := range r.history() {
				if h.ended.IsZero() || told[h.attempt] {
					continue
				}
				told[h.attempt] = true
				for n := range 1 + len(told)%4 {
					r.after(time.Duration(n*n*300)*time.Millisecond, func() { r.hook(h, n%2 == 0) })
				}
			}
			if _, open := r.look(); open == 0 && len(told) > 0 {
				r.strike(func() {})
				return
			}
		}
	}()
}

func (r *round) hook(h *history, named bool) {
	form := url.Values{"job_id": {h.job}, "fax_status": {""}, "hangup_cause": {h.cause}}
	if named {
		form.Set("uuid", h.attempt)
	}
	if h.judged {
		form.Set("fax_status", map[bool]string{true: "1", false: "0"}[h.code == 0])
		form.Set("fax_result_code", fmt.Sprint(h.code))
		form.Set("fax_document_transferred_pages", fmt.Sprint(len(h.pages)))
	}
	var answer struct{ Detail string }
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	status, err := r.ask("POST", forHooks, "/_internal/freeswitch/outbound_result", header, strings.NewReader(form.Encode()), &answer)
	if err == nil && status >= 400 && status < 500 {
		r.complain(unfit, "hook for fax %s, call %s: %d %s", h.job, h.attempt, status, answer.Detail)
	}
}

// lock is another program that writes to the database for a while; longer, one
// time in four, than the daemon's patience.
func (r *round) lock(kill bool) func() {
	hold := r.instant(3 * time.Second)
	if r.rand.IntN(4) == 0 {
		hold = 11 * time.Second
	}
	r.detail += fmt.Sprint("for ", hold, " ")
	return func() {
		free, err := r.seize()
		for end := time.Now().Add(10 * time.Second); err != nil && time.Now().Before(end); free, err = r.seize() {
			time.Sleep(20 * time.Millisecond) // not made yet, or busy
		}
		if err != nil {
			r.complain(unfit, "lock the database: %v", err)
			return
		}
		r.after(hold, free)
		if kill {
			r.daemon.kill()
		}
	}
}

// cancelAndKill cancels the first fax and kills the daemon when that is
// confirmed, or about then.
func (r *round) cancelAndKill() {
	confirmed, s := r.coin(), r.faxes[0]
	var once sync.Once
	r.at(r.anyMoment(), func() {
		r.after(0, func() {
			for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
				s.mu.Lock()
				id := s.id
				s.mu.Unlock()
				if id == "" {
					continue
				}
				if !confirmed {
					once.Do(func() { r.after(2*time.Millisecond, r.daemon.kill) })
				}
				var answer job
				status, err := r.ask("DELETE", forREST, "/fax/"+id, nil, nil, &answer)
				if err != nil || status >= 300 {
					continue
				}
				s.mu.Lock()
				s.cancelled = time.Now()
				if status == http.StatusAccepted { // the switch may be about to dial
					s.cancelled = s.cancelled.Add(3 * time.Second)
				}
				s.mu.Unlock()
				once.Do(r.daemon.kill)
				return
			}
		})
	})
}

// smallDisk gives the daemon a disk of its own.
func smallDisk(r *round) error {
	err := syscall.Mount("tmpfs", r.state, "tmpfs", 0, "size=16m")
	if err == nil {
		r.later(func() { _ = syscall.Unmount(r.state, syscall.MNT_DETACH) })
	}
	return err
}

// fill leaves no byte free, for a while.
func (r *round) fill() {
	name := filepath.Join(r.state, "ballast")
	f, err := os.Create(name)
	if err != nil {
		r.complain(unfit, "ballast: %v", err)
		return
	}
	for _, size := range []int{1 << 20, 4 << 10, 1} {
		for block := make([]byte, size); err == nil; {
			_, err = f.Write(block)
		}
		err = nil
	}
	f.Close()
	r.after(2*time.Second, func() { os.Remove(name) })
}

// jump sets the daemon's clock an hour or two back or forth, and the right time
// again later.
func (r *round) jump() func() {
	by := []int{-7200, -3600, 3600, 7200}[r.rand.IntN(4)]
	back := r.instant(6 * time.Second)
	r.detail += fmt.Sprintf("by %d s for %s ", by, back)
	set := func(seconds int) {
		text := filepath.Join(r.dir, "clock.new")
		err := os.WriteFile(text, []byte(fmt.Sprint(seconds)), 0o600)
		if err = errors.Join(err, os.Rename(text, r.clock())); err != nil {
			r.complain(unfit, "clock: %v", err)
		}
	}
	return func() {
		set(by)
		r.after(back, func() { set(0) })
	}
}

func (r *round) clock() string { return filepath.Join(r.dir, "clock") }
