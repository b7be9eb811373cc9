package store

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"faxbot/controller/fax"
)

const everyone, own = "https://all.example/hook", "https://own.example/hook"

func (db database) openWith(t testing.TB, host string, urls ...string) *Store {
	t.Helper()
	s, err := Open(t.Context(), db.url, Options{Host: host, Webhooks: urls})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// drain delivers what there is and returns what each URL was told, in order.
func (o Outbox) drain(t testing.TB) map[string][]string {
	t.Helper()
	told := map[string][]string{}
	for {
		list := must(o.Claim(t.Context(), now().Add(time.Second), now().Add(time.Minute), 10))(t)
		if len(list) == 0 {
			return told
		}
		for _, m := range list {
			what := string(m.Event)
			if m.Event == EventPage {
				what += fmt.Sprint(" ", m.Page)
			}
			told[m.URL] = append(told[m.URL], what)
			if err := o.Sent(t.Context(), m.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestOutboxTellsALife(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		s := db.openWith(t, "a", everyone)
		job := newJob()
		job.Options.CallbackURL = own
		c := s.dialing(t, job)
		for _, state := range []fax.AttemptState{fax.AttemptAnswered, fax.AttemptFaxing} {
			if err := s.Advance(t.Context(), c.Attempt.ID, state); err != nil {
				t.Fatal(err)
			}
		}
		for _, pages := range []int{1, 1, 2} {
			if err := s.Progress(t.Context(), c.Attempt.ID, pages); err != nil {
				t.Fatal(err)
			}
		}
		if _, _, err := s.Finish(t.Context(), c.Attempt.ID, fax.Result{Cause: fax.OK, Pages: 3}, Outcome{State: fax.Done, Confirmed: 3}); err != nil {
			t.Fatal(err)
		}
		late := newJob() // of another, who told no URL
		s.queued(t, late)
		if err := s.exec(t, "UPDATE jobs SET deadline = 0 WHERE id = ?", late.ID); err != nil {
			t.Fatal(err)
		}
		must(s.Expire(t.Context(), now()))(t)

		told := s.Outbox().drain(t)
		// The call begins with the second page.
		life := []string{"fax.queued", "fax.sending", "fax.page 2", "fax.page 3", "fax.delivered"}
		if !slices.Equal(told[own], life) {
			t.Errorf("its own URL was told %v", told[own])
		}
		if n := len(told[everyone]); n != len(life)+2 || !slices.Contains(told[everyone], "fax.failed") {
			t.Errorf("everybody was told %v", told[everyone])
		}
	})
}

func TestOutboxKeepsOrder(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		s := db.openWith(t, "a", everyone)
		o := s.Outbox()
		claim := func(after time.Duration) []Message {
			t.Helper()
			return must(o.Claim(t.Context(), now().Add(after), now().Add(after+time.Minute), 10))(t)
		}
		first, second := s.queued(t, newJob()), s.queued(t, newJob())
		must(s.AskCancel(t.Context(), first.ID))(t)
		list := claim(time.Second)
		if len(list) != 2 || list[0].Event != EventQueued || list[1].Event != EventQueued || list[0].Tries != 1 || list[0].Job.State != fax.Queued {
			t.Fatalf("claimed %+v", list)
		}
		if again := claim(time.Second); len(again) != 0 {
			t.Errorf("claimed twice: %+v", again)
		}
		waits := list[slices.IndexFunc(list, func(m Message) bool { return m.Job.ID == first.ID })]
		// What failed holds up what follows; a lease that ended is no answer.
		if err := o.Failed(t.Context(), waits.ID, "no answer", now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if list = claim(2 * time.Minute); len(list) != 1 || list[0].Job.ID != second.ID || list[0].Tries != 2 {
			t.Errorf("after the lease: %+v", list)
		}
		// What is given up holds up nobody, and can be replayed.
		if err := o.Failed(t.Context(), waits.ID, "never", time.Time{}); err != nil {
			t.Fatal(err)
		}
		if list = claim(time.Second); len(list) != 1 || list[0].Event != EventFailed || list[0].Job.Cause != fax.Withdrawn {
			t.Errorf("after it was given up: %+v", list)
		}
		dead := must(o.Dead(t.Context(), 10))(t)
		if len(dead) != 1 || dead[0].ID != waits.ID || dead[0].Error != "never" || dead[0].DeadAt.IsZero() {
			t.Errorf("dead: %+v", dead)
		}
		for _, want := range []fax.Problem{"", fax.NotFound} {
			if err := o.Replay(t.Context(), waits.ID); want == "" && err != nil || want != "" && fax.ProblemOf(err) != want {
				t.Errorf("replay: %v", err)
			}
		}
		if list = claim(time.Second); len(list) != 1 || list[0].ID != waits.ID || list[0].Tries != 1 {
			t.Errorf("replayed: %+v", list)
		}
	})
}
