package store

import (
	"testing"
	"time"

	"faxbot/controller/fax"
)

// A host that has slept claims nothing by the time that it was before, and is
// right at the next try.
func TestAHostThatSlept(t *testing.T) {
	t.Parallel()
	s := postgresSchema(t).open(t, "a")
	id := s.queued(t, newJob()).ID
	s.told.set(now().Add(-time.Hour)) // what the monotonic clock made of it
	r := request(1)
	r.Now = s.Now()
	got, err := s.Claim(t.Context(), r)
	wantProblem(t, err, fax.Unavailable)
	if len(got) > 0 || s.find(t, id).State != fax.Queued {
		t.Errorf("claimed %v", got)
	}
	r.Now = s.Now()
	if got := must(s.Claim(t.Context(), r))(t); len(got) != 1 {
		t.Errorf("claimed %v after the clock was asked", got)
	}
}
