// Package controller takes a fax from submitted to sent. It owns every decision
// that matters: when a call is placed, what it came to, and what follows.
//
//	Submit ─► prepare ─► schedule ─► call ─► verdict ─► plan ─► done, or schedule again
//	                                   └────► reconcile, when nobody reports
//
// DESIGN.md beside this file has the state machine and the rules of
// reconciliation.
package controller

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"faxbot/controller/doctor"
	"faxbot/controller/document"
	"faxbot/controller/fax"
	"faxbot/controller/freeswitch"
	"faxbot/controller/store"
	"faxbot/dialplan"
	"faxbot/events"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
)

// Config is what a Controller works with. Store and Documents stay the
// caller's to close, after Run has returned.
type Config struct {
	Policy // as it is at first

	Store     *store.Store
	Documents *document.Folder

	Socket    freeswitch.ListenerConfig // where calls connect; Logger and Metrics are filled in
	Advertise string                    // the same, as the switch sees it; "" for the bound address
	Dialplan  dialplan.Entry            // calls get there through the switch's dialplan; zero for straight
	// Guests has calls taken that others placed on the switch for a fax of ours.
	Guests bool
	Link   freeswitch.LinkConfig // of each switch; Name, Address, Password, Logger and Metrics are filled in

	// DocumentURL is where the switch reaches Pages over HTTP, and fetches the
	// pages of each call from; "" when it shares the document folder.
	DocumentURL string

	// Journal is a folder of this host's where results are kept that the
	// database does not take; "" to do without.
	Journal string

	// Covers is a folder with templates of cover pages, NAME.txt each; "" when
	// there are none beside the built-in design.
	Covers string

	// Lease is how long the calls of a host that died stay its own; default 30 s.
	Lease   time.Duration
	Version string // of this program, for the other hosts

	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Controller sends faxes. Make one with New, then Run it.
type Controller struct {
	config   Config // its policy is that of the beginning
	store    *store.Store
	docs     *document.Folder
	listener *freeswitch.Listener
	switches exchanges
	metrics  *metrics
	gateways *gateways
	bus      events.Bus
	journal  journal
	probes   doctor.Probes
	log      *slog.Logger

	policy   atomic.Pointer[Policy]
	applying sync.Mutex // one policy after the other

	life  context.Context // ends when nothing may be done any more
	end   context.CancelFunc
	tasks sync.WaitGroup // goroutines that work for calls
	due   chan struct{}  // a job may have become due, or a channel free
	fresh chan struct{}  // a document waits for conversion

	mu       sync.Mutex
	calls    map[fax.AttemptID]*call
	busy     map[fax.Number]fax.AttemptID // the calls by their numbers
	waking   map[chan struct{}]bool       // see wakeSoon
	idle     chan struct{}                // closed while draining when no call is left; nil before
	draining bool
	peers    []store.Host             // the other hosts, as they last told
	freed    map[fax.Number]time.Time // when lines went down, for a while

	since  time.Time
	strays map[fax.AttemptID]time.Time // keepHouse's, see takeUpStrays
}

// New binds the socket for calls. Nothing happens before Run.
func New(ctx context.Context, c Config) (*Controller, error) {
	policy, err := c.checked()
	if err != nil {
		return nil, err
	}
	fsMetrics := freeswitch.NewMetrics(c.Registerer)
	c.Socket.Logger, c.Socket.Metrics = c.Logger, fsMetrics
	c.Link.Logger, c.Link.Metrics = c.Logger, fsMetrics
	kept, err := openJournal(c.Journal)
	if err != nil {
		return nil, err
	}
	listener, err := freeswitch.Listen(c.Socket)
	if err != nil {
		return nil, fmt.Errorf("FAXBOT_SOCKET_LISTEN: %w", err)
	}
	if c.Advertise == "" {
		c.Advertise = listener.Addr().String()
	}
	if c.Lease <= 0 {
		c.Lease = defaultLease
	}
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	ctl := &Controller{
		config: c, journal: kept, store: c.Store, docs: c.Documents, listener: listener, log: c.Logger,
		life: life, end: end,
		due: make(chan struct{}, 1), fresh: make(chan struct{}, 1),
		calls: map[fax.AttemptID]*call{}, busy: map[fax.Number]fax.AttemptID{},
		freed: map[fax.Number]time.Time{}, since: time.Now(),
	}
	ctl.policy.Store(policy)
	listener.Record(policy.RecordCalls)
	ctl.gateways = newGateways(policy.gateways(), c.Store.Now, c.Logger)
	ctl.metrics = newMetrics(c.Registerer, ctl)
	ctl.setSwitches(policy.Switches)
	if err := errors.Join(ctl.checkSockets(), ctl.checkDocumentURL()); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return ctl, nil
}

// SocketAddr is where calls connect.
func (c *Controller) SocketAddr() net.Addr { return c.listener.Addr() }

// Notices tells what happens to faxes, as it happens.
func (c *Controller) Notices() *events.Bus { return &c.bus }

// Run works until drain is done; from then on nothing is accepted or dialled,
// and running calls finish. When stop is done, they are hung up. It returns
// when all that it started has ended.
func (c *Controller) Run(drain, stop context.Context) error {
	defer c.end()
	if err := c.takeUp(c.life); err != nil {
		return errors.Join(fmt.Errorf("calls of the last run: %w", err), c.listener.Close())
	}
	g, ctx := errgroup.WithContext(c.life)
	g.Go(func() error { return orCancelled(c.listener.Serve(ctx, c)) })
	c.connectAll(ctx)
	g.Go(func() error { return c.prepareAll(drain) })
	g.Go(func() error { return c.schedule(drain) })
	g.Go(func() error { return c.keepHouse(ctx) })
	g.Go(func() error { return c.store.Listen(ctx, func(news []store.News) { c.hearHosts(ctx, news) }) })
	g.Go(func() error { return c.keepDocuments(ctx) })
	g.Go(func() error {
		c.windUp(drain, stop)
		c.end()
		return nil
	})
	err := g.Wait()
	c.tasks.Wait()
	return err
}

// windUp waits for the end of work, lets calls finish, and hangs up those that
// do not within the time there is.
func (c *Controller) windUp(drain, stop context.Context) {
	select {
	case <-drain.Done():
	case <-c.life.Done():
		return
	}
	idle := c.beginDrain()
	c.log.Info("draining: running calls may finish, nothing new is accepted", "calls", c.live())
	select {
	case <-idle:
		return
	case <-stop.Done():
	}
	c.log.Warn("stopping: running calls are hung up", "calls", c.live())
	for _, k := range c.snapshot() {
		k.hangUp()
	}
	// Time for the verdicts of what was hung up; whatever is still open then
	// is taken up by the next run.
	select {
	case <-idle:
	case <-time.After(5 * time.Second):
	}
}

func (c *Controller) beginDrain() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.draining = true
	c.idle = make(chan struct{})
	if len(c.calls) == 0 {
		close(c.idle)
	}
	return c.idle
}

// spawn runs work for a call; Run waits for it.
func (c *Controller) spawn(work func()) {
	c.tasks.Add(1)
	go func() {
		defer c.tasks.Done()
		work()
	}()
}

// wake signals without waiting; one signal pending is enough.
func wake(signal chan struct{}) {
	select {
	case signal <- struct{}{}:
	default:
	}
}

// newToken returns 128 bits of randomness in lowercase hexadecimal.
func newToken() string {
	var b [16]byte
	rand.Read(b[:])
	return fmt.Sprintf("%x", b)
}

func orCancelled(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// live counts the calls under way.
func (c *Controller) live() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.calls)
}

func (c *Controller) snapshot() []*call {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]*call, 0, len(c.calls))
	for _, k := range c.calls {
		all = append(all, k)
	}
	return all
}

func (c *Controller) find(id fax.AttemptID) *call {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls[id]
}

// enter makes a call known to the line.
func (c *Controller) enter(k *call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls[k.id] = k
	c.busy[k.job.To] = k.id
}

// isBusy says whether a call to the number may be up. The database knows of the
// calls of all hosts, but not that a line is still up whose fax has its result.
func (c *Controller) isBusy(n fax.Number) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, is := c.busy[n]
	return is
}

// leave forgets a call whose result is stored and which is over.
func (c *Controller) leave(k *call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.calls, k.id)
	if c.busy[k.job.To] == k.id {
		delete(c.busy, k.job.To)
		if len(c.peers) > 0 {
			c.free(k.job.To)
		}
	}
	if c.idle != nil && len(c.calls) == 0 {
		select {
		case <-c.idle:
		default:
			close(c.idle)
		}
	}
	wake(c.due)
}
