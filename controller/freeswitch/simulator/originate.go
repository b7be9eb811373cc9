package simulator

import (
	"strconv"
	"strings"
	"time"
)

// setting is a channel variable that the switch was told.
type setting struct{ name, value string }

// order is a parsed originate command.
type order struct {
	vars    []setting
	gateway string // "" when dialled through a profile
	null    bool   // no line at all
	number  string
	app     application   // what runs after answer
	extn    []string      // or: extension, dialplan, context
	timeout time.Duration // how long it may ring
	err     string        // the hangup cause of a call that cannot be made
}

func (o *order) get(name string) string {
	for _, v := range o.vars {
		if v.name == name {
			return v.value
		}
	}
	return ""
}

// parseOriginate reads the arguments of originate as mod_commands does. ok is
// false when it would only print its usage.
func parseOriginate(args string) (o order, ok bool) {
	argv := separate(args, ' ', 10)
	if len(argv) < 2 || len(argv) > 7 {
		return o, false
	}
	leg, extn := argv[0], argv[1]
	o.timeout = 60 * time.Second
	if len(argv) == 7 {
		o.setTimeout(argv[6])
	}
	for leg != "" && (leg[0] == '{' || leg[0] == '<' || leg[0] == '[') {
		shut := map[byte]byte{'{': '}', '<': '>', '[': ']'}[leg[0]]
		end := matching(leg, leg[0], shut)
		if end < 0 {
			o.err = "DESTINATION_OUT_OF_ORDER"
			return o, true
		}
		o.add(leg[1:end])
		leg = strings.TrimLeft(leg[end+1:], " ")
	}
	if t := o.get("originate_timeout"); t != "" {
		o.setTimeout(t)
	}
	switch path := strings.SplitN(leg, "/", 4); {
	case path[0] == "null" && len(path) == 2: // mod_loopback.c: answers itself, and leads nowhere
		o.null, o.number = true, path[1]
	case path[0] != "sofia":
		o.err = "CHAN_NOT_IMPLEMENTED"
	case len(path) == 4 && path[1] == "gateway":
		o.gateway, o.number = path[2], path[3]
	case len(path) == 3:
		o.number, _, _ = strings.Cut(path[2], "@")
	default:
		o.err = "INVALID_URL"
	}
	if o.err == "" && o.number == "" {
		o.err = "INVALID_URL"
	}
	if len(extn) > 1 && extn[0] == '&' {
		name, _, _ := strings.Cut(extn[1:], ")")
		o.app.name, o.app.data, _ = strings.Cut(name, "(")
		return o, true
	}
	o.extn = []string{extn, "XML", "default"}
	for i, word := range argv[2:min(len(argv), 4)] {
		if !strings.EqualFold(word, "undef") {
			o.extn[1+i] = word
		}
	}
	return o, true
}

// setTimeout takes whole seconds, as atoi would; nonsense is no time at all.
func (o *order) setTimeout(seconds string) {
	n, _ := strconv.Atoi(seconds)
	o.timeout = time.Duration(max(n, 0)) * time.Second
}

// add reads a list of variables (switch_event_create_brackets): split at
// commas, ^^X for another separator, the last of equal names wins. Quotes are
// gone already, since originate split its arguments at spaces: within {} they
// protect spaces, and only a backslash protects a comma.
func (o *order) add(list string) {
	for _, pair := range separate(list, ',', 1024) {
		kv := separate(pair, '=', 2)
		if len(kv) != 2 {
			continue
		}
		o.vars = put(o.vars, kv[0], kv[1])
	}
}

// put sets a variable; it moves to the end, as in FreeSWITCH. An empty value
// removes it.
func put(vars []setting, name, value string) []setting {
	kept := make([]setting, 0, len(vars)+1)
	for _, v := range vars {
		if v.name != name {
			kept = append(kept, v)
		}
	}
	if value != "" {
		kept = append(kept, setting{name, value})
	}
	return kept
}
