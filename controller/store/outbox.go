package store

import (
	"context"
	"fmt"
	"time"

	"faxbot/controller/fax"
)

// Event is the kind of a message.
type Event string

// Every Event there is. One of EventTest is never in the outbox.
const (
	EventQueued    Event = "fax.queued"    // converted, waits for its call
	EventSending   Event = "fax.sending"   // answered
	EventPage      Event = "fax.page"      // one more page is confirmed
	EventHeld      Event = "fax.held"      // waits for a person
	EventDelivered Event = "fax.delivered" // every page is confirmed
	EventFailed    Event = "fax.failed"    // given up or cancelled
	EventTest      Event = "webhook.test"  // somebody tries an endpoint
)

// Events are those that an endpoint may choose from.
var Events = []Event{EventQueued, EventSending, EventPage, EventHeld, EventDelivered, EventFailed}

// Message is one event that one URL is to be told. It is written in the
// transaction that makes it true, so it is neither lost nor invented.
type Message struct {
	ID     string // the same in all tries
	URL    string // or the id of an Endpoint
	Event  Event
	Page   int     // of the whole fax, for EventPage
	Job    fax.Job // as it was then
	MadeAt time.Time
	Tries  int
	Error  string    // of the last try
	DeadAt time.Time // given up; zero while it is to be told
}

// Outbox are the messages in a Store.
type Outbox struct{ s *Store }

// Outbox returns the messages.
func (s *Store) Outbox() Outbox { return Outbox{s} }

// Now is Store.Now.
func (o Outbox) Now() time.Time { return o.s.Now() }

// Claim takes messages that are due, in the order of each fax and URL: one that
// waits holds up those behind it. Until the lease ends nobody else gets them;
// by then the caller says Sent or Failed.
func (o Outbox) Claim(ctx context.Context, now, lease time.Time, limit int) ([]Message, error) {
	var due int // a look is cheap, a transaction is not
	err := o.s.get(ctx, &due, `SELECT count(*) FROM (SELECT 1 FROM outbox WHERE dead_at IS NULL AND due_at <= ? LIMIT 1) AS first`, at(now))
	if err != nil || due == 0 {
		return nil, err
	}
	var rows []messageRow
	err = o.s.commit(ctx, func(ctx context.Context, tx session) error {
		rows = nil
		return tx.SelectContext(ctx, &rows, `UPDATE outbox SET due_at = ?, tries = tries + 1 WHERE id IN (
				SELECT id FROM outbox AS o WHERE dead_at IS NULL AND due_at <= ? AND NOT EXISTS (
					SELECT 1 FROM outbox AS p WHERE p.job_id = o.job_id AND p.url = o.url AND p.ordinal < o.ordinal AND p.dead_at IS NULL)
				ORDER BY due_at, id LIMIT ?`+o.s.dialect.lockFree+`)
			RETURNING `+messageColumns, at(lease), at(now), limit)
	})
	return messages(rows), err
}

// Sent forgets a message that has arrived.
func (o Outbox) Sent(ctx context.Context, id string) error {
	return o.exec(ctx, `DELETE FROM outbox WHERE id = ?`, id)
}

// Failed notes why a try failed and when the next is due. A zero time gives the
// message up.
func (o Outbox) Failed(ctx context.Context, id, why string, next time.Time) error {
	if next.IsZero() {
		return o.exec(ctx, `UPDATE outbox SET error = ?, dead_at = ? WHERE id = ?`, clean(why), at(o.s.Now()), id)
	}
	return o.exec(ctx, `UPDATE outbox SET error = ?, due_at = ? WHERE id = ?`, clean(why), at(next), id)
}

// Dead returns messages that were given up, the latest first.
func (o Outbox) Dead(ctx context.Context, limit int) ([]Message, error) {
	var rows []messageRow
	err := o.s.list(ctx, &rows, `SELECT `+messageColumns+` FROM outbox WHERE dead_at IS NOT NULL ORDER BY dead_at DESC, id LIMIT ?`, limit)
	return messages(rows), err
}

// Replay makes a message that was given up due again, or is fax.NotFound.
func (o Outbox) Replay(ctx context.Context, id string) error {
	return o.s.commit(ctx, func(ctx context.Context, tx session) error {
		err := changeOne(ctx, tx, noMessage, `UPDATE outbox SET dead_at = NULL, tries = 0, due_at = ? WHERE id = ? AND dead_at IS NOT NULL`, at(o.s.Now()), id)
		if err != nil {
			return err
		}
		return o.s.note(ctx, tx, MessageReplayed, "", id)
	})
}

func (o Outbox) exec(ctx context.Context, query string, args ...any) error {
	return o.s.commit(ctx, func(ctx context.Context, tx session) error {
		return changeOne(ctx, tx, noMessage, query, args...)
	})
}

const noMessage = "Message not found"

// announce writes what is to be told of a job that has changed; page, from 1,
// when one more is confirmed. That a fax is held is for the audit log, too:
// nobody asked for it.
func (s *Store) announce(ctx context.Context, tx session, before fax.State, j fax.Job, page int) error {
	event := map[fax.State]Event{
		fax.Queued: EventQueued, fax.Sending: EventSending, fax.Held: EventHeld,
		fax.Done: EventDelivered, fax.Failed: EventFailed, fax.Cancelled: EventFailed,
	}[j.State]
	if j.State == before {
		event = ""
	}
	if event == EventHeld {
		if err := s.note(ctx, tx, FaxHeld, j.ID, string(j.Cause)); err != nil {
			return err
		}
	}
	if page > 0 {
		event = EventPage
	}
	if event == "" {
		return nil
	}
	targets, err := s.targets(ctx, tx, event, j.Options.CallbackURL)
	if err != nil {
		return err
	}
	now := at(s.Now())
	j.Options.Cover = fax.Cover{} // no receiver's business
	for _, url := range targets {
		var last int
		err := tx.GetContext(ctx, &last, `SELECT COALESCE(max(ordinal), 0) FROM outbox WHERE job_id = ? AND url = ?`, j.ID, url)
		if err != nil {
			return err
		}
		query, args, err := insert("outbox", messageColumns+", job_id, ordinal, due_at", struct {
			messageRow
			JobID   fax.JobID `db:"job_id"`
			Ordinal int       `db:"ordinal"`
			DueAt   moment    `db:"due_at"`
		}{messageRow{ID: "msg_" + string(fax.NewJobID()), URL: url, Event: event, Page: page, Job: document[fax.Job]{j}, MadeAt: now}, j.ID, last + 1, now})
		if err != nil {
			return fmt.Errorf("store: %w", err)
		}
		if _, err := tx.ExecContext(ctx, query, args...); err != nil {
			return err
		}
	}
	return nil
}

const messageColumns = `id, url, event, page, job, made_at, tries, error, dead_at`

type messageRow struct {
	ID     string            `db:"id"`
	URL    string            `db:"url"`
	Event  Event             `db:"event"`
	Page   int               `db:"page"`
	Job    document[fax.Job] `db:"job"`
	MadeAt moment            `db:"made_at"`
	Tries  int               `db:"tries"`
	Error  string            `db:"error"`
	DeadAt moment            `db:"dead_at"`
}

func messages(rows []messageRow) []Message {
	list := make([]Message, len(rows))
	for i, r := range rows {
		list[i] = Message{r.ID, r.URL, r.Event, r.Page, r.Job.of, r.MadeAt.Time, r.Tries, r.Error, r.DeadAt.Time}
	}
	return list
}
