package controller_test

import (
	"testing"
	"time"

	"faxbot/controller"
	"faxbot/controller/fax"
	"faxbot/controller/freeswitch/simulator"
	"faxbot/controller/store/pgtest"

	"github.com/jmoiron/sqlx"
)

// Faxes are due, and their time is over, by the clock of the database: a host
// whose own is wrong dials when the others would, and ends no fax before them.
func TestAHostsClockIsWrong(t *testing.T) {
	t.Parallel()
	server := pgtest.RunT(t)
	admin, err := sqlx.Open("postgres", server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	for name, fast := range map[string]time.Duration{"fast": time.Hour, "slow": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			// What matters is how the two clocks differ, and a database's is
			// easily set: ours is found before PostgreSQL's own.
			for _, statement := range []string{
				"CREATE SCHEMA " + name,
				"CREATE FUNCTION " + name + `.clock_timestamp() RETURNS timestamptz LANGUAGE SQL AS
					$$ SELECT pg_catalog.clock_timestamp() - interval '` + fast.String() + `' $$`,
			} {
				if _, err := admin.Exec(statement); err != nil {
					t.Fatal(err)
				}
			}
			database := server.URL + "&search_path=" + name + ",pg_catalog"
			h := newHouseOn(t, database, simulator.Config{Speed: 200}, func(c *controller.Config) { c.Lease = shortLease })

			at := func(after time.Duration) time.Time { return time.Now().Add(-fast + after) }
			if off := h.store.Now().Sub(at(0)).Abs(); off > time.Minute {
				t.Fatalf("the store's clock is off by %s", off)
			}
			later := func(s *controller.Submission) { s.SendAt, s.Deadline = at(30*time.Minute), at(40*time.Minute) }
			waits, over := h.submit("15551230091", 1, later), h.submit("15551230092", 1, later)
			h.until(waits, fax.Queued)
			h.until(over, fax.Queued)
			// One that is due is dialled, and one whose time is over ends.
			if job, _ := h.until(h.submit("15551230093", 1), fax.Done); job.CreatedAt.Sub(at(0)).Abs() > time.Minute {
				t.Errorf("submitted at %s, by a clock that is at %s", job.CreatedAt, at(0))
			}
			if _, err := admin.Exec("UPDATE "+name+".jobs SET deadline = $1 WHERE id = $2", at(-time.Second).UnixMicro(), over); err != nil {
				t.Fatal(err)
			}
			h.until(over, fax.Failed)
			if job, attempts := h.until(waits, fax.Queued); len(attempts) > 0 {
				t.Errorf("a fax that is due in half an hour: %+v %+v", job, attempts)
			}
			if n := h.ledger("dial"); n != 1 {
				t.Errorf("%d calls", n)
			}
		})
	}
}
