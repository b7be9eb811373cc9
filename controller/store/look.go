package store

import (
	"context"
	"database/sql"
	"errors"
	"sync"

	"github.com/jmoiron/sqlx"

	"faxbot/controller/fax"
)

// look is all that is known of one job.
type look struct {
	job      fax.Job
	attempts []fax.Attempt
	facts    fax.Facts
}

// Look returns all that is known of one job: it, its attempts, the first call
// first, and what is known of its pages; nothing of those before it is
// prepared. The caller must not change what the slices hold. It is what clients
// ask by far the most. As Find, it takes the id of an earlier Faxbot, too.
func (s *Store) Look(ctx context.Context, id fax.JobID) (fax.Job, []fax.Attempt, fax.Facts, error) {
	at, l, ok := s.lately.find(id)
	if !ok {
		var err error
		if l, err = s.look(ctx, id); err != nil {
			return fax.Job{}, nil, fax.Facts{}, err
		}
		s.lately.keep(at, id, l)
	}
	return l.job, l.attempts, l.facts, nil
}

func (s *Store) look(ctx context.Context, id fax.JobID) (l look, err error) {
	var row struct {
		jobRow
		Facts document[fax.Facts] `db:"facts"`
	}
	err = s.get(ctx, &row, `SELECT `+jobColumns+`, facts FROM jobs WHERE id = ?`, id)
	if errors.Is(err, sql.ErrNoRows) {
		if id, err = s.idOf(ctx, id); err == nil {
			return s.look(ctx, id)
		}
	}
	if err != nil {
		return l, err
	}
	l.job, l.facts = row.job(), row.Facts.of
	l.attempts, err = s.Attempts(ctx, id)
	return l, err
}

// lately remembers what was looked at since the last commit. SQLite itself says
// whether there was one, by us or by anybody (sqlite.org/pragma.html,
// data_version): what is remembered is never older than what would be read. It
// costs a fifth of reading. A nil one remembers nothing.
type lately struct {
	on      *sqlx.Conn
	version *sqlx.Stmt

	mu   sync.Mutex
	at   int64 // the version of all in seen
	seen map[fax.JobID]look
}

// remembered bounds the memory.
const remembered = 4096

// newLately takes conn over, which must never write.
func newLately(ctx context.Context, conn *sqlx.Conn) (*lately, error) {
	version, err := conn.PreparexContext(ctx, "PRAGMA data_version")
	return &lately{on: conn, version: version, seen: map[fax.JobID]look{}}, err
}

func (l *lately) close() error {
	_ = l.version.Close()
	return l.on.Close()
}

// find returns what is remembered of a job, and to which version of the
// database it belongs; 0 when nobody knows.
func (l *lately) find(id fax.JobID) (at int64, known look, ok bool) {
	if l == nil {
		return 0, look{}, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.version.QueryRow().Scan(&at) != nil { // whoever reads will hear why
		return 0, look{}, false
	}
	if at != l.at {
		clear(l.seen)
		l.at = at
	}
	known, ok = l.seen[id]
	return at, known, ok
}

// keep remembers what was read after find had said at. If there was a commit
// meanwhile, the next find will notice.
func (l *lately) keep(at int64, id fax.JobID, known look) {
	if l == nil || at == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.at != at {
		return
	}
	if len(l.seen) >= remembered {
		clear(l.seen)
	}
	l.seen[id] = known
}
