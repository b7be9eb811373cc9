package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
)

// mostBuffers is how many pages of 8 kB a statement may look at, beside however
// many faxes that have ended. What needs the most renews 400 leases.
const mostBuffers = 10_000

// explained has the database say how it does what is done all the time: with the
// plan that it keeps for a prepared statement. Beside many faxes that have ended
// none may read them all.
func explained(t *testing.T, s *Store, path []hot, ended int) string {
	e := &explaining{seen: map[string]bool{}, write: s.write, lite: s.herald == nil}
	read := s.read
	defer func() { s.read, s.write = read, e.write }()
	s.write = func(ctx context.Context, do func(context.Context, session) error) error {
		return e.write(ctx, func(ctx context.Context, tx session) error { return do(ctx, &explainingTx{tx, e}) })
	}
	s.read = &explainingRead{read, e}
	for _, h := range path {
		fmt.Fprintf(&e.text, "\n%s\n", h.what)
		h.do(s)
	}
	if ended >= 100_000 {
		for _, refused := range e.refused {
			t.Error(refused)
		}
	}
	return e.text.String()
}

type explaining struct {
	write   func(context.Context, func(context.Context, session) error) error
	lite    bool
	seen    map[string]bool
	text    strings.Builder
	refused []string
}

var (
	scanned = regexp.MustCompile(`(Seq Scan on|SCAN) (jobs|attempts|destinations|audit)\b`)
	buffers = regexp.MustCompile(`Buffers: shared(?: hit=(\d+))?(?: read=(\d+))?`)
)

// see explains a statement once; what the explanation does is undone.
func (e *explaining) see(ctx context.Context, tx session, query string, args []any) error {
	if e.seen[query] || strings.HasPrefix(query, "SAVEPOINT") {
		return nil
	}
	e.seen[query] = true
	text := fmt.Sprintf("%.110s", strings.Join(strings.Fields(query), " "))
	fmt.Fprintf(&e.text, "  %s\n", text)
	var plan []string
	if e.lite {
		var rows []struct {
			ID, Parent, NotUsed int
			Detail              string
		}
		if err := tx.SelectContext(ctx, &rows, `EXPLAIN QUERY PLAN `+query, args...); err != nil {
			return err
		}
		for _, r := range rows {
			plan = append(plan, r.Detail)
			if strings.HasPrefix(r.Detail, "SCAN ") && !strings.Contains(r.Detail, "INDEX") && scanned.MatchString(r.Detail) {
				e.refused = append(e.refused, text+"\n"+r.Detail)
			}
		}
	} else {
		var err error
		if plan, err = e.analyse(ctx, tx, query, args); err != nil {
			return fmt.Errorf("%s: %w", text, err)
		}
		for i, line := range plan {
			plan[i] = fmt.Sprintf("%.160s", line) // not hundreds of ids
		}
		whole, _, _ := strings.Cut(strings.Join(plan, "\n"), "Planning:")
		pages := 0
		if m := buffers.FindStringSubmatch(whole); m != nil {
			hit, _ := strconv.Atoi(m[1])
			read, _ := strconv.Atoi(m[2])
			pages = hit + read
		}
		if scanned.MatchString(whole) || pages > mostBuffers {
			e.refused = append(e.refused, fmt.Sprintf("%s\n%d pages\n%s", text, pages, whole))
		}
		plan = strings.Split(strings.TrimSpace(whole), "\n")
	}
	for _, line := range plan {
		fmt.Fprintf(&e.text, "      %s\n", line)
	}
	return nil
}

func (e *explaining) analyse(ctx context.Context, tx session, query string, args []any) (plan []string, err error) {
	const how = `EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF, SUMMARY OFF) `
	if _, err := tx.ExecContext(ctx, `SAVEPOINT explained`); err != nil {
		return nil, err
	}
	if ctx.Value(unkeptKey{}) != nil {
		err = tx.SelectContext(ctx, &plan, how+query, args...)
	} else {
		var values []string
		for _, arg := range args {
			value, err := driver.DefaultParameterConverter.ConvertValue(arg)
			if err != nil {
				return nil, err
			}
			switch v := value.(type) {
			case nil:
				values = append(values, "NULL")
			case string:
				values = append(values, pq.QuoteLiteral(v))
			default:
				values = append(values, fmt.Sprint(v))
			}
		}
		for _, statement := range []string{`SET LOCAL plan_cache_mode = force_generic_plan`, `PREPARE explained AS ` + sqlx.Rebind(sqlx.DOLLAR, query)} {
			if _, err := tx.ExecContext(ctx, statement); err != nil {
				return nil, err
			}
		}
		execute := `EXECUTE explained`
		if len(values) > 0 {
			execute += `(` + strings.Join(values, ", ") + `)`
		}
		if err = tx.SelectContext(ctx, &plan, how+strings.ReplaceAll(execute, "?", "??")); err == nil {
			_, err = tx.ExecContext(ctx, `DEALLOCATE explained`)
		}
	}
	if err != nil {
		return nil, err
	}
	_, err = tx.ExecContext(ctx, `ROLLBACK TO explained`)
	return plan, err
}

// explainingTx explains before it does.
type explainingTx struct {
	session
	e *explaining
}

func (x *explainingTx) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if err := x.e.see(ctx, x.session, query, args); err != nil {
		return nil, err
	}
	return x.session.ExecContext(ctx, query, args...)
}

func (x *explainingTx) GetContext(ctx context.Context, dest any, query string, args ...any) error {
	if err := x.e.see(ctx, x.session, query, args); err != nil {
		return err
	}
	return x.session.GetContext(ctx, dest, query, args...)
}

func (x *explainingTx) SelectContext(ctx context.Context, dest any, query string, args ...any) error {
	if err := x.e.see(ctx, x.session, query, args); err != nil {
		return err
	}
	return x.session.SelectContext(ctx, dest, query, args...)
}

// explainingRead explains in a transaction, and then asks the readers.
type explainingRead struct {
	session
	e *explaining
}

func (x *explainingRead) explain(ctx context.Context, query string, args []any) error {
	return x.e.write(ctx, func(_ context.Context, tx session) error { return x.e.see(ctx, tx, query, args) })
}

func (x *explainingRead) GetContext(ctx context.Context, dest any, query string, args ...any) error {
	if err := x.explain(ctx, query, args); err != nil {
		return err
	}
	return x.session.GetContext(ctx, dest, query, args...)
}

func (x *explainingRead) SelectContext(ctx context.Context, dest any, query string, args ...any) error {
	if err := x.explain(ctx, query, args); err != nil {
		return err
	}
	return x.session.SelectContext(ctx, dest, query, args...)
}
