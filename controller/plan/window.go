package plan

import (
	"fmt"
	"time"
	_ "time/tzdata" // hosts without time zones know them, too

	"github.com/nyaruka/phonenumbers"

	"faxbot/controller/fax"
)

// Window are the hours of a day in which a number may be called, by the clock
// there. The zero value is the whole day.
type Window struct{ from, to int } // minutes since midnight; a to before from is on the next day

// Always is the window of a fax that keeps to no hours, whatever the daemon's.
const Always = "always"

// ParseWindow reads HH:MM-HH:MM; "" and Always are the whole day.
func ParseWindow(s string) (Window, error) {
	if s == "" || s == Always {
		return Window{}, nil
	}
	wrong := fax.Errorf(fax.Invalid, "window %.20q: use hours like 08:00-18:00, or %s", s, Always)
	if len(s) != len("08:00-18:00") || s[5] != '-' {
		return Window{}, wrong
	}
	from, err := time.Parse("15:04", s[:5])
	if err != nil {
		return Window{}, wrong
	}
	to, err := time.Parse("15:04", s[6:])
	if err != nil || to.Equal(from) {
		return Window{}, wrong
	}
	return Window{from.Hour()*60 + from.Minute(), to.Hour()*60 + to.Minute()}, nil
}

func (w Window) open(at time.Time, zone *time.Location) bool {
	if w == (Window{}) {
		return true
	}
	there := at.In(zone)
	minute := there.Hour()*60 + there.Minute()
	if w.from < w.to {
		return w.from <= minute && minute < w.to
	}
	return w.from <= minute || minute < w.to
}

// Opening returns the first moment, not before at, at which the window is open
// in every zone, to the minute; in the first zone when there is no such moment.
func (w Window) Opening(at time.Time, zones []*time.Location) time.Time {
	for try := at; try.Before(at.Add(49 * time.Hour)); try = try.Truncate(time.Minute).Add(time.Minute) {
		open := true
		for _, zone := range zones {
			open = open && w.open(try, zone)
		}
		if open {
			return try
		}
	}
	return w.Opening(at, zones[:1])
}

// Zones are those in which a number may be, by its prefix; the daemon's own for
// a number without a country.
func Zones(number fax.Number) []*time.Location {
	var zones []*time.Location
	if parsed, err := phonenumbers.Parse(string(number), ""); err == nil {
		names, err := phonenumbers.GetTimezonesForNumber(parsed)
		for _, name := range names {
			if zone, lerr := time.LoadLocation(name); err == nil && lerr == nil {
				zones = append(zones, zone)
			}
		}
	}
	if len(zones) == 0 {
		return []*time.Location{time.Local}
	}
	return zones
}

// Opening returns the first moment, not before at, at which a fax may be
// called: in its own window, or else the policy's.
func (p Policy) Opening(job fax.Job, at time.Time) time.Time {
	w := p.Window
	if own := job.Options.Window; own != "" {
		w, _ = ParseWindow(own) // a broken one was refused when it was submitted
	}
	if w == (Window{}) {
		return at
	}
	return w.Opening(at, Zones(job.To))
}

// longestPutOff is how long after its submission a fax for which no deadline was
// asked may get another one.
const longestPutOff = 7 * 24 * time.Hour

// PutOff returns when a fax that would be due at a time is called in its hours,
// and its deadline. One for which no deadline was asked does not run out while
// nobody may be called: it has its lifetime when its hours begin.
func (p Policy) PutOff(job fax.Job, at time.Time) (due, deadline time.Time) {
	due, deadline = p.Opening(job, at), job.Deadline
	if due.After(at) && job.Options.Deadline.IsZero() && due.Before(later(job.CreatedAt, job.Options.SendAt).Add(longestPutOff)) {
		deadline = later(deadline, due.Add(fax.DefaultLifetime))
	}
	return due, deadline
}

// Moved returns the dates of a waiting fax under this policy when it was put off
// to the hours of another; ok is false when it was not, or stays. Hours begin
// with a full minute, as nothing else does that a fax waits for, but what its
// submitter named.
func (p Policy) Moved(job fax.Job, now time.Time) (due, deadline time.Time, ok bool) {
	if job.Options.Window != "" || !job.DueAt.After(now) || !job.DueAt.Equal(job.DueAt.Truncate(time.Minute)) || job.DueAt.Equal(job.Options.SendAt) {
		return time.Time{}, time.Time{}, false
	}
	due, deadline = p.PutOff(job, later(now, job.Options.SendAt))
	return due, deadline, !due.Equal(job.DueAt)
}

// String is the form that ParseWindow reads.
func (w Window) String() string {
	if w == (Window{}) {
		return ""
	}
	return fmt.Sprintf("%02d:%02d-%02d:%02d", w.from/60, w.from%60, w.to/60, w.to%60)
}
