package simulator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

// Config is what a simulated FreeSWITCH is made from. The zero Config is a
// switch on a free port of 127.0.0.1 that takes every gateway, knows the
// password "ClueCon" and whose line takes no time.
type Config struct {
	Listen   string // of the event socket; "" is "127.0.0.1:0"
	Password string // "" is "ClueCon"
	// Gateways that exist; nil: all do. A call through another one ends with
	// INVALID_GATEWAY. GatewaysDown exist, but nothing answers there.
	Gateways     []string
	GatewaysDown []string
	Broken       Broken // what is wrong with the switch itself
	// Speed divides every time on the line: 1 is real time, 1000 a fax in
	// 30 ms. At 0 the line takes no time at all. "linger N" is divided too, but
	// never to less than 2 s, and at 0 not at all; heartbeats take real time.
	Speed float64
	// Seed makes uuids repeatable; 0 takes a random one.
	Seed      uint64
	Heartbeat time.Duration // between HEARTBEAT events; 0 is 20 s
	Up        time.Duration // how long the first process has been up
	// LedgerPath is a file of JSON lines to which every Entry is appended.
	LedgerPath string
	// StatePath is a file in which mod_db's table outlives the process.
	StatePath string
	Logger    *slog.Logger // nil discards
}

// Switch is a FreeSWITCH as seen through its event sockets.
type Switch struct {
	config   Config
	log      *slog.Logger
	listener net.Listener
	library  *library
	ledger   ledger
	memory   memory
	cache    cache

	sessions atomic.Uint32 // made so far
	sequence atomic.Uint64 // of events

	space sync.Pool // of *[]byte, where events are rendered

	// work counts the goroutines that Run waits for.
	work sync.WaitGroup

	mu       sync.Mutex
	life     life
	calls    map[string]*call
	links    map[*link]struct{} // command links and calls' connections
	wide     []*link            // those that may be sent events of any call; copied on write
	dialled  map[string]int     // calls so far, by number
	scripts  map[string]Outcome
	dialplan map[string][]extension // by context
	random   *rand.Rand
	closed   bool
	still    chan struct{} // closed when the process goes on; nil while it does
}

// life is one process of the switch, from start to crash.
type life struct {
	core    string
	started time.Time
	over    context.Context // done when the process has died
	die     context.CancelFunc
}

// New binds the event socket and opens the files, if any. Run serves.
func New(config Config) (*Switch, error) {
	if config.Listen == "" {
		config.Listen = "127.0.0.1:0"
	}
	if config.Password == "" {
		config.Password = "ClueCon"
	}
	if config.Heartbeat <= 0 {
		config.Heartbeat = 20 * time.Second
	}
	if config.Seed == 0 {
		config.Seed = rand.Uint64()
	}
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Switch{
		config:   config,
		log:      config.Logger,
		library:  newLibrary(),
		calls:    make(map[string]*call),
		links:    make(map[*link]struct{}),
		dialled:  make(map[string]int),
		scripts:  make(map[string]Outcome),
		dialplan: make(map[string][]extension),
		random:   rand.New(rand.NewPCG(config.Seed, config.Seed)),
	}
	s.life = s.birth()
	s.life.started = s.life.started.Add(-config.Up)
	var err error
	if err = s.ledger.open(config.LedgerPath); err != nil {
		return nil, fmt.Errorf("simulator: open the ledger: %w", err)
	}
	if err = s.memory.open(config.StatePath); err == nil {
		s.listener, err = net.Listen("tcp", config.Listen)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("simulator: %w", err), s.ledger.close(), s.memory.close())
	}
	return s, nil
}

// Tester is the part of testing.TB that RunT needs; so that programs can use
// the simulator without linking the testing package.
type Tester interface {
	Helper()
	Cleanup(func())
	Error(...any)
	Fatal(...any)
}

// RunT runs a Switch until the test ends.
func RunT(tb Tester, config Config) *Switch {
	tb.Helper()
	s, err := New(config)
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			tb.Error(err)
		}
	})
	return s
}

// Run serves until ctx ends, and returns when all it started has ended. It may
// be called once.
func (s *Switch) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, s.shut)
	defer stop()
	s.work.Add(1)
	go func() { defer s.work.Done(); s.beat(ctx) }()
	var err error
	for {
		conn, e := s.listener.Accept()
		if e != nil {
			if ctx.Err() == nil {
				err = fmt.Errorf("simulator: accept: %w", e)
				s.shut()
			}
			break
		}
		s.serve(newLink(s, conn, nil))
	}
	s.work.Wait()
	return errors.Join(err, s.ledger.close(), s.memory.close(), s.cache.close())
}

// shut ends everything that runs.
func (s *Switch) shut() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.listener.Close()
	s.crash()
}

// Addr is the address of the event socket.
func (s *Switch) Addr() string { return s.listener.Addr().String() }

// Restart is a crash and a new start: every connection and channel is gone
// without a word, and Core-UUID is another. mod_db's table survives only with
// keepMemory. What the far ends received remains in the ledger.
func (s *Switch) Restart(keepMemory bool) {
	s.crash()
	if !keepMemory {
		s.memory.forget()
	}
}

// PutBack restores the machine to a snapshot that was taken right after the
// switch had started: connections, channels and mod_db's table are gone without
// a word, but Core-UUID is the same, and the uptime begins again.
func (s *Switch) PutBack() {
	core := s.core()
	s.crash()
	s.mu.Lock()
	s.life.core = core
	s.mu.Unlock()
	s.memory.forget()
}

// StandStill stops the process, as SIGSTOP does, until goOn is called: its
// connections stand, new ones are taken by the system, and nothing is said. The
// far ends do not wait.
func (s *Switch) StandStill() (goOn func()) {
	still := make(chan struct{})
	s.mu.Lock()
	s.still = still
	s.mu.Unlock()
	return sync.OnceFunc(func() {
		s.mu.Lock()
		s.still = nil
		s.mu.Unlock()
		close(still)
	})
}

// goes waits while the process stands still, at most until its end.
func (s *Switch) goes() {
	s.mu.Lock()
	still, over := s.still, s.life.over
	s.mu.Unlock()
	if still == nil {
		return
	}
	select {
	case <-still:
	case <-over.Done():
	}
}

func (s *Switch) crash() {
	s.mu.Lock()
	old, links := s.life, s.links
	s.life = s.birth()
	s.calls = make(map[string]*call)
	s.links = make(map[*link]struct{})
	s.wide = nil
	s.mu.Unlock()
	old.die()
	for l := range links {
		l.cut()
	}
}

// birth starts a life; s.mu is held, or s not yet shared.
func (s *Switch) birth() life {
	over, die := context.WithCancel(context.Background())
	if s.closed {
		die()
	}
	return life{core: s.newUUIDLocked(), started: time.Now(), over: over, die: die}
}

// Script makes calls to number end so, whatever the table of special numbers
// says. The number is compared as it is dialled.
func (s *Switch) Script(number string, outcome Outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scripts[number] = outcome
}

// Ledger lists what has happened since New, oldest first.
func (s *Switch) Ledger() []Entry { return s.ledger.all() }

// Calls counts the channels that exist now.
func (s *Switch) Calls() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.calls)
}

// DropLinks breaks every command link, as a failing network does. Calls and
// their connections go on.
func (s *Switch) DropLinks() {
	s.mu.Lock()
	var drop []*link
	for l := range s.links {
		if l.call == nil {
			drop = append(drop, l)
		}
	}
	s.mu.Unlock()
	for _, l := range drop {
		l.cut()
	}
}

// DropCall breaks the connection of one call. The call and its fax go on.
func (s *Switch) DropCall(uuid string) {
	if c := s.find(uuid); c != nil {
		c.cutLink()
	}
}

func (s *Switch) find(uuid string) *call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[uuid]
}

func (s *Switch) snapshot() []*call {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*call, 0, len(s.calls))
	for _, c := range s.calls {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b *call) int { return int(a.session) - int(b.session) })
	return all
}

// serve runs a connection until it ends.
func (s *Switch) serve(l *link) {
	s.mu.Lock()
	refused := s.closed
	if !refused {
		s.links[l] = struct{}{}
		s.work.Add(1)
	}
	s.mu.Unlock()
	if refused {
		l.cut()
		return
	}
	go func() {
		defer s.work.Done()
		l.run()
		s.mu.Lock()
		delete(s.links, l)
		s.mu.Unlock()
		s.widen(l, false)
	}()
}

// now is the present process.
func (s *Switch) now() life {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.life
}

func (s *Switch) core() string { return s.now().core }

func (s *Switch) up(at time.Time) time.Duration { return at.Sub(s.now().started) }

func (s *Switch) upTime(now time.Time) string {
	d := s.up(now)
	return fmt.Sprintf("0 years, %d days, %d hours, %d minutes, %d seconds, %d milliseconds, %d microseconds",
		int(d.Hours())/24, int(d.Hours())%24, int(d.Minutes())%60, int(d.Seconds())%60,
		d.Milliseconds()%1000, d.Microseconds()%1000)
}

func (s *Switch) newUUID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.newUUIDLocked()
}

func (s *Switch) newUUIDLocked() string {
	var raw [16]byte
	for i := range raw {
		raw[i] = byte(s.random.Uint32())
	}
	raw[6], raw[8] = raw[6]&0x0f|0x40, raw[8]&0x3f|0x80
	return uuid.UUID(raw).String()
}
