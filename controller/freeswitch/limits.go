package freeswitch

import (
	"errors"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Limits bound what a peer may do. The zero value of a field means the default.
type Limits struct {
	HeadBytes   int           // of one message; default 64 KiB (a real one has 8)
	HeadLines   int           // of one message; default 1,000 (a real one has 200)
	BodyBytes   int           // of one message; default 256 KiB (a real one has 11)
	Frames      int           // messages per second and connection, with a burst of as many; default 500
	Handshake   time.Duration // until the reply to "connect" is complete; default 10 s
	Write       time.Duration // until a command is taken by the peer; default 10 s
	Connections int           // of all calls; default 12,000
	PerAddress  int           // of all calls from one address; default as Connections
	KeepAlive   time.Duration // silence after which TCP asks a peer, three times, whether it lives; default 30 s
}

func (l Limits) withDefaults() Limits {
	def := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	defTime := func(v *time.Duration, d time.Duration) {
		if *v <= 0 {
			*v = d
		}
	}
	def(&l.HeadBytes, 64<<10)
	def(&l.HeadLines, 1000)
	def(&l.BodyBytes, 256<<10)
	def(&l.Frames, 500)
	def(&l.Connections, 12000)
	def(&l.PerAddress, l.Connections)
	defTime(&l.Handshake, 10*time.Second)
	defTime(&l.Write, 10*time.Second)
	defTime(&l.KeepAlive, 30*time.Second)
	return l
}

// keepAlive notices peers that are gone without a word.
func (l Limits) keepAlive() net.KeepAliveConfig {
	return net.KeepAliveConfig{Enable: true, Idle: l.KeepAlive, Interval: max(l.KeepAlive/3, time.Second), Count: 3}
}

// Reason is why a connection was refused or cut: a closed vocabulary for the
// metric faxbot_socket_refused_total.
type Reason string

// Every Reason there is.
const (
	NotAllowed     Reason = "not_allowed"      // address outside the allow list
	TooMany        Reason = "too_many"         // Limits.Connections
	TooManyAddress Reason = "too_many_address" // Limits.PerAddress
	HandshakeSlow  Reason = "handshake_slow"
	HeadTooLarge   Reason = "head_too_large"
	TooManyLines   Reason = "too_many_lines"
	BodyTooLarge   Reason = "body_too_large"
	TooFast        Reason = "too_fast"
	Malformed      Reason = "malformed"
	NoSuchCall     Reason = "no_such_call" // token of no live attempt
	NotAsync       Reason = "not_async"    // socket application without "async full"
	WriteSlow      Reason = "write_slow"
	AcceptFailed   Reason = "accept_failed" // the listener itself, for example EMFILE
)

// Reasons lists every Reason.
var Reasons = []Reason{
	NotAllowed, TooMany, TooManyAddress, HandshakeSlow, HeadTooLarge, TooManyLines, BodyTooLarge,
	TooFast, Malformed, NoSuchCall, NotAsync, WriteSlow, AcceptFailed,
}

// Metrics are this package's figures.
type Metrics struct {
	refused *prometheus.CounterVec
	live    prometheus.Gauge
	linkUp  *prometheus.GaugeVec
	frames  prometheus.Counter
}

// NewMetrics registers the figures with reg.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "faxbot_socket_refused_total", Help: "Connections of calls and links that were refused or cut, by reason.",
		}, []string{"reason"}),
		live: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "faxbot_socket_connections", Help: "Open connections of calls.",
		}),
		linkUp: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "faxbot_link_up", Help: "1 while the command link to the switch is up.",
		}, []string{"switch"}),
		frames: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "faxbot_socket_messages_total", Help: "Messages read from call connections and links.",
		}),
	}
	for _, r := range Reasons {
		m.refused.WithLabelValues(string(r))
	}
	reg.MustRegister(m.refused, m.live, m.linkUp, m.frames)
	return m
}

// refusal is an error of the peer, with the reason to count.
type refusal struct {
	reason Reason
	detail string
}

func (r *refusal) Error() string { return string(r.reason) + ": " + r.detail }

// cut counts err if it is the peer's fault, and returns it as such.
func (m *Metrics) cut(err error) *refusal {
	var r *refusal
	if errors.As(err, &r) {
		m.refused.WithLabelValues(string(r.reason)).Inc()
	}
	return r
}
