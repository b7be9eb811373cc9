package api

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"faxbot/controller/fax"
	"faxbot/events"
)

// Many changes within a moment are one event; too many, or such as came while
// nobody read, have the list read again.
func TestLiveListGathers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var bus events.Bus
		listener := bus.Listen(liveNotice)
		defer listener.Close()
		told := make(chan string, 100)
		stored := map[fax.JobID]fax.Job{}
		var back time.Time // of the database
		l := liveList{
			who: principal{owner: "a", scopes: []scope{faxRead}}, notices: listener,
			read: func(_ context.Context, id fax.JobID) (fax.Job, error) {
				if time.Now().Before(back) {
					return fax.Job{}, &fax.Error{Problem: fax.Unavailable}
				}
				return stored[id], nil
			},
			emit: func(b []byte) error { told <- string(b); return nil },
		}
		ctx, cancel := context.WithCancel(t.Context())
		go l.run(ctx) //nolint:errcheck // it ends with the context
		if first := <-told; !strings.Contains(first, "event: reload") {
			t.Errorf("it begins with %q", first)
		}
		one, two := fax.NewJobID(), fax.NewJobID()
		stored[one], stored[two] = fax.Job{State: fax.Sending, Pages: 9}, fax.Job{State: fax.Sending, Pages: 9}
		say := func(id fax.JobID, owner string, pages int) {
			bus.Publish(events.Notice{Job: fax.Job{ID: id, Owner: owner, State: fax.Sending, Pages: 9}, Attempt: fax.Attempt{Parameters: fax.Parameters{StartPage: 2}, Result: fax.Result{Pages: pages}}})
		}
		began := time.Now()
		for n := range 5 {
			say(one, "a", n)
			say(fax.NewJobID(), "b", n)
		}
		say(two, "a", 0)
		text := <-told
		if time.Since(began) != moment {
			t.Errorf("after %s", time.Since(began))
		}
		var pages []int
		for line := range strings.Lines(text) {
			if data, ok := strings.CutPrefix(line, "data: "); ok {
				var f listed
				if err := json.Unmarshal([]byte(data), &f); err != nil {
					t.Fatal(err)
				}
				pages = append(pages, f.Progress.Page)
			}
		}
		if len(pages) != 2 || pages[0] != 6 || pages[1] != 2 {
			t.Errorf("told %v in %q", pages, text)
		}
		// A notice that comes late does not bring back what was.
		stored[one] = fax.Job{State: fax.Done, Pages: 9, Confirmed: 9}
		say(one, "a", 5)
		if text := <-told; !strings.Contains(text, `"state":"done"`) || !strings.Contains(text, `"page":9`) {
			t.Errorf("after its end: %s", text)
		}
		// What the database does not tell now it tells later.
		back = time.Now().Add(3 * time.Second)
		say(one, "a", 5)
		if text := <-told; !strings.Contains(text, `"state":"done"`) || time.Since(back) < 0 {
			t.Errorf("after the database was away: %s", text)
		}
		for range maxAtOnce + 1 {
			say(fax.NewJobID(), "a", 0)
		}
		if text := <-told; text != "event: reload\ndata: null\n\n" {
			t.Errorf("of very many: %.100q", text)
		}
		// What another host did while the database was away is read again, though
		// nothing else happens.
		bus.Miss()
		if text := <-told; text != "event: reload\ndata: null\n\n" {
			t.Errorf("after notices were lost: %.100q", text)
		}
		if text := <-told; text != ": still here\n\n" {
			t.Errorf("in silence: %q", text)
		}
		cancel()
		synctest.Wait()
	})
}
