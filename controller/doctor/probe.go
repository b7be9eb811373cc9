package doctor

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"faxbot/controller/fax"
	"faxbot/controller/freeswitch"
	"faxbot/dialplan"
	"faxbot/events"

	"github.com/prometheus/client_golang/prometheus"
)

// Door is where the switch connects answered calls.
type Door struct {
	Socket string  // HOST:PORT, as the switch sees it
	Probes *Probes // of whoever admits calls there
	Close  func()  // gives the address up, if it was taken for this
	// Stranger tells whom the allow list has turned away so far.
	Stranger func() freeswitch.Stranger
}

// Listen opens a door for probes alone. Of c it uses Address, Allow and Limits;
// advertise is as for the daemon, "" for the address bound.
func Listen(c freeswitch.ListenerConfig, advertise string) (*Door, error) {
	c.Logger, c.Metrics = slog.New(slog.DiscardHandler), freeswitch.NewMetrics(prometheus.NewRegistry())
	listener, err := freeswitch.Listen(c)
	if err != nil {
		return nil, err
	}
	if advertise == "" {
		advertise = listener.Addr().String()
	}
	probes := new(Probes)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = listener.Serve(ctx, probes) // it ends with ctx
	}()
	return &Door{Socket: advertise, Probes: probes, Close: func() { cancel(); <-done }, Stranger: listener.Stranger}, nil
}

// Probes are the calls that only prove that they reach us. The zero value is
// ready. It is a freeswitch.Host.
type Probes struct {
	mu  sync.Mutex
	all map[string]*probe // by uuid
}

// Admit takes a probe in; nil for any other call.
func (p *Probes) Admit(_ *freeswitch.Call, said *events.Connected) freeswitch.Session {
	p.mu.Lock()
	defer p.mu.Unlock()
	one := p.all[said.UUID]
	if one == nil || subtle.ConstantTimeCompare([]byte(said.Token), []byte(one.token)) != 1 {
		return nil
	}
	delete(p.all, said.UUID) // once
	close(one.met)
	return one
}

// probe is one such call.
type probe struct {
	id    fax.AttemptID
	token string
	met   chan struct{} // closed when it has connected
	gone  chan error    // how its connection ended
}

func (p *Probes) expect() *probe {
	one := &probe{id: fax.NewAttemptID(), token: token(), met: make(chan struct{}), gone: make(chan error, 1)}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.all == nil {
		p.all = map[string]*probe{}
	}
	p.all[string(one.id)] = one
	return one
}

func (p *Probes) forget(one *probe) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.all, string(one.id))
}

func token() string {
	var b [16]byte
	rand.Read(b[:])
	return fmt.Sprintf("%x", b)
}

var errProbe = errors.New("this call was only to connect")

// Fax implements freeswitch.Session: the call is hung up.
func (*probe) Fax(context.Context) (freeswitch.Fax, error) { return freeswitch.Fax{}, errProbe }

// Event implements freeswitch.Session.
func (*probe) Event(events.Event) {}

// Gone implements freeswitch.Session.
func (p *probe) Gone(err error) { p.gone <- err }

// untried is what a probe leaves open: it does not go through a dialplan, in
// which a mistake could have it dial somebody.
func (v *visit) untried() string {
	if v.Entry == (dialplan.Entry{}) {
		return ""
	}
	return "; that the dialplan (" + v.Entry.String() + ") leads there too, only a call shows: faxbot doctor --call NUMBER"
}

const connectsWithin = 5 * time.Second

func (v *visit) connectsBack() result {
	door, err := v.Door()
	if err != nil {
		return failed(err, "see FAXBOT_SOCKET_LISTEN")
	}
	defer door.Close()
	before := door.Stranger()
	one := door.Probes.expect()
	defer door.Probes.forget(one)
	command, err := dialplan.Probe{Attempt: one.id, Token: one.token, Socket: door.Socket}.Originate()
	if err != nil {
		return fails(err.Error(), "set FAXBOT_SOCKET_ADVERTISE to HOST:PORT as FreeSWITCH reaches it")
	}
	said, err := v.ask(command)
	switch {
	case err != nil:
		return failed(err, "")
	case strings.Contains(said, "CHAN_NOT_IMPLEMENTED"):
		return unknown("mod_loopback, which makes calls without a line, is not loaded", "load mod_loopback; or see whether a fax is answered and sent")
	case !strings.HasPrefix(said, "+OK"):
		return fails(fmt.Sprintf("FreeSWITCH places no call, not even one without a line: %.60q", said), "see its log, fsctl pause_check and max_sessions")
	}
	r := v.await(one, door.Socket)
	if now := door.Stranger(); r.outcome == Fails && now.Times > before.Times {
		return fails(fmt.Sprintf("a connection from %s was turned away; FAXBOT_SOCKET_ALLOW does not have that address", now.Last),
			fmt.Sprintf("if that is FreeSWITCH, FAXBOT_SOCKET_ALLOW=%s", now.Last))
	}
	return r
}

// await waits until the call has connected, or is over without that.
func (v *visit) await(one *probe, socket string) result {
	late := time.After(connectsWithin)
	look := time.NewTicker(connectsWithin / 20)
	defer look.Stop()
	for gone := false; ; {
		select {
		case <-one.met:
			if err := <-one.gone; errors.Is(err, freeswitch.ErrNotAsync) {
				return fails(err.Error(), "")
			}
			return fine("FreeSWITCH connected to " + socket + v.untried())
		case <-look.C:
			said, err := v.ask("uuid_exists " + string(one.id))
			if err != nil {
				return failed(err, "")
			}
			if said == "true" || !gone {
				gone = said != "true" // its connection may be on its way
				continue
			}
		case <-late:
			_, _ = v.ask("uuid_kill " + string(one.id)) // it is answered, and leads nowhere
		}
		return fails("FreeSWITCH cannot connect to "+socket, "FAXBOT_SOCKET_ADVERTISE must be HOST:PORT as FreeSWITCH reaches it, no firewall may be between, "+
			"and FAXBOT_SOCKET_LISTEN must not be loopback for a FreeSWITCH elsewhere")
	}
}
