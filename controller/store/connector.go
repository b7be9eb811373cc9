package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/lib/pq"
)

// connector makes connections to PostgreSQL on which nobody waits for long after
// his context has ended. The driver itself only asks the server to stop, and
// goes on listening: to a server that hangs, or to a machine that has vanished,
// it would listen for ever. Of several servers it finds the one that writes.
type connector struct{ config pq.Config }

func newConnector(dsn string) (connector, error) {
	config, err := pq.NewConfig(dsn)
	return connector{config}, err
}

// courtesy is how long a server that was asked to stop has to say so.
const courtesy = time.Second

// errNoServer says that no connection was made.
type errNoServer struct{ error }

func (e errNoServer) Unwrap() error { return e.error }

// Connect implements driver.Connector.
func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	var dial lastDialled
	to, err := pq.NewConnectorConfig(c.config)
	if err != nil {
		return nil, err
	}
	to.Dialer(&dial)
	defer context.AfterFunc(ctx, dial.hangUp)()
	made, err := to.Connect(ctx)
	if err != nil {
		return nil, errNoServer{err}
	}
	return &connection{connected: made.(connected), line: dial.line()}, nil
}

// Driver implements driver.Connector.
func (connector) Driver() driver.Driver { return &pq.Driver{} }

// lastDialled remembers the connection that was dialled last.
type lastDialled struct {
	net.Dialer
	mu   sync.Mutex
	conn net.Conn
}

func (d *lastDialled) line() net.Conn {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.conn
}

// hangUp ends what is said at the beginning.
func (d *lastDialled) hangUp() {
	if c := d.line(); c != nil {
		_ = c.SetDeadline(time.Now())
	}
}

// Dial implements pq.Dialer.
func (d *lastDialled) Dial(network, address string) (net.Conn, error) {
	return d.DialContext(context.Background(), network, address)
}

// DialTimeout implements pq.Dialer.
func (d *lastDialled) DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return d.DialContext(ctx, network, address)
}

// DialContext implements pq.DialerContext.
func (d *lastDialled) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := d.Dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.conn = c
	return c, nil
}

// connected is what a connection of the driver can do.
type connected interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
	driver.NamedValueChecker
}

// connection hangs up on a server that goes on being silent after the context
// of what it was asked last has ended.
type connection struct {
	connected
	line net.Conn

	mu    sync.Mutex
	asked int         // how often
	stop  func() bool // looking at the context of what was asked last
	dead  bool
}

// within is called when something is asked.
func (c *connection) within(ctx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stop != nil {
		c.stop()
	}
	c.asked++
	this := c.asked
	_ = c.line.SetDeadline(time.Time{}) // of a closed one whoever reads hears
	c.stop = context.AfterFunc(ctx, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.asked == this {
			_ = c.line.SetDeadline(time.Now().Add(courtesy))
		}
	})
}

// heard is called with what came of it. A connection whose answer was not waited
// for must not be asked again.
func (c *connection) heard(err error) error {
	var network net.Error
	if errors.As(err, &network) && network.Timeout() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.dead = true
	}
	return err
}

func (c *connection) isDead() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dead
}

// ExecContext implements driver.ExecerContext.
func (c *connection) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	c.within(ctx)
	r, err := c.connected.ExecContext(ctx, query, args)
	return r, c.heard(err)
}

// QueryContext implements driver.QueryerContext.
func (c *connection) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	c.within(ctx)
	r, err := c.connected.QueryContext(ctx, query, args)
	return r, c.heard(err)
}

// PrepareContext implements driver.ConnPrepareContext.
func (c *connection) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	c.within(ctx)
	s, err := c.connected.PrepareContext(ctx, query)
	if err != nil {
		return nil, c.heard(err)
	}
	return &statement{s.(compiled), c}, nil
}

// Ping implements driver.Pinger.
func (c *connection) Ping(ctx context.Context) error {
	c.within(ctx)
	return c.heard(c.connected.Ping(ctx))
}

// ResetSession implements driver.SessionResetter.
func (c *connection) ResetSession(ctx context.Context) error {
	if c.isDead() {
		return driver.ErrBadConn
	}
	return c.connected.ResetSession(ctx)
}

// IsValid implements driver.Validator.
func (c *connection) IsValid() bool { return !c.isDead() && c.connected.IsValid() }

// BeginTx implements driver.ConnBeginTx. The driver does not hear of ctx, for it
// would ask the server to stop even while that commits: a primary that waits for
// its standby then calls the commit a success, of which the standby knows nothing.
func (c *connection) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	c.within(ctx)
	t, err := c.connected.BeginTx(context.WithoutCancel(ctx), opts)
	if err != nil {
		return nil, c.heard(err)
	}
	return &transaction{t, c, ctx}, nil
}

type transaction struct {
	driver.Tx
	on  *connection
	ctx context.Context //nolint:containedctx // Commit and Rollback have none of their own
}

// Commit implements driver.Tx.
func (t *transaction) Commit() error {
	t.on.within(t.ctx)
	return t.on.heard(t.Tx.Commit())
}

// Rollback implements driver.Tx.
func (t *transaction) Rollback() error {
	t.on.within(t.ctx)
	return t.on.heard(t.Tx.Rollback())
}

// compiled is what a prepared statement of the driver can do.
type compiled interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// statement is one that was prepared. The driver does not hear of its context: it
// would wait for a server that hangs to stop it. What takes long is not prepared.
type statement struct {
	compiled
	on *connection
}

// ExecContext implements driver.StmtExecContext.
func (s *statement) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	s.on.within(ctx)
	r, err := s.compiled.ExecContext(context.WithoutCancel(ctx), args)
	return r, s.on.heard(err)
}

// QueryContext implements driver.StmtQueryContext.
func (s *statement) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	s.on.within(ctx)
	r, err := s.compiled.QueryContext(context.WithoutCancel(ctx), args)
	return r, s.on.heard(err)
}
