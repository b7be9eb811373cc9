package freeswitch_test

import (
	"context"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"faxbot/controller/freeswitch"
	"faxbot/controller/freeswitch/simulator"
	"faxbot/controller/logtest"
	"faxbot/events"
)

// One daemon may have many switches: each link speaks with its own and hears of
// its calls alone.
func TestManyLinks(t *testing.T) {
	t.Parallel()
	metrics := freeswitch.NewMetrics(prometheus.NewRegistry())
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	cores := map[string]bool{}
	for _, name := range []string{"first", "second"} {
		sim := simulator.RunT(t, simulator.Config{})
		up, heard := make(chan string, 1), make(chan events.Event, 10)
		link := freeswitch.NewLink(freeswitch.LinkConfig{
			Name: name, Address: sim.Addr(), Password: "ClueCon", Logger: logtest.Logger(t, "ClueCon"), Metrics: metrics,
		}, func(ev events.Event) { heard <- ev }, func(found freeswitch.Meeting) { up <- found.Core })
		running.Go(func() { _ = link.Run(ctx) })
		cores[<-up] = true
		id := uuid.NewString()
		if err := link.Originate(id, "originate {origination_uuid="+id+"}sofia/gateway/carrier/1555991017 &park"); err != nil {
			t.Fatal(err)
		}
		for ended := false; !ended; {
			ev := <-heard
			if ev.Call() != id {
				t.Errorf("%s heard of %q", name, ev.Call())
			}
			_, ended = ev.(*events.OriginateEnded)
		}
	}
	if len(cores) != 2 {
		t.Errorf("two switches, but %d processes: %v", len(cores), cores)
	}
}
