package store

import (
	"context"
	"maps"
	"sync"
	"time"

	"faxbot/controller/fax"
)

// Waiting makes urgent: ageStep of it is worth one step of priority, so that
// within the lifetime of a fax even the lowest priority gets its turn. byTurn
// is the same in SQL, written as the index jobs_claim has it: who is ahead of
// whom does not change while both wait.
const (
	ageStep = 30 * time.Second
	byTurn  = `due_at - CAST(priority AS BIGINT) * 30000000`
)

func turnOf(j jobRow) int64 {
	return j.DueAt.UnixMicro() - int64(j.Priority)*ageStep.Microseconds()
}

// turns remembers which owner was served when, so that owners of equal urgency
// take turns, however many faxes one of them has waiting, and one whose key has
// a weight gets so many turns to another's one (start-time fair queueing: Goyal,
// Vin and Cheng, 1996). Each host has its own.
type turns struct {
	mu     sync.Mutex
	served map[string]turn // by owner
	unread bool            // the last claim did not look at all jobs
}

type turn struct {
	at  time.Time
	nth int64 // of all turns
	// begun and ended are on a clock that a turn moves on by one, divided by the
	// weight of its owner.
	begun, ended float64

	passed passed // jobs of the owner's line, by the last claim
}

func (t *turns) get() map[string]turn {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.served == nil {
		t.served = map[string]turn{}
	}
	return maps.Clone(t.served)
}

func (t *turns) set(served map[string]turn, unread bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.served, t.unread = served, unread
}

func (t *turns) leftUnread() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.unread
}

// latest is the last turn.
func latest(served map[string]turn) (last turn) {
	for _, t := range served {
		if t.nth > last.nth {
			last = t
		}
	}
	return last
}

// line is one owner's waiting jobs, read as far as needed.
type line struct {
	owner string
	// weight is that of the owner's key: how many turns it gets, and how fast
	// its waiting makes urgent.
	weight int
	turn   turn
	page   []candidate
	size   int   // of the page
	last   place // of the page
	seen   place // the last job that was looked at
	ended  bool

	passed passed // by the claims before, then by this one, too
	leg    leg
	left   int  // jobs that may still be read in this leg
	lines  int  // of all owners
	unread bool // there are jobs that were not looked at
}

// place is one in an owner's line. The zero place is before its head.
type place struct {
	turn int64
	id   fax.JobID
}

func (c candidate) place() place { return place{turnOf(c.jobRow), c.ID} }

func (p place) before(other place) bool {
	return p.turn < other.turn || p.turn == other.turn && p.id < other.id
}

// passed remembers the jobs of a line that no call could be planned for, as
// those for a gateway which rests, so that claims need not read past thousands of
// them each time. A claim looks at the head of the line; then at some of those
// that were passed, each time further, since one of them may have become possible
// or have been put among them; then at what is behind them all.
type passed struct {
	end   place // zero when few were passed
	again place // up to here they have been looked at again
}

type leg int

const (
	head leg = iota
	again
	behind
)

// legs are how many jobs a claim looks at in each leg, of all lines together; a
// line has at least shortestLeg.
var legs = [...]int{head: 32, again: 64, behind: 256}

const shortestLeg = 8

// lines returns the owners that have waiting jobs.
func (s *Store) lines(ctx context.Context, tx session, served map[string]turn, limit int) ([]*line, error) {
	var owners []struct {
		Owner  string `db:"owner"`
		Weight int    `db:"weight"`
	}
	// From owner to owner in jobs_claim: SELECT DISTINCT would read every job
	// that waits, and any other index also those that have ended. The order says
	// which index is meant.
	const first = `SELECT jobs.owner FROM jobs WHERE state IN ('queued', 'retry')`
	const order = ` ORDER BY jobs.owner, ` + byTurn + `, id LIMIT 1`
	err := tx.SelectContext(ctx, &owners, `WITH RECURSIVE found (owner) AS (
			SELECT (`+first+order+`)
			UNION ALL
			SELECT (`+first+` AND jobs.owner > found.owner`+order+`) FROM found WHERE found.owner IS NOT NULL
		) SELECT owner, COALESCE((SELECT weight FROM api_keys WHERE key_id = found.owner), 1) AS weight FROM found WHERE owner IS NOT NULL`)
	if err != nil {
		return nil, err
	}
	list := make([]*line, len(owners))
	for i, o := range owners {
		list[i] = &line{owner: o.Owner, weight: max(o.Weight, 1), turn: served[o.Owner], passed: served[o.Owner].passed, size: limit/len(owners) + 1, lines: len(owners)}
		list[i].left = max(list[i].size, list[i].length(head))
	}
	return list, nil
}

// head returns the line's first job that may be dialled, nil when none is left
// to be looked at.
func (s *Store) head(ctx context.Context, tx session, l *line, now time.Time) (*candidate, error) {
	for len(l.page) == 0 && !l.ended && l.walk() {
		size := min(l.size, l.left)
		page, err := s.candidates(ctx, tx, now, l.owner, l.last, size)
		if err != nil {
			return nil, err
		}
		l.left -= size
		l.size *= 2 // many wait for a gateway or a number: look further
		if l.ended = len(page) < size; len(page) > 0 {
			l.page, l.last = page, page[len(page)-1].place()
		}
	}
	if len(l.page) == 0 {
		return nil, nil
	}
	return &l.page[0], nil
}

// length is how many jobs are read in a leg.
func (l *line) length(of leg) int { return max(shortestLeg, legs[of]/l.lines) }

// walk goes on to the next leg when this one is over; false when all are.
func (l *line) walk() bool {
	if l.leg == head && l.left == 0 {
		l.leg, l.left = again, l.length(again)
		if l.last.before(l.passed.again) {
			l.last = l.passed.again
		}
	}
	if l.leg == again && (l.left == 0 || !l.last.before(l.passed.end)) {
		if l.passed.again = l.last; l.last.before(l.passed.end) {
			l.last, l.unread = l.passed.end, true
		} else {
			l.passed.again = place{} // from the beginning
		}
		l.leg, l.left = behind, l.length(behind)
	}
	return l.left > 0
}

// leave returns what the next claim has to know of the jobs that were passed.
func (l *line) leave() passed {
	if l.ended && l.leg == head {
		return passed{} // few
	}
	switch l.leg {
	case head: // the claim had enough
	case again:
		if l.ended { // none is behind
			l.passed = passed{end: l.seen}
		} else {
			l.passed.again, l.unread = l.seen, true
		}
	case behind:
		l.unread = l.unread || !l.ended
		if l.passed.end.before(l.seen) {
			l.passed.end = l.seen
		}
	}
	return l.passed
}

// urgency is the priority of an owner's first job, raised by the time that it
// and its owner have waited.
func (l *line) urgency(head *candidate, now time.Time) int {
	since := head.DueAt.Time
	if l.turn.at.After(since) {
		since = l.turn.at
	}
	return head.Priority + int(now.Sub(since)*time.Duration(l.weight)/ageStep)
}

// after is the line's next turn when the last one of all was that. An owner
// that had nothing waiting has not saved turns up.
func (l *line) after(last turn, now time.Time) turn {
	begun := max(l.turn.ended, last.begun)
	return turn{at: now, nth: last.nth + 1, begun: begun, ended: begun + 1/float64(l.weight)}
}

// before says that it is the line's turn rather than the other's, of equal
// urgency.
func (l *line) before(other *line, last turn) bool {
	mine, its := max(l.turn.ended, last.begun), max(other.turn.ended, last.begun)
	return mine < its || mine == its && l.turn.nth < other.turn.nth
}

// next returns the line whose turn it is and its first job; nil when no job is
// left.
func (s *Store) next(ctx context.Context, tx session, lines []*line, last turn, now time.Time) (*line, *candidate, error) {
	var best *line
	var first *candidate
	for _, l := range lines {
		head, err := s.head(ctx, tx, l, now)
		if err != nil {
			return nil, nil, err
		}
		if head == nil {
			continue
		}
		if best != nil {
			mine, its := l.urgency(head, now), best.urgency(first, now)
			if mine < its || mine == its && !l.before(best, last) {
				continue
			}
		}
		best, first = l, head
	}
	return best, first, nil
}

// Ahead counts the waiting jobs that are about to be claimed before a job when
// both are due at a time.
func (s *Store) Ahead(ctx context.Context, job fax.Job, now time.Time) (int, error) {
	var n int
	mine := turnOf(rowOfJob(job))
	return n, s.get(ctx, &n, `SELECT count(*) FROM jobs WHERE state IN ('queued', 'retry') AND due_at <= ? AND deadline > ?
		AND (`+byTurn+` < ? OR `+byTurn+` = ? AND id < ?)`, at(now), at(now), mine, mine, job.ID)
}
