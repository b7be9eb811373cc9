package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"faxbot/controller/fax"
)

// Endpoint is somebody who is told of every fax, and whom administrators have
// added. Those of the setting FAXBOT_WEBHOOK_URLS are none of these.
type Endpoint struct {
	ID      string // wh_ and 32 hexadecimal digits
	URL     string
	Events  []Event // nil: all
	Enabled bool
	Note    string

	Secret    string    // signs
	OldSecret string    // signs, too, until OldUntil
	OldUntil  time.Time // zero: there is none

	CreatedAt, UpdatedAt time.Time
}

// Secrets are those that sign at a time.
func (e Endpoint) Secrets(now time.Time) []string {
	if now.Before(e.OldUntil) {
		return []string{e.Secret, e.OldSecret}
	}
	return []string{e.Secret}
}

// wants says whether it is told of an event.
func (e Endpoint) wants(event Event) bool {
	return e.Enabled && (e.Events == nil || slices.Contains(e.Events, event))
}

const endpointPrefix = "wh_"

// IsEndpoint says whether the URL of a message is the id of an Endpoint.
func IsEndpoint(url string) bool { return strings.HasPrefix(url, endpointPrefix) }

// Endpoints are those in a Store.
type Endpoints struct{ s *Store }

// Endpoints returns whom administrators have added.
func (s *Store) Endpoints() Endpoints { return Endpoints{s} }

const (
	noEndpoint    = "Webhook not found"
	endpointKnown = "This address is told already; change that webhook instead"
)

// Add stores a new endpoint. It sets ID and the times. fax.Conflict when its
// URL is there already.
func (o Endpoints) Add(ctx context.Context, e Endpoint) (Endpoint, error) {
	e.ID = endpointPrefix + string(fax.NewJobID())
	e.CreatedAt = o.s.Now()
	e.UpdatedAt = e.CreatedAt
	row := rowOfEndpoint(e)
	query, args, err := insert("endpoints", endpointColumns, row)
	if err != nil {
		return Endpoint{}, fmt.Errorf("store: %w", err)
	}
	err = o.write(ctx, func(ctx context.Context, tx session) error {
		result, err := tx.ExecContext(ctx, query+` ON CONFLICT (url) DO NOTHING`, args...)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil {
			return err
		} else if n == 0 {
			return &fax.Error{Problem: fax.Conflict, Detail: endpointKnown}
		}
		return o.s.note(ctx, tx, EndpointAdded, "", "webhook "+e.ID)
	})
	return row.endpoint(), err
}

// Find returns the endpoint, or fax.NotFound.
func (o Endpoints) Find(ctx context.Context, id string) (Endpoint, error) {
	var row endpointRow
	err := o.s.get(ctx, &row, `SELECT `+endpointColumns+` FROM endpoints WHERE id = ?`, id)
	return row.endpoint(), orNotFound(err, noEndpoint)
}

// List returns all of them, the first added first.
func (o Endpoints) List(ctx context.Context) ([]Endpoint, error) {
	var rows []endpointRow
	err := o.s.list(ctx, &rows, `SELECT `+endpointColumns+` FROM endpoints ORDER BY id`)
	list := make([]Endpoint, len(rows))
	for i, r := range rows {
		list[i] = r.endpoint()
	}
	return list, err
}

// Change lets edit alter an endpoint, which is a deed. What waits to be told
// goes to its new URL. fax.Conflict when another one has that.
func (o Endpoints) Change(ctx context.Context, id string, deed Deed, edit func(*Endpoint) error) (Endpoint, error) {
	var e Endpoint
	err := o.write(ctx, func(ctx context.Context, tx session) error {
		var row endpointRow
		if err := tx.GetContext(ctx, &row, `SELECT `+endpointColumns+` FROM endpoints WHERE id = ?`+o.s.dialect.lock, id); err != nil {
			return orNotFound(err, noEndpoint)
		}
		e = row.endpoint()
		if err := edit(&e); err != nil {
			return err
		}
		var others int
		if err := tx.GetContext(ctx, &others, `SELECT count(*) FROM endpoints WHERE url = ? AND id <> ?`, e.URL, id); err != nil {
			return err
		}
		if others > 0 {
			return &fax.Error{Problem: fax.Conflict, Detail: endpointKnown}
		}
		e.UpdatedAt = o.s.Now()
		row = rowOfEndpoint(e)
		e = row.endpoint()
		_, err := tx.ExecContext(ctx, `UPDATE endpoints SET url = ?, events = ?, enabled = ?, note = ?, secret = ?, old_secret = ?,
			old_until = ?, updated_at = ? WHERE id = ?`,
			row.URL, row.Events, row.Enabled, row.Note, row.Secret, row.OldSecret, row.OldUntil, row.UpdatedAt, id)
		if err != nil {
			return err
		}
		return o.s.note(ctx, tx, deed, "", "webhook "+id)
	})
	return e, err
}

// Remove forgets an endpoint and what it was still to be told.
func (o Endpoints) Remove(ctx context.Context, id string) error {
	return o.write(ctx, func(ctx context.Context, tx session) error {
		if err := changeOne(ctx, tx, noEndpoint, `DELETE FROM endpoints WHERE id = ?`, id); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM outbox WHERE url = ?`, id); err != nil {
			return err
		}
		return o.s.note(ctx, tx, EndpointRemoved, "", "webhook "+id)
	})
}

func (o Endpoints) write(ctx context.Context, do func(context.Context, session) error) error {
	return o.s.dialect.explain("store the webhook", o.s.write(ctx, do))
}

// SetWebhooks replaces Options.Webhooks, for what happens from now on.
func (s *Store) SetWebhooks(urls []string) { s.webhooks.Store(&urls) }

// targets are who is told of an event, each once: endpoints by their ids, the
// others by their URLs.
func (s *Store) targets(ctx context.Context, tx session, event Event, callback string) ([]string, error) {
	var rows []endpointRow
	if err := tx.SelectContext(ctx, &rows, `SELECT `+endpointColumns+` FROM endpoints ORDER BY id`); err != nil {
		return nil, err
	}
	var told, known []string
	for _, r := range rows {
		if e := r.endpoint(); e.wants(event) {
			told, known = append(told, e.ID), append(known, e.URL)
		}
	}
	for _, url := range append(slices.Clip(*s.webhooks.Load()), callback) {
		if url != "" && !slices.Contains(known, url) {
			told, known = append(told, url), append(known, url)
		}
	}
	return told, nil
}

const endpointColumns = `id, url, events, enabled, note, secret, old_secret, old_until, created_at, updated_at`

type endpointRow struct {
	ID        string            `db:"id"`
	URL       string            `db:"url"`
	Events    document[[]Event] `db:"events"`
	Enabled   bool              `db:"enabled"`
	Note      string            `db:"note"`
	Secret    string            `db:"secret"`
	OldSecret string            `db:"old_secret"`
	OldUntil  moment            `db:"old_until"`
	CreatedAt moment            `db:"created_at"`
	UpdatedAt moment            `db:"updated_at"`
}

func rowOfEndpoint(e Endpoint) endpointRow {
	return endpointRow{
		e.ID, e.URL,
		document[[]Event]{e.Events},
		e.Enabled, clean(e.Note),
		e.Secret, e.OldSecret, at(e.OldUntil), at(e.CreatedAt), at(e.UpdatedAt),
	}
}

func (r endpointRow) endpoint() Endpoint {
	return Endpoint{
		ID: r.ID, URL: r.URL, Events: r.Events.of, Enabled: r.Enabled, Note: r.Note,
		Secret: r.Secret, OldSecret: r.OldSecret, OldUntil: r.OldUntil.Time, CreatedAt: r.CreatedAt.Time, UpdatedAt: r.UpdatedAt.Time,
	}
}
