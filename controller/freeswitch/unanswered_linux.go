package freeswitch

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// unanswered bounds how long what we have sent may stay unacknowledged, and a
// peer silent that TCP asks whether it lives (tcp(7), TCP_USER_TIMEOUT). Without
// it a link whose peer vanished, with no word and no RST, stands for a quarter of
// an hour.
func unanswered(limit time.Duration) func(network, address string, raw syscall.RawConn) error {
	return func(_, _ string, raw syscall.RawConn) error {
		var err error
		if e := raw.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(limit.Milliseconds()))
		}); e != nil {
			return e
		}
		return err
	}
}
