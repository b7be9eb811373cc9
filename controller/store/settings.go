package store

import (
	"context"
	"maps"
	"slices"
	"strings"
)

// Settings are what administrators have set, for all hosts, beneath the
// environment of each.
type Settings struct{ s *Store }

// Settings returns what is set.
func (s *Store) Settings() Settings { return Settings{s} }

// Stored are texts by the names of environment variables, as they would be
// written there. Who changes them makes the revision grow.
type Stored struct {
	Values   map[string]string
	Revision int64
}

type storedRow struct {
	Stored   document[map[string]string] `db:"stored"`
	Revision int64                       `db:"revision"`
}

// Read returns what is set.
func (t Settings) Read(ctx context.Context) (Stored, error) {
	var row storedRow
	err := t.s.get(ctx, &row, `SELECT stored, revision FROM settings WHERE id = 1`)
	return Stored{row.Stored.of, row.Revision}, err
}

// Revision tells cheaply whether anything was changed.
func (t Settings) Revision(ctx context.Context) (n int64, err error) {
	return n, t.s.get(ctx, &n, `SELECT revision FROM settings WHERE id = 1`)
}

// Change sets all of these, or, when judge refuses the whole that they make,
// none. A nil text takes a setting back. Nobody else changes anything
// meanwhile; judge must be quick and is not to use the Store.
func (t Settings) Change(ctx context.Context, changes map[string]*string, judge func(map[string]string) error) (Stored, error) {
	var row storedRow
	err := t.s.dialect.explain("store the settings", t.s.write(ctx, func(ctx context.Context, tx session) error {
		row = storedRow{}
		if err := tx.GetContext(ctx, &row, `SELECT stored, revision FROM settings WHERE id = 1`+t.s.dialect.lock); err != nil {
			return err
		}
		before := maps.Clone(row.Stored.of)
		var words []string
		for _, name := range slices.Sorted(maps.Keys(changes)) {
			if text := changes[name]; text != nil {
				row.Stored.of[name] = *text
				words = append(words, name+" set")
			} else {
				delete(row.Stored.of, name)
				words = append(words, name+" taken back")
			}
		}
		if err := judge(row.Stored.of); err != nil {
			return err
		}
		if maps.Equal(before, row.Stored.of) {
			return nil
		}
		row.Revision++
		if _, err := tx.ExecContext(ctx, `UPDATE settings SET stored = ?, revision = ? WHERE id = 1`, row.Stored, row.Revision); err != nil {
			return err
		}
		return t.s.note(ctx, tx, SettingsChanged, "", strings.Join(words, ", "))
	}))
	return Stored{row.Stored.of, row.Revision}, err
}
