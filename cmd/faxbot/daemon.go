package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"

	"faxbot/api"
	"faxbot/controller"
	"faxbot/controller/doctor"
	"faxbot/controller/document"
	"faxbot/controller/store"
	"faxbot/controller/webhook"
)

// daemon is a Faxbot that has bound its addresses and opened its files. serve
// and demo have it in common.
type daemon struct {
	log        *slog.Logger
	level      *slog.LevelVar // of log
	settings   *administration
	jobs       *store.Store
	rest       *api.API
	documents  *document.Folder
	controller *controller.Controller
	webhooks   *webhook.Sender
	public     site
	internal   site
	closers    []io.Closer // in the order of opening
}

// site is an address and what is served there.
type site struct {
	purpose  string
	listener net.Listener
	server   *http.Server
	leave    context.CancelFunc // ends the requests that never end by themselves
}

// url is where the site is reached from this host.
func (s site) url() string { return "http://" + s.listener.Addr().String() }

// open binds every address before anything runs. The caller runs the daemon,
// then closes it.
func open(ctx context.Context, l layers, log *slog.Logger, level *slog.LevelVar) (*daemon, error) {
	host, err := l.own.hostName()
	if err != nil {
		return nil, fmt.Errorf("--host (FAXBOT_HOST): this host has no name: %w", err)
	}
	jobs, err := store.Open(ctx, string(l.own.Storage.DatabaseURL), store.Options{Host: host, Logger: log})
	if err != nil {
		return nil, err
	}
	administered, err := administer(ctx, l, jobs.Settings(), log)
	for err == nil {
		d := &daemon{log: log, level: level, jobs: jobs, settings: administered}
		if err = d.open(ctx, administered.inForce); err == nil {
			d.closers = append([]io.Closer{jobs}, d.closers...)
			administered.adopt = d.adopt
			administered.socket, administered.inside = d.controller.SocketAddr().String(), d.internal.listener.Addr().String()
			return d, nil
		}
		if closing := d.close(); closing != nil {
			err = errors.Join(err, closing)
		} else if administered.retreat(err) {
			err = nil
		}
	}
	return nil, errors.Join(err, jobs.Close())
}

// adopt puts into force what takes effect now.
func (d *daemon) adopt(s settings) error {
	d.level.Set(level(s.Life.LogLevel))
	d.jobs.SetWebhooks(texts(s.Webhook.URLs))
	d.documents.SetMaxBytes(s.HTTP.MaxFileSizeMB << 20)
	d.rest.Set(s.terms(d.webhooks))
	return errors.Join(d.webhooks.Set(s.webhookTerms()), d.controller.Apply(s.policy()))
}

func (d *daemon) open(ctx context.Context, s settings) (err error) {
	if d.public.listener, err = d.listen("--listen (FAXBOT_LISTEN)", s.HTTP.Listen); err != nil {
		return err
	}
	if s.HTTP.TLSCert != "" {
		if d.public.listener, err = withTLS(d.public.listener, s.HTTP.TLSCert, s.HTTP.TLSKey, d.log); err != nil {
			return err
		}
	}
	if d.internal.listener, err = d.listen("--internal-listen (FAXBOT_INTERNAL_LISTEN)", s.Inside.Listen); err != nil {
		return err
	}
	kept, err := s.documents()
	if err != nil {
		return err
	}
	kept.Logger = d.log
	if d.documents, err = document.Open(kept); err != nil {
		return err
	}
	d.closers = append(d.closers, d.documents)
	figures := newRegistry()
	config := s.controller()
	config.Store, config.Documents, config.Logger, config.Registerer = d.jobs, d.documents, d.log, figures
	if d.controller, err = controller.New(ctx, config); err != nil {
		return err
	}
	d.webhooks, err = webhook.New(webhook.Config{
		Outbox: d.jobs.Outbox(), Endpoints: d.jobs.Endpoints(), Terms: s.webhookTerms(),
		Version: version(), Logger: d.log, Registerer: figures,
	})
	if err != nil {
		return err
	}
	d.rest = api.New(api.Config{
		Controller:     d.controller,
		Logger:         d.log,
		Registerer:     figures,
		Gatherer:       figures,
		Key:            string(s.HTTP.APIKey),
		InsecureNoAuth: s.HTTP.InsecureNoAuth,
		Version:        version(),
		Settings:       d.settings,
		Sender:         d.webhooks,
		Terms:          s.terms(d.webhooks),
	})
	d.public.serves("REST", d.rest.Server(d.rest.Public()))
	d.internal.serves("metrics and the result hook", d.rest.Server(d.rest.Internal()))
	return d.adopt(s)
}

func (d *daemon) listen(setting, address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; use a free address, or port 0 for any", setting, err)
	}
	d.closers = append(d.closers, closeOnce{l})
	return l, nil
}

// closeOnce is a listener that its server may already have closed.
type closeOnce struct{ net.Listener }

// Close closes the listener if it still is open.
func (c closeOnce) Close() error {
	if err := c.Listener.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// newRegistry holds the figures of everything in one daemon.
func newRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "faxbot_build_info", Help: "Always 1; the label tells the version.",
		ConstLabels: prometheus.Labels{"version": version()},
	})
	build.Set(1)
	r.MustRegister(build, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

func texts(secrets []secret) []string {
	var list []string
	for _, s := range secrets {
		list = append(list, string(s))
	}
	return list
}

// serves prepares the server.
func (s *site) serves(purpose string, server *http.Server) {
	base, leave := context.WithCancel(context.Background())
	server.BaseContext = func(net.Listener) context.Context { return base }
	s.purpose, s.server, s.leave = purpose, server, leave
}

// close ends what open began, in reverse order.
func (d *daemon) close() error {
	var errs []error
	for i := len(d.closers) - 1; i >= 0; i-- {
		errs = append(errs, d.closers[i].Close())
	}
	return errors.Join(errs...)
}

// run works until drain ends and then until calls have finished or stop ends.
// HTTP answers to the last: a client can still ask what became of its fax.
func (d *daemon) run(drain, stop context.Context) error {
	drain, noDrain := context.WithCancel(drain)
	stop, noStop := context.WithCancel(stop)
	defer noDrain()
	defer noStop()
	var g errgroup.Group
	for _, s := range []site{d.public, d.internal} {
		g.Go(func() error {
			err := s.server.Serve(s.listener)
			if errors.Is(err, http.ErrServerClosed) {
				return nil
			}
			noDrain()
			noStop()
			return fmt.Errorf("%s: %w", s.purpose, err)
		})
		d.log.Info("listening", "for", s.purpose, "address", s.listener.Addr().String())
	}
	d.log.Info("listening", "for", "answered calls", "address", d.controller.SocketAddr().String())
	tell, tellNoMore := context.WithCancel(context.Background())
	g.Go(func() error { return d.webhooks.Run(tell) })
	g.Go(func() error {
		d.settings.watch(tell)
		return nil
	})
	d.note(store.DaemonStarted)
	g.Go(func() error {
		err := d.controller.Run(drain, stop)
		d.note(store.DaemonEnded)
		tellNoMore() // what is left is told after the next start
		for _, s := range []site{d.public, d.internal} {
			s.end()
		}
		return err
	})
	return g.Wait()
}

// note has the audit log say what becomes of the daemon.
func (d *daemon) note(deed store.Deed) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	host, _ := d.settings.layers.own.hostName()
	if err := d.jobs.Audit().Note(ctx, deed, "", "version "+version()+" on "+host); err != nil {
		d.log.Warn("the audit log could not be written", "deed", deed, "error", err)
	}
}

// end lets requests finish, for a moment; the endless ones are told to.
func (s site) end() {
	soon, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if s.server.Shutdown(soon) == nil {
		return
	}
	s.leave()
	last, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if s.server.Shutdown(last) != nil {
		_ = s.server.Close() // it has no more to lose
	}
}

// alive returns when the parts of the daemon still answer, whatever they say.
func (d *daemon) alive(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	doctor.Ready(ctx, d.controller.Patient())
}
