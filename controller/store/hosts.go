package store

import (
	"context"
	"crypto/subtle"
	"time"

	"faxbot/controller/fax"
)

// ErrAdopted is what a host hears of a call that another one looks after by now.
var ErrAdopted = &fax.Error{Problem: fax.Conflict, Detail: "Another host looks after this call."}

// Report is what a host tells the others of itself.
type Report struct {
	Version  string           `json:"version"`
	Since    time.Time        `json:"since"` // it runs
	Draining bool             `json:"draining,omitempty"`
	Calls    int              `json:"calls"` // under way
	Switches []SwitchReported `json:"switches"`
}

// SwitchReported is a switch that a host serves.
type SwitchReported struct {
	Name     string   `json:"name"`
	Up       bool     `json:"up"`                 // it can be told to dial
	Socket   string   `json:"socket"`             // of this host, as the switch reaches it
	Gateways []string `json:"gateways,omitempty"` // that it has; none for all
}

// Host is a daemon that shares the database.
type Host struct {
	Name   string
	Silent time.Duration // since it has last told
	Report
}

// Report tells the others of this host.
func (s *Store) Report(ctx context.Context, r Report) error {
	return s.commit(ctx, func(ctx context.Context, tx session) error {
		now, err := s.clock(ctx, tx)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO hosts (name, seen_at, about) VALUES (?, ?, ?)
			ON CONFLICT (name) DO UPDATE SET seen_at = excluded.seen_at, about = excluded.about`, s.host, at(now), document[Report]{r})
		return err
	})
}

// Hosts are those that have told of themselves within that time, by their names,
// this one among them.
func (s *Store) Hosts(ctx context.Context, within time.Duration) ([]Host, error) {
	now, err := s.clock(ctx, s.read)
	if err != nil {
		return nil, s.dialect.explain("be read", err)
	}
	var rows []struct {
		Name   string           `db:"name"`
		SeenAt moment           `db:"seen_at"`
		About  document[Report] `db:"about"`
	}
	err = s.list(ctx, &rows, `SELECT name, seen_at, about FROM hosts WHERE about <> '' AND seen_at > ? ORDER BY name`, at(now.Add(-within)))
	list := make([]Host, len(rows))
	for i, r := range rows {
		list[i] = Host{r.Name, max(0, now.Sub(r.SeenAt.Time)), r.About.of}
	}
	return list, err
}

// ForgetHosts forgets those that have been silent for so long.
func (s *Store) ForgetHosts(ctx context.Context, silent time.Duration) error {
	return s.commit(ctx, func(ctx context.Context, tx session) error {
		now, err := s.clock(ctx, tx)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM hosts WHERE seen_at < ?`, at(now.Add(-silent)))
		return err
	})
}

// Rested is what rests.
type Rested string

// Every Rested there is.
const (
	RestedGateway Rested = "gateway"
	RestedSwitch  Rested = "switch"
)

// Rest is what the hosts know of a gateway or of a switch together.
type Rest struct {
	Kind          Rested
	Name          string
	Until         time.Time // zero while it works
	Rests         int       // in a row
	Misconfigured bool
	Changed       time.Time // by Store.Now
}

// SetRests stores what this host has found out; what another one has found out
// later stays.
func (s *Store) SetRests(ctx context.Context, rests []Rest) error {
	if len(rests) == 0 {
		return nil
	}
	return s.commit(ctx, func(ctx context.Context, tx session) error {
		for _, r := range rests {
			_, err := tx.ExecContext(ctx, `INSERT INTO breakers (kind, name, rest_until, rests, misconfigured, changed_at)
				VALUES (?, ?, ?, ?, ?, ?)
				ON CONFLICT (kind, name) DO UPDATE SET rest_until = excluded.rest_until, rests = excluded.rests,
					misconfigured = excluded.misconfigured, changed_at = excluded.changed_at
				WHERE breakers.changed_at < excluded.changed_at`,
				string(r.Kind), r.Name, at(r.Until), r.Rests, r.Misconfigured, at(r.Changed))
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Rests are those of all hosts.
func (s *Store) Rests(ctx context.Context) ([]Rest, error) {
	var rows []struct {
		Kind          Rested `db:"kind"`
		Name          string `db:"name"`
		Until         moment `db:"rest_until"`
		Rests         int    `db:"rests"`
		Misconfigured bool   `db:"misconfigured"`
		Changed       moment `db:"changed_at"`
	}
	err := s.list(ctx, &rows, `SELECT kind, name, rest_until, rests, misconfigured, changed_at FROM breakers ORDER BY kind, name`)
	list := make([]Rest, len(rows))
	for i, r := range rows {
		list[i] = Rest{r.Kind, r.Name, r.Until.Time, r.Rests, r.Misconfigured, r.Changed.Time}
	}
	return list, err
}

// Own are this host's attempts that have not ended.
func (s *Store) Own(ctx context.Context) ([]fax.AttemptID, error) {
	var ids []fax.AttemptID
	return ids, s.list(ctx, &ids, `SELECT id FROM attempts WHERE state <> 'ended' AND host = ?`, s.host)
}

// Take makes a live attempt this host's own, whosever it was, because its call
// has connected to us: it knows the token. fax.Conflict when it does not, or
// when the call has been told to send: then it is nobody's to drive any more.
func (s *Store) Take(ctx context.Context, id fax.AttemptID, token string, lease time.Duration) (fax.Job, fax.Attempt, error) {
	now, err := s.clock(ctx, s.read)
	if err != nil {
		return fax.Job{}, fax.Attempt{}, s.dialect.explain("be read", err)
	}
	return s.changeAttempt(ctx, id, nil, func(a *fax.Attempt, _ *fax.Job) error {
		switch {
		case a.State == fax.AttemptEnded:
			return ErrAlreadyEnded
		case subtle.ConstantTimeCompare([]byte(a.Token), []byte(token)) != 1:
			return fax.Errorf(fax.Conflict, "This is not the call's token.")
		case a.Answered():
			return fax.Errorf(fax.Conflict, "This call has already been told to send.")
		}
		a.Host, a.LeaseUntil = s.host, now.Add(lease)
		return nil
	})
}
