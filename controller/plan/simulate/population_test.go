// Package simulate shows what the planner is worth: a population of receiving
// machines with known ailments, thousands of faxes on a clock that only jumps,
// and our rules beside those of others. `make simulate` prints the table.
//
// The chances and times are assumptions, stated here; every policy meets the
// same machines, the same faxes and, call by call, the same luck.
package simulate

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"time"

	"faxbot/controller/fax"
)

// ailment is what is wrong with a far end.
type ailment int

const (
	healthy   ailment = iota
	breaksT38         // fails when T.38 is offered, works without
	noV17             // cannot train V.17
	badECM            // error correction fails
	busy              // seven times of ten
	dropsAt           // hangs up behind its nth page
	voice             // a person
	dead              // nobody answers, or the number does not exist
	slow              // 90 s a page, and loses pages at high speed
	ailments
)

// shares of a population, in hundredths.
var shares = [ailments]int{healthy: 46, breaksT38: 10, noV17: 7, badECM: 5, busy: 9, dropsAt: 7, voice: 5, dead: 4, slow: 7}

type machine struct {
	number fax.Number
	ails   ailment
	n      int // dropsAt: pages in one call; dead: odd when the number does not exist
	until  time.Time
}

type job struct {
	fax.Job
	at      time.Time
	machine *machine
	calls   []fax.Attempt
}

// world makes machines and faxes; the same seed makes the same.
func world(seed uint64, machines, jobs int) []*job {
	random := rand.New(rand.NewPCG(seed, 1))
	all := make([]*machine, machines)
	for i := range all {
		m := &machine{number: fax.Number(fmt.Sprintf("+1555%07d", i)), n: 1 + random.IntN(3)}
		for at := i * 100 / machines; m.ails < ailments && at >= shares[m.ails]; m.ails++ {
			at -= shares[m.ails]
		}
		all[i] = m
	}
	var list []*job
	for i := range jobs {
		m := all[random.IntN(machines)]
		// Over a week, in working hours.
		at := start.Add(time.Duration(random.IntN(7))*24*time.Hour + time.Duration(random.Float64()*float64(10*time.Hour)))
		list = append(list, &job{
			Job: fax.Job{ID: fax.JobID(fmt.Sprint(i)), To: m.number, Pages: 1 + random.IntN(6), DueAt: at, Deadline: at.Add(fax.DefaultLifetime)},
			at:  at, machine: m,
		})
	}
	return list
}

var start = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

// luck is the same for the same call of the same fax under every policy.
func luck(seed uint64, j *job, nth int) *rand.Rand {
	h := fnv.New64a()
	fmt.Fprint(h, j.ID, nth)
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// occupied says whether a busy machine is in use: for two minutes at a time,
// by chance.
func (m *machine) occupied(seed uint64, now time.Time) bool {
	h := fnv.New64a()
	fmt.Fprint(h, m.number, now.Unix()/120)
	return rand.New(rand.NewPCG(seed, h.Sum64())).Float64() < 0.7
}

// call is what a call comes to. It sets Result, AnsweredAt and EndedAt.
func (m *machine) call(seed uint64, j *job, a fax.Attempt, now time.Time) fax.Attempt {
	random := luck(seed, j, len(j.calls))
	chance := func(p float64) bool { return random.Float64() < p }
	p := a.Parameters
	lost, torn, trunk := chance(0.02), chance(0.03), chance(0.02)
	refused := func(c fax.Cause, after time.Duration) fax.Attempt {
		a.Result, a.EndedAt = fax.Result{Cause: c, Code: fax.NoCode}, now.Add(after)
		return a
	}
	switch {
	case trunk:
		return refused(fax.Trunk, 2*time.Second)
	case m.ails == dead && m.n%2 == 1:
		return refused(fax.WrongNumber, 3*time.Second)
	case m.ails == dead:
		return refused(fax.NoAnswer, time.Minute)
	case now.Before(m.until), m.ails == busy && m.occupied(seed, now), chance(0.04):
		return refused(fax.Busy, 4*time.Second)
	}
	a.AnsweredAt = now.Add(10 * time.Second) // of ringing
	page := 30 * time.Second
	if !p.V17 {
		page = 45 * time.Second
	}
	if m.ails == slow {
		page = 90 * time.Second
	}
	ended := func(c fax.Cause, code, pages int, line time.Duration) fax.Attempt {
		if c != fax.NotAFax {
			line += time.Duration(pages) * page
		}
		a.Result = fax.Result{Cause: c, Code: code, Pages: pages, T38: p.T38 && c == fax.OK, ECM: p.ECM}
		a.EndedAt = a.AnsweredAt.Add(line)
		m.until = a.EndedAt
		return a
	}
	due := j.Pages - p.StartPage
	switch {
	case m.ails == voice:
		return ended(fax.NotAFax, 3, 0, 50*time.Second)
	case m.ails == breaksT38 && p.T38 && chance(0.7):
		return ended(fax.T38Failed, 5, 0, 40*time.Second)
	case m.ails == breaksT38 && p.T38 && chance(0.85):
		return ended(fax.Dropped, 49, 0, 35*time.Second)
	case m.ails == noV17 && p.V17 && chance(0.92):
		return ended(fax.Training, 6, 0, 45*time.Second)
	case m.ails == badECM && p.ECM && chance(0.9):
		return ended(fax.ECMFailed, 16, 0, 60*time.Second)
	case m.ails == dropsAt && due > m.n:
		return ended(fax.Dropped, 49, m.n, 30*time.Second)
	case m.ails == slow:
		for done := range due {
			if chance(map[bool]float64{true: 0.10, false: 0.03}[p.V17]) {
				return ended(fax.PageLost, 48, done, 40*time.Second)
			}
		}
	case torn:
		return ended(fax.Dropped, 49, random.IntN(due), 20*time.Second)
	case lost:
		return ended(fax.PageLost, 48, random.IntN(due), 40*time.Second)
	}
	return ended(fax.OK, 0, due, 15*time.Second)
}
