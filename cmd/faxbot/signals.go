package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// patience is how a person or a supervisor ends the program: a first SIGINT or
// SIGTERM ends drain, a second one, or the time after the first, ends stop.
type patience struct {
	drain, stop context.Context
	end         context.CancelFunc // ends both, and the listening
}

func listenForSignals(limit time.Duration, log *slog.Logger) patience {
	drain, beginDrain := context.WithCancel(context.Background())
	stop, beginStop := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		defer signal.Stop(signals)
		defer beginStop()
		select {
		case s := <-signals:
			log.Info("ending: calls may finish; a second signal hangs them up", "signal", s.String(), "limit", limit)
		case <-drain.Done():
		}
		beginDrain()
		late := time.NewTimer(limit)
		defer late.Stop()
		select {
		case s := <-signals:
			log.Warn("a second signal: calls are hung up", "signal", s.String())
		case <-late.C:
			log.Warn("the time to finish is over: calls are hung up", "limit", limit)
		case <-stop.Done():
		}
	}()
	return patience{drain: drain, stop: stop, end: func() {
		beginDrain()
		beginStop()
		<-gone
	}}
}
