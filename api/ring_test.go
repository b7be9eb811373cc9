package api

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"faxbot/controller"
	"faxbot/controller/fax"
)

// shelf holds one key and counts how often it is read.
type shelf struct {
	key         controller.Key
	reads, uses int
	err         error
	hangs       bool
}

func (s *shelf) Find(ctx context.Context, id string) (controller.Key, error) {
	if s.hangs {
		<-ctx.Done()
		return controller.Key{}, ctx.Err()
	}
	s.reads++
	if s.err == nil && id != s.key.ID {
		return controller.Key{}, &fax.Error{Problem: fax.NotFound}
	}
	return s.key, s.err
}

func (s *shelf) Used(context.Context, string, time.Time) error {
	s.uses++
	return nil
}

// Who was right is believed for a minute, or until the key expires or changes.
func TestBeliefEnds(t *testing.T) {
	t.Parallel()
	token, hash := newToken("a")
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{key: controller.Key{ID: "a", Hash: hash, Scopes: []string{"fax:read"}, ExpiresAt: time.Now().Add(100 * time.Second)}}
		r := newRing(Config{Logger: slog.New(slog.DiscardHandler)})
		r.keys = s
		ask := func(token string, want bool, reads int) {
			t.Helper()
			who, ok, err := r.holder(t.Context(), token)
			if ok != want || err != nil || s.reads != reads || ok && (who.owner != "a" || !who.may(faxRead) || who.may(faxSend)) {
				t.Errorf("%+v, %v, %v after %d reads; want %v after %d", who, ok, err, s.reads, want, reads)
			}
		}
		ask(token, true, 1)
		time.Sleep(59 * time.Second)
		ask(token, true, 1)
		ask(token+"x", false, 2)
		time.Sleep(time.Second)
		ask(token, true, 3)
		time.Sleep(39 * time.Second)
		ask(token, true, 3)
		r.changed("b")
		ask(token, true, 3)
		r.changed("a")
		ask(token, true, 4)
		time.Sleep(time.Second)
		ask(token, false, 5) // expired
		ask("fbk_live_b_x", false, 6)
		ask("no token", false, 6)
		if s.uses != 3 {
			t.Errorf("%d uses are noted, want 3", s.uses)
		}
		s.err = errors.New("the database is away")
		if _, ok, err := r.holder(t.Context(), token); ok || err == nil {
			t.Errorf("%v, %v without a database", ok, err)
		}
	})
}

// While the database hangs everybody is told so in seconds, also who waits for
// others' turns; who is believed is not kept waiting at all.
func TestDatabaseHangs(t *testing.T) {
	t.Parallel()
	token, hash := newToken("a")
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{key: controller.Key{ID: "a", Hash: hash}}
		r := newRing(Config{Logger: slog.New(slog.DiscardHandler)})
		r.keys = s
		if _, ok, err := r.holder(t.Context(), token); !ok || err != nil {
			t.Fatal(ok, err)
		}
		s.hangs = true
		began := time.Now()
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() {
				if _, ok, err := r.holder(t.Context(), "fbk_live_b_x"); ok || fax.ProblemOf(err) != fax.Unavailable {
					t.Errorf("%v, %v", ok, err)
				}
			})
		}
		if _, ok, err := r.holder(t.Context(), token); !ok || err != nil || time.Since(began) > 0 {
			t.Errorf("%v, %v after %s", ok, err, time.Since(began))
		}
		all.Wait()
		if passed := time.Since(began); passed > 5*time.Second {
			t.Errorf("answered after %s", passed)
		}
	})
}
