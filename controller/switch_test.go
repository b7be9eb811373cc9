package controller_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"faxbot/controller"
	"faxbot/controller/doctor"
	"faxbot/controller/fax"
	"faxbot/controller/freeswitch"
	"faxbot/controller/freeswitch/simulator"
)

// farEnds are the numbers that the suite dials. An empty one is not there, and
// its calls are skipped.
type farEnds struct{ machine, busy, person, nobody string }

// testDoctor has a doctor find nothing wrong with a switch that works.
func testDoctor(t *testing.T, h *house) {
	t.Helper()
	for _, f := range doctor.Examine(t.Context(), h.Patient()) {
		if f.Outcome == doctor.Fails {
			t.Errorf("%s: %s", f.Check, f.Detail())
		}
	}
}

// The calls that every switch must carry alike, simulated or real.
func testCalls(t *testing.T, h *house, far farEnds) {
	for _, c := range []struct {
		name, to string
		state    fax.State
		cause    fax.Cause
	}{
		{"a machine answers", far.machine, fax.Done, fax.OK},
		{"busy", far.busy, fax.Failed, fax.Busy},
		{"a person answers", far.person, fax.Failed, fax.NotAFax},
		{"no such number", far.nobody, fax.Failed, fax.WrongNumber},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.to == "" {
				t.Skip("no far end for it")
			}
			job, attempts := h.until(h.submit(c.to, 2, once), c.state)
			if job.Cause != c.cause || len(attempts) != 1 {
				t.Errorf("%s (%s), %d calls; want %s", job.Cause, job.Error, len(attempts), c.cause)
			}
			if c.cause == fax.OK && (job.Confirmed != 2 || attempts[0].Result.Rate == 0) {
				t.Errorf("%+v", attempts[0].Result)
			}
		})
	}
	t.Run("cancelled while it sends", func(t *testing.T) {
		if far.machine == "" {
			t.Skip("no far end for it")
		}
		id := h.submit(far.machine, 5)
		h.until(id, fax.Sending)
		h.page(id, 1)
		if _, err := h.Cancel(context.Background(), id); err != nil {
			t.Fatal(err)
		}
		job, attempts := h.until(id, fax.Cancelled)
		if job.Confirmed < 1 || job.Confirmed == 5 || attempts[0].Result.HangupCause != "MANAGER_REQUEST" {
			t.Errorf("%+v %+v", job, attempts[0].Result)
		}
	})
}

func TestSimulatedSwitch(t *testing.T) {
	t.Parallel()
	h := newHouse(t, simulator.Config{Speed: 20}, nil)
	testDoctor(t, h)
	testCalls(t, h, farEnds{machine: "15551230040", busy: "1555991017", person: "1555994001", nobody: "1555991001"})
}

// The same calls through a real FreeSWITCH on this machine:
//
//	FAXBOT_TEST_FREESWITCH=HOST:PORT,PASSWORD,GATEWAY,MACHINE[,BUSY[,PERSON[,NOBODY]]]
//
// MACHINE is a number behind GATEWAY where a fax machine answers, the others
// are what their names say; any of them may be empty. FreeSWITCH must be able
// to read TMPDIR and to reach 127.0.0.1.
func TestRealSwitch(t *testing.T) {
	setting := os.Getenv("FAXBOT_TEST_FREESWITCH")
	if setting == "" {
		t.Skip("FAXBOT_TEST_FREESWITCH names no switch")
	}
	f := strings.Split(setting, ",")
	if len(f) < 4 {
		t.Fatalf("FAXBOT_TEST_FREESWITCH has %d fields; want HOST:PORT,PASSWORD,GATEWAY,MACHINE[,BUSY[,PERSON[,NOBODY]]]", len(f))
	}
	f = append(f, "", "", "")
	h := &house{t: t, dir: t.TempDir(), patience: 5 * time.Minute}
	h.link = freeswitch.LinkConfig{Name: "test", Address: f[0], Password: f[1]}
	h.open(func(c *controller.Config) { c.Gateways, c.Grace = gatewaysNamed(f[2]), 15*time.Second })
	t.Cleanup(func() { h.close() })
	testDoctor(t, h)
	testCalls(t, h, farEnds{machine: f[3], busy: f[4], person: f[5], nobody: f[6]})
}
