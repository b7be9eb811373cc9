package simulator

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// obey carries one command out (mod_event_socket.c, parse_command, in its
// order) and says whether the connection goes on.
func (l *link) obey(m *message) bool {
	cmd := m.command
	verb, rest, _ := strings.Cut(cmd, " ")
	rest = strings.TrimLeft(rest, " ")
	switch verb = strings.ToLower(verb); {
	case verb == "exit" || verb == "...":
		l.reply("+OK bye")
		return false
	case verb == "filter":
		l.reply(l.filter(rest))
	case verb == "resume" && l.call != nil:
		l.reply("+OK")
	case verb == "connect" && l.call != nil:
		l.call.connect(l)
	case verb == "getvar" && l.call != nil:
		l.reply(l.call.value(rest))
	case verb == "myevents" && (l.call != nil || rest != ""):
		l.reply(l.myevents(rest))
	case verb == "sendmsg":
		l.sendmsg(m, rest)
	case l.call != nil && !l.full:
		l.reply("-ERR command not found")
	case verb == "api" && rest != "":
		l.api(rest)
	case verb == "bgapi" && rest != "":
		l.bgapi(m, rest)
	case verb == "linger" || verb == "nolinger":
		l.reply(l.setLinger(verb == "linger", rest))
	case verb == "event":
		l.reply(l.subscribe(rest))
	case verb == "nixevent":
		l.reply(l.unsubscribe(rest))
	case verb == "noevents":
		l.mu.Lock()
		was := l.listening
		l.listening, l.all, l.names, l.classes = false, false, nil, nil
		l.mu.Unlock()
		l.settle()
		l.reply(choose(was, "+OK no longer listening for events", "-ERR not listening for events"))
	case verb == "log":
		l.reply("+OK log level " + rest + " [7]")
	case verb == "nolog":
		l.reply("+OK no longer logging")
	default:
		l.reply("-ERR command not found")
	}
	return true
}

// settle decides anew whether events of other calls may concern this link.
func (l *link) settle() {
	l.mu.Lock()
	wide := !l.ownOnly() && l.listening
	l.mu.Unlock()
	l.sw.widen(l, wide)
}

func (l *link) filter(rest string) string {
	name, value, _ := strings.Cut(rest, " ")
	l.mu.Lock()
	defer func() { l.mu.Unlock(); l.settle() }()
	switch {
	case strings.EqualFold(name, "delete") && value != "":
		name, value, _ = strings.Cut(value, " ")
		l.filters = slices.DeleteFunc(l.filters, func(f filter) bool {
			return strings.EqualFold(name, "all") || strings.EqualFold(f.name, name) && (value == "" || f.value == value)
		})
		return fmt.Sprintf("+OK filter deleted. [%s][%s]", name, value)
	case value == "":
		return "-ERR invalid syntax"
	case strings.EqualFold(name, "add"):
		name, value, _ = strings.Cut(value, " ")
	}
	l.filters = append(l.filters, filter{name, value})
	return fmt.Sprintf("+OK filter added. [%s]=[%s]", name, value)
}

// channelEvents are what myevents subscribes to: no CUSTOM events.
const channelEvents = "CHANNEL_ANSWER CHANNEL_APPLICATION CHANNEL_BRIDGE CHANNEL_CREATE CHANNEL_DATA " +
	"CHANNEL_DESTROY CHANNEL_EXECUTE CHANNEL_EXECUTE_COMPLETE CHANNEL_HANGUP CHANNEL_HANGUP_COMPLETE " +
	"CHANNEL_ORIGINATE CHANNEL_UUID CHANNEL_OUTGOING CHANNEL_PARK CHANNEL_PROGRESS " +
	"CHANNEL_PROGRESS_MEDIA CHANNEL_STATE CHANNEL_UNBRIDGE CHANNEL_UNPARK DETECTED_SPEECH DTMF NOTALK TALK"

func (l *link) myevents(rest string) string {
	mine := l.call
	if mine == nil {
		uuid, _, _ := strings.Cut(rest, " ")
		if mine = l.sw.find(uuid); mine == nil {
			return "-ERR invalid uuid"
		}
	}
	l.mu.Lock()
	defer func() { l.mu.Unlock(); l.settle() }()
	if l.mine != nil {
		return "-ERR aready enabled."
	}
	l.mine, l.listening = mine, true
	l.names = append(l.names, strings.Fields(channelEvents)...)
	return "+OK Events Enabled"
}

func (l *link) sendmsg(m *message, uuid string) {
	if uuid == "" {
		uuid = m.get("session-id")
	}
	target := l.call
	if uuid != "" && (target == nil || uuid != target.uuid) {
		target = l.sw.find(uuid)
	}
	switch {
	case target == nil:
		l.reply("-ERR invalid session id [" + uuid + "]")
	case target == l.call && !l.async && !truthy(m.get("async")):
		// The listener is the call itself: it says nothing until it is done.
		l.hold(true)
		done := make(chan struct{})
		target.send(request{message: m, done: func() {
			l.reply("+OK")
			l.hold(false)
			close(done)
		}})
		select {
		case <-done:
		case <-target.gone:
		}
	case len(target.requests) == cap(target.requests):
		l.reply("-ERR memory error")
	default: // said first: what is asked for may end this connection
		l.reply("+OK")
		target.send(request{message: m})
	}
}

func (l *link) setLinger(on bool, rest string) string {
	if l.call == nil {
		return "-ERR not controlling a session"
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.linger = on
	if !on {
		return "+OK will not linger"
	}
	if rest == "" {
		l.lingering = -1
		return "+OK will linger"
	}
	seconds, _ := strconv.Atoi(rest)
	l.lingering = time.Duration(seconds) * time.Second
	return fmt.Sprintf("+OK will linger %d seconds", seconds)
}

// subscribe reads "plain NAME… CUSTOM subclass…". Names that FreeSWITCH does
// not know are passed over, as there.
func (l *link) subscribe(rest string) string {
	words := strings.Fields(rest)
	if len(words) > 0 {
		switch strings.ToLower(words[0]) {
		case "xml", "json":
			return "-ERR only plain is simulated"
		case "plain":
			words = words[1:]
		}
	}
	l.mu.Lock()
	defer func() { l.mu.Unlock(); l.settle() }()
	known, custom := 0, false
	for _, w := range words {
		switch up := strings.ToUpper(w); {
		case custom:
			l.classes = append(l.classes, w)
		case up == "ALL":
			l.all = true
			known++
		case isEvent(up):
			l.names = append(l.names, up)
			known++
			custom = up == "CUSTOM"
		}
	}
	if known == 0 {
		return "-ERR no keywords supplied"
	}
	l.listening = true
	return "+OK event listener enabled plain"
}

func (l *link) unsubscribe(rest string) string {
	l.mu.Lock()
	defer func() { l.mu.Unlock(); l.settle() }()
	known, custom := 0, false
	for _, w := range strings.Fields(rest) {
		switch up := strings.ToUpper(w); {
		case custom:
			l.classes = slices.DeleteFunc(l.classes, func(c string) bool { return c == w })
		case up == "ALL":
			l.all, l.names = false, nil
			known++
		case isEvent(up):
			known++
			if custom = up == "CUSTOM"; custom {
				break
			}
			if l.all {
				l.all, l.names = false, strings.Fields(eventNames)
			}
			l.names = slices.DeleteFunc(l.names, func(n string) bool { return n == up })
		}
	}
	if known == 0 {
		return "-ERR no keywords supplied"
	}
	return "+OK events nixed"
}

func isEvent(name string) bool {
	return name != "" && strings.Contains(" "+eventNames+" ", " "+name+" ")
}

// eventNames are the events FreeSWITCH knows by name (switch_event.c).
const eventNames = "CUSTOM CLONE CHANNEL_CREATE CHANNEL_DESTROY CHANNEL_STATE CHANNEL_CALLSTATE " +
	"CHANNEL_ANSWER CHANNEL_HANGUP CHANNEL_HANGUP_COMPLETE CHANNEL_EXECUTE CHANNEL_EXECUTE_COMPLETE " +
	"CHANNEL_HOLD CHANNEL_UNHOLD CHANNEL_BRIDGE CHANNEL_UNBRIDGE CHANNEL_PROGRESS " +
	"CHANNEL_PROGRESS_MEDIA CHANNEL_OUTGOING CHANNEL_PARK CHANNEL_UNPARK CHANNEL_APPLICATION " +
	"CHANNEL_ORIGINATE CHANNEL_UUID API LOG INBOUND_CHAN OUTBOUND_CHAN STARTUP SHUTDOWN PUBLISH " +
	"UNPUBLISH TALK NOTALK SESSION_CRASH MODULE_LOAD MODULE_UNLOAD DTMF MESSAGE PRESENCE_IN " +
	"NOTIFY_IN PRESENCE_OUT PRESENCE_PROBE MESSAGE_WAITING MESSAGE_QUERY ROSTER CODEC " +
	"BACKGROUND_JOB DETECTED_SPEECH DETECTED_TONE PRIVATE_COMMAND HEARTBEAT TRAP ADD_SCHEDULE " +
	"DEL_SCHEDULE EXE_SCHEDULE RE_SCHEDULE RELOADXML NOTIFY SEND_MESSAGE RECV_MESSAGE " +
	"REQUEST_PARAMS CHANNEL_DATA GENERAL COMMAND SESSION_HEARTBEAT CLIENT_DISCONNECTED " +
	"SERVER_DISCONNECTED SEND_INFO RECV_INFO RECV_RTCP_MESSAGE SEND_RTCP_MESSAGE CALL_SECURE NAT " +
	"RECORD_START RECORD_STOP PLAYBACK_START PLAYBACK_STOP CALL_UPDATE FAILURE SOCKET_DATA " +
	"MEDIA_BUG_START MEDIA_BUG_STOP CONFERENCE_DATA_QUERY CONFERENCE_DATA CALL_SETUP_REQ " +
	"CALL_SETUP_RESULT CALL_DETAIL DEVICE_STATE TEXT SHUTDOWN_REQUESTED"
