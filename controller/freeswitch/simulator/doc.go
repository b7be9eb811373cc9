// Package simulator is a FreeSWITCH as seen through its event sockets: the
// command link that a program opens, and the connection that a call makes to
// the program. Behind it are fax machines that take every page, or fail in any
// way a real one can; the number dialled decides (Numbers), or Script.
//
// It shares no code with the daemon, so that it can judge it. What it says is
// rendered from templates extracted from recordings of a real switch, and the
// tests perform every recording and compare kinds, order, headers, values and
// sizes. What was not recorded follows FreeSWITCH's source, named where it
// matters: mod_event_socket.c, mod_spandsp_fax.c, mod_commands.c, switch_utils.c.
//
// What differs from FreeSWITCH, on purpose or for want of need:
//   - only "plain" events; events that no recording shows (CHANNEL_CREATE,
//     CHANNEL_ANSWER, …) may be subscribed to and never come;
//   - CHANNEL_PARK is fired at "connect", before any subscription; on a real
//     switch it races with it;
//   - the receiving side has no channels of its own; receiving is not simulated;
//   - a variable of the switch's own cannot be overwritten with uuid_setvar, and
//     origination_caller_id_name changes no header;
//   - a call that goes through the dialplan (Load) keeps the number dialled as its
//     destination in the events; of commands
//     only url_encode can stand in ${…};
//   - bgapi over a call's connection does not name the call as the job's owner;
//   - a document's resolution and compression are not judged; a page that is
//     not 1728 pixels wide ends with code 12, one that is not bilevel with 43.
package simulator
