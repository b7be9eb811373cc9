package plan_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"faxbot/controller/fax"
	"faxbot/controller/plan"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// story is a fax whose calls are made as planned and end as told.
type story struct {
	plan.Situation
	plan.Decision
}

func newStory(gateways ...string) *story {
	s := &story{Situation: plan.Situation{
		Job:    fax.Job{Pages: 3, Deadline: noon.Add(fax.DefaultLifetime)},
		Policy: plan.Policy{T38: true, OnUnknown: fax.Hold}, Now: noon, Random: func() float64 { return 0.5 },
	}}
	for _, g := range append([]string{"carrier"}, gateways...) {
		s.Gateways = append(s.Gateways, plan.Gateway{Name: g, Listed: true})
	}
	return s
}

// call places the next call and ends it.
func (s *story) call(r fax.Result) *story {
	next := plan.Next(s.Situation)
	a := fax.Attempt{Gateway: next.Gateway, Parameters: next.Parameters, Reasons: next.Reasons, Result: r, EndedAt: s.Now}
	switch r.Cause {
	case fax.Busy, fax.NoAnswer, fax.Trunk, fax.Misconfigured, fax.Media, fax.WrongNumber, fax.Refused:
	default:
		a.AnsweredAt = s.Now.Add(-time.Minute)
	}
	s.Calls = append(s.Calls, a)
	s.Known = plan.Learn(s.Known, a, time.Time{}, s.Now)
	s.Decision = plan.After(s.Situation)
	s.Job.Dials, s.Job.Tries = s.Job.Dials+s.Dials, s.Job.Tries+s.Tries
	s.Job.Confirmed = s.Confirmed
	if s.State == fax.Retry {
		s.Now = s.Due
	}
	return s
}

func (s *story) ended(causes ...fax.Cause) *story {
	for _, c := range causes {
		s.call(fax.Result{Cause: c, Code: fax.NoCode})
	}
	return s
}

// what the next call does differently, in one word each.
func (s *story) changes() string {
	var words []string
	for _, r := range plan.Next(s.Situation).Reasons {
		words = append(words, string(r.Change))
	}
	return strings.Join(words, " ")
}

func TestRules(t *testing.T) {
	t.Parallel()
	one := func(c fax.Cause) []fax.Cause { return []fax.Cause{c} }
	two := func(c fax.Cause) []fax.Cause { return []fax.Cause{c, c} }
	for name, c := range map[string]struct {
		causes   []fax.Cause
		gateways []string
		state    fax.State
		wait     time.Duration // in the middle of its span
		changes  string
		dials    int
		tries    int
	}{
		"busy":                        {one(fax.Busy), nil, fax.Retry, 3 * time.Minute, "", 1, 0},
		"no answer":                   {one(fax.NoAnswer), nil, fax.Retry, 5 * time.Minute, "", 1, 0},
		"trunk, one gateway":          {one(fax.Trunk), nil, fax.Retry, 75 * time.Second, "", 0, 0},
		"trunk, another gateway":      {one(fax.Trunk), []string{"second"}, fax.Retry, 0, "gateway", 0, 0},
		"trunk on both":               {two(fax.Trunk), []string{"second"}, fax.Retry, 75 * time.Second, "", 0, 0},
		"misconfigured":               {one(fax.Misconfigured), nil, fax.Retry, 75 * time.Second, "", 0, 0},
		"misconfigured, another":      {one(fax.Misconfigured), []string{"second"}, fax.Retry, 0, "gateway", 0, 0},
		"media":                       {one(fax.Media), nil, fax.Retry, 0, "t38_off", 1, 0},
		"media again":                 {two(fax.Media), nil, fax.Failed, 0, "", 2, 0},
		"wrong number":                {one(fax.WrongNumber), nil, fax.Failed, 0, "", 1, 0},
		"wrong number, another":       {one(fax.WrongNumber), []string{"second"}, fax.Retry, 0, "gateway", 1, 0},
		"wrong number on two":         {two(fax.WrongNumber), []string{"second", "third"}, fax.Failed, 0, "", 2, 0},
		"refused":                     {one(fax.Refused), nil, fax.Failed, 0, "", 1, 0},
		"refused, another":            {one(fax.Refused), []string{"second"}, fax.Retry, 0, "gateway", 1, 0},
		"not a fax":                   {one(fax.NotAFax), nil, fax.Retry, 5 * time.Minute, "t38_off", 1, 1},
		"not a fax twice":             {two(fax.NotAFax), nil, fax.Held, 0, "", 2, 2},
		"training":                    {one(fax.Training), nil, fax.Retry, 30 * time.Second, "v17_off", 1, 1},
		"training without ECM":        {[]fax.Cause{fax.ECMFailed, fax.Training}, nil, fax.Retry, 30 * time.Second, "v17_off ecm_off", 2, 2},
		"training twice":              {two(fax.Training), nil, fax.Retry, time.Minute, "v17_off", 2, 2},
		"ecm":                         {one(fax.ECMFailed), nil, fax.Retry, 30 * time.Second, "ecm_off", 1, 1},
		"t38":                         {one(fax.T38Failed), nil, fax.Retry, 30 * time.Second, "", 1, 1},
		"t38 twice":                   {two(fax.T38Failed), nil, fax.Retry, 30 * time.Second, "t38_off", 2, 2},
		"incapable":                   {one(fax.Incapable), nil, fax.Retry, 5 * time.Minute, "", 1, 1},
		"incapable twice":             {two(fax.Incapable), nil, fax.Failed, 0, "", 2, 2},
		"image":                       {one(fax.Image), nil, fax.Retry, 0, "standard", 1, 1},
		"image twice":                 {two(fax.Image), nil, fax.Failed, 0, "", 2, 2},
		"page lost":                   {one(fax.PageLost), nil, fax.Retry, 30 * time.Second, "", 1, 1},
		"page lost twice":             {two(fax.PageLost), nil, fax.Retry, 30 * time.Second, "v17_off", 2, 2},
		"page lost three times":       {append(two(fax.PageLost), fax.PageLost), nil, fax.Retry, 30 * time.Second, "v17_off ecm_off", 3, 3},
		"dropped":                     {one(fax.Dropped), nil, fax.Retry, time.Minute, "", 1, 1},
		"dropped twice":               {two(fax.Dropped), nil, fax.Retry, time.Minute, "t38_off", 2, 2},
		"document":                    {one(fax.Document), nil, fax.Retry, 0, "redraw", 1, 1},
		"document twice":              {two(fax.Document), nil, fax.Failed, 0, "", 2, 2},
		"switch":                      {one(fax.Switch), nil, fax.Retry, time.Minute, "", 1, 1},
		"rejected":                    {one(fax.Rejected), nil, fax.Failed, 0, "", 1, 1},
		"operator":                    {one(fax.Operator), nil, fax.Retry, time.Minute, "", 1, 1},
		"operator twice":              {two(fax.Operator), nil, fax.Failed, 0, "", 2, 2},
		"withdrawn on the switch":     {one(fax.Withdrawn), nil, fax.Failed, 0, "", 1, 1},
		"inbound":                     {one(fax.Inbound), nil, fax.Failed, 0, "", 1, 1},
		"unknown":                     {one(fax.Unknown), nil, fax.Held, 0, "", 1, 1},
		"expired":                     {one(fax.Expired), nil, fax.Failed, 0, "", 1, 1},
		"all known ailments together": {[]fax.Cause{fax.T38Failed, fax.T38Failed, fax.Training, fax.ECMFailed}, nil, fax.Retry, 30 * time.Second, "t38_off v17_off ecm_off", 4, 4},
	} {
		s := newStory(c.gateways...)
		s.Job.MaxAttempts = 10
		before := s.Now
		for _, cause := range c.causes {
			before = s.Now
			s.ended(cause)
		}
		if s.State != c.state || s.Job.Dials != c.dials || s.Job.Tries != c.tries {
			t.Errorf("%s: %s, %d dials, %d tries: %s", name, s.State, s.Job.Dials, s.Job.Tries, s.Text)
		}
		if (s.State == fax.Retry) != !s.Due.IsZero() || s.State == fax.Retry && s.Due.Sub(before) != c.wait {
			t.Errorf("%s: %s, due after %s", name, s.State, s.Due.Sub(before))
		}
		if got := s.changes(); s.State == fax.Retry && got != c.changes {
			t.Errorf("%s: changes %q, want %q", name, got, c.changes)
		}
		if s.Text == "" {
			t.Errorf("%s: nobody is told why", name)
		}
	}
}

// Every cause has its rule, and every wait stays in its span.
func TestEveryCauseIsPlannedFor(t *testing.T) {
	t.Parallel()
	for _, c := range fax.Causes {
		for _, chance := range []float64{0, 0.999} {
			s := newStory()
			s.Random = func() float64 { return chance }
			s.ended(c)
			if s.State == "" || s.Cause == "" || s.State == fax.Retry && s.Due.Sub(noon) > 10*time.Minute {
				t.Errorf("%s: %+v", c, s.Decision)
			}
			if c == fax.Busy && s.Due.Sub(noon).Round(time.Second) != map[float64]time.Duration{0: 90 * time.Second, 0.999: 270 * time.Second}[chance] {
				t.Errorf("busy is called again after %s", s.Due.Sub(noon))
			}
		}
	}
}

func TestLimitsOfAFax(t *testing.T) {
	t.Parallel()
	busy := fax.Result{Cause: fax.Busy}
	for name, c := range map[string]struct {
		edit  func(*story)
		r     fax.Result
		state fax.State
		cause fax.Cause
	}{
		"delivered":               {nil, fax.Result{Cause: fax.OK, Pages: 3}, fax.Done, fax.OK},
		"busy for the last time":  {func(s *story) { s.Job.Dials = 11 }, busy, fax.Failed, fax.Busy},
		"one call only":           {func(s *story) { s.Job.MaxAttempts = 1 }, busy, fax.Failed, fax.Busy},
		"third answered call":     {func(s *story) { s.Job.Tries = 2 }, fax.Result{Cause: fax.PageLost}, fax.Failed, fax.PageLost},
		"the trunk costs nothing": {func(s *story) { s.Job.Dials = 11 }, fax.Result{Cause: fax.Trunk}, fax.Retry, fax.Trunk},
		"past the deadline":       {func(s *story) { s.Job.Deadline = noon.Add(time.Second) }, busy, fax.Failed, fax.Busy},
		"unknowable, ask":         {nil, fax.Result{Cause: fax.Unknown, Pages: 1}, fax.Held, fax.Unknown},
		"unknowable, dare":        {func(s *story) { s.Policy.OnUnknown = fax.Again }, fax.Result{Cause: fax.Unknown, Pages: 1}, fax.Retry, fax.Unknown},
		"all pages, no verdict":   {nil, fax.Result{Cause: fax.Dropped, Pages: 3}, fax.Held, fax.Unknown},
		"cancelled":               {func(s *story) { s.Job.CancelAsked = true }, fax.Result{Cause: fax.Dropped, Pages: 1}, fax.Cancelled, fax.Withdrawn},
		"too late to cancel":      {func(s *story) { s.Job.CancelAsked = true }, fax.Result{Cause: fax.OK, Pages: 3}, fax.Done, fax.OK},
		"a number that worked":    {func(s *story) { s.Known.Delivered = 1; s.ended(fax.NotAFax) }, fax.Result{Cause: fax.NotAFax}, fax.Failed, fax.NotAFax},
		"one call, the second without a fax": {
			func(s *story) { s.Known.NotAFax = 1; s.Job.MaxAttempts = 1 },
			fax.Result{Cause: fax.NotAFax},
			fax.Held, fax.NotAFax,
		},
	} {
		s := newStory()
		if c.edit != nil {
			c.edit(s)
		}
		s.call(c.r)
		if s.State != c.state || s.Cause != c.cause || (s.Text == "") != (c.state == fax.Done) {
			t.Errorf("%s: %s %s %q", name, s.State, s.Cause, s.Text)
		}
	}
}

// A retry resumes behind the confirmed pages, and says so.
func TestResume(t *testing.T) {
	t.Parallel()
	s := newStory().call(fax.Result{Cause: fax.Dropped, Code: 49, Pages: 2})
	next := plan.Next(s.Situation)
	if next.Parameters.StartPage != 2 || fmt.Sprint(next.Reasons) != "[From page 3: the pages before it are confirmed.]" {
		t.Errorf("%+v", next)
	}
	s.call(fax.Result{Cause: fax.OK, Pages: 1})
	if s.State != fax.Done || s.Confirmed != 3 {
		t.Errorf("%+v", s.Decision)
	}
}

// A fax with one gateway keeps it; others fail over and come back.
func TestGateways(t *testing.T) {
	t.Parallel()
	s := newStory()
	if s.ended(fax.Trunk); plan.Next(s.Situation).Gateway != "carrier" || s.Due.Equal(noon) {
		t.Errorf("%+v", s.Decision)
	}
	s = newStory("second")
	s.Gateways[0].Closed = true
	if g := plan.Next(s.Situation).Gateway; g != "second" {
		t.Errorf("closed, yet called through: %s", g)
	}
	s = newStory()
	s.Gateways[0].Closed = true
	if g := plan.Next(s.Situation).Gateway; g != "" {
		t.Errorf("closed, yet called through: %s", g)
	}
	s = newStory("second").ended(fax.Trunk)
	s.Gateways[1].Full = true
	if g := plan.Next(s.Situation).Gateway; g != "" {
		t.Errorf("hurries back to %s, which failed", g)
	}
	s.Now = s.Now.Add(2 * time.Minute)
	if g := plan.Next(s.Situation).Gateway; g != "carrier" {
		t.Errorf("waits for ever, called through %q", g)
	}
	s = newStory("second")
	s.Gateways[0].Full = true
	if g := plan.Next(s.Situation).Gateway; g != "second" {
		t.Errorf("full, yet called through: %s", g)
	}
	s = newStory()
	s.Gateways[0].Full = true
	if g := plan.Next(s.Situation).Gateway; g != "" {
		t.Errorf("full, yet called through: %s", g)
	}
	s = newStory()
	s.Gateways[0].Listed = false
	if s.ended(fax.Misconfigured); s.State != fax.Held || !strings.Contains(s.Text, "release") {
		t.Errorf("nobody would notice when it works again: %+v", s.Decision)
	}
	s = newStory("second").ended(fax.Trunk, fax.Busy)
	if g := plan.Next(s.Situation).Gateway; g != "carrier" {
		t.Errorf("after a call that got through elsewhere: %s", g)
	}
}

// What one fax found out, the next one starts with.
func TestMemory(t *testing.T) {
	t.Parallel()
	first := newStory().ended(fax.Training)
	first.call(fax.Result{Cause: fax.OK, Pages: 3, RemoteStation: "+49 30 1234"})
	second := newStory()
	second.Known, second.Now = first.Known, noon.Add(time.Hour)
	next := plan.Next(second.Situation)
	if next.Parameters.V17 || !next.Parameters.T38 || len(next.Reasons) != 1 || !next.Reasons[0].Number {
		t.Fatalf("%+v", next)
	}
	if got := next.Reasons[0].String(); !strings.Contains(got, "9600") || !strings.Contains(got, "to this number") || !strings.Contains(got, "23 Dec 2026") {
		t.Error(got)
	}
	if k := first.Known; k.RemoteStation != "+49 30 1234" || k.PageSeconds != 20 || k.Delivered != 1 || k.Good == nil || k.Good.V17 {
		t.Errorf("%+v", k)
	}
	// A delivery in between does not prolong the limit.
	second.Now = noon.Add(29 * 24 * time.Hour)
	second.call(fax.Result{Cause: fax.OK, Pages: 3})
	third := newStory()
	third.Known, third.Now = second.Known, noon.Add(plan.Memory+time.Hour)
	if next := plan.Next(third.Situation); !next.Parameters.V17 {
		t.Errorf("a limit outlived its time: %+v", next)
	}
}

// One failure that no delivery has confirmed binds nobody else.
func TestMemoryNeedsProof(t *testing.T) {
	t.Parallel()
	s := newStory()
	s.Known = newStory().ended(fax.Training).Known
	if next := plan.Next(s.Situation); !next.Parameters.V17 {
		t.Errorf("%+v", next)
	}
	s.Known = newStory().ended(fax.ECMFailed, fax.Busy).Known
	s.Known = newStory().ended(fax.ECMFailed).Known
	a := fax.Attempt{Gateway: "carrier", Parameters: fax.Parameters{T38: true, V17: true, ECM: true}, Result: fax.Result{Cause: fax.ECMFailed}}
	s.Known = plan.Learn(s.Known, a, time.Time{}, noon)
	if next := plan.Next(s.Situation); next.Parameters.ECM {
		t.Errorf("two faxes failed: %+v", next)
	}
	a.Result.Cause, a.AnsweredAt = fax.OK, noon
	s.Known = plan.Learn(s.Known, a, time.Time{}, noon)
	if next := plan.Next(s.Situation); !next.Parameters.ECM {
		t.Errorf("and one was delivered so: %+v", next)
	}
}

// How calls go is remembered by gateway. One without experience of its own begins
// with that of the others, and says so, until its own calls show otherwise.
func TestWaysAreRememberedByGateway(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		causes []fax.Cause
		change fax.Change
	}{
		"t38":     {[]fax.Cause{fax.T38Failed, fax.T38Failed}, fax.T38Off},
		"v17":     {[]fax.Cause{fax.Training}, fax.V17Off},
		"ecm":     {[]fax.Cause{fax.ECMFailed}, fax.ECMOff},
		"dropped": {[]fax.Cause{fax.Dropped, fax.Dropped}, fax.T38Off},
	} {
		first := newStory().ended(c.causes...)
		first.call(fax.Result{Cause: fax.OK, Pages: 3})
		through := func(gateway string, known fax.Destination) *story {
			s := newStory()
			s.Gateways[0].Name, s.Known, s.Now = gateway, known, noon.Add(time.Hour)
			return s
		}
		own := plan.Next(through("carrier", first.Known).Situation).Reasons
		if len(own) != 1 || own[0].Change != c.change || strings.Contains(own[0].String(), "other gateways") {
			t.Errorf("%s: its own: %+v", name, own)
		}
		fresh := through("fresh", first.Known)
		begins := plan.Next(fresh.Situation).Reasons
		if len(begins) != 1 || begins[0].Change != c.change || !strings.Contains(begins[0].String(), "to this number through other gateways ended so") {
			t.Errorf("%s: of others: %v", name, begins)
		}
		// That it went so, too, proves nothing of the gateway: what the others
		// know expires with them.
		fresh.call(fax.Result{Cause: fax.OK, Pages: 3})
		if late := through("fresh", fresh.Known); true {
			late.Now = noon.Add(plan.Memory + time.Minute)
			if next := plan.Next(late.Situation); len(next.Reasons) > 0 && name != "dropped" { // counts expire with the next call
				t.Errorf("%s: outlives its time: %v", name, next.Reasons)
			}
		}
		// A delivery without the limit is the gateway's own experience; the other
		// keeps its own.
		all := fax.Parameters{T38: true, V17: true, ECM: true}
		known := plan.Learn(first.Known, fax.Attempt{Gateway: "good", Parameters: all, AnsweredAt: noon, Result: fax.Result{Cause: fax.OK, T38: true}}, time.Time{}, noon)
		if next := plan.Next(through("good", known).Situation); len(next.Reasons) > 0 {
			t.Errorf("%s: delivered without, and still %v", name, next.Reasons)
		}
		if next := plan.Next(through("carrier", known).Situation); len(next.Reasons) != 1 {
			t.Errorf("%s: the other gateway's delivery counts for this one: %v", name, next.Reasons)
		}
	}
}

// Pages take as long as they took through the gateway that is to carry them, or
// else through any. What a machine cannot print it cannot print through any.
func TestPaceIsTheGateways(t *testing.T) {
	t.Parallel()
	after := func(known fax.Destination, gateway string, seconds int) fax.Destination {
		a := fax.Attempt{
			Gateway: gateway, Parameters: fax.Parameters{T38: true, V17: true, ECM: true},
			AnsweredAt: noon.Add(-time.Duration(seconds) * time.Second), EndedAt: noon, Result: fax.Result{Cause: fax.OK, Pages: 1},
		}
		return plan.Learn(known, a, time.Time{}, noon)
	}
	known := after(after(fax.Destination{}, "fast", 20), "slow", 80)
	pace := func(gateway string) float64 {
		s := newStory()
		s.Gateways[0].Name, s.Known, s.Job.State = gateway, known, fax.Queued
		return plan.Expect(s.Situation, plan.Queue{}).Pace
	}
	if fast, slow, fresh := pace("fast"), pace("slow"), pace("fresh"); fast != 20 || slow != 80 || fresh <= fast || fresh >= slow {
		t.Errorf("%v, %v, %v", fast, slow, fresh)
	}
	a := fax.Attempt{Gateway: "fast", Parameters: fax.Parameters{T38: true, V17: true, ECM: true}, Result: fax.Result{Cause: fax.Image}}
	known = plan.Learn(plan.Learn(known, a, time.Time{}, noon), a, time.Time{}, noon)
	s := newStory()
	s.Gateways[0].Name, s.Known = "slow", known
	if next := plan.Next(s.Situation); !next.Parameters.Standard || next.Reasons[0].Others {
		t.Errorf("%+v", next)
	}
}

func TestSuspectNumber(t *testing.T) {
	t.Parallel()
	s := newStory().ended(fax.NotAFax)
	if plan.Suspect(s.Known) != "" {
		t.Error("suspected after one call")
	}
	s.ended(fax.NotAFax)
	if plan.Suspect(s.Known) == "" || !strings.Contains(s.Text, "may be wrong") {
		t.Errorf("%q", s.Text)
	}
	s.Known.Delivered = 1
	if plan.Suspect(s.Known) != "" {
		t.Error("a number that worked is suspected")
	}
}

// A number that fails rests, for other faxes too, until the one that failed
// calls again; one delivery ends it.
func TestRest(t *testing.T) {
	t.Parallel()
	a := fax.Attempt{Result: fax.Result{Cause: fax.Busy}}
	due := noon.Add(3 * time.Minute)
	k := plan.Learn(fax.Destination{}, a, due, noon)
	if !k.RestUntil.Equal(due) || k.RestCause != fax.Busy || k.Failing != 1 {
		t.Errorf("%+v", k)
	}
	a.Result.Cause = fax.Trunk
	if k = plan.Learn(k, a, noon.Add(time.Hour), noon); !k.RestUntil.Equal(due) {
		t.Errorf("the trunk is not the number's fault: %+v", k)
	}
	a.Result.Cause = fax.OK
	if k = plan.Learn(k, a, time.Time{}, noon); !k.RestUntil.IsZero() || k.Failing != 0 {
		t.Errorf("%+v", k)
	}
}

// Every reason can be told.
func TestReasonsAreSentences(t *testing.T) {
	t.Parallel()
	for _, c := range fax.Changes {
		for _, r := range []fax.Reason{
			{Change: c, Page: 2},
			{Change: c, Page: 2, Cause: fax.Busy, Calls: 2, Number: true, Until: noon},
			{Change: c, Page: 2, Cause: fax.Busy, Calls: 2, Of: 3, Gateway: "second", Until: noon},
		} {
			s := r.String()
			if !slices.Contains([]byte(".\""), s[len(s)-1]) || strings.Contains(s, "  ") || s[0] < 'A' || s[0] > 'Z' {
				t.Errorf("%q", s)
			}
		}
	}
}
