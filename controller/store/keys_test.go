package store

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jmoiron/sqlx"

	"faxbot/controller/fax"
)

func TestKeyIsKept(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		keys := db.open(t, "a").Keys()
		made := must(keys.Create(t.Context(), Key{
			ID: "0123456789ab", Name: "Front desk", Owner: "Åsa", Note: "two\nlines", Hash: "scrypt$a$b$n=2$r=1$p=1",
			Scopes: []string{"fax:send", "fax:read"}, Weight: 3, ExpiresAt: now().Add(time.Hour),
		}))(t)
		bare := must(keys.Create(t.Context(), Key{ID: "ffffffffffff", Hash: "x"}))(t)
		used := now().Add(time.Minute)
		if err := keys.Used(t.Context(), made.ID, used); err != nil {
			t.Fatal(err)
		}
		if err := keys.Rotate(t.Context(), made.ID, "scrypt$c$d$n=2$r=1$p=1"); err != nil {
			t.Fatal(err)
		}
		if err := keys.Weigh(t.Context(), made.ID, 5); err != nil || made.Weight != 3 || bare.Weight != 1 {
			t.Fatal(made, bare, err)
		}
		want := made
		want.Weight, want.LastUsedAt, want.Hash, want.CreatedAt = 5, used, "scrypt$c$d$n=2$r=1$p=1", want.CreatedAt.UTC().Truncate(time.Microsecond)
		if diff := cmp.Diff(want, must(keys.Find(t.Context(), made.ID))(t)); diff != "" {
			t.Error(diff)
		}
		if !want.Good(time.Now()) || want.Good(want.ExpiresAt) || !bare.Good(time.Now()) {
			t.Error("keys are good until they expire")
		}
		if list := must(keys.List(t.Context()))(t); len(list) != 2 || list[0].ID != bare.ID || list[0].Name != "" || list[0].Scopes != nil {
			t.Errorf("listed %+v", list)
		}
	})
}

func TestKeyIsRevoked(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		keys := db.open(t, "a").Keys()
		key := must(keys.Create(t.Context(), Key{ID: "0123456789ab", Hash: "x"}))(t)
		for range 2 { // the first time stands
			if err := keys.Revoke(t.Context(), key.ID); err != nil {
				t.Fatal(err)
			}
		}
		if key = must(keys.Find(t.Context(), key.ID))(t); key.Good(time.Now()) || time.Since(key.RevokedAt) > time.Minute {
			t.Errorf("revoked: %+v", key)
		}
		wantProblem(t, keys.Rotate(t.Context(), key.ID, "y"), fax.NotFound)
		wantProblem(t, keys.Weigh(t.Context(), key.ID, 2), fax.NotFound)
		wantProblem(t, keys.Revoke(t.Context(), "nobody"), fax.NotFound)
		wantProblem(t, keys.Used(t.Context(), "nobody", now()), fax.NotFound)
		_, err := keys.Find(t.Context(), "nobody")
		wantProblem(t, err, fax.NotFound)
	})
}

// The keys of a database that an existing Faxbot has written are ours.
func TestExistingKeyTable(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		driver, name := "postgres", db.url
		if file, ok := strings.CutPrefix(db.url, "sqlite:///"); ok {
			driver, name = "sqlite", file
		}
		old, err := sqlx.Open(driver, name)
		if err != nil {
			t.Fatal(err)
		}
		defer old.Close()
		for _, query := range []string{
			`CREATE TABLE api_keys (id VARCHAR(40) NOT NULL, key_id VARCHAR(32) NOT NULL, key_hash VARCHAR(200) NOT NULL,
				name VARCHAR(100), owner VARCHAR(100), scopes VARCHAR(200), created_at TIMESTAMP NOT NULL, last_used_at TIMESTAMP,
				expires_at TIMESTAMP, revoked_at TIMESTAMP, note TEXT, PRIMARY KEY (id))`,
			`INSERT INTO api_keys (id, key_id, key_hash, name, scopes, created_at, expires_at)
				VALUES ('1', 'abc', 'h', 'old', 'fax:send, fax:read', '2025-09-01 12:00:00.123456', '2099-01-01 00:00:00')`,
		} {
			if _, err := old.Exec(query); err != nil {
				t.Fatal(err)
			}
		}
		s := db.open(t, "a")
		key := must(s.Keys().Find(t.Context(), "abc"))(t)
		want := Key{
			ID: "abc", Name: "old", Hash: "h", Weight: 1, Scopes: []string{"fax:send", "fax:read"},
			CreatedAt: time.Date(2025, 9, 1, 12, 0, 0, 123456000, time.UTC), ExpiresAt: time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC),
		}
		if diff := cmp.Diff(want, key); diff != "" {
			t.Error(diff)
		}
		if err := s.Keys().Used(t.Context(), "abc", now()); err != nil {
			t.Error(err)
		}
	})
}
