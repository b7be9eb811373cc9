package store

import (
	"context"
	"database/sql"
	"sync"

	"github.com/jmoiron/sqlx"

	"faxbot/controller/fax"
)

// session runs statements written with `?`: on a pool, or inside one
// transaction. *sqlx.DB and *sqlx.Tx have the same methods.
type session interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	GetContext(ctx context.Context, dest any, query string, args ...any) error
	SelectContext(ctx context.Context, dest any, query string, args ...any) error
}

// changeOne runs a statement that changes one row; fax.NotFound, with those
// words, when there is none.
func changeOne(ctx context.Context, tx session, missing, query string, args ...any) error {
	result, err := tx.ExecContext(ctx, query, args...)
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); n > 0 || err != nil {
		return err
	}
	return &fax.Error{Problem: fax.NotFound, Detail: missing}
}

// prepared compiles each statement once. It serves SQLite, where compiling
// costs more than running; the daemon has few dozen different statements, so
// nothing is ever forgotten. Closing the connection closes them.
type prepared struct {
	on interface {
		PreparexContext(ctx context.Context, query string) (*sqlx.Stmt, error)
	}
	statements sync.Map // query → *sqlx.Stmt
}

func (p *prepared) statement(ctx context.Context, query string) (*sqlx.Stmt, error) {
	if s, ok := p.statements.Load(query); ok {
		return s.(*sqlx.Stmt), nil
	}
	s, err := p.on.PreparexContext(ctx, query)
	if err != nil {
		return nil, err
	}
	if first, lost := p.statements.LoadOrStore(query, s); lost {
		s.Close()
		return first.(*sqlx.Stmt), nil
	}
	return s, nil
}

func (p *prepared) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	s, err := p.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	return s.ExecContext(ctx, args...)
}

func (p *prepared) GetContext(ctx context.Context, dest any, query string, args ...any) error {
	s, err := p.statement(ctx, query)
	if err != nil {
		return err
	}
	return s.GetContext(ctx, dest, args...)
}

func (p *prepared) SelectContext(ctx context.Context, dest any, query string, args ...any) error {
	s, err := p.statement(ctx, query)
	if err != nil {
		return err
	}
	return s.SelectContext(ctx, dest, args...)
}

// rebound turns `?` into `$1`. It serves PostgreSQL, where connections compile
// each statement once (prepare.go). What they do not, the connection's
// binary_parameters setting sends in one round trip with its values.
type rebound struct{ session }

func (r rebound) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return r.session.ExecContext(ctx, sqlx.Rebind(sqlx.DOLLAR, query), args...)
}

func (r rebound) GetContext(ctx context.Context, dest any, query string, args ...any) error {
	return r.session.GetContext(ctx, dest, sqlx.Rebind(sqlx.DOLLAR, query), args...)
}

func (r rebound) SelectContext(ctx context.Context, dest any, query string, args ...any) error {
	return r.session.SelectContext(ctx, dest, sqlx.Rebind(sqlx.DOLLAR, query), args...)
}
