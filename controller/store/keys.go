package store

import (
	"context"
	"crypto/rand"
	"database/sql/driver"
	"fmt"
	"strings"
	"time"
)

// Key is what is kept of an API key: never the key itself, only its hash.
type Key struct {
	ID     string // the part of the key that is no secret
	Name   string
	Owner  string
	Note   string
	Hash   string
	Scopes []string
	// Weight is how many turns the key's faxes get to one of another key's, when
	// both wait; 1 to MaxWeight. 0 is stored as 1.
	Weight int

	CreatedAt  time.Time
	LastUsedAt time.Time // to about a minute; zero: never
	ExpiresAt  time.Time // zero: never
	RevokedAt  time.Time // zero: it is good
}

// Good says whether the key lets in at that time.
func (k Key) Good(at time.Time) bool {
	return k.RevokedAt.IsZero() && (k.ExpiresAt.IsZero() || at.Before(k.ExpiresAt))
}

// MaxWeight keeps waiting worth about the same to everybody.
const MaxWeight = 10

// Keys are the API keys in a Store.
type Keys struct{ s *Store }

// Keys returns the API keys.
func (s *Store) Keys() Keys { return Keys{s} }

// Create stores a new key. It sets CreatedAt.
func (k Keys) Create(ctx context.Context, key Key) (Key, error) {
	key.CreatedAt = k.s.Now()
	row := rowOfKey(key)
	query, args, err := insert("api_keys", "id, "+keyColumns, struct {
		RowID string `db:"id"`
		keyRow
	}{strings.ToLower(rand.Text()), row})
	if err != nil {
		return Key{}, fmt.Errorf("store: %w", err)
	}
	return row.key(), k.commit(ctx, KeyMade, key.ID, query, args...)
}

// Find returns the key, or fax.NotFound. It may be revoked or expired.
func (k Keys) Find(ctx context.Context, id string) (Key, error) {
	var row keyRow
	err := k.s.get(ctx, &row, `SELECT `+keyColumns+` FROM api_keys WHERE key_id = ?`, id)
	return row.key(), orNotFound(err, keyNotFound)
}

// List returns all keys, the latest made first.
func (k Keys) List(ctx context.Context) ([]Key, error) {
	var rows []keyRow
	err := k.s.list(ctx, &rows, `SELECT `+keyColumns+` FROM api_keys ORDER BY created_at DESC, key_id`)
	keys := make([]Key, len(rows))
	for i, r := range rows {
		keys[i] = r.key()
	}
	return keys, err
}

// Revoke makes the key let nobody in any more; fax.NotFound when there is none.
// A key stays in the list, because faxes name it.
func (k Keys) Revoke(ctx context.Context, id string) error {
	return k.commit(ctx, KeyRevoked, id, `UPDATE api_keys SET revoked_at = COALESCE(revoked_at, ?) WHERE key_id = ?`, stamp{k.s.Now()}, id)
}

// Rotate gives the key another hash. fax.NotFound when there is none, or it is
// revoked.
func (k Keys) Rotate(ctx context.Context, id, hash string) error {
	return k.commit(ctx, KeyRotated, id, `UPDATE api_keys SET key_hash = ? WHERE key_id = ? AND revoked_at IS NULL`, hash, id)
}

// Weigh gives the key another weight. fax.NotFound when there is none, or it is
// revoked.
func (k Keys) Weigh(ctx context.Context, id string, weight int) error {
	return k.commit(ctx, KeyWeighed, id, `UPDATE api_keys SET weight = ? WHERE key_id = ? AND revoked_at IS NULL`, weight, id)
}

// Used notes when the key let somebody in.
func (k Keys) Used(ctx context.Context, id string, at time.Time) error {
	return k.commit(ctx, "", id, `UPDATE api_keys SET last_used_at = ? WHERE key_id = ?`, stamp{at}, id)
}

const keyNotFound = "Key not found"

// commit runs a statement that changes one key, which is a deed or "".
func (k Keys) commit(ctx context.Context, deed Deed, id, query string, args ...any) error {
	return k.s.dialect.explain("store the key", k.s.write(ctx, func(ctx context.Context, tx session) error {
		err := changeOne(ctx, tx, keyNotFound, query, args...)
		if err != nil || deed == "" {
			return err
		}
		return k.s.note(ctx, tx, deed, "", "key "+id)
	}))
}

// keyColumns are the columns of an existing Faxbot database, and ours.
const keyColumns = `key_id, name, owner, key_hash, scopes, created_at, last_used_at, expires_at, revoked_at, note, weight`

type keyRow struct {
	ID         string  `db:"key_id"`
	Name       *string `db:"name"`
	Owner      *string `db:"owner"`
	Hash       string  `db:"key_hash"`
	Scopes     *string `db:"scopes"`
	CreatedAt  stamp   `db:"created_at"`
	LastUsedAt stamp   `db:"last_used_at"`
	ExpiresAt  stamp   `db:"expires_at"`
	RevokedAt  stamp   `db:"revoked_at"`
	Note       *string `db:"note"`
	Weight     int     `db:"weight"`
}

func rowOfKey(k Key) keyRow {
	scopes := strings.Join(k.Scopes, ",")
	return keyRow{
		k.ID, orNull(k.Name), orNull(k.Owner), k.Hash, &scopes,
		stamp{k.CreatedAt},
		stamp{k.LastUsedAt},
		stamp{k.ExpiresAt},
		stamp{k.RevokedAt},
		orNull(k.Note),
		max(k.Weight, 1),
	}
}

func (r keyRow) key() Key {
	k := Key{
		ID: r.ID, Name: orEmpty(r.Name), Owner: orEmpty(r.Owner), Note: orEmpty(r.Note), Hash: r.Hash,
		CreatedAt: r.CreatedAt.Time, LastUsedAt: r.LastUsedAt.Time, ExpiresAt: r.ExpiresAt.Time, RevokedAt: r.RevokedAt.Time,
		Weight: r.Weight,
	}
	for _, s := range strings.Split(orEmpty(r.Scopes), ",") {
		if s = strings.TrimSpace(s); s != "" {
			k.Scopes = append(k.Scopes, s)
		}
	}
	return k
}

func orNull(s string) *string {
	if s = clean(s); s == "" {
		return nil
	}
	return &s
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// stamp is a time as SQLAlchemy writes it: UTC without a zone, NULL for none.
// The driver of SQLite knows such a column by its declared type, but not in
// every expression.
type stamp struct{ time.Time }

const stampForm = "2006-01-02 15:04:05.000000"

func (s stamp) Value() (driver.Value, error) {
	if s.IsZero() {
		return nil, nil
	}
	return s.UTC().Format(stampForm), nil
}

func (s *stamp) Scan(v any) (err error) {
	switch v := v.(type) {
	case nil:
		s.Time = time.Time{}
	case time.Time:
		s.Time = v.UTC()
	case string:
		s.Time, err = time.Parse("2006-01-02 15:04:05.999999", strings.Replace(v, "T", " ", 1))
	default:
		err = fmt.Errorf("a time is stored as %T", v)
	}
	return err
}
