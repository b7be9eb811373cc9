package simulator

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// version is what follows the number of the release.
const version = "-release+git~20260526T204126Z~c2c59645f6~64bit"

// api runs a command while the connection waits.
func (l *link) api(text string) {
	body := l.sw.apiCommand(text)
	if body == "" {
		body = "-ERR no reply\n"
	}
	l.write([]byte("Content-Type: api/response\nContent-Length: " + strconv.Itoa(len(body)) + "\n\n" + body))
}

// bgapi answers at once; the outcome is a BACKGROUND_JOB.
func (l *link) bgapi(m *message, text string) {
	id := m.get("job-uuid")
	if id == "" {
		id = l.sw.newUUID()
	}
	l.reply("+OK Job-UUID: " + id + "\nJob-UUID: " + id)
	name, arg, _ := strings.Cut(text, " ")
	life := l.sw.now()
	finished := func(body string) {
		if life.over.Err() != nil {
			return // nobody of that process is left to tell
		}
		l.sw.fire(backgroundJob, facts{job: &job{id, name, arg, body}})
	}
	if name == "originate" { // has a goroutine of its own
		l.sw.originate(arg, finished)
		return
	}
	finished(l.sw.apiCommand(text))
}

// apiCommand answers a command in the words of FreeSWITCH.
func (s *Switch) apiCommand(text string) string {
	name, arg, _ := strings.Cut(text, " ")
	arg = strings.TrimLeft(arg, " ")
	first, rest, _ := strings.Cut(arg, " ")
	if module, elsewhere := provider[name]; elsewhere && !s.has(module) {
		return "-ERR " + name + " Command not found!\n"
	}
	switch name {
	case "originate":
		done := make(chan string, 1)
		s.originate(arg, func(body string) { done <- body })
		return <-done
	case "uuid_exists":
		return strconv.FormatBool(s.find(arg) != nil)
	case "uuid_kill":
		return s.onCall(first, func(c *call) string {
			c.hangup(causeByName(choose(rest == "", "NORMAL_CLEARING", rest)), false)
			return "+OK\n"
		})
	case "uuid_setvar":
		argv := separate(arg, ' ', 3)
		if len(argv) < 2 {
			return "-USAGE: <uuid> <var> [value]\n"
		}
		return s.onCall(argv[0], func(c *call) string {
			c.set(argv[1], strings.Join(argv[2:], ""))
			return "+OK\n"
		})
	case "uuid_setvar_multi":
		return s.onCall(first, func(c *call) string {
			for _, pair := range separate(rest, ';', 64) {
				name, value, _ := strings.Cut(pair, "=")
				c.set(name, value)
			}
			return "+OK\n"
		})
	case "uuid_getvar":
		return s.onCall(first, func(c *call) string {
			v := c.value(rest)
			return choose(v == "", "_undef_", v)
		})
	case "db":
		return s.memory.db(arg)
	case "global_getvar":
		return map[string]string{"hostname": "fs1", "core_uuid": s.core(), "local_ip_v4": "192.0.2.2"}[arg]
	case "module_exists":
		return strconv.FormatBool(s.has(arg))
	case "file_exists":
		return s.fileExists(arg)
	case "http_get":
		return s.cache.get(s.now().over, arg, s.newUUID())
	case "curl":
		return s.curl(arg)
	case "strmicroepoch":
		return strconv.FormatInt(s.clock().UnixMicro(), 10)
	case "status":
		return s.status()
	case "uptime":
		return strconv.Itoa(int(s.up(time.Now()).Seconds()))
	case "version":
		if strings.Contains(arg, "short") {
			return s.release() + "\n"
		}
		return "FreeSWITCH Version " + s.release() + version + " (" + strings.ReplaceAll(version, "~64bit", " 64bit") + ")\n"
	case "show":
		return s.show(arg)
	case "sofia":
		return s.sofia(strings.Fields(arg))
	case "hupall":
		return s.hupall(first, rest)
	case "fsctl":
		return s.control(arg)
	}
	return "-ERR " + name + " Command not found!\n"
}

func (s *Switch) onCall(uuid string, do func(*call) string) string {
	if c := s.find(uuid); c != nil {
		return do(c)
	}
	return "-ERR No such channel!\n"
}

func (s *Switch) status() string {
	return fmt.Sprintf("UP %s\nFreeSWITCH (Version %s) is ready\n%d session(s) since startup\n"+
		"%d session(s) - peak 0, last 5min 0 \n0 session(s) per Sec out of max 30, peak 0, last 5min 0 \n"+
		"1000 session(s) max\nmin idle cpu 0.00/97.50\nCurrent Stack Size/Max 240K/8192K\n",
		s.upTime(time.Now()), s.release()+" -release git c2c5964 2026-05-26 20:41:26Z 64bit", s.sessions.Load(), s.Calls())
}

func (s *Switch) show(what string) string {
	all := s.snapshot()
	if strings.HasSuffix(what, " count") {
		return fmt.Sprintf("\n%d total.\n", len(all))
	}
	if len(all) == 0 {
		return "\n0 total.\n"
	}
	var b strings.Builder
	b.WriteString("uuid,direction,created,created_epoch,name,state,cid_name,cid_num,dest\n")
	for _, c := range all {
		fmt.Fprintf(&b, "%s,outbound,%s,%d,sofia/tx/%s,CS_EXECUTE,%s,%s,%s\n", c.uuid,
			c.created.Format("2006-01-02 15:04:05"), c.created.Unix(), c.number, c.number, c.caller, c.number)
	}
	fmt.Fprintf(&b, "\n%d total.\n", len(all))
	return b.String()
}

// hupall hangs up every channel, or those with a variable of that value.
func (s *Switch) hupall(cause, match string) string {
	c := causeByName(choose(cause == "", "MANAGER_REQUEST", cause))
	name, value, _ := strings.Cut(match, " ")
	for _, call := range s.snapshot() {
		if name == "" || call.value(name) == value {
			call.hangup(c, false)
		}
	}
	if name == "" {
		return "+OK hangup all channels with cause " + c.name + "\n"
	}
	return fmt.Sprintf("+OK hangup all channels matching [%s]=[%s] with cause: %s\n", name, value, c.name)
}

// control is fsctl. "crash" and "shutdown" restart the switch without its
// memory: the process is gone, and its supervisor starts another.
func (s *Switch) control(arg string) string {
	verb, _, _ := strings.Cut(arg, " ")
	switch verb {
	case "hupall":
		return s.hupall("", "")
	case "crash", "shutdown":
		s.Restart(false)
	case "pause", "resume", "sps", "loglevel", "max_sessions", "sync_clock", "reclaim_mem":
	default:
		return "-ERR Invalid command\n"
	}
	return "+OK\n"
}

// sofia answers about gateways.
func (s *Switch) sofia(words []string) string {
	for len(words) < 3 {
		words = append(words, "")
	}
	xml := words[0] == "xmlstatus"
	switch {
	case words[0] != "status" && !xml:
		return "-ERR Unknown command!\n"
	case words[1] == "gateway" && words[2] != "":
		return s.gatewayStatus(words[2], xml)
	case words[1] != "gateway":
		return "profile tx RUNNING\n"
	}
	all := append(slices.Clone(s.config.Gateways), s.config.GatewaysDown...)
	var b strings.Builder
	for _, g := range all {
		if xml {
			b.WriteString(s.gatewayXML(g))
		} else {
			state, _ := s.registration(g)
			fmt.Fprintf(&b, "%25s\t%32s\t%s\t%6.2f\t0/0\t0/0\n", "tx::"+g, "sip:"+g+"@127.0.0.1", state, 0.0)
		}
	}
	if xml {
		return xmlHeader + "<gateways>\n" + b.String() + "</gateways>\n"
	}
	return fmt.Sprintf("%25s\t%32s\tState\tPing Time\tIB Calls(F/T)\tOB Calls(F/T)\n%s\n%s%s\n%d gateways: Inbound(Failed/Total): 0/0,Outbound(Failed/Total):0/0\n",
		"Profile::Gateway-Name", "    Data    ", rule, b.String(), rule, len(all))
}

const (
	rule      = "================================================================================================="
	xmlHeader = "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n"
)

func (s *Switch) gatewayStatus(name string, xml bool) string {
	down := slices.Contains(s.config.GatewaysDown, name)
	if s.config.Gateways != nil && !down && !slices.Contains(s.config.Gateways, name) {
		return "Invalid Gateway!\n"
	}
	state, status := s.registration(name)
	if xml {
		return xmlHeader + s.gatewayXML(name)
	}
	return fmt.Sprintf("%[1]s\nName    \t%[2]s\nProfile \ttx\nScheme  \tDigest\nRealm   \t127.0.0.1\nUsername\tx\n"+
		"Password\tno\nFrom    \t<sip:x@127.0.0.1:5070>\nContact \t<sip:gw+%[2]s@127.0.0.1:5060;transport=udp;gw=%[2]s>\n"+
		"Exten   \tx\nTo      \tsip:x@127.0.0.1:5070\nProxy   \tsip:127.0.0.1:5070\nContext \tdefault\n"+
		"Expires \t3600\nFreq    \t3600\nPing    \t0\nPingFreq\t0\nPingTime\t0.00\nPingState\t0/0/0\n"+
		"State   \t%[5]s\nStatus  \t%[3]s\nUptime  \t%[4]ds\nCallsIN \t0\nCallsOUT\t0\nFailedCallsIN\t0\nFailedCallsOUT\t0\n%[1]s\n",
		rule, name, status, choose(status == "UP", int(s.up(time.Now()).Seconds()), 0), state)
}

// gatewayXML is what mod_sofia.c, xml_gateway_status, prints: addresses in "to"
// and "proxy" are not escaped there either.
func (s *Switch) gatewayXML(name string) string {
	state, status := s.registration(name)
	up := choose(status == "UP", s.up(time.Now()).Microseconds(), 0)
	text := fmt.Sprintf("  <gateway>\n    <name>%[1]s</name>\n    <profile>tx</profile>\n    <scheme>Digest</scheme>\n    <realm>127.0.0.1</realm>\n"+
		"    <username>x</username>\n    <password>no</password>\n    <from>&lt;sip:x@127.0.0.1:5070&gt;</from>\n"+
		"    <contact>&lt;sip:gw+%[1]s@127.0.0.1:5060;transport=udp;gw=%[1]s&gt;</contact>\n    <exten>x</exten>\n    <to>sip:x@127.0.0.1:5070</to>\n"+
		"    <proxy>sip:127.0.0.1:5070</proxy>\n    <context>default</context>\n    <expires>3600</expires>\n    <freq>3600</freq>\n    <ping>0</ping>\n"+
		"    <pingfreq>0</pingfreq>\n    <pingmin>0</pingmin>\n    <pingcount>0</pingcount>\n    <pingmax>0</pingmax>\n    <pingtime>0.00</pingtime>\n"+
		"    <pinging>0</pinging>\n    <state>%[2]s</state>\n    <status>%[3]s</status>\n    <uptime-usec>%[4]d</uptime-usec>\n    <calls-in>0</calls-in>\n"+
		"    <calls-out>0</calls-out>\n    <failed-calls-in>0</failed-calls-in>\n    <failed-calls-out>0</failed-calls-out>\n", name, state, status, up)
	if slices.Contains([]string{"FAILED", "FAIL_WAIT", "TRYING"}, state) {
		text += "    <retry>30s</retry>\n"
	}
	return text + "  </gateway>\n"
}
