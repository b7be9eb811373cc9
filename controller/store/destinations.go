package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"faxbot/controller/fax"
)

type destinationRow struct {
	Number    fax.Number                `db:"to_number"`
	Memory    document[fax.Destination] `db:"memory"`
	RestUntil moment                    `db:"rest_until"`
	UpdatedAt moment                    `db:"updated_at"`
}

const destinationColumns = `to_number, memory, rest_until, updated_at`

// Destination returns what is remembered of a number; the zero value when
// nothing is. Finish writes it.
func (s *Store) Destination(ctx context.Context, number fax.Number) (fax.Destination, error) {
	var row destinationRow
	err := s.get(ctx, &row, `SELECT `+destinationColumns+` FROM destinations WHERE to_number = ?`, number)
	if errors.Is(err, sql.ErrNoRows) {
		return fax.Destination{}, nil
	}
	return row.Memory.of, err
}

// Forget erases what is remembered of a number; fax.NotFound when nothing is.
func (s *Store) Forget(ctx context.Context, number fax.Number) error {
	return s.commit(ctx, func(ctx context.Context, tx session) error {
		err := changeOne(ctx, tx, "Nothing is remembered of this number", `DELETE FROM destinations WHERE to_number = ?`, number)
		if err != nil {
			return err
		}
		return s.note(ctx, tx, NumberForgotten, "", number.Masked())
	})
}

// ForgetOld erases what is remembered of numbers that have not been called
// since a time: the longest not called first, so many at the most. It returns
// how many there were.
func (s *Store) ForgetOld(ctx context.Context, before time.Time, limit int) (int, error) {
	return s.deleteSome(ctx, `SELECT to_number FROM destinations WHERE updated_at < ? ORDER BY updated_at LIMIT ?`, []any{at(before), limit},
		`DELETE FROM destinations WHERE to_number IN (?)`)
}

// remember stores what is known of a number.
func remember(ctx context.Context, tx session, number fax.Number, known fax.Destination) error {
	known.RemoteStation, known.RemoteMachine = clean(known.RemoteStation), clean(known.RemoteMachine)
	query, args, err := insert("destinations", destinationColumns,
		destinationRow{number, document[fax.Destination]{known}, at(known.RestUntil), at(known.UpdatedAt)})
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, query+` ON CONFLICT (to_number) DO UPDATE
		SET memory = excluded.memory, rest_until = excluded.rest_until, updated_at = excluded.updated_at`, args...)
	return err
}

// unblock ends what keeps calls from a number: a person wants it called.
func unblock(ctx context.Context, tx session, number fax.Number) error {
	var row destinationRow
	err := tx.GetContext(ctx, &row, `SELECT `+destinationColumns+` FROM destinations WHERE to_number = ?`, number)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	known := row.Memory.of
	known.NotAFax, known.RestUntil, known.RestCause = 0, time.Time{}, ""
	return remember(ctx, tx, number, known)
}
