package controller_test

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"faxbot/controller"
	"faxbot/controller/fax"
	"faxbot/controller/freeswitch/simulator"
)

var update = flag.Bool("update", false, "write plan/CASES.md anew")

// settled replaces what differs from run to run: the clock, chance, and how fast
// pages go through a simulated line.
func settled(text string) string {
	for _, v := range []struct{ pattern, stands string }{
		{`\d\d:\d\d UTC`, "HH:MM UTC"},
		{`\d+ \w{3} HH:MM`, "D Mon HH:MM"},
		{`\d+ \w{3} \d{4}`, "D Mon YYYY"},
		{`in \d+ (second|minute|hour)s?,`, "in N minutes,"},
		{`\d+ seconds each`, "N seconds each"},
	} {
		text = regexp.MustCompile(v.pattern).ReplaceAllString(text, v.stands)
	}
	return text
}

// told is the plan of a fax as GET /fax/{id}/plan and `faxbot plan` say it.
func (h *house) told(id fax.JobID) string {
	h.t.Helper()
	f, err := h.Plan(h.t.Context(), id)
	if err != nil {
		h.t.Fatal(err)
	}
	return f.Text(time.Now())
}

// The cases of plan/CASES.md, each from a fax that is really submitted and
// called, through the daemon and a simulated switch, until it stands so.
func TestCases(t *testing.T) {
	t.Parallel()
	const number = "+15551230080"
	ended := func(o simulator.Outcome, calls, pages int, state fax.State) func(*house) fax.JobID {
		return func(h *house) fax.JobID {
			h.sim.Script(number, o)
			id := h.submit(number, pages)
			for range calls - 1 {
				h.until(id, fax.Retry)
				h.release(id)
			}
			h.until(id, state)
			return id
		}
	}
	cases := []struct {
		title, done string
		sim         simulator.Config
		edit        func(*controller.Config)
		run         func(*house) fax.JobID
	}{
		{
			title: "The line is busy", done: "One call, USER_BUSY.",
			run: ended(simulator.Outcome{Cause: "USER_BUSY"}, 1, 3, fax.Retry),
		},
		{
			title: "T.38 is broken on the way", done: "Two calls with T.38, both with completion code 19. What follows is audio.",
			run: ended(simulator.Outcome{Code: 19}, 2, 3, fax.Retry),
		},
		{
			title: "The call broke off", done: "One call of ten pages; the far end hung up after the third.",
			run: ended(simulator.Outcome{Drops: true, Pages: 3}, 1, 10, fax.Retry),
		},
		{
			title: "A person answers", done: "Two calls, answered without a fax; nothing was ever delivered to the number.",
			run: ended(simulator.Outcome{Line: simulator.Person}, 2, 3, fax.Held),
		},
		{
			title: "The gateway is misconfigured", done: "Another fax found out: the switch does not know the gateway. This one was not called.",
			sim: simulator.Config{Gateways: []string{"another"}},
			run: func(h *house) fax.JobID {
				h.until(h.submit("+15551230081", 1), fax.Retry)
				id := h.submit(number, 3)
				h.until(id, fax.Queued)
				return id
			},
		},
		{
			title: "One gateway is down, there is another", done: "One call through the first, which cannot take it, while the second is full.",
			sim: simulator.Config{GatewaysDown: []string{"first"}},
			edit: func(c *controller.Config) {
				c.Gateways = []controller.Gateway{{Name: "first", CPS: 10000}, {Name: "second", Channels: 1, CPS: 10000}}
			},
			run: func(h *house) fax.JobID {
				h.sim.Script("+15551230082", simulator.Outcome{Line: simulator.StallPage})
				h.until(h.submit("+15551230082", 1, func(s *controller.Submission) { s.Options.Gateway = "second" }), fax.Sending)
				id := h.submit(number, 3)
				h.until(id, fax.Retry)
				return id
			},
		},
		{
			title: "An earlier fax found out", done: "A fax of before was delivered without V.17, after a call that could not train. This one was not called yet.",
			edit: func(c *controller.Config) {
				c.Gateways = []controller.Gateway{{Name: "carrier", Channels: 1, CPS: 10000}}
			},
			run: func(h *house) fax.JobID {
				ended(simulator.Outcome{Code: 6}, 1, 3, fax.Retry)(h)
				h.sim.Script(number, simulator.Outcome{})
				list, err := h.List(h.t.Context(), controller.Filter{Limit: 1})
				if err != nil {
					h.t.Fatal(err)
				}
				h.release(list[0].ID)
				h.until(list[0].ID, fax.Done)
				h.sim.Script("+15551230083", simulator.Outcome{Line: simulator.StallPage})
				h.until(h.submit("+15551230083", 1), fax.Sending) // takes the only channel
				for _, other := range []string{"+15551230084", "+15551230085"} {
					h.until(h.submit(other, 1), fax.Queued)
				}
				id := h.submit(number, 3)
				h.until(id, fax.Queued)
				return id
			},
		},
		{
			title: "The recipient sleeps", done: "Submitted with hours that begin later; not called yet.",
			run: func(h *house) fax.JobID {
				tokyo, err := time.LoadLocation("Asia/Tokyo")
				if err != nil {
					h.t.Fatal(err)
				}
				from := time.Now().In(tokyo).Add(2 * time.Hour)
				id := h.submit("+81312345680", 3, func(s *controller.Submission) {
					s.Options.Window = from.Format("15:04") + "-" + from.Add(time.Hour).Format("15:04")
				})
				h.until(id, fax.Queued)
				return id
			},
		},
	}
	told := make([]string, len(cases))
	t.Run("runs", func(t *testing.T) {
		for i, c := range cases {
			t.Run(c.title, func(t *testing.T) {
				t.Parallel()
				c.sim.Speed = 200
				h := newHouse(t, c.sim, c.edit)
				told[i] = settled(h.told(c.run(h)))
			})
		}
	})
	var b strings.Builder
	b.WriteString(casesHead)
	for i, c := range cases {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n> %s\n", c.title, c.done, told[i])
	}
	const file = "plan/CASES.md"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("%s is not what is told now; look at the difference, and write it anew with -update if it is right:\n%s", file, b.String())
	}
}

const casesHead = "# What a plan says\n\n" +
	"`GET /fax/{id}/plan` and `faxbot plan ID` tell what happens next to a fax, when, what is done differently and why, and when it\n" +
	"is expected to be delivered. These are the words of real runs: `TestCases` submits each fax, has it called through a simulated\n" +
	"switch until it stands so, and compares. Only what no two runs have in common is replaced: the clock (HH:MM), dates, the chance\n" +
	"in every wait (N minutes) and how long a page takes on a simulated line (N seconds).\n"
