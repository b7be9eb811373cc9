package store

import (
	"cmp"
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/pressly/goose/v3"
)

// Options are what Open needs beside the URL.
type Options struct {
	// Host names this daemon: its attempts carry the name, and no other daemon
	// on the same database may have it. It stays the same over restarts.
	Host string
	// Webhooks are the URLs that are told of every fax; one of a fax's own is in
	// its options.
	Webhooks []string
	// Logger hears about migrations; nil means nobody does.
	Logger *slog.Logger
}

// Store keeps jobs and attempts. Its methods may be called from any goroutine.
type Store struct {
	dialect  dialect
	host     string
	webhooks atomic.Pointer[[]string]
	read     session
	lately   *lately // nil on PostgreSQL
	write    func(ctx context.Context, do func(context.Context, session) error) error
	closers  []func() error // in the order of opening
	house    *sql.DB        // for Alone; nil on SQLite
	turns    turns
	herald   *herald          // nil on SQLite
	wall     func() time.Time // this host's clock
	told     told             // what PostgreSQL's says
	renewals renewals
}

//go:embed migrations/*.sql
var migrations embed.FS

// Open opens the database that the setting DATABASE_URL names and brings its
// tables up to date. The form is SQLAlchemy's:
//
//	sqlite:///./faxbot.db               relative to the working directory
//	sqlite:////var/lib/faxbot/faxbot.db absolute; the file is made, its folder is not
//	postgresql://user:password@host/name?sslmode=…   also postgres://
//	postgresql://user:password@a,b:5433/name         a primary and its standbys
//
// A driver's name after a plus sign (postgresql+psycopg2) is ignored. Errors
// name the setting and never hold the password.
func Open(ctx context.Context, databaseURL string, opts Options) (*Store, error) {
	if opts.Host == "" {
		return nil, errors.New("store: Options.Host must name this daemon")
	}
	log := cmp.Or(opts.Logger, slog.New(slog.DiscardHandler))
	s := &Store{host: opts.Host, wall: time.Now}
	s.SetWebhooks(opts.Webhooks)
	kind, rest, err := parse(databaseURL)
	switch kind {
	case "sqlite":
		err = s.openSQLite(ctx, rest, log)
	case "postgres":
		err = s.openPostgres(ctx, rest, log)
	}
	if err != nil {
		return nil, fmt.Errorf("DATABASE_URL: %w", errors.Join(err, s.Close()))
	}
	return s, nil
}

// parse tells which database a URL names, "sqlite" or "postgres", and the rest
// of the URL.
func parse(databaseURL string) (kind, rest string, err error) {
	scheme, rest, found := strings.Cut(databaseURL, "://")
	scheme, _, _ = strings.Cut(scheme, "+")
	switch {
	case found && scheme == "sqlite":
		return "sqlite", rest, nil
	case found && (scheme == "postgres" || scheme == "postgresql"):
		return "postgres", rest, nil
	}
	return "", "", errors.New("it must begin with sqlite:/// or postgresql://")
}

// Close lets the writes that have begun finish, refuses the waiting ones with
// fax.Unavailable and closes all connections. Call it once.
func (s *Store) Close() error {
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i]())
	}
	return errors.Join(errs...)
}

// Host is what this daemon is called.
func (s *Store) Host() string { return s.host }

// Ping proves that the database can be written and read, by noting the time
// at which this host was seen.
func (s *Store) Ping(ctx context.Context) error {
	var now, seen moment
	err := s.commit(ctx, func(ctx context.Context, tx session) error {
		clock, err := s.clock(ctx, tx)
		if err != nil {
			return err
		}
		now = at(clock)
		_, err = tx.ExecContext(ctx, `INSERT INTO hosts (name, seen_at) VALUES (?, ?)
			ON CONFLICT (name) DO UPDATE SET seen_at = excluded.seen_at`, s.host, now)
		return err
	})
	if err != nil {
		return err
	}
	err = s.get(ctx, &seen, `SELECT seen_at FROM hosts WHERE name = ?`, s.host)
	if err == nil && seen.Before(now.Time) {
		return errors.New("store: the database forgot what it has just stored")
	}
	return err
}

// fileOf is the SQLite file that the rest of a URL names; its folder exists.
func fileOf(rest string) (string, error) {
	file, options, _ := strings.Cut(strings.TrimPrefix(rest, "/"), "?")
	switch {
	case !strings.HasPrefix(rest, "/"):
		return "", errors.New("a SQLite file is written with three slashes (sqlite:///./faxbot.db) or, from the root, four (sqlite:////var/lib/faxbot.db)")
	case file == "" || file == ":memory:":
		return "", errors.New("a database in memory would lose accepted faxes; name a file, for instance sqlite:///./faxbot.db")
	case options != "":
		return "", errors.New("a SQLite file takes no options after the question mark; remove them")
	}
	if _, err := os.Stat(filepath.Dir(file)); errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("the folder %s does not exist; create it", filepath.Dir(file))
	}
	return file, nil
}

func (s *Store) openSQLite(ctx context.Context, rest string, log *slog.Logger) error {
	s.dialect = dialects["sqlite"]
	file, err := fileOf(rest)
	if err != nil {
		return err
	}
	// Numbers and names are nobody else's business; SQLite gives the files
	// beside it the same permissions.
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}

	settings := url.Values{
		"_busy_timeout": {"10000"}, // ms, for another program that writes
		"_journal_mode": {"WAL"},
		"_synchronous":  {"FULL"}, // fsync at each commit
		"_foreign_keys": {"1"},
		"_dqs":          {"0"},
		"_txlock":       {"immediate"},
	}
	name := "file:" + (&url.URL{Path: file}).EscapedPath() + "?"
	writer, err := s.connectSQLite(name+settings.Encode(), 1)
	if err != nil {
		return err
	}
	if err := s.migrate(ctx, writer, log); err != nil {
		return err
	}
	conn, err := writer.Connx(ctx)
	if err != nil {
		return err
	}
	g := newGroup(conn)
	s.write = g.write
	s.closers = append(s.closers, g.close)

	settings.Set("_query_only", "1")
	// Whatever the writer commits empties the caches of the others (pager.c,
	// pagerBeginReadTransaction), so large ones would be memory for nothing.
	settings.Set("_pragma", "cache_size(-256)") // KiB
	readers, err := s.connectSQLite(name+settings.Encode(), connections+1)
	if err != nil {
		return err
	}
	s.read = &prepared{on: readers}
	if conn, err = readers.Connx(ctx); err != nil {
		return err
	}
	if s.lately, err = newLately(ctx, conn); err != nil {
		return errors.Join(err, conn.Close())
	}
	s.closers = append(s.closers, s.lately.close)
	return nil
}

func (s *Store) openPostgres(ctx context.Context, rest string, log *slog.Logger) error {
	s.dialect = dialects["postgres"]
	u, err := postgresURL(rest)
	if err != nil {
		return err
	}
	c, err := newConnector(u.String())
	if err != nil {
		return withoutPassword(err, u)
	}
	k := &keeper{Connector: c}
	k.pooled.Store(true) // until we know
	db := sqlx.NewDb(sql.OpenDB(k), "postgres")
	limit(db.DB, connections)
	db.SetConnMaxLifetime(planLife)
	s.house = sql.OpenDB(c)
	limit(s.house, tasks)
	// What closing says of connections that are dead already is no news.
	s.closers = append(s.closers, func() error { _, _ = db.Close(), s.house.Close(); return nil })
	pooled, err := detectPooler(ctx, db)
	k.pooled.Store(pooled)
	if err == nil {
		err = s.migrate(ctx, db, log)
	}
	if err != nil {
		return withoutPassword(err, u)
	}
	if pooled {
		log.Warn("a pooler lends connections to the database for one transaction each: statements are parsed each time, and other hosts are not heard, but looked after every few seconds; see contrib/scaling.md")
	}
	s.read = rebound{db}
	s.write = pool{db, writeLimit}.write
	if _, err := s.clock(ctx, s.read); err != nil {
		return withoutPassword(err, u)
	}
	if s.herald, err = newHerald(ctx, db, u.String(), pooled, log); err != nil {
		return withoutPassword(err, u)
	}
	s.closers = append(s.closers, s.herald.close)
	if risk, err := s.Risk(ctx); err == nil && risk != "" {
		log.Warn("the database may lose what it confirms; see contrib/operations.md", "because", risk)
	}
	return nil
}

// withoutPassword is for the errors of drivers, whose words we do not choose.
func withoutPassword(err error, u *url.URL) error {
	text := err.Error()
	if password, _ := u.User.Password(); password != "" {
		text = strings.NewReplacer(password, "***", u.User.String(), u.User.Username()).Replace(text)
	}
	return errors.New(text)
}

func (s *Store) connectSQLite(name string, connections int) (*sqlx.DB, error) {
	db, err := sqlx.Open("sqlite", name)
	if err != nil {
		return nil, err
	}
	limit(db.DB, connections)
	s.closers = append(s.closers, db.Close)
	return db, nil
}

func limit(db *sql.DB, connections int) {
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
}

func (s *Store) migrate(ctx context.Context, db *sqlx.DB, log *slog.Logger) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	tables, err := goose.NewProvider(s.dialect.goose, db.DB, files,
		goose.WithTableName("faxbot_schema"), goose.WithSlog(slog.New(slog.DiscardHandler)), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	if s.dialect.migrating != "" {
		turn, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer turn.Rollback() //nolint:errcheck // it changes nothing, it only holds the lock
		if _, err := turn.ExecContext(ctx, s.dialect.migrating); err != nil {
			return err
		}
	}
	// SQLite has no such lock. Who loses the race for a step (goose's own table
	// is one too) finds at the next look that it is done.
	for range len(tables.ListSources()) + 2 {
		var steps []*goose.MigrationResult
		steps, err = tables.Up(ctx)
		for _, step := range steps {
			log.Info("database brought up to date", "version", step.Source.Version)
		}
		if err == nil || s.dialect.migrating != "" {
			break
		}
	}
	return err
}
