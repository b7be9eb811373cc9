package fax

import (
	"encoding/hex"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// JobID names a job: 32 lowercase hexadecimal digits of a version 7 UUID
// (RFC 9562, section 5.7), so ids sort in the order of submission.
type JobID string

// NewJobID returns a fresh, time-ordered id.
func NewJobID() JobID {
	u := newV7()
	return JobID(hex.EncodeToString(u[:]))
}

// NewJobIDAt is NewJobID by another clock than the host's. Ids sort by now, to a
// quarter of a microsecond (section 6.2, method 3).
func NewJobIDAt(now time.Time) JobID {
	u := newV7()
	fraction := now.Nanosecond() % 1e6 << 12 / 1e6 // of the millisecond
	return JobID(fmt.Sprintf("%012x7%03x%x", max(0, now.UnixMilli()), fraction, u[8:]))
}

// ParseJobID accepts exactly the form that NewJobID makes; anything else is
// NotFound, since no job can have such a name.
func ParseJobID(s string) (JobID, error) {
	if len(s) != 32 {
		return "", Errorf(NotFound, "Job not found")
	}
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return "", Errorf(NotFound, "Job not found")
		}
	}
	return JobID(s), nil
}

// Time is when the id was made, to the millisecond; zero for what is no id.
func (id JobID) Time() time.Time {
	u, err := uuid.Parse(string(id))
	if err != nil || u.Version() != 7 {
		return time.Time{}
	}
	return time.Unix(u.Time().UnixTime()).UTC()
}

// FirstJobID is before every id that is made at t or later, and after those
// that were made before, to the millisecond.
func FirstJobID(t time.Time) JobID {
	return JobID(fmt.Sprintf("%012x%020x", max(0, t.UnixMilli()), 0))
}

// AttemptID names an attempt: a UUID in its canonical text form, because it is
// also the call's origination_uuid, and the switch refuses a second call under
// a uuid that is alive.
type AttemptID string

// NewAttemptID returns a fresh, time-ordered id.
func NewAttemptID() AttemptID {
	u := newV7()
	return AttemptID(u.String())
}

// ParseAttemptID accepts the canonical text form of a UUID.
func ParseAttemptID(s string) (AttemptID, error) {
	u, err := uuid.Parse(s)
	if err != nil || u.String() != s {
		return "", Errorf(Invalid, "attempt id %.40q is not a UUID", s)
	}
	return AttemptID(s), nil
}

// newV7 panics when the kernel has no randomness to give: nothing that needs
// an unguessable or unique name may go on then.
func newV7() uuid.UUID { return uuid.Must(uuid.NewV7()) }
