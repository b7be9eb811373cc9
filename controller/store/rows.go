package store

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"faxbot/controller/fax"
)

// moment is a time in the database: microseconds since 1970, NULL for none.
type moment struct{ time.Time }

func (m moment) Value() (driver.Value, error) {
	if m.IsZero() {
		return nil, nil
	}
	return m.UnixMicro(), nil
}

func (m *moment) Scan(v any) error {
	switch v := v.(type) {
	case nil:
		m.Time = time.Time{}
	case int64:
		m.Time = time.UnixMicro(v).UTC()
	default:
		return fmt.Errorf("a time is stored as %T", v)
	}
	return nil
}

// at rounds t down to what a moment can keep.
func at(t time.Time) moment {
	if t.IsZero() {
		return moment{}
	}
	return moment{time.UnixMicro(t.UnixMicro()).UTC()}
}

// clean makes text that others wrote storable. PostgreSQL refuses NUL and
// malformed UTF-8, and no verdict may be lost for the name that a far end
// gives itself.
func clean(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "")
}

// document is a T kept as JSON.
type document[T any] struct{ of T }

func (d document[T]) Value() (driver.Value, error) {
	b, err := json.Marshal(d.of)
	return string(b), err
}

func (d *document[T]) Scan(v any) error {
	switch v := v.(type) {
	case string:
		return json.Unmarshal([]byte(v), &d.of)
	case []byte:
		return json.Unmarshal(v, &d.of)
	}
	return fmt.Errorf("JSON is stored as %T", v)
}

type jobRow struct {
	ID          fax.JobID             `db:"id"`
	To          fax.Number            `db:"to_number"`
	Owner       string                `db:"owner"`
	State       fax.State             `db:"state"`
	Cause       fax.Cause             `db:"cause"`
	Error       string                `db:"error"`
	Documents   int                   `db:"documents"`
	Pages       int                   `db:"pages"`
	Confirmed   int                   `db:"confirmed"`
	Options     document[fax.Options] `db:"options"`
	Priority    int                   `db:"priority"`
	MaxAttempts int                   `db:"max_attempts"`
	Dials       int                   `db:"dials"`
	Tries       int                   `db:"tries"`
	DueAt       moment                `db:"due_at"`
	Deadline    moment                `db:"deadline"`
	CancelAsked bool                  `db:"cancel_asked"`
	CreatedAt   moment                `db:"created_at"`
	UpdatedAt   moment                `db:"updated_at"`
}

func rowOfJob(j fax.Job) jobRow {
	return jobRow{
		j.ID, j.To, clean(j.Owner), j.State, j.Cause, clean(j.Error),
		j.Documents, j.Pages, j.Confirmed, document[fax.Options]{j.Options},
		j.Priority, j.MaxAttempts, j.Dials, j.Tries, at(j.DueAt), at(j.Deadline),
		j.CancelAsked, at(j.CreatedAt), at(j.UpdatedAt),
	}
}

func (r jobRow) job() fax.Job {
	return fax.Job{
		ID: r.ID, To: r.To, Owner: r.Owner, State: r.State, Cause: r.Cause, Error: r.Error,
		Documents: r.Documents, Pages: r.Pages, Confirmed: r.Confirmed, Options: r.Options.of,
		Priority: r.Priority, MaxAttempts: r.MaxAttempts, Dials: r.Dials, Tries: r.Tries,
		DueAt: r.DueAt.Time, Deadline: r.Deadline.Time,
		CancelAsked: r.CancelAsked, CreatedAt: r.CreatedAt.Time, UpdatedAt: r.UpdatedAt.Time,
	}
}

// planned is how a call is made, and why so.
type planned struct {
	fax.Parameters
	Reasons []fax.Reason `json:"reasons,omitempty"`
}

type attemptRow struct {
	ID            fax.AttemptID     `db:"id"`
	JobID         fax.JobID         `db:"job_id"`
	Ordinal       int               `db:"ordinal"`
	State         fax.AttemptState  `db:"state"`
	Gateway       string            `db:"gateway"`
	Host          string            `db:"host"`
	Switch        string            `db:"switch_name"`
	Core          string            `db:"switch"`
	Token         string            `db:"token"`
	Parameters    document[planned] `db:"parameters"`
	Cause         fax.Cause         `db:"cause"`
	Code          int               `db:"code"`
	Text          string            `db:"text"`
	HangupCause   string            `db:"hangup_cause"`
	Pages         int               `db:"pages"`
	TotalPages    int               `db:"total_pages"`
	Rate          int               `db:"rate"`
	ECM           bool              `db:"ecm"`
	T38           bool              `db:"t38"`
	RemoteStation string            `db:"remote_station"`
	RemoteMachine string            `db:"remote_machine"`

	Witnesses document[fax.Testimony] `db:"witnesses"`

	LeaseUntil moment `db:"lease_until"`
	CreatedAt  moment `db:"created_at"`
	AnsweredAt moment `db:"answered_at"`
	EndedAt    moment `db:"ended_at"`
}

func rowOfAttempt(a fax.Attempt) attemptRow {
	r := a.Result
	return attemptRow{
		a.ID, a.JobID, a.Ordinal, a.State, clean(a.Gateway), clean(a.Host), clean(a.Switch), clean(a.Core), clean(a.Token),
		document[planned]{planned{a.Parameters, a.Reasons}},
		r.Cause, r.Code, clean(r.Text), clean(r.HangupCause), r.Pages, r.TotalPages, r.Rate, r.ECM, r.T38, clean(r.RemoteStation), clean(r.RemoteMachine),
		document[fax.Testimony]{r.Witnesses},
		at(a.LeaseUntil), at(a.CreatedAt), at(a.AnsweredAt), at(a.EndedAt),
	}
}

func (r attemptRow) attempt() fax.Attempt {
	return fax.Attempt{
		ID: r.ID, JobID: r.JobID, Ordinal: r.Ordinal, State: r.State,
		Gateway: r.Gateway, Host: r.Host, Switch: r.Switch, Core: r.Core, Token: r.Token,
		Parameters: r.Parameters.of.Parameters, Reasons: r.Parameters.of.Reasons,
		Result: fax.Result{
			Cause: r.Cause, Code: r.Code, Text: r.Text, HangupCause: r.HangupCause,
			Pages: r.Pages, TotalPages: r.TotalPages, Rate: r.Rate, ECM: r.ECM, T38: r.T38,
			RemoteStation: r.RemoteStation, RemoteMachine: r.RemoteMachine, Witnesses: r.Witnesses.of,
		},
		LeaseUntil: r.LeaseUntil.Time, CreatedAt: r.CreatedAt.Time,
		AnsweredAt: r.AnsweredAt.Time, EndedAt: r.EndedAt.Time,
	}
}

// The columns are named, never `*`: during an upgrade an older daemon meets a
// newer table.
const (
	jobColumns = `id, to_number, owner, state, cause, error, documents, pages, confirmed, options, priority,
		max_attempts, dials, tries, due_at, deadline, cancel_asked, created_at, updated_at`
	attemptColumns = `id, job_id, ordinal, state, gateway, host, switch_name, switch, token, parameters, cause, code, text,
		hangup_cause, pages, total_pages, rate, ecm, t38, remote_station, remote_machine, witnesses, lease_until, created_at, answered_at, ended_at`
)

func jobs(rows []jobRow) []fax.Job {
	list := make([]fax.Job, len(rows))
	for i, r := range rows {
		list[i] = r.job()
	}
	return list
}

func attempts(rows []attemptRow) []fax.Attempt {
	list := make([]fax.Attempt, len(rows))
	for i, r := range rows {
		list[i] = r.attempt()
	}
	return list
}

// insert writes an INSERT of the columns, with the fields of row of those names.
func insert(table, columns string, row any) (string, []any, error) {
	return sqlx.Named("INSERT INTO "+table+" ("+columns+") VALUES (:"+strings.Join(strings.Fields(columns), " :")+")", row)
}
