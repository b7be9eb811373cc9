package controller_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"faxbot/controller"
	"faxbot/controller/fax"
	"faxbot/controller/freeswitch/simulator"
	"faxbot/dialplan"
)

// newRoutedHouse is a house whose calls come through an extension of the
// switch's dialplan.
func newRoutedHouse(t *testing.T, sim simulator.Config, edit func(*controller.Config)) *house {
	t.Helper()
	route := dialplan.Entry{Extension: "faxbot", Context: "default"}
	h := newHouse(t, sim, func(c *controller.Config) {
		c.Dialplan = route
		if edit != nil {
			edit(c)
		}
	})
	h.load(dialplan.Site{Entry: route}, dialplan.ExtensionPart)
	return h
}

// load gives the switch the dialplan that is rendered for us.
func (h *house) load(site dialplan.Site, parts ...dialplan.Part) {
	h.t.Helper()
	site.Socket = h.SocketAddr().String()
	files, err := dialplan.Files(site, parts...)
	if err != nil {
		h.t.Fatal(err)
	}
	slices.SortFunc(files, func(a, b dialplan.File) int { return strings.Compare(a.Path, b.Path) })
	var text strings.Builder
	for _, f := range files {
		text.Write(f.Text)
	}
	if err := h.sim.Load(site.Entry.Context, text.String()); err != nil {
		h.t.Fatal(err)
	}
}

// What works straight works through the dialplan.
func TestThroughTheDialplan(t *testing.T) {
	t.Parallel()
	h := newRoutedHouse(t, simulator.Config{Speed: 20}, nil)
	testCalls(t, h, farEnds{machine: "15551230050", busy: "1555991017", person: "1555994001", nobody: "1555991001"})
}

// Resumed, and taken up after the daemon was killed in mid-call.
func TestThroughTheDialplanAgain(t *testing.T) {
	t.Parallel()
	h := newRoutedHouse(t, simulator.Config{Speed: 50}, nil)
	const number = "15551230051"
	h.sim.Script(number, simulator.Outcome{Drops: true, Pages: 2})
	id := h.submit(number, 3)
	h.until(id, fax.Retry)
	h.sim.Script(number, simulator.Outcome{})
	h.release(id)
	job, attempts := h.until(id, fax.Done)
	if job.Confirmed != 3 || len(attempts) != 2 || attempts[1].Parameters.StartPage != 2 || h.ledger("page") != 3 {
		t.Errorf("%+v, %d calls, %d pages", job, len(attempts), h.ledger("page"))
	}
}

// An extension that is missing costs one call, not one for each fax: nobody
// else is rung for nothing.
func TestMissingExtension(t *testing.T) {
	t.Parallel()
	h := newHouse(t, simulator.Config{Speed: 200}, func(c *controller.Config) {
		c.Dialplan = dialplan.Entry{Extension: "faxbot", Context: "default"}
	})
	first := h.submit("15551230052", 1)
	job, attempts := h.until(first, fax.Retry)
	if job.Cause != fax.Misconfigured || len(attempts) != 1 || attempts[0].Result.Text == "" {
		t.Fatalf("%+v %+v", job, attempts)
	}
	second := h.submit("15551230053", 1)
	h.until(second, fax.Queued)
	if plan, err := h.Plan(context.Background(), second); err != nil || h.ledger("dial") != 1 {
		t.Errorf("%+v %v, %d dials", plan, err, h.ledger("dial"))
	}
}
