package store

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"faxbot/controller/fax"
)

// Hosts hear of each other as long as they tell.
func TestHostsMeet(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		a, b := db.open(t, "a"), db.open(t, "b")
		told := Report{
			Version: "1", Since: time.Unix(1, 0).UTC(), Calls: 3, Draining: true,
			Switches: []SwitchReported{{Name: "west", Up: true, Socket: "10.0.0.9:8084", Gateways: []string{"gw"}}},
		}
		if err := a.Ping(t.Context()); err != nil { // it has told nothing yet
			t.Fatal(err)
		}
		if err := b.Report(t.Context(), told); err != nil {
			t.Fatal(err)
		}
		hosts, err := a.Hosts(t.Context(), time.Minute)
		if err != nil || len(hosts) != 1 || hosts[0].Name != "b" || hosts[0].Silent > 30*time.Second {
			t.Fatalf("%+v, %v", hosts, err)
		}
		if diff := cmp.Diff(told, hosts[0].Report); diff != "" {
			t.Error(diff)
		}
		if hosts, err := a.Hosts(t.Context(), 0); err != nil || len(hosts) != 0 {
			t.Errorf("%+v, %v", hosts, err)
		}
		if err := a.ForgetHosts(t.Context(), -time.Minute); err != nil {
			t.Error(err)
		}
		if hosts, err := a.Hosts(t.Context(), time.Minute); err != nil || len(hosts) != 0 {
			t.Errorf("after forgetting: %+v, %v", hosts, err)
		}
	})
}

// Whoever a call connects to may take it with its token until it is told to
// send; from then on the host that had it before changes nothing.
func TestTake(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		a, b := db.open(t, "a"), db.open(t, "b")
		c := a.dialing(t, newJob())
		if _, _, err := b.Take(t.Context(), c.Attempt.ID, "guess", time.Minute); fax.ProblemOf(err) != fax.Conflict {
			t.Errorf("without the token: %v", err)
		}
		_, got, err := b.Take(t.Context(), c.Attempt.ID, c.Attempt.Token, time.Minute)
		if err != nil || got.Host != "b" {
			t.Fatalf("%+v, %v", got, err)
		}
		if err := a.Advance(t.Context(), c.Attempt.ID, fax.AttemptFaxing); err != ErrAdopted { //nolint:errorlint // the very one
			t.Errorf("the first host has it sent: %v", err)
		}
		if err := a.Progress(t.Context(), c.Attempt.ID, 1); err != ErrAdopted { //nolint:errorlint // the very one
			t.Errorf("the first host counts pages: %v", err)
		}
		silence := fax.Result{Cause: fax.Switch, Code: fax.NoCode, Witnesses: fax.Testimony{Decided: fax.ByInquiry}}
		if _, _, err := a.Finish(t.Context(), c.Attempt.ID, silence, Outcome{State: fax.Retry}); err != ErrAdopted { //nolint:errorlint // the very one
			t.Errorf("the first host concludes from silence: %v", err)
		}
		if err := b.Advance(t.Context(), c.Attempt.ID, fax.AttemptFaxing); err != nil {
			t.Fatal(err)
		}
		if _, _, err := a.Take(t.Context(), c.Attempt.ID, c.Attempt.Token, time.Minute); fax.ProblemOf(err) != fax.Conflict {
			t.Errorf("a call that sends is taken: %v", err)
		}
		heard := fax.Result{Cause: fax.Busy, Code: fax.NoCode, Witnesses: fax.Testimony{Decided: fax.ByLink}}
		if _, _, err := a.Finish(t.Context(), c.Attempt.ID, heard, Outcome{State: fax.Retry}); err != nil {
			t.Errorf("what the first host heard does not count: %v", err)
		}
		if _, _, err := b.Take(t.Context(), c.Attempt.ID, c.Attempt.Token, time.Minute); err != ErrAlreadyEnded { //nolint:errorlint // the very one
			t.Errorf("an ended call is taken: %v", err)
		}
	})
}

// The latest word on a gateway stays, and a switch of the same name is another
// thing.
func TestRests(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		a, b := db.open(t, "a"), db.open(t, "b")
		at := now()
		early := Rest{Kind: RestedGateway, Name: "gw", Until: at.Add(time.Minute), Rests: 2, Misconfigured: true, Changed: at}
		late := Rest{Kind: RestedGateway, Name: "gw", Changed: at.Add(time.Second)}
		other := Rest{Kind: RestedSwitch, Name: "gw", Until: at.Add(time.Hour), Rests: 1, Changed: at}
		for _, one := range []Rest{early, late, early, other} {
			if err := a.SetRests(t.Context(), []Rest{one}); err != nil {
				t.Fatal(err)
			}
		}
		got, err := b.Rests(t.Context())
		if diff := cmp.Diff([]Rest{late, other}, got); diff != "" || err != nil {
			t.Error(diff, err)
		}
	})
}
