// Package api is Faxbot over HTTP: submission and status of faxes, their
// documents and events, API keys, administration, the result hook, health and
// metrics. The description that binds it is openapi.yaml.
//
// Whatever a handler refuses is a *fax.Error, and one table (problem.go) turns
// its Problem into a status. A request passes, in this order: observe (log,
// metrics, security headers, panics), the routes, the door (keys and scopes),
// the limit of its key, and only then may its body be read.
package api

import (
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"faxbot/api/console"
	"faxbot/controller"
	"faxbot/controller/doctor"
	"faxbot/controller/fax"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/time/rate"
)

// Config is what an API works with.
type Config struct {
	Controller *controller.Controller
	Logger     *slog.Logger // nil: silent
	Registerer prometheus.Registerer
	Gatherer   prometheus.Gatherer // shown at /metrics of the internal listener

	Key            string // API_KEY: may do everything; "" lets nobody in
	InsecureNoAuth bool   // everybody may do everything
	Version        string
	Settings       Settings
	Sender         Sender
	Terms
}

// Terms are what may change while the API answers.
type Terms struct {
	HookSecret        string        // FREESWITCH_HOOK_SECRET; "" closes the hook
	MaxBytes          int64         // of all files of one fax; default 10 MiB
	RequestsPerMinute int           // of one key to one route; 0: no limit
	PublicURL         string        // of links to documents; "" leaves them without a host
	LinkTTL           time.Duration // of links to documents; default an hour
	// CheckCallback judges the callback_url of a fax; nil refuses all of them.
	CheckCallback func(url string) error
	Webhooks      []string // FAXBOT_WEBHOOK_URLS
	// Premises are what diagnostics look at beside the controller; nil leaves
	// them out.
	Premises *doctor.Premises
}

// terms are Terms and what is made of them.
type terms struct {
	Terms
	hook   *secret // nil when there is none
	fields fields
	limits *buckets // by key and route; nil without a limit
	origin *http.CrossOriginProtection
}

// API answers HTTP requests. It starts no goroutine and owns nothing to close.
type API struct {
	config  Config
	log     *slog.Logger
	metrics *metrics
	door    *door
	terms   atomic.Pointer[terms]
	links   links
	guesses *rate.Limiter // that are recorded
	ready   readiness
	// examining is held by the one diagnosis that runs.
	examining sync.Mutex
	streams   streams
	mcp       mcpServer
	pace      pace
	public    http.Handler
	inside    http.Handler
}

// DefaultMaxBytes is MAX_FILE_SIZE_MB where it is not set.
const DefaultMaxBytes = 10 << 20

// New makes an API.
func New(c Config) *API {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Gatherer == nil {
		c.Gatherer = prometheus.NewRegistry()
	}
	a := &API{
		config: c, log: c.Logger, metrics: newMetrics(c.Registerer), pace: defaultPace,
		links: newLinks(c), guesses: rate.NewLimiter(guessesPerSecond, guessesAtOnce),
	}
	a.door = newDoor(c, a.strangerRefused)
	a.Set(c.Terms)
	a.mcp = a.newMCP()
	a.public = a.observe(console.Handler(a.mux(a.routes())))
	a.inside = a.observe(a.mux(append(
		a.shared(true),
		route{pattern: "GET /metrics", serve: plain(figures(c.Gatherer))},
		a.diagnosis(),
		a.pagesRoute(),
	)))
	return a
}

// figures shows those that can be had: what the database would count is left out
// while it is away, when the others are wanted most.
func figures(from prometheus.Gatherer) http.Handler {
	return promhttp.HandlerFor(from, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
}

// Set changes the terms, for requests from now on.
func (a *API) Set(t Terms) {
	if t.MaxBytes <= 0 {
		t.MaxBytes = DefaultMaxBytes
	}
	if t.LinkTTL <= 0 {
		t.LinkTTL = DefaultLinkTTL
	}
	made := &terms{Terms: t, hook: newSecret(t.HookSecret), fields: newFields(t.CheckCallback), origin: http.NewCrossOriginProtection()}
	if public, err := url.Parse(t.PublicURL); err == nil && public.Host != "" { // a proxy may call us by another name
		must(made.origin.AddTrustedOrigin(public.Scheme + "://" + public.Host))
	}
	switch before := a.terms.Load(); {
	case before != nil && before.RequestsPerMinute == t.RequestsPerMinute:
		made.limits = before.limits // what was used up stays so
	case t.RequestsPerMinute > 0:
		made.limits = newBuckets(float64(t.RequestsPerMinute)/60, t.RequestsPerMinute)
	}
	a.terms.Store(made)
}

// Public is for clients.
func (a *API) Public() http.Handler { return a.public }

// Internal is for operators' tools and the switch: metrics, health with
// details, and the result hook. It must not be reachable from outside.
func (a *API) Internal() http.Handler { return a.inside }

// Server is an http.Server for one of the handlers. It has no limit on the
// time of a whole request, since an upload may be slow and honest; the
// handlers move the deadlines of reading and writing on as bytes flow.
func (a *API) Server(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
	}
}

// route is one thing that can be asked for. An empty scope leaves it open to
// everybody.
type route struct {
	pattern string // as http.ServeMux reads it, with the method
	scope   scope
	serve   func(w http.ResponseWriter, r *http.Request, who principal) error
}

// shared are the routes of both listeners; details are for operators only.
func (a *API) shared(details bool) []route {
	return []route{
		{pattern: "GET /health", serve: a.health},
		{pattern: "GET /health/ready", serve: a.readyz(details)},
		{pattern: "POST /_internal/freeswitch/outbound_result", serve: a.hook},
	}
}

// routes are those of the public listener.
func (a *API) routes() []route {
	return slices.Concat(a.shared(false), a.faxRoutes(), a.planRoutes(), a.documentRoutes(), a.mcpRoutes(), a.adminRoutes(), a.keyRoutes(), a.sessionRoutes(),
		a.settingRoutes(), a.webhookRoutes())
}

func (a *API) faxRoutes() []route {
	described := newDescription(a.config.Version)
	return []route{
		{"POST /fax", faxSend, a.submit},
		{"GET /fax", faxRead, a.list},
		{"GET /fax/{id}", faxRead, a.find},
		{"DELETE /fax/{id}", faxSend, a.cancel},
		{"POST /fax/{id}/release", faxSend, a.release},
		{"POST /fax/{id}/hold", faxSend, a.hold},
		{"GET /docs", "", described.docs},
		{"GET /openapi.json", "", described.json},
		{"GET /openapi.yaml", "", described.yaml},
	}
}

// mux answers known paths with their routes, known paths with other methods
// with 405, and everything else with 404, all in JSON.
func (a *API) mux(routes []route) http.Handler {
	mux := http.NewServeMux()
	methods := map[string][]string{}
	for _, rt := range routes {
		mux.Handle(rt.pattern, a.handler(rt))
		method, where, _ := strings.Cut(rt.pattern, " ")
		methods[where] = append(methods[where], method)
	}
	for where, allowed := range methods {
		allow := strings.Join(allowed, ", ")
		mux.HandleFunc(where, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Allow", allow)
			a.fail(w, r, &fax.Error{Problem: wrongMethod, Detail: "Method Not Allowed"})
		})
	}
	unknown := func(w http.ResponseWriter, r *http.Request) {
		a.fail(w, r, &fax.Error{Problem: fax.NotFound, Detail: "Not Found"})
	}
	mux.HandleFunc("/", unknown)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// ServeMux would redirect to the clean path, in HTML.
		if p := r.URL.Path; p != "/" && path.Clean(p) != p {
			unknown(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// handler lets a request through to its route, or says why not.
func (a *API) handler(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var who principal
		var err error
		if rt.scope != "" {
			if who, err = a.admit(r, rt); err == nil {
				r = a.acting(w, r, who)
			}
		}
		if err == nil {
			err = rt.serve(w, r, who)
		}
		if err != nil {
			a.fail(w, r, err)
		}
	})
}

// admit decides from the headers alone.
func (a *API) admit(r *http.Request, rt route) (principal, error) {
	who, err := a.door.open(r)
	if rt.scope == keysManage && (err == nil && !who.admin() || fax.ProblemOf(err) == fax.Unauthorized) {
		return who, &fax.Error{Problem: fax.Unauthorized, Detail: "Admin authentication failed", Cause: err}
	}
	if err != nil {
		return who, err
	}
	if !who.may(rt.scope) {
		return who, fax.Errorf(fax.Forbidden, "Insufficient scope: %s required", rt.scope)
	}
	// A page of another site must not use a visitor's browser to send faxes
	// through a daemon in his network that asks for no key.
	if err := a.fromHere(r, who.browser); err != nil {
		return who, err
	}
	limits := a.terms.Load().limits
	if limits == nil {
		return who, nil
	}
	if wait := limits.take(who.name + " " + rt.pattern); wait > 0 {
		return who, &later{wait, &fax.Error{Problem: fax.RateLimited, Detail: "Too many requests; wait before the next"}}
	}
	return who, nil
}

// plain makes a route of a handler that cannot fail.
func plain(h http.Handler) func(http.ResponseWriter, *http.Request, principal) error {
	return func(w http.ResponseWriter, r *http.Request, _ principal) error {
		h.ServeHTTP(w, r)
		return nil
	}
}
