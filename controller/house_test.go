package controller_test

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"faxbot/controller"
	"faxbot/controller/document"
	"faxbot/controller/fax"
	"faxbot/controller/freeswitch"
	"faxbot/controller/freeswitch/simulator"
	"faxbot/controller/logtest"
	"faxbot/controller/store"
	"faxbot/events"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// house is a daemon without its door: real store, real documents, real sockets,
// and a simulated switch.
type house struct {
	*controller.Controller
	t        *testing.T
	dir      string
	sim      *simulator.Switch // nil when the switch is a real one
	link     freeswitch.LinkConfig
	patience time.Duration // of until; 0 for the usual
	store    *store.Store
	database string // its URL; "" for SQLite in dir
	host     string // "" for the only one
	metrics  *prometheus.Registry
	config   controller.Config

	heard  *events.Listener
	drain  context.CancelFunc
	kill   context.CancelFunc
	exited chan error
}

// newHouse starts everything; edit may change the configuration first.
func newHouse(t *testing.T, sim simulator.Config, edit func(*controller.Config)) *house {
	t.Helper()
	return newHouseOn(t, "", sim, edit)
}

// newHouseOn is newHouse with a database that is there already, by its URL.
func newHouseOn(t *testing.T, database string, sim simulator.Config, edit func(*controller.Config)) *house {
	t.Helper()
	h := &house{t: t, dir: t.TempDir(), database: database, sim: simulator.RunT(t, sim)}
	h.link = freeswitch.LinkConfig{Name: "test", Address: h.sim.Addr(), Password: "ClueCon"}
	h.open(edit)
	t.Cleanup(h.close)
	return h
}

// policy is that of a house; the switch is the link's.
func (h *house) policy() controller.Policy {
	return controller.Policy{
		Gateways: gatewaysNamed("carrier"),
		Switches: []controller.Switch{{Address: h.link.Address, Password: h.link.Password}},
		T38:      true,
		Grace:    5 * time.Second, // a busy machine is slow to connect
	}
}

// gatewaysNamed are as fast as anybody could want.
func gatewaysNamed(names string) []controller.Gateway {
	list, err := controller.ParseGateways(names)
	if err != nil {
		list = []controller.Gateway{{Name: names}} // for whoever wants it wrong
	}
	for i := range list {
		list[i].CPS = 10000
	}
	return list
}

func (h *house) open(edit func(*controller.Config)) {
	h.t.Helper()
	ctx := context.Background()
	var err error
	database := cmp.Or(h.database, "sqlite:///"+filepath.Join(h.dir, "faxbot.db"))
	h.store, err = store.Open(ctx, database, store.Options{Host: cmp.Or(h.host, "test")})
	if err != nil {
		h.t.Fatal(err)
	}
	docs, err := document.Open(document.Config{Dir: filepath.Join(h.dir, "documents")})
	if err != nil {
		h.t.Fatal(err)
	}
	h.metrics = prometheus.NewRegistry()
	h.config = controller.Config{
		Store: h.store, Documents: docs,
		Socket:     freeswitch.ListenerConfig{Address: "127.0.0.1:0"},
		Link:       h.link,
		Policy:     h.policy(),
		Logger:     logtest.Logger(h.t, h.link.Password),
		Registerer: h.metrics,
	}
	if edit != nil {
		edit(&h.config)
	}
	h.Controller, err = controller.New(ctx, h.config)
	if err != nil {
		h.t.Fatal(err)
	}
	h.heard = h.Notices().Listen(10000)
	drain, cancelDrain := context.WithCancel(ctx)
	stop, cancelStop := context.WithCancel(ctx)
	h.drain, h.kill = cancelDrain, func() { cancelDrain(); cancelStop() }
	h.exited = make(chan error, 1)
	go func() { h.exited <- h.Run(drain, stop) }()
}

// close stops the daemon at once, hanging up what runs.
func (h *house) close() {
	if h.kill == nil {
		return
	}
	h.kill()
	if err := <-h.exited; err != nil {
		h.t.Errorf("Run: %v", err)
	}
	h.kill = nil
	h.heard.Close()
	h.store.Close()
	h.config.Documents.Close()
}

// submit sends a text of so many pages.
func (h *house) submit(to string, pages int, edit ...func(*controller.Submission)) fax.JobID {
	h.t.Helper()
	ctx := context.Background()
	r, err := h.Receive(ctx)
	if err != nil {
		h.t.Fatal(err)
	}
	var text []string
	for i := range pages {
		text = append(text, fmt.Sprintf("Page %d\n", i+1))
	}
	if _, err := r.Add(ctx, strings.NewReader(strings.Join(text, "\f"))); err != nil {
		h.t.Fatal(err)
	}
	s := controller.Submission{To: to, Priority: fax.DefaultPriority}
	for _, e := range edit {
		e(&s)
	}
	job, _, err := h.Submit(ctx, r, s)
	if err != nil {
		h.t.Fatal(err)
	}
	return job.ID
}

// until waits until the job is in one of the states, and returns it as stored.
func (h *house) until(id fax.JobID, states ...fax.State) (fax.Job, []fax.Attempt) {
	h.t.Helper()
	timeout := time.After(cmp.Or(h.patience, waiting))
	for {
		job, attempts, err := h.Find(context.Background(), id)
		if err != nil {
			h.t.Fatal(err)
		}
		for _, s := range states {
			if job.State == s {
				return job, attempts
			}
		}
		if job.State.Terminal() {
			h.t.Fatalf("the fax ended %s (%s: %s), waiting for %v", job.State, job.Cause, job.Error, states)
		}
		select {
		case <-h.heard.C:
		case <-timeout:
			h.t.Fatalf("the fax is still %s (%s), waiting for %v", job.State, job.Error, states)
		}
	}
}

// waiting bounds what a test waits for; only one that fails takes so long.
const waiting = time.Minute

// eventually waits for what nobody announces.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for end := time.Now().Add(waiting); !so(); <-look.C {
		if time.Now().After(end) {
			t.Fatalf("not within %s: %s", waiting, what)
		}
	}
}

// ledger counts what the switch did.
func (h *house) ledger(kind string) int {
	n := 0
	for _, e := range h.sim.Ledger() {
		if e.Kind == kind {
			n++
		}
	}
	return n
}
