// Package freeswitch holds the connections to the switch.
//
// Two kinds of connection meet here (mod_event_socket.c):
//
//   - Link: we connect to the switch. One connection carries commands
//     (originate, uuid_exists …), another only events, so that neither waits
//     for the other.
//   - Listener and Call: the switch connects to us when a call is answered, and
//     the call is driven over that connection.
//
// Nothing a peer sends may stop, bloat or confuse the daemon. Every byte is
// read by frameReader, under Limits that hold from the first byte on, before
// anybody knows who is talking.
//
// The command connection is a go-eventsocket connection. That library ends the
// process on an unknown Content-Type and panics on short replies, so it never
// talks to the switch itself: a guard stands between, reads the switch's frames
// with our reader and passes on only what the library can digest (guard.go).
// Its server half is not used at all, for the same reason.
package freeswitch
