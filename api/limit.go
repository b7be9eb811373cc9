package api

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// buckets are token buckets by name, in bounded memory: names are kept in two
// generations, and when the young one is full the old one is forgotten. A
// forgotten bucket is a full one, so the worst an overflow does is to be kind.
type buckets struct {
	perSecond rate.Limit
	burst     int

	mu         sync.Mutex
	young, old map[string]*rate.Limiter
}

const generation = 8192

func newBuckets(perSecond float64, burst int) *buckets {
	return &buckets{perSecond: rate.Limit(perSecond), burst: burst, young: map[string]*rate.Limiter{}}
}

// take takes a token, or says when there will be one.
func (b *buckets) take(name string) (wait time.Duration) {
	now := time.Now()
	r := b.bucket(name).ReserveN(now, 1)
	if wait = r.DelayFrom(now); wait > 0 {
		r.CancelAt(now)
	}
	return wait
}

// empty says how long there will be no token; 0 when there is one.
func (b *buckets) empty(name string) (wait time.Duration) {
	lack := 1 - b.bucket(name).Tokens()
	if lack <= 0 {
		return 0
	}
	return time.Duration(lack / float64(b.perSecond) * float64(time.Second))
}

func (b *buckets) bucket(name string) *rate.Limiter {
	b.mu.Lock()
	defer b.mu.Unlock()
	l, ok := b.young[name]
	if ok {
		return l
	}
	if l, ok = b.old[name]; !ok {
		l = rate.NewLimiter(b.perSecond, b.burst)
	}
	if len(b.young) >= generation {
		b.young, b.old = map[string]*rate.Limiter{}, b.young
	}
	b.young[name] = l
	return l
}
