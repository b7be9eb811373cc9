package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/jmoiron/sqlx"
	"golang.org/x/sys/unix"
)

// State is how a database stands before it is opened.
type State struct {
	New     bool   // Open makes it
	Version int64  // of its tables; 0 when there are none
	Newest  int64  // that Open makes them
	Risk    string // see Store.Risk
}

// Examine looks at the database that Open would open, proves that this process
// may change it, and leaves it as it is. Errors are as those of Open.
func Examine(ctx context.Context, databaseURL string) (s State, err error) {
	if s.Newest, err = newest(); err != nil {
		return s, err
	}
	kind, rest, err := parse(databaseURL)
	switch kind {
	case "sqlite":
		err = s.examineSQLite(ctx, rest)
	case "postgres":
		err = s.examinePostgres(ctx, rest)
	}
	if err != nil {
		return s, fmt.Errorf("DATABASE_URL: %w", err)
	}
	return s, nil
}

// newest is the number of the last migration.
func newest() (int64, error) {
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil || len(files) == 0 {
		return 0, errors.Join(errors.New("store: no migrations"), err)
	}
	number, _, _ := strings.Cut(filepath.Base(files[len(files)-1]), "_") // Glob sorts
	return strconv.ParseInt(number, 10, 64)
}

func (s *State) examineSQLite(ctx context.Context, rest string) error {
	file, err := fileOf(rest)
	if err != nil {
		return err
	}
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		s.New = true
		if err := unix.Access(filepath.Dir(file), unix.W_OK|unix.X_OK); err != nil {
			return fmt.Errorf("no file can be made in %s: %w; change its owner", filepath.Dir(file), err)
		}
		return nil
	}
	settings := url.Values{"mode": {"rw"}, "_busy_timeout": {"5000"}, "_txlock": {"immediate"}}
	return s.look(ctx, "sqlite", "file:"+(&url.URL{Path: file}).EscapedPath()+"?"+settings.Encode())
}

func (s *State) examinePostgres(ctx context.Context, rest string) error {
	u, err := postgresURL(rest)
	if err != nil {
		return err
	}
	if err := s.look(ctx, "postgres", u.String()); err != nil {
		return withoutPassword(err, u)
	}
	return nil
}

// look makes a table, which proves all, and takes it back.
func (s *State) look(ctx context.Context, driver, name string) error {
	db, err := openDB(driver, name)
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // nothing was changed
	db.SetMaxOpenConns(1)
	tx, err := db.BeginTxx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // that is what it is for
	if _, err := tx.ExecContext(ctx, "CREATE TABLE faxbot_examined (x INTEGER)"); err != nil {
		return err
	}
	if err := tx.GetContext(ctx, &s.Version, "SELECT COALESCE(MAX(version_id), 0) FROM faxbot_schema WHERE is_applied"); err != nil {
		// Without tables there is no such one. What else is wrong, a database
		// that took a table has not told.
		s.New = true
	}
	if driver == "postgres" && !s.New {
		s.Risk, _ = risk(ctx, tx) // it is no condition
	}
	return nil
}

func openDB(driver, name string) (*sqlx.DB, error) {
	if driver != "postgres" {
		return sqlx.Open(driver, name)
	}
	c, err := newConnector(name)
	if err != nil {
		return nil, err
	}
	return sqlx.NewDb(sql.OpenDB(c), driver), nil
}
