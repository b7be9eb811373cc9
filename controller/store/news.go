package store

import (
	"context"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"faxbot/controller/fax"
)

// News is that another host has changed a fax, and the state that it is in now.
// Without a Job, news were missed and anything may have changed.
type News struct {
	Job   fax.JobID
	State fax.State
}

// PostgreSQL's own limit of a message is 8000 bytes; a message of ours has at
// most largest, and there is at most one within a pause.
const (
	largest = 7900
	pause   = 20 * time.Millisecond
	backlog = 5000 // faxes; beyond that everybody looks for himself
	missed  = "*"
)

// herald tells the other hosts of what was committed here (NOTIFY), and hears
// them (LISTEN). Nothing depends on it: who hears nothing finds the same by
// looking a little later. So it speaks after the commit, not within: inside of
// it, PostgreSQL would let the commits of all hosts wait for each other. A nil
// one, on SQLite, has nobody to tell.
type herald struct {
	db      *sqlx.DB
	dsn     string
	channel string // of this database and schema
	self    string // not to listen to ourselves
	pooled  bool   // see detectPooler: nothing is heard
	log     *slog.Logger

	mu    sync.Mutex
	state map[fax.JobID]fax.State
	order []fax.JobID
	lost  bool

	wake, stop, done chan struct{}
}

func newHerald(ctx context.Context, db *sqlx.DB, dsn string, pooled bool, log *slog.Logger) (*herald, error) {
	h := &herald{
		db: db, dsn: dsn, pooled: pooled, log: log, self: string(fax.NewJobID()), state: map[fax.JobID]fax.State{},
		wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
	}
	if err := db.GetContext(ctx, &h.channel, `SELECT 'faxbot_' || md5(current_schema())`); err != nil {
		return nil, err
	}
	go h.run()
	return h, nil
}

func (h *herald) close() error {
	close(h.stop)
	<-h.done
	return nil
}

// tell lets the other hosts know of faxes that were changed.
func (h *herald) tell(changed ...fax.Job) {
	if h == nil || len(changed) == 0 {
		return
	}
	h.mu.Lock()
	for _, job := range changed {
		if _, known := h.state[job.ID]; !known {
			h.order = append(h.order, job.ID)
		}
		h.state[job.ID] = job.State
	}
	if len(h.order) > backlog {
		h.state, h.order, h.lost = map[fax.JobID]fax.State{}, nil, true
	}
	h.mu.Unlock()
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

func (h *herald) run() {
	defer close(h.done)
	rest := time.NewTimer(pause)
	defer rest.Stop()
	for {
		select {
		case <-h.wake:
		case <-h.stop:
			return
		}
		for _, message := range h.messages() {
			if err := h.notify(message); err != nil {
				h.log.Debug("the other hosts could not be told of changes; they will find them", "error", err)
				break
			}
		}
		rest.Reset(pause)
		select {
		case <-rest.C:
		case <-h.stop:
			return
		}
	}
}

// notify costs no disk: nothing is lost with it.
func (h *herald) notify(message string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_, err := h.db.ExecContext(ctx, `SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, $2)`, h.channel, message)
	return err
}

// messages takes what is to be told. A message is the teller's name, then
// "id:state" of each fax, with spaces between: nothing that is private.
func (h *herald) messages() []string {
	h.mu.Lock()
	state, order, lost := h.state, h.order, h.lost
	h.state, h.order, h.lost = map[fax.JobID]fax.State{}, nil, false
	h.mu.Unlock()
	if lost {
		return []string{h.self + " " + missed}
	}
	var list []string
	var text strings.Builder
	for _, id := range order {
		word := " " + string(id) + ":" + string(state[id])
		if text.Len()+len(word) > largest {
			list = append(list, text.String())
			text.Reset()
		}
		if text.Len() == 0 {
			text.WriteString(h.self)
		}
		text.WriteString(word)
	}
	return append(list, text.String())
}

// parse reads a message; none of our own, and nothing that is no message.
func (h *herald) parse(message string) (news []News) {
	words := strings.Fields(message)
	if len(words) < 2 || words[0] == h.self {
		return nil
	}
	for _, word := range words[1:] {
		if word == missed {
			return []News{{}}
		}
		text, state, _ := strings.Cut(word, ":")
		id, err := fax.ParseJobID(text)
		if err == nil && slices.Contains(fax.States, fax.State(state)) {
			news = append(news, News{id, fax.State(state)})
		}
	}
	return news
}

// Listen has heard called with what other hosts change, one call after another,
// until ctx ends. When the connection is lost it is made again, which is told
// as missed news. Where nothing can be heard (a database without LISTEN, a proxy
// that pools transactions) news are said to be missed every few seconds; SQLite
// has one host, and it only waits.
func (s *Store) Listen(ctx context.Context, heard func([]News)) error {
	if s.herald == nil {
		<-ctx.Done()
		return nil
	}
	s.herald.listen(ctx, heard)
	return nil
}

const (
	probe    = 20 * time.Second // how often the connection is tried
	patience = 30 * time.Second // for any sign of life on it
	blindly  = 5 * time.Second  // between two looks where nothing can be heard
)

func (h *herald) listen(ctx context.Context, heard func([]News)) {
	if h.pooled {
		look := time.NewTicker(blindly)
		defer look.Stop()
		for {
			heard([]News{{}})
			select {
			case <-look.C:
			case <-ctx.Done():
				return
			}
		}
	}
	l := pq.NewDialListener(impatient{}, h.dsn, 100*time.Millisecond, 2*time.Second, h.report)
	var work sync.WaitGroup
	defer work.Wait()
	listening := make(chan error, 1)
	work.Go(func() { listening <- l.Listen(h.channel) }) // waits for the first connection
	work.Go(func() {
		<-ctx.Done()
		_ = l.Close() // it is closed once
	})
	tick := time.NewTicker(probe)
	defer tick.Stop()
	var look <-chan time.Time
	for open := true; open; {
		select {
		case err := <-listening:
			if err == nil {
				heard([]News{{}}) // of before
			} else if ctx.Err() == nil {
				h.log.Warn("the database does not tell what other hosts do; they are looked after every few seconds", "error", err)
				look = time.Tick(blindly)
			}
		case <-look:
			heard([]News{{}})
		case <-tick.C:
			_ = l.Ping() // whoever does not answer in time is hung up on
		case n, more := <-l.Notify:
			switch open = more; {
			case !more || ctx.Err() != nil:
			case n == nil:
				heard([]News{{}})
			default:
				if news := h.parse(n.Extra); news != nil {
					heard(news)
				}
			}
		}
	}
}

func (h *herald) report(event pq.ListenerEventType, err error) {
	switch event {
	case pq.ListenerEventDisconnected:
		h.log.Warn("the connection on which other hosts are heard is lost; it will be made again", "error", err)
	case pq.ListenerEventReconnected:
		h.log.Info("other hosts are heard again")
	case pq.ListenerEventConnected, pq.ListenerEventConnectionAttemptFailed:
	}
}

// impatient makes connections on which silence is an error, so that a server
// that has vanished without a word is noticed.
type impatient struct{}

// Dial implements pq.Dialer.
func (i impatient) Dial(network, address string) (net.Conn, error) {
	return i.DialTimeout(network, address, patience)
}

// DialTimeout implements pq.Dialer.
func (impatient) DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	c, err := net.DialTimeout(network, address, timeout)
	if err != nil {
		return nil, err
	}
	return listening{c}, nil
}

type listening struct{ net.Conn }

// Read implements net.Conn.
func (l listening) Read(b []byte) (int, error) {
	if err := l.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return 0, err
	}
	return l.Conn.Read(b)
}

// Write implements net.Conn.
func (l listening) Write(b []byte) (int, error) {
	if err := l.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return 0, err
	}
	return l.Conn.Write(b)
}
