package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"faxbot/controller/fax"
)

// Deed is the kind of something that somebody did.
type Deed string

// Every Deed there is.
const (
	FaxSubmitted    Deed = "fax.submitted"
	FaxCancelled    Deed = "fax.cancelled"
	FaxHeld         Deed = "fax.held" // by the daemon: a person must look
	FaxReleased     Deed = "fax.released"
	FaxResent       Deed = "fax.resent" // of the old fax; the new one is submitted
	NumberForgotten Deed = "number.forgotten"
	KeyMade         Deed = "key.made"
	KeyRotated      Deed = "key.rotated"
	KeyRevoked      Deed = "key.revoked"
	KeyWeighed      Deed = "key.weighed" // got another weight
	SettingsChanged Deed = "settings.changed"
	EndpointAdded   Deed = "webhook.added"
	EndpointChanged Deed = "webhook.changed"
	EndpointRotated Deed = "webhook.rotated"
	EndpointRemoved Deed = "webhook.removed"
	MessageReplayed Deed = "webhook.replayed"
	SignInFailed    Deed = "sign_in.failed"
	DaemonStarted   Deed = "daemon.started"
	DaemonEnded     Deed = "daemon.ended"
)

// Deeds are all of them.
var Deeds = []Deed{
	FaxSubmitted, FaxCancelled, FaxHeld, FaxReleased, FaxResent, NumberForgotten, KeyMade, KeyRotated, KeyRevoked, KeyWeighed, SettingsChanged,
	EndpointAdded, EndpointChanged, EndpointRotated, EndpointRemoved, MessageReplayed, SignInFailed, DaemonStarted, DaemonEnded,
}

// Record is one entry of the audit log. What changes something writes it in the
// transaction that changes it, so that nothing is done unseen.
type Record struct {
	ID     string // entries sort in the order of time
	At     time.Time
	Deed   Deed
	Who    fax.Actor
	Fax    fax.JobID // "" when no fax is concerned
	Detail string    // for people; numbers are masked
}

// Audit is the audit log in a Store.
type Audit struct{ s *Store }

// Audit returns the audit log.
func (s *Store) Audit() Audit { return Audit{s} }

// AuditFilter chooses records; every zero field means all.
type AuditFilter struct {
	Text  string // in any field, in any case
	Deed  Deed
	Since time.Time
	After string // only records before this one: the last one of the page before
	Limit int
}

// List returns records, the latest first.
func (a Audit) List(ctx context.Context, f AuditFilter) ([]Record, error) {
	query, args := `SELECT `+recordColumns+` FROM audit WHERE id > ?`, []any{firstID(f.Since)}
	if f.After != "" {
		query, args = query+` AND id < ?`, append(args, f.After)
	}
	if f.Deed != "" {
		query, args = query+` AND event = ?`, append(args, f.Deed)
	}
	if f.Text != "" {
		like := "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(strings.ToLower(clean(f.Text))) + "%"
		query += ` AND LOWER(event || ' ' || fax_id || ' ' || key_id || ' ' || address || ' ' || detail) LIKE ? ESCAPE '\'`
		args = append(args, like)
	}
	var rows []recordRow
	err := a.s.list(unkept(ctx), &rows, query+` ORDER BY id DESC LIMIT ?`, append(args, f.Limit)...)
	records := make([]Record, len(rows))
	for i, r := range rows {
		records[i] = Record{r.ID, r.At.Time, r.Event, fax.Actor{Key: r.Key, Address: r.Address}, r.Fax, r.Detail}
	}
	return records, err
}

// Note writes what changes nothing else in the database. Who did it is in ctx.
func (a Audit) Note(ctx context.Context, deed Deed, id fax.JobID, detail string) error {
	return a.s.commit(ctx, func(ctx context.Context, tx session) error { return a.s.note(ctx, tx, deed, id, detail) })
}

// Forget erases records from before a time: the oldest first, so many at the
// most. It returns how many there were.
func (a Audit) Forget(ctx context.Context, before time.Time, limit int) (int, error) {
	return a.s.deleteSome(ctx, `SELECT id FROM audit WHERE id < ? ORDER BY id LIMIT ?`, []any{firstID(before), limit},
		`DELETE FROM audit WHERE id IN (?)`)
}

// firstID is before all ids that are made from a time on, to the millisecond.
func firstID(t time.Time) string {
	if t.Before(time.UnixMilli(0)) {
		return ""
	}
	return fmt.Sprintf("%012x", t.UnixMilli()) // RFC 9562, 5.7
}

// note writes what is being done in the transaction that does it.
func (s *Store) note(ctx context.Context, tx session, deed Deed, id fax.JobID, detail string) error {
	who := fax.ActorOf(ctx)
	now := s.Now()
	query, args, err := insert("audit", recordColumns, recordRow{
		string(fax.NewJobIDAt(now)), at(now), deed, id, clean(who.Key), clean(who.Address), clean(detail),
	})
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	_, err = tx.ExecContext(ctx, query, args...)
	return err
}

// noted notes what is done to a job.
func (s *Store) noted(deed Deed) func(context.Context, session, fax.Job) error {
	return func(ctx context.Context, tx session, j fax.Job) error {
		return s.note(ctx, tx, deed, j.ID, "to "+j.To.Masked())
	}
}

const recordColumns = `id, at, event, fax_id, key_id, address, detail`

type recordRow struct {
	ID      string    `db:"id"`
	At      moment    `db:"at"`
	Event   Deed      `db:"event"`
	Fax     fax.JobID `db:"fax_id"`
	Key     string    `db:"key_id"`
	Address string    `db:"address"`
	Detail  string    `db:"detail"`
}
