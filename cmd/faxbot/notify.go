package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"time"
)

// supervisor tells systemd how we are (sd_notify(3)); without NOTIFY_SOCKET it
// tells nobody.
type supervisor struct {
	socket string
	log    *slog.Logger
}

// say sends one state, such as "READY=1".
func (s supervisor) say(state string) {
	if s.socket == "" {
		return
	}
	conn, err := net.Dial("unixgram", s.socket)
	if err == nil {
		defer conn.Close()
		_, err = conn.Write([]byte(state))
	}
	if err != nil {
		s.log.Warn("systemd could not be told", "state", state, "error", err)
	}
}

// stopping asks for as long as calls may take to finish: systemd's own patience
// is usually shorter.
func (s supervisor) stopping(patience time.Duration) {
	s.say(fmt.Sprintf("STOPPING=1\nEXTEND_TIMEOUT_USEC=%d", patience.Microseconds()))
}

// watchdog reports life twice per WatchdogSec=, each time alive has returned,
// until the function that it returns is called.
func (s supervisor) watchdog(alive func(context.Context)) (end func()) {
	usec, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64)
	pid := os.Getenv("WATCHDOG_PID")
	if err != nil || usec <= 0 || s.socket == "" || pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		tick := time.NewTicker(time.Duration(usec) * time.Microsecond / 2)
		defer tick.Stop()
		for {
			alive(ctx)
			s.say("WATCHDOG=1")
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}()
	return func() {
		cancel()
		<-gone
	}
}
