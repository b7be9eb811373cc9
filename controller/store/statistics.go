package store

import (
	"context"
	"time"

	"faxbot/controller/fax"
)

// Period is what the calls came to that ended in one hour, through one
// gateway, for one cause.
type Period struct {
	Hour    time.Time `db:"-"` // its beginning
	Gateway string    `db:"gateway"`
	Cause   fax.Cause `db:"cause"`
	Calls   int       `db:"calls"`
	Pages   int       `db:"pages"` // confirmed
}

// Statistics counts the calls that have ended since then, by hour, the first
// hour first. It looks at every one of them.
func (s *Store) Statistics(ctx context.Context, since time.Time) ([]Period, error) {
	var rows []struct {
		Period
		Number int64 `db:"hour"` // of hours since 1970
	}
	err := s.list(unkept(ctx), &rows, `SELECT ended_at / 3600000000 AS hour, gateway, cause, count(*) AS calls, CAST(sum(pages) AS BIGINT) AS pages
		FROM attempts WHERE ended_at >= ? GROUP BY ended_at / 3600000000, gateway, cause ORDER BY hour, gateway, cause`, at(since))
	periods := make([]Period, len(rows))
	for i, r := range rows {
		periods[i] = r.Period
		periods[i].Hour = time.Unix(r.Number*3600, 0).UTC()
	}
	return periods, err
}
