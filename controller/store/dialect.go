package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/lib/pq"
	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"

	"faxbot/controller/fax"
)

// dialect is all that differs between the two databases' SQL and errors.
type dialect struct {
	goose goose.Dialect
	// lock and lockFree end a SELECT whose rows are to be changed. SQLite
	// needs neither: its writer is alone.
	lock, lockFree string
	// migrating makes daemons that start at once take turns in bringing the
	// tables up to date; its lock ends with the transaction.
	migrating string
	// claiming makes the claims of all hosts take turns, so that each sees
	// the calls that the one before it placed, and then reads the clock.
	// PostgreSQL's statistics of a queue are always stale, and would have it
	// sort all that waits instead of walking the index that is sorted.
	claiming string
	// alone takes the lock of a task for as long as the transaction lasts, or
	// does not, and sets how many milliseconds that may be silent. "" where there
	// is one host.
	alone string
	// clock is the database's own time; the clocks of hosts differ. "" where
	// there is one host.
	clock string
	// reason names, for a stranger, the trouble that a later try may not
	// have; "" when the error is our own fault.
	reason func(error) string
}

const postgresClock = `SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)`

var dialects = map[string]dialect{
	"sqlite": {
		goose:  goose.DialectSQLite3,
		reason: sqliteReason,
	},
	"postgres": {
		goose:     goose.DialectPostgres,
		lock:      " FOR UPDATE",
		lockFree:  " FOR UPDATE SKIP LOCKED",
		migrating: "SELECT pg_advisory_xact_lock(hashtext(current_schema() || '/faxbot schema'))",
		claiming: `WITH turn AS MATERIALIZED (SELECT set_config('enable_sort', 'off', true), set_config('enable_seqscan', 'off', true),
			pg_advisory_xact_lock(hashtext(current_schema() || '/faxbot claims'))) ` + postgresClock + ` FROM turn`,
		alone: `SELECT set_config('idle_in_transaction_session_timeout', CAST($1 AS BIGINT)::TEXT, true),
			pg_try_advisory_xact_lock(hashtext(current_schema() || '/faxbot ' || CAST($2 AS TEXT)))`,
		clock:  postgresClock,
		reason: postgresReason,
	},
}

// explain makes what a database reported fit to be shown: refusals and ended
// contexts pass, passing troubles become fax.Unavailable, the rest stays an
// internal error with its text.
func (d dialect) explain(deed string, err error) error {
	var refusal *fax.Error
	switch {
	case err == nil, errors.As(err, &refusal), errors.Is(err, context.Canceled):
		return err
	}
	if why := d.reason(err); why != "" {
		return &fax.Error{
			Problem: fax.Unavailable,
			Detail:  fmt.Sprintf("The database cannot %s now: %s. Try again later.", deed, why),
			Cause:   err,
		}
	}
	return fmt.Errorf("store: cannot %s: %w", deed, err)
}

// sqliteReason goes by the primary result code (sqlite.org/rescode.html).
func sqliteReason(err error) string {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		if errors.Is(err, context.DeadlineExceeded) {
			return "it is too slow"
		}
		return ""
	}
	switch e.Code() & 0xff {
	case 13: // SQLITE_FULL
		return "the disk is full"
	case 10: // SQLITE_IOERR
		return "the disk reports an error"
	case 5, 6: // SQLITE_BUSY, SQLITE_LOCKED
		return "another program is using it"
	case 8: // SQLITE_READONLY
		return "it is read-only"
	case 14: // SQLITE_CANTOPEN
		return "its file cannot be opened"
	case 11, 26: // SQLITE_CORRUPT, SQLITE_NOTADB
		return "its file is damaged"
	case 7: // SQLITE_NOMEM
		return "the memory is full"
	case 9: // SQLITE_INTERRUPT
		return "it is too slow"
	}
	return ""
}

// postgresReason goes by the class of SQLSTATE (PostgreSQL, appendix A).
func postgresReason(err error) string {
	if e := pq.As(err); e != nil {
		if e.Code == "53100" {
			return "the disk is full"
		}
		switch e.Code.Class() {
		case "53", "54": // insufficient resources, program limit exceeded
			return "it is out of resources"
		case "40": // rolled back, after all tries
			return "it is too busy"
		case "55", "57": // not in the right state, operator intervention
			return "it is being stopped or too busy"
		case "58", "XX": // system error, internal error
			return "its server reports an error"
		case "25": // read-only transaction: a standby
			return "it is read-only"
		case "28", "3D": // authorization, no such database
			return "it refuses the login"
		case "08":
			return "it cannot be reached"
		}
		return ""
	}
	var network net.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "it is too slow"
	case errors.As(err, &errNoServer{}), errors.As(err, &network), errors.Is(err, driver.ErrBadConn),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "it cannot be reached"
	}
	return ""
}
