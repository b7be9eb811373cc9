package store

import (
	"context"
	"time"

	"github.com/jmoiron/sqlx"
)

// Erase deletes faxes that ended before a time and whose documents were purged
// before another, with their calls, tags and messages that were given up: the
// longest ended first, so many at the most. It returns how many there were.
// Nobody who works with other faxes waits for it.
func (s *Store) Erase(ctx context.Context, ended, purged time.Time, limit int) (int, error) {
	return s.deleteSome(ctx, `SELECT id FROM jobs WHERE purged_at IS NOT NULL AND updated_at < ? AND purged_at < ?
		ORDER BY updated_at LIMIT ?`, []any{at(ended), at(purged), limit},
		`DELETE FROM outbox WHERE job_id IN (?) AND dead_at IS NOT NULL`,
		`DELETE FROM tags WHERE job_id IN (?)`,
		`DELETE FROM attempts WHERE job_id IN (?)`,
		`DELETE FROM jobs WHERE id IN (?)`)
}

// deleteSome finds rows that nobody holds, by their keys, and deletes what
// belongs to them, all in one transaction. The keys are told: from a query within
// a DELETE PostgreSQL expects so many that it reads the whole table. It returns how
// many were found.
func (s *Store) deleteSome(ctx context.Context, find string, args []any, deletes ...string) (int, error) {
	var keys []string
	err := s.commit(ctx, func(ctx context.Context, tx session) error {
		keys = nil
		err := tx.SelectContext(ctx, &keys, find+s.dialect.lockFree, args...)
		if err != nil || len(keys) == 0 {
			return err
		}
		for _, query := range deletes {
			query, args, err := sqlx.In(query, keys)
			if err != nil {
				return err
			}
			if _, err := tx.ExecContext(unkept(ctx), query, args...); err != nil {
				return err
			}
		}
		return nil
	})
	return len(keys), err
}
