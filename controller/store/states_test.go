package store

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"faxbot/controller/fax"
)

// The words in the CHECK constraints are those of package fax, no more and no
// fewer, and the database holds to them.
func TestTheDatabaseKnowsTheStates(t *testing.T) {
	text, err := migrations.ReadFile("migrations/00001_jobs.sql")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range regexp.MustCompile(`CHECK \(state IN\s*\(([^)]*)\)\)`).FindAllStringSubmatch(string(text), -1) {
		got = append(got, strings.ReplaceAll(m[1], "'", ""))
	}
	want := []string{join(fax.States), join(fax.AttemptStates)}
	if !slices.Equal(got, want) {
		t.Errorf("the tables allow\n%q, want\n%q", got, want)
	}
	each(t, func(t *testing.T, db database) {
		s := db.open(t, "a")
		c := s.dialing(t, newJob())
		for _, bad := range []string{"", "DONE", "lost"} {
			if s.exec(t, "UPDATE jobs SET state = ? WHERE id = ?", bad, c.Job.ID) == nil {
				t.Errorf("job state %q is stored", bad)
			}
		}
		for _, bad := range []string{"", "queued", "ended"} { // ended has an end
			if s.exec(t, "UPDATE attempts SET state = ? WHERE id = ?", bad, c.Attempt.ID) == nil {
				t.Errorf("attempt state %q is stored", bad)
			}
		}
	})
}

func join[S ~string](words []S) string {
	list := make([]string, len(words))
	for i, w := range words {
		list[i] = string(w)
	}
	return strings.Join(list, ", ")
}

// Every method that moves a job is tried in every state.
func TestJobsMoveOnlyAsThePictureSays(t *testing.T) {
	finish := func(to fax.State) func(context.Context, *Store, Claimed) error {
		return func(ctx context.Context, s *Store, c Claimed) error {
			_, _, err := s.Finish(ctx, c.Attempt.ID, fax.Result{}, Outcome{State: to, Confirmed: 3})
			return err
		}
	}
	type verb struct {
		name string
		from []fax.State // where it moves the job; elsewhere the job stays
		to   fax.State
		call func(context.Context, *Store, Claimed) error
		mild bool // says nothing where there is nothing to do
	}
	verbs := []verb{
		{"Prepared", []fax.State{fax.Received}, fax.Queued, func(ctx context.Context, s *Store, c Claimed) error {
			return s.Prepared(ctx, c.Job.ID, sheets(3))
		}, false},
		{"Refuse", []fax.State{fax.Received}, fax.Failed, func(ctx context.Context, s *Store, c Claimed) error {
			return s.Refuse(ctx, c.Job.ID, fax.Document, "")
		}, false},
		{"Answered", []fax.State{fax.Dialing}, fax.Sending, func(ctx context.Context, s *Store, c Claimed) error {
			return s.Advance(ctx, c.Attempt.ID, fax.AttemptAnswered)
		}, false},
		{"AskCancel", []fax.State{fax.Received, fax.Queued, fax.Retry, fax.Held}, fax.Cancelled, func(ctx context.Context, s *Store, c Claimed) error {
			_, err := s.AskCancel(ctx, c.Job.ID)
			return err
		}, true},
		{"Release", []fax.State{fax.Held, fax.Retry}, fax.Queued, func(ctx context.Context, s *Store, c Claimed) error {
			_, err := s.Release(ctx, c.Job.ID)
			return err
		}, false},
		{"Expire", []fax.State{fax.Queued, fax.Retry}, fax.Failed, func(ctx context.Context, s *Store, c Claimed) error {
			_, err := s.Expire(ctx, c.Job.Deadline)
			return err
		}, true},
	}
	for _, to := range fax.States {
		v := verb{"Finish " + string(to), nil, to, finish(to), false}
		for _, from := range fax.States {
			if from.CanBecome(to) && to != fax.Sending {
				v.from = append(v.from, from)
			}
		}
		verbs = append(verbs, v)
	}
	each(t, func(t *testing.T, db database) {
		s := db.open(t, "a")
		ctx := t.Context()
		for _, v := range verbs {
			for _, from := range fax.States {
				name := fmt.Sprintf("%s when %s", v.name, from)
				c := s.dialing(t, newJob())
				if err := s.exec(t, "UPDATE jobs SET state = ?, confirmed = 3 WHERE id = ?", from, c.Job.ID); err != nil {
					t.Fatal(name, err)
				}
				err := v.call(ctx, s, c)
				got := s.find(t, c.Job.ID).State
				if slices.Contains(v.from, from) {
					if err != nil || got != v.to {
						t.Errorf("%s: %s, %v", name, got, err)
					}
				} else {
					if got != from {
						t.Errorf("%s: became %s", name, got)
					}
					if err != nil && fax.ProblemOf(err) != fax.Conflict {
						t.Errorf("%s: %v", name, err)
					}
					if err == nil && !v.mild && !(v.name == "Answered" && from == fax.Sending) {
						t.Errorf("%s: not refused", name)
					}
				}
				if got != from && !from.CanBecome(got) {
					t.Errorf("%s: %s is not in the picture", name, got)
				}
				// Out of the way of the next one.
				if err := s.exec(t, "UPDATE jobs SET state = 'failed' WHERE id = ?", c.Job.ID); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

func TestAttemptsMoveOnlyAsThePictureSays(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		s := db.open(t, "a")
		ctx := t.Context()
		for _, from := range fax.AttemptStates {
			for _, to := range fax.AttemptStates {
				name := fmt.Sprintf("%s → %s", from, to)
				c := s.dialing(t, newJob())
				set := "UPDATE attempts SET state = ? WHERE id = ?"
				if from == fax.AttemptEnded {
					set = "UPDATE attempts SET state = ?, ended_at = 1 WHERE id = ?"
				}
				if err := s.exec(t, set, from, c.Attempt.ID); err != nil {
					t.Fatal(name, err)
				}
				var err error
				if to == fax.AttemptEnded {
					wantProblem(t, s.Advance(ctx, c.Attempt.ID, to), fax.Conflict)
					_, _, err = s.Finish(ctx, c.Attempt.ID, fax.Result{}, Outcome{State: fax.Failed})
				} else {
					err = s.Advance(ctx, c.Attempt.ID, to)
				}
				want := from
				if from.CanBecome(to) {
					want = to
				} else {
					wantProblem(t, err, fax.Conflict)
				}
				if got := must(s.Attempt(ctx, c.Attempt.ID))(t).State; got != want {
					t.Errorf("%s: %s, %v", name, got, err)
				}
			}
		}
	})
}
