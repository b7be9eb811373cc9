package api

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"faxbot/controller/fax"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	make := promauto.With(reg)
	return &metrics{
		requests: make.NewCounterVec(prometheus.CounterOpts{
			Name: "faxbot_http_requests_total",
			Help: "HTTP requests by route and class of status.",
		}, []string{"route", "class"}),
		seconds: make.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "faxbot_http_request_seconds",
			Help:    "Time from the headers of a request to the end of its reply.",
			Buckets: []float64{.001, .005, .025, .1, .5, 1, 5, 30, 120},
		}, []string{"route"}),
	}
}

// contentPolicy lets a browser do nothing with what we send.
const contentPolicy = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

// observe is the outermost layer. The log and the metrics name a route by its
// pattern, never by its path: a path may hold a number or a token.
func (a *API) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		x := a.newExchange(w, r)
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("Referrer-Policy", "no-referrer")
		defer func() {
			broken := a.rescue(x, r, recover())
			a.tell(x, r, time.Since(began))
			if broken { // half a reply must not look like a whole one
				panic(http.ErrAbortHandler)
			}
			x.part()
		}()
		next.ServeHTTP(x, r)
	})
}

// rescue answers for a handler that panicked; broken says that it is too late
// for an answer.
func (a *API) rescue(x *exchange, r *http.Request, panicked any) (broken bool) {
	if panicked == nil {
		return false
	}
	broken = x.status != 0
	if err, ok := panicked.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		return true
	}
	a.log.Error("a handler panicked", "route", r.Pattern, "panic", fmt.Sprint(panicked), "stack", string(debug.Stack()))
	a.fail(x, r, errors.New("a handler panicked"))
	return broken
}

// tell counts and logs a request that has been answered.
func (a *API) tell(x *exchange, r *http.Request, took time.Duration) {
	route, status := r.Pattern, x.status
	if route == "" || route == "/" {
		route = "unknown"
	}
	if status == 0 {
		status = http.StatusOK
	}
	a.metrics.requests.WithLabelValues(route, strconv.Itoa(status/100)+"xx").Inc()
	a.metrics.seconds.WithLabelValues(route).Observe(took.Seconds())

	level := slog.LevelInfo
	switch {
	case status >= 500:
		level = slog.LevelWarn
	case fax.ProblemOf(x.err) == fax.Unauthorized, fax.ProblemOf(x.err) == fax.RateLimited:
		level = slog.LevelDebug // strangers do not fill the log
	case route == "GET /health", route == "GET /health/ready", route == "GET /metrics":
		level = slog.LevelDebug
	}
	attrs := []slog.Attr{
		slog.String("method", method(r)), slog.String("route", route),
		slog.Int("status", status), slog.Float64("seconds", took.Seconds()),
	}
	if id, err := fax.ParseJobID(r.PathValue("id")); err == nil {
		attrs = append(attrs, slog.String("fax", string(id)))
	}
	if x.key != "" {
		attrs = append(attrs, slog.String("key", x.key))
	}
	if x.err != nil {
		attrs = append(attrs, slog.String("problem", string(fax.ProblemOf(x.err))))
		if status >= 500 {
			attrs = append(attrs, slog.Any("error", why(x.err)))
		}
	}
	a.log.LogAttrs(r.Context(), level, "request", attrs...)
}

// why is what is behind an error, as far as it tells more than the error.
func why(err error) error {
	var e *fax.Error
	if errors.As(err, &e) && e.Cause != nil {
		return fmt.Errorf("%s (%w)", e.Detail, e.Cause)
	}
	return err
}

// method keeps invented methods out of the log.
func method(r *http.Request) string {
	switch r.Method {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE":
		return r.Method
	}
	return "other"
}
