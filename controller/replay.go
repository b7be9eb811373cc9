package controller

import (
	"io"

	"faxbot/controller/fax"
	"faxbot/controller/freeswitch"
	"faxbot/events"
)

// Replayed is the verdict on one call of a recording.
type Replayed struct {
	Status        fax.Status `json:"status"`
	Cause         fax.Cause  `json:"cause"`
	Code          *int       `json:"code"` // null when no fax engine spoke
	Text          string     `json:"text"`
	Pages         int        `json:"pages"`
	TotalPages    int        `json:"total_pages"`
	ECM           bool       `json:"ecm"`
	T38           bool       `json:"t38"`
	Rate          int        `json:"rate"`
	HangupCause   string     `json:"hangup_cause"`
	RemoteStation string     `json:"remote_station"`
	Call          string     `json:"call"` // uuid of the channel; "" when none came to be
	Job           string     `json:"job"`
	Warning       string     `json:"warning,omitempty"`
}

// Replay judges a recorded conversation, of a call's connection or of a
// command link, by the same rules as a live one. It returns a verdict for each
// call that the recording knows the end of, in the order in which they end.
func Replay(r io.Reader) ([]Replayed, error) {
	recording, err := freeswitch.ReadRecording(r)
	if err != nil {
		return nil, err
	}
	t := trial{calls: map[string]*replayedCall{}}
	if err := freeswitch.Events(recording, t.hear); err != nil {
		return nil, err
	}
	out := []Replayed{}
	for _, c := range t.order {
		if c.own {
			out = append(out, c.judge())
		}
	}
	return out, nil
}

// trial sorts the events of a recording by call.
type trial struct {
	calls map[string]*replayedCall // by uuid of the channel or the fax job
	order []*replayedCall
	own   bool // a call's own connection is recorded
}

type replayedCall struct {
	verdict
	uuid, job, warning string
	own                bool // one of our calls, and its end is known
}

func (t *trial) hear(ev events.Event) {
	w := byLink
	if t.own {
		w = byCall
	}
	switch ev := ev.(type) {
	case *events.Connected:
		t.own, w = true, byCall
		c := t.call(ev.UUID, ev.JobID)
		c.own = true
		if !ev.Async || !ev.Full {
			c.warning = freeswitch.ErrNotAsync.Error()
		}
		c.hear(w, ev)
	case *events.OriginateEnded:
		if ev.JobID == "" && !ev.Answered {
			return
		}
		c := t.call(ev.UUID, ev.JobID)
		c.own = true
		c.hear(w, ev)
	case *events.CallEnded:
		c := t.call(ev.UUID, ev.JobID)
		c.own = c.own || ev.JobID != ""
		c.hear(w, ev)
	default:
		if ev.Call() != "" {
			t.call(ev.Call(), "").hear(w, ev)
		}
	}
}

// call finds the call by its channel or by the fax job that placed it: a call
// that failed may have only one of them.
func (t *trial) call(uuid, job string) *replayedCall {
	for _, key := range []string{uuid, "job " + job} {
		if c := t.calls[key]; c != nil && key != "" && key != "job " {
			t.name(c, uuid, job)
			return c
		}
	}
	c := &replayedCall{}
	t.order = append(t.order, c)
	t.name(c, uuid, job)
	return c
}

func (t *trial) name(c *replayedCall, uuid, job string) {
	if uuid != "" {
		c.uuid = uuid
		t.calls[uuid] = c
	}
	if job != "" {
		c.job = job
		t.calls["job "+job] = c
	}
}

func (c *replayedCall) judge() Replayed {
	r := c.result(c.line.StartPage, 0)
	p := Replayed{
		Status: fax.StatusFailed, Cause: r.Cause, Text: r.Text, Pages: r.Pages, TotalPages: r.TotalPages,
		ECM: r.ECM, T38: r.T38, Rate: r.Rate, HangupCause: r.HangupCause, RemoteStation: r.RemoteStation,
		Call: c.uuid, Job: c.job, Warning: c.warning,
	}
	if r.Cause == fax.OK {
		p.Status = fax.StatusSuccess
	}
	if r.Code != fax.NoCode {
		p.Code = &r.Code
	}
	return p
}
