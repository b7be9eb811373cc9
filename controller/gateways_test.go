package controller

import (
	"log/slog"
	"testing"
	"time"

	"faxbot/controller/fax"
)

func always(string) bool { return true }

func callThrough(gateway string) fax.Attempt {
	return fax.Attempt{ID: fax.NewAttemptID(), Gateway: gateway}
}

func TestBreaker(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	gs := newGateways([]Gateway{{Name: "a", Channels: 10, CPS: 100}, {Name: "b", Channels: 10, CPS: 100}}, time.Now, slog.New(slog.DiscardHandler))
	state := func(want string, room int) {
		t.Helper()
		a := gs.find("a")
		if got, n := a.state(now), a.room(now); got != want || n != room {
			t.Errorf("%s with room for %d, want %s, %d", got, n, want, room)
		}
		if gs.find("b").state(now) != "working" {
			t.Error("the other gateway rests too")
		}
	}
	end := func(causes ...fax.Cause) {
		for _, c := range causes {
			gs.ended(callThrough("a"), c, now)
		}
	}
	// A failure now and then is normal; so is what a far end does.
	end(fax.Trunk, fax.Trunk, fax.Trunk, fax.Trunk, fax.Busy, fax.Trunk, fax.Trunk, fax.Trunk, fax.Trunk, fax.Switch)
	state("working", 10)
	end(fax.Trunk)
	state("resting", 0)
	if plans := gs.plans([]string{"a", "b", "c"}, nil, always, now); !plans[0].Closed || plans[1].Closed || plans[2].Closed || plans[2].Listed {
		t.Errorf("%+v", plans)
	}
	if room, wait := gs.room(now); room["a"] != 0 || room["b"] != 10 || wait > time.Second {
		t.Errorf("room %v, wait %s", room, wait)
	}
	// Late news of calls from before do not prolong it.
	end(fax.Trunk, fax.Trunk)
	now = now.Add(shortestRest)
	state("probing", 1)
	probe := callThrough("a")
	gs.placed(probe, now)
	state("probing", 0) // one at a time
	gs.ended(probe, fax.Trunk, now)
	now = now.Add(shortestRest)
	state("resting", 0) // twice as long as before
	now = now.Add(shortestRest)
	probe = callThrough("a")
	gs.placed(probe, now)
	gs.ended(probe, fax.Switch, now) // says nothing
	state("probing", 1)
	probe = callThrough("a")
	gs.placed(probe, now)
	gs.ended(probe, fax.NoAnswer, now)
	now = now.Add(time.Second)
	state("working", 10)

	end(fax.Misconfigured)
	state("misconfigured", 0)
	for range 20 { // an hour's probes
		now = now.Add(longestRest)
		probe = callThrough("a")
		gs.placed(probe, now)
		gs.ended(probe, fax.Misconfigured, now)
	}
	if rest := gs.find("a").restUntil.Sub(now); rest != longestRest {
		t.Errorf("rests for %s", rest)
	}
	now = now.Add(longestRest)
	end(fax.OK)
	now = now.Add(time.Second)
	state("working", 10)
	gs.ended(callThrough("unlisted"), fax.Trunk, now) // nobody's
}

// A gateway's room in a claim is what it may get, less what others got.
func TestRemaining(t *testing.T) {
	t.Parallel()
	left := remaining(map[string]int{"a": 3, "b": 1}, map[string]int{"a": 5, "b": 0}, map[fax.JobID]fax.Attempt{"1": callThrough("a"), "2": callThrough("a")}, "2")
	if left["a"] != 2 || left["b"] != 0 {
		t.Errorf("%v", left)
	}
}

// Gateways that stay in the list keep their state, with their new limits.
func TestGatewaysReplaced(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	gs := newGateways([]Gateway{{Name: "a", Channels: 10, CPS: 100}, {Name: "b", Channels: 10, CPS: 100}}, func() time.Time { return now }, slog.New(slog.DiscardHandler))
	gs.ended(callThrough("a"), fax.Misconfigured, now)
	gs.set([]Gateway{{Name: "c", Channels: 5, CPS: 20}, {Name: "a", Channels: 3, CPS: 50}})
	if a, c := gs.find("a"), gs.find("c"); a.state(now) != "misconfigured" || c.state(now) != "working" || c.room(now) != 2 || gs.listed("b") {
		t.Errorf("%+v %+v", a, c)
	}
	if each, all := gs.channels(); each["a"] != 3 || each["c"] != 5 || all != 8 {
		t.Errorf("%v %d", each, all)
	}
	now = now.Add(shortestRest) // one call of all hosts may try it
	if each, all := gs.channels(); each["a"] != 1 || each["c"] != 5 || all != 8 {
		t.Errorf("%v %d", each, all)
	}
	if q := gs.queue([]string{"a", "c", "unlisted"}); q.CPS != 70 || q.Lines != 8 {
		t.Errorf("%+v", q)
	}
	gs.ended(callThrough("b"), fax.Trunk, now) // of a call that outlived it
	gs.ended(callThrough("a"), fax.OK, now)
	if gs.find("a").state(now) != "working" {
		t.Error("a still rests")
	}
}

// What hosts find out of a gateway they tell each other, the latest word counts;
// its calls per second are shared.
func TestGatewaysAreShared(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	list := []Gateway{{Name: "a", Channels: 10, CPS: 100}}
	here, there := newGateways(list, time.Now, slog.New(slog.DiscardHandler)), newGateways(list, time.Now, slog.New(slog.DiscardHandler))
	here.ended(callThrough("a"), fax.Misconfigured, now)
	told := here.changed()
	here.learn(told) // it is in the database now
	if len(told) != 1 || len(here.changed()) != 0 {
		t.Fatalf("%+v", told)
	}
	there.learn(told)
	if a := there.find("a"); a.state(now) != "misconfigured" || a.room(now) != 0 || len(there.changed()) != 0 {
		t.Errorf("%+v", a)
	}
	later := now.Add(time.Minute)
	there.ended(callThrough("a"), fax.OK, later)
	here.learn(there.changed())
	there.learn(told) // old news
	for _, gs := range []*gateways{here, there} {
		if a := gs.find("a"); a.state(later) != "working" {
			t.Errorf("%+v", a)
		}
	}
	here.among(4)
	if limit := float64(here.find("a").pace.Limit()); limit != 25 {
		t.Errorf("%v calls per second for one of four hosts", limit)
	}
	if q := here.queue([]string{"a"}); q.CPS != 100 {
		t.Errorf("all together place %v", q.CPS)
	}
}
