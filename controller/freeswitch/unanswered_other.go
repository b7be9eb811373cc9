//go:build !linux

package freeswitch

import (
	"syscall"
	"time"
)

// unanswered has nothing to offer here; time-outs of commands and of heartbeats
// find the same out, later.
func unanswered(time.Duration) func(network, address string, raw syscall.RawConn) error { return nil }
