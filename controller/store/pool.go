package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"
)

const (
	connections = 10
	tasks       = 2                // connections beside them, for Alone
	turnLimit   = 7 * time.Second  // for a connection to become free, or to be made past two servers that are silent
	writeLimit  = 20 * time.Second // with turnLimit less than the half minute that clients wait
	readLimit   = time.Minute
	tries       = connections + 2 // a restarted server leaves every idle connection dead
	// planLife is how long a plan may be older than what the statistics say by
	// now: statements and their plans go with their connection.
	planLife = 15 * time.Minute
)

// pool gives each write of PostgreSQL its own transaction.
type pool struct {
	db    *sqlx.DB
	limit time.Duration // for one write, all tries together
}

// write runs do within a transaction and returns once it is committed. When
// ctx ends before a connection was free, do never runs; afterwards ctx is not
// looked at. do runs again after a deadlock or a serialization failure.
func (p pool) write(ctx context.Context, do func(context.Context, session) error) error {
	detached, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.limit)
	defer cancel()
	for try := 1; ; try++ {
		conn, err := p.free(ctx)
		if err != nil {
			return err
		}
		err = once(detached, conn, do)
		conn.Close()
		switch {
		case try == tries:
			return err
		case errors.Is(err, errStale), isUnknown(err), lost(err) && stepBack(detached, try):
		default:
			return err
		}
	}
}

// lost says that the server has ended what was asked, and undone it, in favour of
// somebody else.
func lost(err error) bool {
	return pq.As(err, pqerror.TRSerializationFailure, pqerror.TRDeadlockDetected) != nil
}

// stepBack waits before another try, each time for another time; false when ctx
// ends before.
func stepBack(ctx context.Context, try int) bool {
	select {
	case <-time.After(rand.N(time.Duration(try) * 10 * time.Millisecond)):
		return true
	case <-ctx.Done():
		return false
	}
}

// free waits for a connection, not for long: a server that hangs has them all,
// and whoever wants to write would wait behind everybody else.
func (p pool) free(ctx context.Context) (*sqlx.Conn, error) {
	soon, cancel := context.WithTimeout(ctx, turnLimit)
	defer cancel()
	conn, err := p.db.Connx(soon)
	if err != nil && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return conn, err
}

// ErrInDoubt is behind a fax.Unavailable when the write may have been done all
// the same: the commit was asked for, and nobody answered.
var ErrInDoubt = errors.New("whether it is stored is not known")

// errStale says that the connection died before anything was done.
var errStale = errors.New("the idle connection was dead")

// stale recognises a connection that was found dead; what was asked of it can
// be asked of another if asking twice does no harm.
func stale(err error) bool {
	var op *net.OpError
	return errors.Is(err, driver.ErrBadConn) || errors.As(err, &op) && op.Op != "dial" && !op.Timeout()
}

// once runs a transaction that sees what was committed before each statement,
// whatever the database's default is: a claim must see, when its turn has come, the
// calls of the claim before it.
func once(ctx context.Context, conn *sqlx.Conn, do func(context.Context, session) error) error {
	tx, err := conn.BeginTxx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if stale(err) {
		return fmt.Errorf("%w: %w", errStale, err)
	}
	if err != nil {
		return err
	}
	if err := do(ctx, rebound{tx}); err != nil {
		_ = tx.Rollback() // err says it better; an unanswered transaction is rolled back by the server
		return err
	}
	err = tx.Commit()
	if err != nil && pq.As(err) == nil { // else the server has said that it did not
		err = fmt.Errorf("%w: %w", ErrInDoubt, err)
	}
	return err
}
