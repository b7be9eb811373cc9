package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jmoiron/sqlx"

	"faxbot/controller/fax"
)

// batchLimit bounds how long the first caller of a batch waits for the last.
const batchLimit = 256

var errClosed = &fax.Error{Problem: fax.Unavailable, Detail: "The fax service is stopping; try again in a moment."}

// group is SQLite's only writer: one goroutine, one connection. While a commit
// waits for the disk, further calls gather; the next transaction takes them
// all, each in its own savepoint, and one fsync makes them durable together.
// A lone call waits for nothing.
type group struct {
	conn  *sqlx.Conn
	tx    *prepared
	calls chan call // unbuffered: who is not taken yet can still withdraw
	stop  chan struct{}
	done  chan struct{}
}

type call struct {
	ctx    context.Context
	do     func(context.Context, session) error
	answer chan error
}

// newGroup takes conn over; close ends it.
func newGroup(conn *sqlx.Conn) *group {
	g := &group{
		conn: conn, tx: &prepared{on: conn},
		calls: make(chan call), stop: make(chan struct{}), done: make(chan struct{}),
	}
	go g.run()
	return g
}

// close answers the calls already taken, refuses the others, and waits.
func (g *group) close() error {
	close(g.stop)
	<-g.done
	return g.conn.Close()
}

// write runs do within a transaction and returns once it is on disk. When ctx
// ends before do was begun, do never runs; afterwards ctx is not looked at.
func (g *group) write(ctx context.Context, do func(context.Context, session) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c := call{context.WithoutCancel(ctx), do, make(chan error, 1)}
	select {
	case g.calls <- c:
		return <-c.answer
	case <-ctx.Done():
		return ctx.Err()
	case <-g.stop:
		return errClosed
	}
}

func (g *group) run() {
	defer close(g.done)
	for {
		select {
		case first := <-g.calls:
			g.batch(first)
		case <-g.stop:
			return
		}
	}
}

// batch commits first and whoever else is waiting. If the transaction itself
// breaks, all of them get that error: what some of them saw of the others is
// gone too.
func (g *group) batch(first call) {
	type answer struct {
		to  chan error
		err error
	}
	var answers []answer
	broken := g.exec("BEGIN IMMEDIATE")
	for c, more := first, true; more; {
		var err error
		if broken == nil {
			err, broken = g.one(c)
		}
		answers = append(answers, answer{c.answer, err})
		more = false
		if len(answers) < batchLimit {
			select {
			case c = <-g.calls:
				more = true
			default:
			}
		}
	}
	if broken == nil {
		if broken = g.exec("COMMIT"); broken != nil {
			broken = fmt.Errorf("%w: %w", ErrInDoubt, broken)
		}
	}
	if broken != nil {
		// SQLite may have rolled back by itself already, which makes this
		// fail; either way the next batch begins afresh.
		_ = g.exec("ROLLBACK")
	}
	for _, a := range answers {
		if broken != nil {
			a.err = broken
		}
		a.to <- a.err
	}
}

// one runs a call in a savepoint. A full or broken disk can make SQLite roll
// back the whole transaction on its own (sqlite.org/lang_transaction.html,
// "Response To Errors Within A Transaction"); then the savepoint is gone and
// broken tells why.
func (g *group) one(c call) (err, broken error) {
	if broken = g.exec("SAVEPOINT one"); broken != nil {
		return nil, broken
	}
	if err = c.do(c.ctx, g.tx); err != nil {
		if gone := g.exec("ROLLBACK TO one"); gone != nil {
			return nil, errors.Join(err, gone)
		}
	}
	return err, g.exec("RELEASE one")
}

func (g *group) exec(query string) error {
	_, err := g.tx.ExecContext(context.Background(), query)
	return err
}
