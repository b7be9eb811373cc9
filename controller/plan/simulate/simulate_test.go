package simulate

import (
	"cmp"
	"container/heap"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"faxbot/controller/fax"
)

var (
	machines = flag.Int("machines", 200, "far ends")
	faxes    = flag.Int("faxes", 1500, "faxes")
	seed     = flag.Uint64("seed", 1, "the same seed makes the same world")
)

// tally is what a policy came to.
type tally struct {
	name                              string
	delivered, calls, voice, twice    int
	line, ring                        time.Duration
	jobs                              int
	perFax, callsPerFax, deliveredPct float64
}

// moment is something that happens: a fax asks to be called, or its call ends.
type moment struct {
	at   time.Time
	seq  int
	j    *job
	call *fax.Attempt
}

type agenda []moment

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, k int) bool {
	return cmp.Or(a[i].at.Compare(a[k].at), cmp.Compare(a[i].seq, a[k].seq)) < 0
}
func (a agenda) Swap(i, k int) { a[i], a[k] = a[k], a[i] }
func (a *agenda) Push(x any)   { *a = append(*a, x.(moment)) }
func (a *agenda) Pop() any {
	old := *a
	last := old[len(old)-1]
	*a = old[:len(old)-1]
	return last
}

// run plays a world to its end.
func run(name string, p policy, seed uint64, jobs []*job) tally {
	t := tally{name: name, jobs: len(jobs)}
	var a agenda
	seq := 0
	at := func(when time.Time, j *job, call *fax.Attempt) {
		if when.IsZero() {
			return
		}
		seq++
		heap.Push(&a, moment{when, seq, j, call})
	}
	for _, j := range jobs {
		at(j.at, j, nil)
	}
	for len(a) > 0 {
		m := heap.Pop(&a).(moment)
		if m.call != nil {
			at(p.ended(m.j, *m.call), m.j, nil)
			continue
		}
		parameters, reasons, place, ask := p.next(m.j, m.at)
		if !place {
			at(ask, m.j, nil)
			continue
		}
		call := m.j.machine.call(seed, m.j, fax.Attempt{Gateway: gateway, Parameters: parameters, Reasons: reasons, CreatedAt: m.at}, m.at)
		t.count(m.j, call)
		m.j.calls = append(m.j.calls, call)
		at(call.EndedAt, m.j, &call)
	}
	t.deliveredPct = 100 * float64(t.delivered) / float64(t.jobs)
	t.perFax = t.line.Minutes() / float64(t.delivered)
	t.callsPerFax = float64(t.calls) / float64(t.delivered)
	return t
}

func (t *tally) count(j *job, a fax.Attempt) {
	t.calls++
	if a.Answered() {
		t.line += a.EndedAt.Sub(a.AnsweredAt)
		t.ring += a.AnsweredAt.Sub(a.CreatedAt)
		if j.machine.ails == voice {
			t.voice++
		}
	} else {
		t.ring += a.EndedAt.Sub(a.CreatedAt)
	}
	if a.Result.Cause == fax.OK {
		t.delivered++
	}
	had := 0 // pages confirmed before
	for _, c := range j.calls {
		had = max(had, c.Parameters.StartPage+c.Result.Pages)
	}
	t.twice += max(0, min(had, a.Parameters.StartPage+a.Result.Pages)-a.Parameters.StartPage)
}

func play(seed uint64, machines, faxes int) []tally {
	fresh := func() []*job { return world(seed, machines, faxes) }
	return []tally{
		run("no retry", fixed{calls: 1}, seed, fresh()),
		run("3 retries, 5 min, the same", fixed{calls: 4, delay: 5 * time.Minute}, seed, fresh()),
		run("FusionPBX's ladder", ladder{}, seed, fresh()),
		run("GOfax.IP on HylaFAX", gofaxip{map[fax.Number]bool{}}, seed, fresh()),
		run("Faxbot", ours{map[fax.Number]fax.Destination{}, rand.New(rand.NewPCG(seed, 2))}, seed, fresh()),
	}
}

func table(all []tally) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-28s %9s %10s %11s %12s %12s %10s %11s\n", "policy", "delivered", "calls per", "pages sent", "line minutes", "line minutes", "ring", "calls to")
	fmt.Fprintf(&b, "%-28s %9s %10s %11s %12s %12s %10s %11s\n", "", "", "delivered", "twice", "", "per delivered", "minutes", "persons")
	for _, t := range all {
		fmt.Fprintf(&b, "%-28s %8.1f%% %10.2f %11d %12.0f %13.2f %10.0f %11d\n", t.name, t.deliveredPct, t.callsPerFax, t.twice, t.line.Minutes(), t.perFax, t.ring.Minutes(), t.voice)
	}
	return b.String()
}

// Ours delivers the largest share, and no policy needs less of the line for a
// delivered fax; no page is sent twice.
func TestPolicies(t *testing.T) {
	t.Parallel()
	all := play(*seed, *machines, *faxes)
	t.Logf("%d faxes to %d far ends, seed %d\n%s", *faxes, *machines, *seed, table(all))
	us := all[len(all)-1]
	for _, other := range all[:len(all)-1] {
		if us.deliveredPct <= other.deliveredPct {
			t.Errorf("%s delivers %.1f %%, we %.1f %%", other.name, other.deliveredPct, us.deliveredPct)
		}
		if us.perFax > other.perFax {
			t.Errorf("%s needs %.2f minutes of line for a delivered fax, we %.2f", other.name, other.perFax, us.perFax)
		}
		if us.voice > other.voice {
			t.Errorf("%s calls persons %d times, we %d times", other.name, other.voice, us.voice)
		}
	}
	if us.twice > 0 {
		t.Errorf("%d pages were sent twice", us.twice)
	}
}

// The same seed tells the same story.
func TestWorldIsTheSameAgain(t *testing.T) {
	t.Parallel()
	if a, b := table(play(3, 50, 200)), table(play(3, 50, 200)); a != b {
		t.Errorf("\n%s\n%s", a, b)
	}
}
