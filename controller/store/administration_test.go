package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"faxbot/controller/fax"
)

// records are the audit log as deed, fax and who, the latest first.
func (s *Store) records(t testing.TB, f AuditFilter) []string {
	t.Helper()
	if f.Limit == 0 {
		f.Limit = 100
	}
	var said []string
	for _, r := range must(s.Audit().List(t.Context(), f))(t) {
		if time.Since(r.At) > time.Minute || r.ID == "" {
			t.Errorf("%+v", r)
		}
		said = append(said, strings.TrimSpace(fmt.Sprintf("%s %s %s", r.Deed, r.Who.Key, r.Detail)))
	}
	return said
}

func TestDeedsAreRecorded(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		s := db.open(t, "a")
		ctx := fax.As(t.Context(), fax.Actor{Key: "0123456789ab", Address: "192.0.2.7"})
		job := newJob()
		idem := Idempotency{Key: "once", Digest: "x"}
		for range 2 { // repeated, it is the same deed
			if _, _, err := s.Create(ctx, job, idem); err != nil {
				t.Fatal(err)
			}
		}
		if _, _, err := s.Create(ctx, newJob(), Idempotency{Key: "once", Digest: "y"}); fax.ProblemOf(err) != fax.Conflict {
			t.Fatal(err)
		}
		if err := s.Prepared(t.Context(), job.ID, sheets(1)); err != nil {
			t.Fatal(err)
		}
		must(s.Hold(t.Context(), job.ID, fax.NotAFax, "a person answered"))(t)
		must(s.Release(ctx, job.ID))(t)
		for range 2 {
			must(s.AskCancel(ctx, job.ID))(t)
		}
		key := must(s.Keys().Create(ctx, Key{ID: "ffffffffffff", Hash: "x"}))(t)
		for _, do := range []func() error{
			func() error { return s.Keys().Used(ctx, key.ID, time.Now()) },
			func() error { return s.Keys().Rotate(ctx, key.ID, "y") },
			func() error { return s.Keys().Revoke(ctx, key.ID) },
			func() error { return s.Audit().Note(ctx, SignInFailed, "", "100% wrong") },
		} {
			if err := do(); err != nil {
				t.Fatal(err)
			}
		}
		masked := job.To.Masked()
		want := []string{
			"sign_in.failed 0123456789ab 100% wrong",
			"key.revoked 0123456789ab key ffffffffffff", "key.rotated 0123456789ab key ffffffffffff", "key.made 0123456789ab key ffffffffffff",
			"fax.cancelled 0123456789ab to " + masked, "fax.released 0123456789ab to " + masked,
			"fax.held  " + string(fax.NotAFax), "fax.submitted 0123456789ab to " + masked,
		}
		if diff := cmp.Diff(want, s.records(t, AuditFilter{})); diff != "" {
			t.Error(diff)
		}
		all := must(s.Audit().List(t.Context(), AuditFilter{Limit: 100}))(t)
		if all[0].Who.Address != "192.0.2.7" || all[7].Fax != job.ID {
			t.Errorf("%+v %+v", all[0], all[7])
		}
		for what, f := range map[string]struct {
			AuditFilter
			n int
		}{
			"a deed":           {AuditFilter{Deed: KeyMade}, 1},
			"a fax":            {AuditFilter{Text: string(job.ID)}, 4},
			"in any case":      {AuditFilter{Text: "KEY FFFF"}, 3},
			"no pattern":       {AuditFilter{Text: "0% w"}, 1},
			"nothing like it":  {AuditFilter{Text: "1_0"}, 0},
			"an address":       {AuditFilter{Text: "192.0.2.7"}, 7},
			"since an hour":    {AuditFilter{Since: time.Now().Add(-time.Hour)}, 8},
			"since later":      {AuditFilter{Since: time.Now().Add(time.Hour)}, 0},
			"the second page":  {AuditFilter{After: all[2].ID}, 5},
			"a page of three":  {AuditFilter{Limit: 3}, 3},
			"before the first": {AuditFilter{After: all[7].ID}, 0},
		} {
			if got := s.records(t, f.AuditFilter); len(got) != f.n {
				t.Errorf("%s: %q", what, got)
			}
		}
		if _, err := s.Audit().Forget(t.Context(), time.Now().Add(-time.Hour), 10); err != nil || len(s.records(t, AuditFilter{})) != 8 {
			t.Errorf("forgot what is young: %v", err)
		}
		if n, err := s.Audit().Forget(t.Context(), time.Now().Add(time.Hour), 10); n != 8 || err != nil || len(s.records(t, AuditFilter{})) != 0 {
			t.Errorf("kept what is old: %v", err)
		}
	})
}

func TestSettingsAreKept(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		s, other := db.open(t, "a"), db.open(t, "b")
		text := func(s string) *string { return &s }
		fine := func(map[string]string) error { return nil }
		first := must(s.Settings().Change(t.Context(), map[string]*string{"B": text("2"), "A": text("1, \"ö\"\n")}, fine))(t)
		if diff := cmp.Diff(Stored{map[string]string{"A": "1, \"ö\"\n", "B": "2"}, 1}, first); diff != "" {
			t.Error(diff)
		}
		refused := errors.New("no")
		_, err := s.Settings().Change(t.Context(), map[string]*string{"A": nil, "C": text("3")}, func(all map[string]string) error {
			if diff := cmp.Diff(map[string]string{"B": "2", "C": "3"}, all); diff != "" {
				t.Error(diff)
			}
			return refused
		})
		if !errors.Is(err, refused) {
			t.Error(err)
		}
		if got := must(other.Settings().Read(t.Context()))(t); cmp.Diff(first, got) != "" {
			t.Errorf("after a refusal: %+v", got)
		}
		// What changes nothing is no change.
		must(s.Settings().Change(t.Context(), map[string]*string{"B": text("2"), "Z": nil}, fine))(t)
		if n := must(other.Settings().Revision(t.Context()))(t); n != 1 {
			t.Errorf("revision %d", n)
		}
		if got := s.records(t, AuditFilter{}); cmp.Diff([]string{"settings.changed  A set, B set"}, got) != "" {
			t.Errorf("%q", got)
		}
		// Two who add one each lose neither.
		var both sync.WaitGroup
		for _, by := range []*Store{s, other} {
			for i := range 5 {
				both.Go(func() {
					if _, err := by.Settings().Change(context.Background(), map[string]*string{fmt.Sprint(by.host, i): text("x")}, fine); err != nil {
						t.Error(err)
					}
				})
			}
		}
		both.Wait()
		if got := must(s.Settings().Read(t.Context()))(t); len(got.Values) != 12 || got.Revision != 11 {
			t.Errorf("%+v", got)
		}
	})
}

func TestEndpointsAreTold(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		s := db.openWith(t, "a", everyone)
		add := func(e Endpoint) Endpoint {
			t.Helper()
			return must(s.Endpoints().Add(t.Context(), e))(t)
		}
		all := add(Endpoint{URL: "https://1.example", Enabled: true, Secret: "one", Note: "first"})
		some := add(Endpoint{URL: "https://2.example", Enabled: true, Secret: "two", Events: []Event{EventFailed}})
		add(Endpoint{URL: "https://3.example", Secret: "three"})
		same := add(Endpoint{URL: everyone, Enabled: true, Secret: "four"}) // as in the setting: told once
		if _, err := s.Endpoints().Add(t.Context(), Endpoint{URL: all.URL}); fax.ProblemOf(err) != fax.Conflict {
			t.Error(err)
		}
		if list := must(s.Endpoints().List(t.Context()))(t); len(list) != 4 || cmp.Diff(all, list[0]) != "" || cmp.Diff(some, list[1]) != "" {
			t.Errorf("%+v", list)
		}
		job := newJob()
		job.Options.CallbackURL = some.URL // asks for all that some does not
		s.queued(t, job)
		must(s.AskCancel(t.Context(), job.ID))(t)
		want := map[string][]string{
			all.ID: {"fax.queued", "fax.failed"}, some.ID: {"fax.failed"}, some.URL: {"fax.queued"}, same.ID: {"fax.queued", "fax.failed"},
		}
		if diff := cmp.Diff(want, s.Outbox().drain(t)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestEndpointsChange(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		s := db.open(t, "a")
		e := must(s.Endpoints().Add(t.Context(), Endpoint{URL: "https://1.example", Enabled: true, Secret: "one"}))(t)
		other := must(s.Endpoints().Add(t.Context(), Endpoint{URL: "https://2.example", Enabled: true, Secret: "two"}))(t)
		until := now().Add(time.Hour)
		got := must(s.Endpoints().Change(t.Context(), e.ID, EndpointRotated, func(e *Endpoint) error {
			e.Secret, e.OldSecret, e.OldUntil = "new", e.Secret, until
			return nil
		}))(t)
		if diff := cmp.Diff([]string{"new", "one"}, got.Secrets(now())); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{"new"}, got.Secrets(until)); diff != "" {
			t.Error(diff)
		}
		if found := must(s.Endpoints().Find(t.Context(), e.ID))(t); cmp.Diff(got, found) != "" {
			t.Error(cmp.Diff(got, found))
		}
		_, err := s.Endpoints().Change(t.Context(), e.ID, EndpointChanged, func(e *Endpoint) error { e.URL = other.URL; return nil })
		if fax.ProblemOf(err) != fax.Conflict {
			t.Error(err)
		}
		// Who is removed is told nothing more.
		job := newJob()
		s.queued(t, job)
		if err := s.Endpoints().Remove(t.Context(), e.ID); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[string][]string{other.ID: {"fax.queued"}}, s.Outbox().drain(t)); diff != "" {
			t.Error(diff)
		}
		for _, err := range []error{
			s.Endpoints().Remove(t.Context(), e.ID),
			second(s.Endpoints().Find(t.Context(), e.ID)),
			second(s.Endpoints().Change(t.Context(), e.ID, EndpointChanged, func(*Endpoint) error { return nil })),
		} {
			if fax.ProblemOf(err) != fax.NotFound {
				t.Error(err)
			}
		}
	})
}

func second[T any](_ T, err error) error { return err }

// What was sent to a number is found without looking at what was sent to others.
func TestNumbersAreIndexed(t *testing.T) {
	t.Parallel()
	s := sqliteFile(t).open(t, "a")
	for _, f := range []Filter{{To: "+15551230001"}, {To: "+15551230001", Owner: "a"}} {
		where, args := f.where()
		var steps []struct {
			ID, Parent, NotUsed int
			Detail              string
		}
		if err := s.list(t.Context(), &steps, `EXPLAIN QUERY PLAN SELECT id FROM jobs WHERE `+where+` ORDER BY id DESC LIMIT 50`, args...); err != nil {
			t.Fatal(err)
		}
		if len(steps) == 0 || !strings.Contains(steps[0].Detail, "jobs_number (to_number=?") {
			t.Errorf("for %+v the database does %+v", f, steps)
		}
	}
}
