package api

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"faxbot/controller/fax"
	"faxbot/events"
)

// A silent stream says that it lives; a fax that another daemon ends is
// noticed, and so is one whose notices were missed.
func TestStreamWithoutNotices(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		job := fax.Job{ID: fax.NewJobID(), State: fax.Held}
		var told strings.Builder
		began, reads := time.Now(), 0
		s := stream{
			job: job.ID, notices: make(chan events.Notice),
			emit: func(b []byte) error { told.Write(b); return nil },
			read: func(context.Context) (fax.Job, []fax.Attempt, fax.Facts, error) {
				if reads++; reads == 3 {
					return fax.Job{}, nil, fax.Facts{}, errors.New("the database is away")
				}
				if time.Since(began) > 40*time.Second {
					job.State = fax.Failed
				}
				return job, nil, fax.Facts{}, nil
			},
		}
		if err := s.run(t.Context()); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took != 42*time.Second {
			t.Errorf("it took %s", took)
		}
		shape := regexp.MustCompile(`data: .*"state":"(\w+)".*`).ReplaceAllString(told.String(), "data: $1")
		want := "retry: 1000\n\nid: 1\nevent: fax\ndata: held\n\n: still here\n\n: still here\n\nid: end\nevent: fax\ndata: failed\n\n"
		if shape != want {
			t.Errorf("told %q, want %q", shape, want)
		}
	})
}

func TestStreamsAreBounded(t *testing.T) {
	t.Parallel()
	var s streams
	var leaves []func()
	for range maxStreamsKey {
		leave, err := s.enter("a")
		if err != nil {
			t.Fatal(err)
		}
		leaves = append(leaves, leave)
	}
	if _, err := s.enter("a"); fax.ProblemOf(err) != fax.RateLimited {
		t.Errorf("one more: %v", err)
	}
	leaveB, err := s.enter("b")
	if err != nil {
		t.Errorf("another key: %v", err)
	}
	leaves[0]()
	if leaves[0], err = s.enter("a"); err != nil {
		t.Errorf("after one was closed: %v", err)
	}
	leaveB()
	for _, leave := range leaves {
		leave()
	}
	if s.all != 0 || len(s.byKey) != 0 {
		t.Errorf("%d are counted for %d keys", s.all, len(s.byKey))
	}
}
