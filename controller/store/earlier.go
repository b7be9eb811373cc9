package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"faxbot/controller/fax"
)

// Earlier is what a database of the original Faxbot, in Python, holds that is
// worth taking over.
type Earlier struct {
	Jobs []EarlierJob
	Keys []Key

	keys []earlierKey
}

// EarlierJob is a fax of the original Faxbot. Its Job has ended, whatever it
// was: nothing that is taken over is ever dialled.
type EarlierJob struct {
	fax.Job
	EarlierID  string // under which it is found, too
	Status     string // as it was there
	Unresolved bool   // nobody knows whether it arrived; a person must look
}

type earlierJobRow struct {
	ID        string  `db:"id"`
	To        string  `db:"to_number"`
	Status    string  `db:"status"`
	Error     *string `db:"error"`
	Pages     *int    `db:"pages"`
	CreatedAt stamp   `db:"created_at"`
	UpdatedAt stamp   `db:"updated_at"`
}

// earlierKeyColumns are all that a key had; what it has besides is as in a new
// one.
const earlierKeyColumns = `id, key_id, name, owner, key_hash, scopes, created_at, last_used_at, expires_at, revoked_at, note`

type earlierKey struct {
	RowID string `db:"id"`
	keyRow
}

// ReadEarlier reads a database of the original Faxbot, in one transaction and
// without writing to it. The URL is as Open has it.
func ReadEarlier(ctx context.Context, databaseURL string) (Earlier, error) {
	db, err := openEarlier(databaseURL)
	if err != nil {
		return Earlier{}, err
	}
	defer db.Close()
	var e Earlier
	err = e.read(ctx, db)
	if u, bad := url.Parse(databaseURL); err != nil && bad == nil {
		err = withoutPassword(err, u)
	}
	return e, err
}

func openEarlier(databaseURL string) (*sqlx.DB, error) {
	scheme, rest, _ := strings.Cut(databaseURL, "://")
	scheme, _, _ = strings.Cut(scheme, "+")
	switch scheme {
	case "sqlite":
		file := strings.TrimPrefix(rest, "/")
		if st, err := os.Stat(file); err != nil {
			return nil, err
		} else if st.IsDir() {
			return nil, &fs.PathError{Op: "open", Path: file, Err: errors.New("it is a folder")}
		}
		settings := url.Values{"mode": {"ro"}, "_query_only": {"1"}, "_busy_timeout": {"10000"}}
		return sqlx.Open("sqlite", "file:"+(&url.URL{Path: file}).EscapedPath()+"?"+settings.Encode())
	case "postgres", "postgresql":
		u, err := url.Parse("postgres://" + rest)
		if err != nil {
			return nil, errors.New("this is not a URL; write special characters in the password as %40 and the like")
		}
		settings := u.Query()
		if !settings.Has("sslmode") && os.Getenv("PGSSLMODE") == "" {
			settings.Set("sslmode", "prefer")
		}
		settings.Set("default_transaction_read_only", "on")
		settings.Set("default_transaction_isolation", "repeatable read")
		u.RawQuery = settings.Encode()
		return sqlx.Open("postgres", u.String())
	}
	return nil, errors.New("it must begin with sqlite:/// or postgresql://")
}

func (e *Earlier) read(ctx context.Context, db *sqlx.DB) error {
	tx, err := db.BeginTxx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // it changed nothing
	var jobs []earlierJobRow
	if err := tx.SelectContext(ctx, &jobs, `SELECT id, to_number, status, error, pages, created_at, updated_at
		FROM fax_jobs ORDER BY created_at, id`); err != nil {
		return fmt.Errorf("this is no database of an earlier Faxbot: %w", err)
	}
	for _, j := range jobs {
		e.Jobs = append(e.Jobs, j.job())
	}
	// The first versions had no keys.
	has := `SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'api_keys'`
	if db.DriverName() == "postgres" {
		has = `SELECT count(to_regclass('api_keys'))`
	}
	var n int
	if err := tx.GetContext(ctx, &n, has); err != nil || n == 0 {
		return err
	}
	if err := tx.SelectContext(ctx, &e.keys, `SELECT `+earlierKeyColumns+` FROM api_keys ORDER BY created_at, key_id`); err != nil {
		return err
	}
	for _, k := range e.keys {
		e.Keys = append(e.Keys, k.key())
	}
	return nil
}

// earlierPrefix marks, as an idempotency key, the fax that another id named.
const earlierPrefix = "faxbot:"

func (r earlierJobRow) job() EarlierJob {
	pages := 0
	if r.Pages != nil {
		pages = max(0, *r.Pages)
	}
	job := fax.Job{
		ID: earlierID(r.ID, r.CreatedAt.Time), To: fax.Number(clean(r.To)), State: fax.Failed, Cause: fax.Unknown, Pages: pages,
		Priority: fax.DefaultPriority, DueAt: r.CreatedAt.Time, Deadline: r.CreatedAt.Time,
		CreatedAt: r.CreatedAt.Time, UpdatedAt: r.UpdatedAt.Time,
	}
	if number, err := fax.ParseNumber(r.To); err == nil {
		job.To = number
	}
	unresolved := false
	switch r.Status {
	case "SUCCESS": // of at least one page, even where nobody counted
		job.State, job.Cause, job.Pages = fax.Done, fax.OK, max(1, pages)
		job.Confirmed = job.Pages
	case "FAILED":
		job.Cause, job.Error = "", clean(orEmpty(r.Error))
		if job.Error == "" {
			job.Error = "An earlier Faxbot reported that this fax failed, and not why."
		}
	case "disabled":
		job.Cause, job.Error = fax.Withdrawn, "An earlier Faxbot did not send this fax, because sending was disabled."
	default:
		unresolved = true
		job.Error = fmt.Sprintf("An earlier Faxbot had this fax as %q when it was taken over: nobody knows whether it arrived. "+
			"It is not sent by itself. Ask the receiver, and submit it again if it is missing.", clean(r.Status))
	}
	return EarlierJob{Job: job, EarlierID: r.ID, Status: r.Status, Unresolved: unresolved}
}

// earlierID is the same at every import, and has its place among all ids by the
// time at which the fax was submitted: a UUID of version 7 but for its chance.
func earlierID(id string, at time.Time) fax.JobID {
	u := sha256.Sum256([]byte(earlierPrefix + id))
	ms := max(0, at.UnixMilli())
	for i := range 6 {
		u[i] = byte(ms >> (40 - 8*i))
	}
	u[6] = u[6]&0x0f | 0x70
	u[8] = u[8]&0x3f | 0x80
	return fax.JobID(hex.EncodeToString(u[:16]))
}

// Import stores what was read, all of it or nothing, and returns how many jobs
// and keys were new. What is there already, from an earlier import or because
// it is the same database, stays as it is. Nobody is told by webhook.
func (s *Store) Import(ctx context.Context, e Earlier) (jobs, keys int, err error) {
	type row struct {
		jobRow
		Key      string `db:"idempotency_key"`
		Digest   string `db:"idempotency_digest"`
		PurgedAt moment `db:"purged_at"` // there are no documents
	}
	jobRows := make([]row, len(e.Jobs))
	for i, j := range e.Jobs {
		jobRows[i] = row{rowOfJob(j.Job), earlierPrefix + clean(j.EarlierID), "", at(j.UpdatedAt)}
	}
	err = s.commit(ctx, func(ctx context.Context, tx session) (err error) {
		jobs, err = insertNew(ctx, tx, "jobs", jobColumns+", idempotency_key, idempotency_digest, purged_at", jobRows)
		if err == nil {
			keys, err = insertNew(ctx, tx, "api_keys", earlierKeyColumns, e.keys)
		}
		return err
	})
	return jobs, keys, err
}

// insertNew inserts the rows that are not there, a few hundred with each
// statement, and counts them.
func insertNew[T any](ctx context.Context, tx session, table, columns string, rows []T) (added int, err error) {
	const most = 200
	for len(rows) > 0 {
		some := rows[:min(most, len(rows))]
		rows = rows[len(some):]
		query, args, err := insert(table, columns, some)
		if err != nil {
			return added, err
		}
		result, err := tx.ExecContext(ctx, query+` ON CONFLICT DO NOTHING`, args...)
		if err != nil {
			return added, err
		}
		n, err := result.RowsAffected()
		if err != nil {
			return added, err
		}
		added += int(n)
	}
	return added, nil
}

// idOf returns the id of the job that had another one in an earlier Faxbot.
func (s *Store) idOf(ctx context.Context, earlier fax.JobID) (id fax.JobID, err error) {
	err = s.get(ctx, &id, `SELECT id FROM jobs WHERE owner = '' AND idempotency_key = ? AND idempotency_key <> ''`, earlierPrefix+string(earlier))
	return id, orNotFound(err, "Job not found")
}
