package store

import (
	"context"
	"time"

	"github.com/jmoiron/sqlx"

	"faxbot/controller/fax"
)

// Erase deletes faxes that ended before a time and whose documents were purged
// before another, with their calls, tags and messages that were given up: the
// longest ended first, so many at the most. It returns how many there were.
// Nobody who works with other faxes waits for it.
func (s *Store) Erase(ctx context.Context, ended, purged time.Time, limit int) (int, error) {
	var ids []fax.JobID
	err := s.commit(ctx, func(ctx context.Context, tx session) error {
		ids = nil
		err := tx.SelectContext(ctx, &ids, `SELECT id FROM jobs WHERE purged_at IS NOT NULL AND updated_at < ? AND purged_at < ?
			ORDER BY updated_at LIMIT ?`+s.dialect.lockFree, at(ended), at(purged), limit)
		if err != nil || len(ids) == 0 {
			return err
		}
		for _, query := range []string{
			`DELETE FROM outbox WHERE job_id IN (?) AND dead_at IS NOT NULL`,
			`DELETE FROM tags WHERE job_id IN (?)`,
			`DELETE FROM attempts WHERE job_id IN (?)`,
			`DELETE FROM jobs WHERE id IN (?)`,
		} {
			query, args, err := sqlx.In(query, ids)
			if err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, query, args...); err != nil {
				return err
			}
		}
		return nil
	})
	return len(ids), err
}
