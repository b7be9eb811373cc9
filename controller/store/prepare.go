package store

import (
	"context"
	"database/sql/driver"
	"strings"
	"sync/atomic"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"
)

// keeper makes connections on which each statement is parsed once. A statement
// lives as long as its connection; nobody else has to know of it, and none needs
// a second connection while it holds one.
type keeper struct {
	driver.Connector
	pooled atomic.Bool // see detectPooler
}

// Connect implements driver.Connector.
func (k *keeper) Connect(ctx context.Context) (driver.Conn, error) {
	made, err := k.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &keeping{connected: made.(connected), pooled: &k.pooled, statements: map[string]compiled{}}, nil
}

type keeping struct {
	connected
	pooled     *atomic.Bool
	statements map[string]compiled
	bad        bool // not to be used again
}

// unkept has statements under ctx parsed and planned for their values each time:
// those that are put together as needed, of which there would be no end, those
// whose best plan depends on the values, and what may take long: the server is
// told to stop when ctx ends.
func unkept(ctx context.Context) context.Context { return context.WithValue(ctx, unkeptKey{}, true) }

type unkeptKey struct{}

// statement returns nil when the text is to be sent as it is.
func (c *keeping) statement(ctx context.Context, query string, args []driver.NamedValue) (compiled, error) {
	if several := len(args) == 0 && !strings.HasPrefix(query, "SELECT ") && !strings.HasPrefix(query, "WITH "); several ||
		ctx.Value(unkeptKey{}) != nil || c.pooled.Load() {
		return nil, nil
	}
	if s := c.statements[query]; s != nil {
		return s, nil
	}
	made, err := c.connected.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	s := made.(compiled)
	c.statements[query] = s
	return s, nil
}

// ExecContext implements driver.ExecerContext.
func (c *keeping) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	s, err := c.statement(ctx, query, args)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return c.connected.ExecContext(ctx, query, args)
	}
	result, err := s.ExecContext(ctx, args)
	c.forget(err)
	return result, err
}

// QueryContext implements driver.QueryerContext.
func (c *keeping) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	s, err := c.statement(ctx, query, args)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return c.connected.QueryContext(ctx, query, args)
	}
	rows, err := s.QueryContext(ctx, args)
	c.forget(err)
	return rows, err
}

// forget gives a connection up whose statements are not there any more: a pooler
// has changed the server behind it.
func (c *keeping) forget(err error) { c.bad = c.bad || isUnknown(err) }

// isUnknown says that the server does not know the statement; nothing was done.
func isUnknown(err error) bool { return pq.As(err, pqerror.InvalidSQLStatementName) != nil }

// IsValid implements driver.Validator.
func (c *keeping) IsValid() bool { return !c.bad && c.connected.IsValid() }

// ResetSession implements driver.SessionResetter.
func (c *keeping) ResetSession(ctx context.Context) error {
	if c.bad {
		return driver.ErrBadConn
	}
	return c.connected.ResetSession(ctx)
}

// detectPooler finds out whether a pooler stands before the server that lends
// its connections for one transaction at a time. There a name that one client
// gives a statement may be another client's, or nobody's, so nothing is kept
// (PgBouncer knows better from 1.21 on; we cannot tell which one it is).
//
// A connection of our own has a server process of its own, always the same.
func detectPooler(ctx context.Context, db *sqlx.DB) (bool, error) {
	a, err := db.Connx(ctx)
	if err != nil {
		return false, err
	}
	defer a.Close()
	b, err := db.Connx(ctx)
	if err != nil {
		return false, err
	}
	defer b.Close()
	seen := map[int]*sqlx.Conn{}
	for range 10 {
		for _, conn := range []*sqlx.Conn{a, b} {
			var process int
			if err := conn.GetContext(ctx, &process, `SELECT pg_backend_pid()`); err != nil {
				return false, err
			}
			if of := seen[process]; of != nil && of != conn {
				return true, nil
			}
			seen[process] = conn
		}
	}
	return len(seen) > 2, nil
}
