package api_test

import (
	"regexp"
	"strconv"
	"testing"

	"faxbot/controller/fax"
	"faxbot/controller/freeswitch/simulator"
)

// scrape returns a sample of /metrics by its name and labels.
func (s *stand) scrape(sample string) float64 {
	s.t.Helper()
	body := s.do(request{method: "GET", path: "/metrics", internal: true}).ok(200).body
	m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(sample) + ` (\S+)$`).FindSubmatch(body)
	if m == nil {
		s.t.Errorf("/metrics lacks %s", sample)
		return -1
	}
	n, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil {
		s.t.Error(err)
	}
	return n
}

// What an operator asks of retries can be scraped: success by gateway and
// cause, calls for each fax, pages that were not sent again, how long the queue
// waits, and which gateway rests.
func TestPlanMetrics(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	for sample, want := range map[string]float64{
		`faxbot_queue_age_seconds`: 0, `faxbot_pages_resumed_total`: 0, `faxbot_calls_per_fax_count`: 0,
		`faxbot_gateway_state{gateway="carrier",state="working"}`: 1,
	} {
		if got := s.scrape(sample); got != want {
			t.Errorf("at first %s is %v", sample, got)
		}
	}
	s.until(s.send("15551230070"), fax.Done)

	const drops = "15551230071"
	s.sim.Script(drops, simulator.Outcome{Drops: true, Pages: 2})
	id := s.submit(nil, field("to", drops), text("1\f2\f3\n")).ok(202).id()
	s.until(id, fax.Retry)
	s.sim.Script(drops, simulator.Outcome{})
	s.do(request{method: "POST", path: "/fax/" + id + "/release"}).ok(200)
	s.until(id, fax.Done)

	const busy = "15551230072"
	s.sim.Script(busy, simulator.Outcome{Cause: "USER_BUSY"})
	s.until(s.submit(nil, field("to", busy), field("max_attempts", "1"), text("x\n")).ok(202).id(), fax.Failed)
	s.until(s.send(busy), fax.Queued) // due, but the number rests

	for sample, want := range map[string]float64{
		`faxbot_gateway_calls_total{cause="ok",gateway="carrier"}`:      2,
		`faxbot_gateway_calls_total{cause="dropped",gateway="carrier"}`: 1,
		`faxbot_gateway_calls_total{cause="busy",gateway="carrier"}`:    1,
		`faxbot_attempts_total{cause="ok"}`:                             2,
		`faxbot_calls_per_fax_count`:                                    3,
		`faxbot_calls_per_fax_sum`:                                      4,
		`faxbot_pages_resumed_total`:                                    2,
		`faxbot_jobs{state="queued"}`:                                   1,
	} {
		if got := s.scrape(sample); got != want {
			t.Errorf("%s is %v, want %v", sample, got, want)
		}
	}
	if age := s.scrape(`faxbot_queue_age_seconds`); age <= 0 || age > 60 {
		t.Errorf("the queue has waited for %v s", age)
	}

	const unknown = "15551230073"
	s.sim.Script(unknown, simulator.Outcome{Cause: "INVALID_GATEWAY"})
	s.until(s.send(unknown), fax.Retry)
	for state, want := range map[string]float64{"misconfigured": 1, "working": 0, "resting": 0, "probing": 0} {
		if got := s.scrape(`faxbot_gateway_state{gateway="carrier",state="` + state + `"}`); got != want {
			t.Errorf("%s is %v, want %v", state, got, want)
		}
	}
}
