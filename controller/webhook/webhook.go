// Package webhook tells others what becomes of faxes, as Standard Webhooks
// (standardwebhooks.com) has it, from the outbox in the store.
//
// A message is told at least once, under an id that stays the same, and the
// messages of one fax to one URL in their order: one that fails holds up those
// behind it. It is tried for three days, then given up and kept for a replay.
package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"faxbot/controller/fax"
	"faxbot/controller/store"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Config is what a Sender works with.
type Config struct {
	Outbox     store.Outbox
	Endpoints  store.Endpoints
	Terms      Terms
	Version    string
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Terms are what may change while a Sender runs.
type Terms struct {
	// Secrets (whsec_…) sign for targets that have none of their own: the
	// first, and the others while receivers change over.
	Secrets      []string
	AllowPrivate bool // targets in private and local networks
}

// Sender sends messages. Make one with New, then Run it.
type Sender struct {
	config Config
	terms  atomic.Pointer[Terms]
	client *http.Client
	tries  *prometheus.CounterVec
}

// pauses follow the failed tries: about three days in all, as Standard Webhooks
// recommends.
var pauses = []time.Duration{
	5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour,
	10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
}

const (
	within   = 15 * time.Second // a receiver has to answer
	lease    = 2 * time.Minute  // longer than that, with room for the database
	lookEach = time.Second
	atOnce   = 32
	maxReply = 64 << 10 // of which nothing is kept; the connection is used again
)

// New makes a Sender. A secret that is not one is an error.
func New(c Config) (*Sender, error) {
	s := &Sender{config: c}
	s.client = newClient(s.private)
	if err := s.Set(c.Terms); err != nil {
		return nil, err
	}
	s.tries = promauto.With(c.Registerer).NewCounterVec(prometheus.CounterOpts{
		Name: "faxbot_webhook_tries_total", Help: "Webhook deliveries tried, by result.",
	}, []string{"result"})
	for _, r := range []string{"delivered", "failed", "given_up"} {
		s.tries.WithLabelValues(r)
	}
	return s, nil
}

// Set changes the terms, for what is sent from now on. With a secret that is
// not one they stay as they are.
func (s *Sender) Set(t Terms) error {
	if _, err := keys(t.Secrets); err != nil {
		return err
	}
	s.terms.Store(&t)
	s.client.CloseIdleConnections() // some may lead where none may go any more
	return nil
}

func (s *Sender) private() bool { return s.terms.Load().AllowPrivate }

// Run sends until ctx ends. What is under way then is sent again by the next
// run.
func (s *Sender) Run(ctx context.Context) error {
	defer s.client.CloseIdleConnections()
	var tasks sync.WaitGroup
	defer tasks.Wait()
	tick := time.NewTicker(lookEach)
	defer tick.Stop()
	free := make(chan struct{}, atOnce) // a token in it for each that runs
	done := make(chan struct{}, 1)
	for {
		now := s.config.Outbox.Now()
		list, err := s.config.Outbox.Claim(ctx, now, now.Add(lease), atOnce-len(free))
		if err != nil && ctx.Err() == nil {
			s.config.Logger.Error("webhooks that are due could not be read", "error", err)
		}
		for _, m := range list {
			free <- struct{}{}
			tasks.Go(func() {
				s.send(ctx, m)
				<-free
				select { // the next of the same fax may go
				case done <- struct{}{}:
				default:
				}
			})
		}
		wake := done
		if len(list) == 0 && len(free) == 0 {
			wake = nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-wake:
		}
	}
}

// send makes one try and notes what it came to.
func (s *Sender) send(ctx context.Context, m store.Message) {
	log := s.config.Logger.With("message", m.ID, "event", m.Event, "fax", m.Job.ID)
	err := s.deliver(ctx, m)
	if ctx.Err() != nil {
		return // nobody knows; the lease ends
	}
	if err == nil {
		s.tries.WithLabelValues("delivered").Inc()
		s.note(ctx, log, s.config.Outbox.Sent(ctx, m.ID))
		return
	}
	next := time.Time{}
	if m.Tries <= len(pauses) && !errors.As(err, new(unwanted)) {
		pause := pauses[m.Tries-1]
		next = s.config.Outbox.Now().Add(pause + rand.N(pause/10+1))
	}
	result := "failed"
	if next.IsZero() {
		result = "given_up"
		log.Error("a webhook is given up; it can be replayed", "tries", m.Tries, "error", err)
	}
	s.tries.WithLabelValues(result).Inc()
	s.note(ctx, log, s.config.Outbox.Failed(ctx, m.ID, err.Error(), next))
}

func (s *Sender) note(ctx context.Context, log *slog.Logger, err error) {
	if err != nil && ctx.Err() == nil {
		log.Error("the result of a webhook could not be stored; it is sent again", "error", err)
	}
}

// unwanted is a reason for which no later try could end otherwise.
type unwanted string

func (u unwanted) Error() string { return string(u) }

const (
	errGone     unwanted = "the receiver is gone (410)"
	errDisabled unwanted = "the webhook is disabled"
	errRemoved  unwanted = "the webhook was removed"
)

// deliver makes one try.
func (s *Sender) deliver(ctx context.Context, m store.Message) error {
	if !store.IsEndpoint(m.URL) {
		return s.post(ctx, m.URL, s.terms.Load().Secrets, m.ID, body(m))
	}
	e, err := s.config.Endpoints.Find(ctx, m.URL)
	switch {
	case fax.ProblemOf(err) == fax.NotFound:
		return errRemoved
	case err != nil:
		return err
	case !e.Enabled:
		return errDisabled
	}
	return s.post(ctx, e.URL, e.Secrets(time.Now()), m.ID, body(m))
}

// Test sends an endpoint a message of the type webhook.test, now, and says what
// came of it. Nothing is tried again.
func (s *Sender) Test(ctx context.Context, e store.Endpoint) error {
	now := time.Now()
	text, err := json.Marshal(map[string]any{
		"type": store.EventTest, "timestamp": now.UTC(), "data": map[string]string{"webhook_id": e.ID},
	})
	if err != nil {
		return err
	}
	return s.post(ctx, e.URL, e.Secrets(now), "msg_"+string(fax.NewJobID()), text)
}

// post sends a message. Its errors do not name the URL, which may hold a
// secret.
func (s *Sender) post(ctx context.Context, url string, secrets []string, id string, text []byte) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	signing, err := keys(secrets)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(text))
	if err != nil {
		return errors.New("the URL is none")
	}
	now := time.Now()
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "faxbot/"+s.config.Version)
	r.Header.Set("Webhook-Id", id)
	r.Header.Set("Webhook-Timestamp", strconv.FormatInt(now.Unix(), 10))
	r.Header.Set("Webhook-Signature", sign(signing, id, now, text))
	answer, err := s.client.Do(r)
	if err != nil {
		return withoutURL(err)
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, maxReply)
	switch {
	case answer.StatusCode/100 == 2:
		return nil
	case answer.StatusCode == http.StatusGone:
		return errGone
	}
	return fmt.Errorf("the receiver answered %d", answer.StatusCode)
}

// payload is what a receiver reads.
type payload struct {
	Type      store.Event `json:"type"`
	Timestamp time.Time   `json:"timestamp"`
	Data      data        `json:"data"`
}

// data names things as GET /fax/{id} does.
type data struct {
	ID        fax.JobID  `json:"id"`
	To        fax.Number `json:"to"`
	Status    fax.Status `json:"status"`
	State     fax.State  `json:"state"`
	Cause     *fax.Cause `json:"cause"`
	Error     *string    `json:"error"`
	Pages     *int       `json:"pages"`
	Confirmed int        `json:"confirmed_pages"`
	Page      *int       `json:"page"` // the one just confirmed, for fax.page
	CreatedAt time.Time  `json:"created_at"`
	UpdatedAt time.Time  `json:"updated_at"`
}

// body is the same in all tries.
func body(m store.Message) []byte {
	j := m.Job
	text, err := json.Marshal(payload{m.Event, m.MadeAt.UTC(), data{
		ID: j.ID, To: j.To, Status: j.Status(), State: j.State, Cause: orNull(j.Cause), Error: orNull(j.Error),
		Pages: orNull(j.Pages), Confirmed: max(j.Confirmed, m.Page), Page: orNull(m.Page),
		CreatedAt: j.CreatedAt.UTC(), UpdatedAt: j.UpdatedAt.UTC(),
	}})
	if err != nil {
		panic(err) // our own types only
	}
	return text
}

func orNull[T comparable](v T) *T {
	if v == *new(T) {
		return nil
	}
	return &v
}
