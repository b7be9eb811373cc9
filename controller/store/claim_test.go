package store

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"faxbot/controller/fax"
)

func ids(claimed []Claimed) (list []fax.JobID) {
	for _, c := range claimed {
		list = append(list, c.Job.ID)
	}
	return list
}

func TestClaimTakesTheMostUrgentThenTheLongestDue(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		s := db.open(t, "a")
		add := func(priority int, due, deadline time.Duration) fax.JobID {
			job := newJob()
			job.Priority, job.DueAt, job.Deadline = priority, now().Add(due), now().Add(deadline)
			return s.queued(t, job).ID
		}
		b := add(100, -time.Minute, time.Hour)
		a := add(100, -time.Hour, time.Hour)
		first := add(255, -time.Second, time.Hour)
		tomorrow := add(255, 24*time.Hour, 48*time.Hour)
		add(255, -time.Hour, -time.Minute) // too late
		s.received(t, newJob())
		must(s.AskCancel(t.Context(), s.queued(t, newJob()).ID))(t)

		if n := must(s.Ahead(t.Context(), s.find(t, b), now()))(t); n != 2 {
			t.Errorf("%d are ahead", n)
		}
		if got := ids(s.claim(t, 2)); !slices.Equal(got, []fax.JobID{first, a}) {
			t.Errorf("first %v", got)
		}
		if got := ids(s.claim(t, 10)); !slices.Equal(got, []fax.JobID{b}) {
			t.Errorf("then %v", got)
		}
		due, ok, err := s.NextDue(t.Context(), now())
		if err != nil || !ok || !due.Equal(s.find(t, tomorrow).DueAt) {
			t.Error("next due", due, ok, err)
		}
		if _, ok, err := s.NextDue(t.Context(), due); ok || err != nil {
			t.Error("due after the last", ok, err)
		}
	})
}

// A scheduler sleeps until NextDue. The clock is synctest's: stores work in it.
func TestAFaxIsClaimedWhenItsTimeComes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := sqliteFile(t).open(t, "a")
		job := newJob()
		job.DueAt = now().Add(time.Hour)
		s.queued(t, job)
		r := request(1)
		r.Now = now()
		if early := must(s.Claim(t.Context(), r))(t); len(early) != 0 {
			t.Errorf("claimed %v", early)
		}
		due, ok, err := s.NextDue(t.Context(), r.Now)
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		time.Sleep(time.Until(due))
		r.Now = now()
		if got := must(s.Claim(t.Context(), r))(t); len(got) != 1 || !got[0].Job.DueAt.Equal(job.DueAt) {
			t.Errorf("claimed %v", got)
		}
	})
}

func TestAClaimedJobHasACommittedAttempt(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		s := db.open(t, "north")
		job := s.queued(t, newJob())
		r := request(1)
		c := must(s.Claim(t.Context(), r))(t)[0]
		want := fax.Attempt{
			ID: c.Attempt.ID, JobID: job.ID, Ordinal: 1, State: fax.AttemptCreated,
			Gateway: "carrier", Host: "north", Switch: "west", Core: "core", Token: "token",
			Parameters: fax.Parameters{T38: true, V17: true, ECM: true, StartPage: 1},
			Result:     fax.Result{Code: fax.NoCode}, LeaseUntil: c.Attempt.LeaseUntil, CreatedAt: c.Attempt.CreatedAt,
		}
		if d := cmp.Diff(want, c.Attempt); d != "" {
			t.Error(d)
		}
		if d := cmp.Diff(want, must(s.Attempt(t.Context(), want.ID))(t)); d != "" {
			t.Error("stored:", d)
		}
		job.State, job.UpdatedAt = fax.Dialing, c.Job.UpdatedAt
		if c.Job != job || s.find(t, job.ID) != job {
			t.Errorf("%+v", c.Job)
		}

		// The next call is planned from what the first one came to.
		result := fax.Result{Cause: fax.Busy, Code: fax.NoCode, HangupCause: "USER_BUSY"}
		_, ended, err := s.Finish(t.Context(), want.ID, result, Outcome{State: fax.Retry, Cause: fax.Busy})
		if err != nil {
			t.Fatal(err)
		}
		r.Plan = func(c Candidate) (fax.Attempt, bool) {
			if d := cmp.Diff([]fax.Attempt{ended}, c.Previous); d != "" || c.Job.State != fax.Retry {
				t.Error(c.Job.State, d)
			}
			return plan(c)
		}
		if again := must(s.Claim(t.Context(), r))(t); len(again) != 1 || again[0].Attempt.Ordinal != 2 {
			t.Errorf("%+v", again)
		}
		if all := must(s.Attempts(t.Context(), job.ID))(t); len(all) != 2 || all[0].ID != want.ID {
			t.Errorf("%+v", all)
		}
	})
}

func TestOneCallToANumber(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		s := db.open(t, "a")
		one, two := newJob(), newJob()
		two.To = one.To
		s.queued(t, one)
		s.queued(t, two)
		other := s.queued(t, newJob())
		claimed := s.claim(t, 10)
		if got := ids(claimed); !slices.Equal(got, []fax.JobID{one.ID, other.ID}) {
			t.Fatalf("claimed %v", got)
		}
		if err := s.Advance(t.Context(), claimed[0].Attempt.ID, fax.AttemptLost); err != nil {
			t.Fatal(err)
		}
		if got := s.claim(t, 10); len(got) != 0 {
			t.Errorf("a lost call may still be alive, yet its number was dialled: %v", got)
		}
		_, _, err := s.Finish(t.Context(), claimed[0].Attempt.ID, fax.Result{}, Outcome{State: fax.Failed})
		if err != nil {
			t.Fatal(err)
		}
		second := s.claim(t, 10)
		if got := ids(second); !slices.Equal(got, []fax.JobID{two.ID}) {
			t.Fatalf("then %v", got)
		}

		// No bug above can get past the database.
		revive := func(id fax.AttemptID, to string) {
			t.Helper()
			err := s.exec(t, "UPDATE attempts SET state = 'dialing', ended_at = NULL, to_number = ? WHERE id = ?", to, id)
			if err == nil || !strings.Contains(strings.ToLower(err.Error()), "unique") {
				t.Errorf("a second live call: %v", err)
			}
		}
		revive(claimed[0].Attempt.ID, string(one.To))
		if _, _, err := s.Finish(t.Context(), second[0].Attempt.ID, fax.Result{}, Outcome{State: fax.Retry}); err != nil {
			t.Fatal(err)
		}
		if len(s.claim(t, 10)) != 1 {
			t.Fatal("the retry is not claimed")
		}
		revive(second[0].Attempt.ID, "+15559999999")
	})
}

// A call that is up already gets the fax that waits for its number, by the same
// rules as any other call, and only one of them.
func TestClaimForACallThatIsUp(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		s := db.open(t, "a")
		urgent, named, later := newJob(), newJob(), newJob()
		urgent.Priority = 255
		named.To, later.To = urgent.To, urgent.To
		later.DueAt, later.Deadline = now().Add(time.Hour), now().Add(2*time.Hour)
		urgent, named, later = s.queued(t, urgent), s.queued(t, named), s.queued(t, later)
		other, cancelled := s.queued(t, newJob()), s.queued(t, newJob())
		must(s.AskCancel(t.Context(), cancelled.ID))(t)

		refused := func(problem fax.Problem, to fax.Number, id fax.JobID) {
			t.Helper()
			_, err := s.ClaimFor(t.Context(), request(1), to, id)
			wantProblem(t, err, problem)
		}
		refused(fax.NotFound, "+15559999999", "")
		refused(fax.NotFound, other.To, named.ID) // the fax of another number
		refused(fax.NotFound, later.To, later.ID)
		refused(fax.NotFound, cancelled.To, cancelled.ID)
		unwilling := request(1)
		unwilling.Plan = func(Candidate) (fax.Attempt, bool) { return fax.Attempt{}, false }
		_, err := s.ClaimFor(t.Context(), unwilling, other.To, "")
		wantProblem(t, err, fax.Conflict)

		// Without its plus it is the same number.
		c := must(s.ClaimFor(t.Context(), request(1), fax.Number(strings.TrimPrefix(string(named.To), "+")), named.ID))(t)
		if c.Job.ID != named.ID || c.Job.State != fax.Dialing || c.Attempt.State != fax.AttemptCreated || s.find(t, named.ID).State != fax.Dialing {
			t.Errorf("%+v", c)
		}
		refused(fax.NotFound, urgent.To, "") // while that call is up
		if got := ids(s.claim(t, 10)); !slices.Equal(got, []fax.JobID{other.ID}) {
			t.Errorf("claimed beside it: %v", got)
		}
		refused(fax.NotFound, other.To, other.ID)
		if _, _, err := s.Finish(t.Context(), c.Attempt.ID, fax.Result{}, Outcome{State: fax.Failed}); err != nil {
			t.Fatal(err)
		}
		if c := must(s.ClaimFor(t.Context(), request(1), urgent.To, ""))(t); c.Job.ID != urgent.ID {
			t.Errorf("not the most urgent: %+v", c.Job)
		}
	})
}

func TestGatewaysCarryNoMoreThanTheirChannels(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		s, other := db.open(t, "a"), db.open(t, "b")
		// Many jobs that must wait for a full gateway stand before one that
		// need not.
		for range 50 {
			s.queued(t, newJob())
		}
		last := newJob()
		last.Options.Gateway, last.Priority = "east", 1
		s.queued(t, last)
		r := request(3)
		r.Channels = map[string]int{"west": 2, "east": 1, "south": 0}
		r.Plan = func(c Candidate) (fax.Attempt, bool) {
			if c.Free["south"] != 0 || c.Free["west"] < 0 {
				t.Errorf("free: %v", c.Free)
			}
			a, _ := plan(c)
			a.Gateway = "west"
			if c.Job.Options.Gateway != "" {
				a.Gateway = c.Job.Options.Gateway
			}
			return a, true
		}
		claimed := must(s.Claim(t.Context(), r))(t)
		if len(claimed) != 3 || claimed[2].Job.ID != last.ID {
			t.Fatalf("claimed %v", ids(claimed))
		}
		if more := must(other.Claim(t.Context(), r))(t); len(more) != 0 {
			t.Errorf("the other host claimed %v", ids(more))
		}
		if _, _, err := s.Finish(t.Context(), claimed[0].Attempt.ID, fax.Result{}, Outcome{State: fax.Failed}); err != nil {
			t.Fatal(err)
		}
		if more := must(other.Claim(t.Context(), r))(t); len(more) != 1 || more[0].Attempt.Host != "b" {
			t.Errorf("the other host claimed %v", more)
		}
	})
}

func TestAPlanMayWaitOrFail(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		s := db.open(t, "a")
		job := s.queued(t, newJob())
		r := request(1)
		r.Plan = func(Candidate) (fax.Attempt, bool) { return fax.Attempt{}, false }
		if got := must(s.Claim(t.Context(), r))(t); len(got) != 0 {
			t.Errorf("claimed %v", got)
		}
		r.Plan = func(Candidate) (fax.Attempt, bool) { return fax.Attempt{}, true }
		_, err := s.Claim(t.Context(), r)
		wantProblem(t, err, fax.Internal)
		if s.find(t, job.ID) != job {
			t.Error("a failed claim changed the job")
		}
	})
}

// Schedulers of two hosts take all they can get, while calls end and cancels
// arrive. Each job is claimed once, and no number is ever called twice at once.
func TestTwoHostsNeverClaimTheSame(t *testing.T) {
	each(t, claimTogether)
}

// The same where the database's transactions are serializable if nobody says
// otherwise.
func TestSerializableTransactions(t *testing.T) {
	t.Parallel()
	db := postgresSchema(t)
	db.url += "&default_transaction_isolation=serializable"
	var isolation string
	if err := db.open(t, "a").get(t.Context(), &isolation, `SHOW default_transaction_isolation`); err != nil || isolation != "serializable" {
		t.Fatal(isolation, err)
	}
	claimTogether(t, db)
}

func claimTogether(t *testing.T, db database) {
	t.Helper()
	hosts := []*Store{db.open(t, "a"), db.open(t, "b")}
	const jobs, lines = 120, 30
	shared := make([]fax.Number, lines)
	for i := range shared {
		shared[i] = newJob().To
	}
	for i := range jobs {
		job := newJob()
		job.To = shared[i%lines]
		hosts[i%2].queued(t, job)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var mu sync.Mutex
	claimedBy, onLine := map[fax.JobID]string{}, map[fax.Number]bool{}
	left := jobs
	var wg sync.WaitGroup
	for i := range 8 {
		s := hosts[i%2]
		wg.Go(func() {
			for ctx.Err() == nil {
				claimed, err := s.Claim(ctx, request(4))
				if err != nil {
					if !errors.Is(err, context.Canceled) {
						t.Error(err)
					}
					return
				}
				mu.Lock()
				for _, c := range claimed {
					if by := claimedBy[c.Job.ID]; by != "" || onLine[c.Job.To] {
						t.Errorf("%s claimed by %s and %s, its number in use: %v", c.Job.ID, by, s.host, onLine[c.Job.To])
					}
					claimedBy[c.Job.ID], onLine[c.Job.To] = s.host, true
				}
				mu.Unlock()
				for _, c := range claimed {
					mu.Lock()
					onLine[c.Job.To] = false
					mu.Unlock()
					if _, _, err := s.Finish(t.Context(), c.Attempt.ID, fax.Result{}, Outcome{State: fax.Failed, Cause: fax.Busy}); err != nil {
						t.Error(err)
					}
					mu.Lock()
					if left--; left == 0 {
						cancel()
					}
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	if len(claimedBy) != jobs {
		t.Errorf("%d of %d jobs were claimed", len(claimedBy), jobs)
	}
}

// The claim walks the index of waiting jobs in order and stops, however many
// jobs have finished.
func TestClaimReadsNoFinishedJobs(t *testing.T) {
	t.Parallel()
	s := sqliteFile(t).open(t, "a")
	spy := &explainer{session: s.read, t: t}
	if _, err := s.candidates(t.Context(), spy, now(), "", place{}, 10); err != nil {
		t.Fatal(err)
	}
	if _, err := freeLines(t.Context(), spy, map[string]int{"west": 1}, nil); err != nil {
		t.Fatal(err)
	}
	s.read = spy
	if _, err := s.List(t.Context(), Filter{Status: fax.StatusInProgress}); err != nil {
		t.Fatal(err)
	}
	plan := strings.Join(spy.plan, "\n")
	for _, index := range []string{"jobs USING INDEX jobs_claim", "jobs USING INDEX jobs_open", "live USING INDEX attempts_live_number"} {
		if !strings.Contains(plan, index) {
			t.Errorf("no %q in:\n%s", index, plan)
		}
	}
	if claim, _, _ := strings.Cut(plan, "jobs_open"); strings.Contains(claim, "TEMP B-TREE FOR ORDER") {
		t.Errorf("all waiting jobs are sorted:\n%s", plan)
	}
	for _, line := range spy.plan {
		if strings.HasPrefix(line, "SCAN") && !strings.Contains(line, "INDEX") {
			t.Error("a whole table is read:", line)
		}
	}
}

// PostgreSQL does the same, though nobody has analysed its tables.
func TestClaimSortsNoBacklog(t *testing.T) {
	t.Parallel()
	s := postgresSchema(t).open(t, "a")
	for range 50 {
		s.queued(t, newJob())
	}
	var plan []string
	err := s.write(t.Context(), func(ctx context.Context, tx session) error {
		if _, err := tx.ExecContext(ctx, s.dialect.claiming); err != nil {
			return err
		}
		_, err := s.candidates(ctx, postgresExplainer{tx, &plan}, now(), "", place{}, 1)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(plan, "\n")
	if !strings.Contains(text, "Index Scan using jobs_claim") || !strings.Contains(text, "using attempts_live_number") || strings.Contains(text, "Sort") {
		t.Error(text)
	}
}

// postgresExplainer asks for the plan in place of the rows.
type postgresExplainer struct {
	session
	plan *[]string
}

func (e postgresExplainer) SelectContext(ctx context.Context, _ any, query string, args ...any) error {
	return e.session.SelectContext(ctx, e.plan, "EXPLAIN "+query, args...)
}

// explainer collects SQLite's plans of the queries that go through it.
type explainer struct {
	session
	t    *testing.T
	plan []string
}

func (e *explainer) SelectContext(ctx context.Context, dest any, query string, args ...any) error {
	var rows []struct {
		ID      int    `db:"id"`
		Parent  int    `db:"parent"`
		Notused int    `db:"notused"`
		Detail  string `db:"detail"`
	}
	if err := e.session.SelectContext(ctx, &rows, "EXPLAIN QUERY PLAN "+query, args...); err != nil {
		return err
	}
	for _, r := range rows {
		e.plan = append(e.plan, r.Detail)
	}
	return e.session.SelectContext(ctx, dest, query, args...)
}

// While all gateways of many jobs rest, jobs for others are claimed about as fast
// as without them, wherever they stand in the line; and when the gateways work
// again, those that waited longest come first.
func TestARestingRouteIsNoBurden(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		beside := sqliteFile
		if strings.HasPrefix(db.url, "postgres") {
			beside = postgresSchema
		}
		s, short := db.open(t, "a"), beside(t).open(t, "a")
		r := request(1)
		r.Plan = func(c Candidate) (fax.Attempt, bool) {
			a, _ := plan(c)
			return a, !strings.HasPrefix(string(c.Job.To), "+49")
		}
		other := func(s *Store, due time.Duration, priority int) fax.JobID {
			job := newJob()
			job.DueAt, job.Deadline, job.Priority = now().Add(due), now().Add(24*time.Hour), priority
			return s.queued(t, job).ID
		}
		claim := func(s *Store) time.Duration {
			t.Helper()
			id := other(s, 0, fax.DefaultPriority)
			r.Now = now().Add(time.Second)
			began := time.Now()
			claimed := must(s.Claim(t.Context(), r))(t)
			took := time.Since(began)
			if got := ids(claimed); !slices.Equal(got, []fax.JobID{id}) {
				t.Fatalf("claimed %v, want %s", got, id)
			}
			if _, _, err := s.Finish(t.Context(), claimed[0].Attempt.ID, fax.Result{}, Outcome{State: fax.Failed}); err != nil {
				t.Fatal(err)
			}
			return took
		}
		// wait fills the line with jobs for a gateway that rests, and returns the
		// first of them.
		wait := func(s *Store, jobs int) fax.Job {
			first := newJob()
			first.To, first.DueAt, first.Deadline = "+49300000000", now().Add(-20*time.Minute), now().Add(24*time.Hour)
			first = s.queued(t, first)
			err := s.exec(t, `INSERT INTO jobs (`+jobColumns+`, idempotency_key, idempotency_digest)
				WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?)
				SELECT 'z' || n, '+49' || (400000000 + n), owner, state, cause, error, documents, pages, confirmed, options,
				priority, max_attempts, dials, tries, due_at + n * 100000, deadline, cancel_asked, created_at, updated_at, '', ''
				FROM jobs, n WHERE id = ?`, jobs-1, first.ID)
			if err != nil {
				t.Fatal(err)
			}
			for i := 0; ; i++ { // the first time the whole line is read, piece by piece
				if claimed := must(s.Claim(t.Context(), r))(t); len(claimed) != 0 {
					t.Fatal(ids(claimed))
				}
				if due, ok, err := s.NextDue(t.Context(), r.Now); err != nil || !ok || due.Sub(r.Now) > time.Second {
					return first
				}
				if i > 2*jobs/legs[again] {
					t.Fatal("it never comes to an end")
				}
			}
		}
		const few, backlog = 1_000, 8_000 // all of them read, these cost eight times as much
		wait(short, few)
		first := wait(s, backlog)
		less, more := time.Hour, time.Hour
		for range 15 { // in turns, since others use this machine, too
			less, more = min(less, claim(short)), min(more, claim(s))
		}
		if more > 3*less {
			t.Errorf("a claim takes %s behind %d jobs that wait for a gateway, %s behind %d", more, backlog, less, few)
		}
		t.Logf("%s behind %d jobs, %s behind %d", more, backlog, less, few)
		// One that comes among those that were passed is found, and so is a more
		// urgent one, at once.
		among := other(s, -15*time.Minute, fax.DefaultPriority)
		for i := 0; len(must(s.Claim(t.Context(), r))(t)) == 0; i++ {
			if i > 2*backlog/legs[again] {
				t.Fatalf("%s is never found", among)
			}
		}
		if s.find(t, among).State != fax.Dialing {
			t.Error("another was claimed")
		}
		urgent := other(s, 0, 255)
		r.Now = now().Add(time.Second)
		if got := ids(must(s.Claim(t.Context(), r))(t)); !slices.Equal(got, []fax.JobID{urgent}) {
			t.Errorf("claimed %v, want %s", got, urgent)
		}
		r.Limit, r.Plan = 3, plan
		if got := ids(must(s.Claim(t.Context(), r))(t)); !slices.Equal(got, []fax.JobID{first.ID, "z1", "z2"}) {
			t.Errorf("then %v", got)
		}
	})
}
