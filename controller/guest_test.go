package controller_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"faxbot/controller"
	"faxbot/controller/fax"
	"faxbot/controller/freeswitch/simulator"
	"faxbot/dialplan"
)

// newHost is a house that takes guests, which reach it through the dialplan.
// Its own calls wait: whatever is dialled, others have dialled.
func newHost(t *testing.T, sim simulator.Config) *house {
	t.Helper()
	h := newHouse(t, sim, func(c *controller.Config) {
		c.Guests, c.RecordCalls = true, 100
		c.Gateways = []controller.Gateway{{Name: "carrier", Channels: 1, CPS: 0.0001}}
	})
	h.load(dialplan.Site{Entry: dialplan.Entry{Extension: "faxbot", Context: "default"}}, dialplan.ExtensionPart)
	// The only call of our own that there can be for hours.
	id := h.submit("1555991017", 1, once)
	h.until(id, fax.Failed)
	return h
}

const guest = "6ba7b810-9dad-41d1-80b4-00c04fd430c8"

// originate has the switch place a call, as a script beside it would.
func (h *house) originate(variables, number, destination string) {
	h.t.Helper()
	conn, err := net.Dial("tcp", h.sim.Addr())
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { conn.Close() })
	_, err = io.WriteString(conn, "auth ClueCon\n\nbgapi originate {"+variables+"}sofia/gateway/other/"+number+" "+destination+"\n\n")
	if err != nil {
		h.t.Fatal(err)
	}
}

const throughDialplan = "faxbot XML default"

// over waits until the switch has no calls, having placed so many.
func (h *house) over(dials int) {
	h.t.Helper()
	eventually(h.t, "the calls are over", func() bool { return h.ledger("end") == dials && h.sim.Calls() == 0 })
	if n := h.ledger("dial"); n != dials {
		h.t.Errorf("%d calls were placed, want %d", n, dials)
	}
}

// A call that a script places for a fax delivers it, and one that comes later
// delivers nothing twice.
func TestGuestDelivers(t *testing.T) {
	t.Parallel()
	h := newHost(t, simulator.Config{Speed: 200})
	id := h.submit("+15551230060", 3)
	h.until(id, fax.Queued)
	h.originate("origination_uuid="+guest+",faxbot_job_id="+string(id), "15551230060", throughDialplan)
	job, attempts := h.until(id, fax.Done)
	if job.Confirmed != 3 || len(attempts) != 1 || string(attempts[0].ID) != guest || attempts[0].Gateway != "(dialplan)" || attempts[0].Result.Pages != 3 {
		t.Errorf("%+v %+v", job, attempts)
	}
	h.over(2)
	h.originate("faxbot_job_id="+string(id), "15551230060", throughDialplan)
	h.over(3)
	if n := h.ledger("page"); n != 3 {
		t.Errorf("%d pages were delivered", n)
	}
}

// It begins where the calls before it ended, whatever its script has set, and
// the fax is found by its number when none is named.
func TestGuestResumes(t *testing.T) {
	t.Parallel()
	h := newHost(t, simulator.Config{Speed: 200})
	const number = "15551230061"
	h.sim.Script(number, simulator.Outcome{Drops: true, Pages: 2})
	id := h.submit(number, 3)
	h.until(id, fax.Queued)
	h.originate("fax_start_page=1", number, throughDialplan)
	h.until(id, fax.Retry)
	h.over(2)
	h.sim.Script(number, simulator.Outcome{})
	h.release(id)
	// The gateway's own digits in front of it: the script says what it means.
	h.sim.Script("99"+number, simulator.Outcome{})
	h.originate("faxbot_number=+"+number+",fax_start_page=1", "99"+number, "'&socket("+h.SocketAddr().String()+" async full)'")
	job, attempts := h.until(id, fax.Done)
	if job.Confirmed != 3 || len(attempts) != 2 || attempts[1].Parameters.StartPage != 2 || h.ledger("page") != 3 {
		t.Errorf("%+v, %d pages at the far end", job, h.ledger("page"))
	}
	all, err := controller.Replay(bytes.NewReader(h.recorded(id, 2)))
	if err != nil || len(all) != 1 || all[0].Cause != fax.OK || all[0].Pages != 1 {
		t.Errorf("its recording: %+v %v", all, err)
	}
}

func TestGuestIsCancelled(t *testing.T) {
	t.Parallel()
	h := newHost(t, simulator.Config{Speed: 20})
	id := h.submit("15551230062", 5)
	h.until(id, fax.Queued)
	h.originate("faxbot_job_id="+string(id), "15551230062", throughDialplan)
	h.until(id, fax.Sending)
	if _, err := h.Cancel(context.Background(), id); err != nil {
		t.Fatal(err)
	}
	if _, attempts := h.until(id, fax.Cancelled); attempts[0].Result.HangupCause != "MANAGER_REQUEST" {
		t.Errorf("%+v", attempts[0].Result)
	}
	h.over(2)
}

// We lose sight of a guest while it sends: the switch is asked what became of
// it, and nothing is sent again.
func TestGuestIsTakenUp(t *testing.T) {
	t.Parallel()
	h := newHost(t, simulator.Config{Speed: 20})
	id := h.submit("15551230063", 2)
	h.until(id, fax.Queued)
	h.originate("faxbot_job_id="+string(id), "15551230063", throughDialplan)
	h.page(id, 1)
	_, attempts := h.until(id, fax.Sending)
	h.sim.DropCall(string(attempts[0].ID))
	h.sim.DropLinks()
	job, attempts := h.until(id, fax.Done)
	if job.Confirmed != 2 || len(attempts) != 1 || h.ledger("page") != 2 {
		t.Errorf("%+v %+v", job, attempts)
	}
}

// Nobody gets a fax who may not have it, and no fax is sent over two calls.
func TestGuestsRefused(t *testing.T) {
	t.Parallel()
	h := newHost(t, simulator.Config{Speed: 200})
	due := h.submit("15551230064", 1)
	later := h.submit("15551230065", 1, func(s *controller.Submission) { s.SendAt = time.Now().Add(time.Hour) })
	h.until(due, fax.Queued)
	h.until(later, fax.Queued)
	socket := h.SocketAddr().String()
	straight := "'&socket(" + socket + " async full)'"
	dials := 1
	for name, c := range map[string]struct{ variables, number, destination string }{
		"another number":   {"faxbot_job_id=" + string(due), "15559990000", throughDialplan},
		"no such fax":      {"faxbot_job_id=" + string(fax.NewJobID()), "15551230064", throughDialplan},
		"no id at all":     {"faxbot_job_id=x", "15551230064", throughDialplan},
		"nobody's number":  {"a=b", "15559990000", throughDialplan},
		"not due":          {"faxbot_job_id=" + string(later), "15551230065", throughDialplan},
		"a wrong token":    {"faxbot_token=00,faxbot_job_id=" + string(due), "15551230064", throughDialplan},
		"a wrong attempt":  {"faxbot_attempt_id=" + guest + ",faxbot_job_id=" + string(due), "15551230064", throughDialplan},
		"a strange uuid":   {"origination_uuid=x,faxbot_job_id=" + string(due), "15551230064", straight},
		"in sync mode":     {"faxbot_job_id=" + string(due), "15551230064", "&socket(" + socket + ")"},
		"not even a digit": {"faxbot_number=me,faxbot_job_id=" + string(due), "15551230064", straight},
	} {
		dials++
		h.originate(c.variables, c.number, c.destination)
		eventually(t, name+": hung up", func() bool { return h.ledger("end") == dials })
	}
	for _, id := range []fax.JobID{due, later} {
		if job, attempts := h.until(id, fax.Queued); len(attempts) != 0 {
			t.Errorf("%+v %+v", job, attempts)
		}
	}
	if n := h.ledger("page"); n != 0 {
		t.Errorf("%d pages were sent", n)
	}
}

// A peer that is no switch gets nothing by naming a channel that is: it cannot
// say what was set on it.
func TestGuestMustBeTheChannel(t *testing.T) {
	t.Parallel()
	h := newHost(t, simulator.Config{Speed: 200})
	id := h.submit("15551230066", 1)
	h.until(id, fax.Queued)
	// A real channel with that uuid, in somebody else's hands.
	h.originate("origination_uuid="+guest, "15551230066", "&park()")
	eventually(t, "the channel is up", func() bool { return h.ledger("answer") == 1 })
	ask := func(direction, word string) string {
		conn, err := net.Dial("tcp", h.SocketAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		const hello = "Event-Name: CHANNEL_DATA\nUnique-ID: " + guest + "\nvariable_sip_to_user: 15551230066\n" +
			"Content-Type: command/reply\nReply-Text: +OK\nSocket-Mode: async\nControl: full\nvariable_faxbot_job_id: "
		_, _ = io.WriteString(conn, hello+string(id)+"\nvariable_direction: "+direction+"\n\nContent-Type: command/reply\nReply-Text: "+word+"\n\n")
		_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		said, err := io.ReadAll(conn)
		if err != nil || strings.Contains(string(said), "txfax") || !strings.Contains(string(said), "hangup") {
			t.Errorf("%s, %q: %v %s", direction, word, err, said)
		}
		return string(said)
	}
	for _, word := range []string{"", "00ff", "+OK"} {
		if said := ask("outbound", word); !strings.Contains(said, "getvar "+dialplan.Proof) {
			t.Errorf("not asked to prove anything: %q", said)
		}
	}
	// Who calls in gets nothing, channel or not.
	if said := ask("inbound", ""); strings.Contains(said, "getvar") {
		t.Errorf("%q", said)
	}
	if job, attempts := h.until(id, fax.Queued); len(attempts) != 0 {
		t.Errorf("%+v %+v", job, attempts)
	}
}

// Two at once for one fax: one of them gets it.
func TestGuestsCompete(t *testing.T) {
	t.Parallel()
	h := newHost(t, simulator.Config{Speed: 20})
	id := h.submit("15551230067", 2)
	h.until(id, fax.Queued)
	for range 5 {
		h.originate("faxbot_job_id="+string(id), "15551230067", throughDialplan)
	}
	job, attempts := h.until(id, fax.Done)
	if job.Confirmed != 2 || len(attempts) != 1 || h.ledger("page") != 2 {
		t.Errorf("%+v %+v, %d pages", job, attempts, h.ledger("page"))
	}
	h.over(6)
}

// Without the setting nobody is taken in.
func TestNoGuestsUnasked(t *testing.T) {
	t.Parallel()
	h := newRoutedHouse(t, simulator.Config{Speed: 200}, func(c *controller.Config) {
		c.Gateways = []controller.Gateway{{Name: "carrier", Channels: 1, CPS: 0.0001}}
	})
	h.until(h.submit("1555991017", 1, once), fax.Failed)
	id := h.submit("15551230068", 1)
	h.until(id, fax.Queued)
	h.originate("faxbot_job_id="+string(id), "15551230068", throughDialplan)
	h.over(2)
	if job, attempts := h.until(id, fax.Queued); len(attempts) != 0 || h.ledger("page") != 0 {
		t.Errorf("%+v %+v", job, attempts)
	}
}
