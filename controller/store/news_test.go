package store

import (
	"context"
	"strings"
	"testing"

	"faxbot/controller/fax"
)

// hearing is what a host hears of others.
type hearing chan []News

func (s *Store) hearing(t *testing.T) hearing {
	t.Helper()
	heard := make(hearing, 1000)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Listen(ctx, func(n []News) { heard <- n }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return heard
}

// until waits for the news, and returns all that was heard with them.
func (h hearing) until(t *testing.T, want News) (all []News) {
	t.Helper()
	for {
		select {
		case news := <-h:
			for _, n := range news {
				all = append(all, n)
				if n == want {
					return all
				}
			}
		case <-t.Context().Done():
			t.Fatal("not heard:", want)
		}
	}
}

func TestHostsHearOfEachOther(t *testing.T) {
	t.Parallel()
	db := postgresSchema(t)
	a, b := db.open(t, "a"), db.open(t, "b")
	heard := b.hearing(t)
	heard.until(t, News{}) // it listens now
	job := a.received(t, newJob())
	heard.until(t, News{job.ID, fax.Received})
	b.received(t, newJob()) // what b does itself is no news to it
	if err := a.Prepared(t.Context(), job.ID, sheets(2)); err != nil {
		t.Fatal(err)
	}
	heard.until(t, News{job.ID, fax.Queued})
	r := request(1)
	r.Plan = func(c Candidate) (fax.Attempt, bool) {
		if c.Job.ID != job.ID {
			return fax.Attempt{}, false
		}
		return plan(c)
	}
	call := must(a.Claim(t.Context(), r))(t)[0]
	heard.until(t, News{job.ID, fax.Dialing})
	if err := a.Advance(t.Context(), call.Attempt.ID, fax.AttemptFaxing); err != nil {
		t.Fatal(err)
	}
	heard.until(t, News{job.ID, fax.Sending})
	if err := a.Progress(t.Context(), call.Attempt.ID, 1); err != nil {
		t.Fatal(err)
	}
	heard.until(t, News{job.ID, fax.Sending}) // once more: a page
	if _, _, err := a.Finish(t.Context(), call.Attempt.ID, fax.Result{}, Outcome{State: fax.Failed}); err != nil {
		t.Fatal(err)
	}
	for _, n := range heard.until(t, News{job.ID, fax.Failed}) {
		if n.Job != job.ID {
			t.Errorf("heard of itself, or of nobody's fax: %v", n)
		}
	}
}

// Many changes are few messages, and none is too long for the database.
func TestNewsAreGathered(t *testing.T) {
	t.Parallel()
	s := postgresSchema(t).open(t, "a")
	other := &herald{self: "other"}
	quiet := &herald{self: s.herald.self, state: map[fax.JobID]fax.State{}, wake: make(chan struct{}, 1)}
	jobs := make([]fax.Job, 1000)
	for i := range jobs {
		jobs[i] = newJob()
		jobs[i].State = fax.Dialing
		quiet.tell(jobs[i])
		jobs[i].State = fax.Cancelled
	}
	quiet.tell(jobs...)
	messages := quiet.messages()
	var news []News
	for _, m := range messages {
		if err := s.herald.notify(m); err != nil {
			t.Errorf("%d bytes: %v", len(m), err)
		}
		for _, job := range jobs {
			if strings.Contains(m, strings.TrimPrefix(string(job.To), "+")) {
				t.Fatal("a number is told to everybody on the database")
			}
		}
		news = append(news, other.parse(m)...)
		if quiet.parse(m) != nil {
			t.Error("listens to itself")
		}
	}
	if len(messages) > 7 || len(news) != len(jobs) || news[999] != (News{jobs[999].ID, fax.Cancelled}) {
		t.Errorf("%d messages, %d news", len(messages), len(news))
	}
	for range 7 {
		for i := range jobs {
			jobs[i].ID = fax.NewJobID()
		}
		quiet.tell(jobs...)
	}
	messages = quiet.messages()
	if got := other.parse(messages[0]); len(messages) != 1 || len(got) != 1 || got[0] != (News{}) {
		t.Errorf("too much to tell: %q", messages)
	}
	for _, m := range []string{"", "x", "x y", "x :", "x id:queued", "x " + string(jobs[0].ID) + ":nonsense"} {
		if got := other.parse(m); got != nil {
			t.Errorf("%q: %v", m, got)
		}
	}
}

// The connection on which a host listens is cut: it hears of nothing for a
// while, says so, and hears again.
func TestListeningGoesOnAfterTheConnectionWasCut(t *testing.T) {
	t.Parallel()
	db := postgresSchema(t)
	a, b := db.open(t, "a"), db.open(t, "b")
	heard := b.hearing(t)
	heard.until(t, News{})
	for range 3 {
		var cut int
		if err := a.get(t.Context(), &cut, `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
			WHERE application_name = current_setting('application_name') AND query LIKE 'LISTEN%'`); err != nil || cut != 1 {
			t.Fatalf("%d connections cut: %v", cut, err)
		}
		heard.until(t, News{})
		job := a.received(t, newJob())
		heard.until(t, News{job.ID, fax.Received})
	}
}

// SQLite has one host, which has nobody to hear.
func TestNobodyElseOnSQLite(t *testing.T) {
	t.Parallel()
	s := sqliteFile(t).open(t, "a")
	heard := s.hearing(t)
	s.queued(t, newJob())
	if len(heard) != 0 {
		t.Error(<-heard)
	}
}
