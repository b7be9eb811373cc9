package controller

import (
	"log/slog"
	"path/filepath"
	"testing"

	"faxbot/controller/fax"
	"faxbot/controller/freeswitch"
	"faxbot/controller/store"
	"faxbot/events"

	"github.com/prometheus/client_golang/prometheus"
)

// A connection is served if it names a live call, knows its token, and is the
// first to; whatever else it says.
func FuzzAdmit(f *testing.F) {
	const token = "5f4dcc3b5aa765d61d8327deb882cf99"
	const id = "6ba7b810-9dad-41d1-80b4-00c04fd430c8"
	f.Add(id, id, token)
	f.Add(id, id, "")
	f.Add(id, id, token[:31])
	f.Add(id, id, token+"0")
	f.Add("", id, token)
	f.Add(id, "", token)
	f.Add("", "", "")
	db, err := store.Open(f.Context(), "sqlite:///"+filepath.Join(f.TempDir(), "faxbot.db"), store.Options{Host: "test"})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { db.Close() })
	registry, log := prometheus.NewRegistry(), slog.New(slog.DiscardHandler)
	c := &Controller{
		config: Config{Link: freeswitch.LinkConfig{Logger: log, Metrics: freeswitch.NewMetrics(registry)}},
		life:   f.Context(), store: db, log: log, calls: map[fax.AttemptID]*call{},
	}
	c.metrics = newMetrics(registry, c)
	f.Fuzz(func(t *testing.T, uuid, attempt, said string) {
		k := c.newCall(fax.Job{ID: fax.NewJobID()}, fax.Attempt{ID: id, Token: token})
		c.calls[id] = k
		hello := &events.Connected{UUID: uuid, AttemptID: attempt, Token: said}
		admitted := c.Admit(&freeswitch.Call{}, hello) != nil
		if ours := uuid == id && attempt == id && said == token; admitted != ours {
			t.Fatalf("%+v: admitted is %v", hello, admitted)
		}
		if k.verdict.answered != admitted {
			t.Fatal("a stranger was believed")
		}
		if admitted && c.Admit(&freeswitch.Call{}, hello) != nil {
			t.Fatal("a second connection was admitted")
		}
	})
}
