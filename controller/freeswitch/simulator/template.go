package simulator

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"
)

//go:embed templates/variables.txt
var variablesText string

//go:embed templates/events.txt
var eventsText string

// kind is one event the switch can fire.
type kind uint8

const (
	channelData kind = iota
	channelPark
	channelExecute
	faxNegotiated
	faxPage
	channelHangup
	faxResult
	executeComplete
	channelUnpark
	stateHangup
	stateReporting
	hangupComplete
	backgroundJob
	heartbeat
	kinds
)

// about is what the sockets need to know of a kind: the name subscribed to,
// the subclass of a CUSTOM event, the section of events.txt.
var about = [kinds]struct{ name, subclass, section string }{
	channelData:     {"CHANNEL_DATA", "", "CHANNEL_DATA"},
	channelPark:     {"CHANNEL_PARK", "", "CHANNEL_PARK"},
	channelExecute:  {"CHANNEL_EXECUTE", "", "CHANNEL_EXECUTE"},
	faxNegotiated:   {"CUSTOM", "spandsp::txfaxnegociateresult", "CUSTOM spandsp::txfaxnegociateresult"},
	faxPage:         {"CUSTOM", "spandsp::txfaxpageresult", "CUSTOM spandsp::txfaxpageresult"},
	channelHangup:   {"CHANNEL_HANGUP", "", "CHANNEL_HANGUP"},
	faxResult:       {"CUSTOM", "spandsp::txfaxresult", "CUSTOM spandsp::txfaxresult"},
	executeComplete: {"CHANNEL_EXECUTE_COMPLETE", "", "CHANNEL_EXECUTE_COMPLETE"},
	channelUnpark:   {"CHANNEL_UNPARK", "", "CHANNEL_UNPARK"},
	stateHangup:     {"CHANNEL_STATE", "", "CHANNEL_STATE CS_HANGUP"},
	stateReporting:  {"CHANNEL_STATE", "", "CHANNEL_STATE CS_REPORTING"},
	hangupComplete:  {"CHANNEL_HANGUP_COMPLETE", "", "CHANNEL_HANGUP_COMPLETE"},
	backgroundJob:   {"BACKGROUND_JOB", "", "BACKGROUND_JOB"},
	heartbeat:       {"HEARTBEAT", "", "HEARTBEAT"},
}

// step is one step in the life of a channel: a section of variables.txt.
type step byte

// piece is literal text followed by a slot, if any.
type piece struct {
	text string
	slot slot
}

type template []piece

// line is one line of a section of a template file.
type line struct {
	conditions []condition
	text       string // without conditions
}

type condition struct {
	step string
	not  bool
}

// library holds the parsed template files and the templates compiled from
// them. Channels with the same history share a template, so that a call keeps
// only the few values that are its own.
type library struct {
	steps  map[string][]line
	events map[string][]line
	names  []string // of steps; a step is an index into it
	slots  map[string]slot

	mu       sync.RWMutex
	compiled [kinds]map[string]template
}

func newLibrary() *library {
	l := &library{
		steps:  parseSections(variablesText),
		events: parseSections(eventsText),
		slots:  make(map[string]slot, slots),
	}
	for name := range l.steps {
		l.names = append(l.names, name)
	}
	slices.Sort(l.names)
	for s, name := range slotNames {
		l.slots[name] = slot(s)
	}
	for k := range l.compiled {
		l.compiled[k] = make(map[string]template)
	}
	return l
}

// step looks a step up by its name in variables.txt.
func (l *library) step(name string) step {
	i, ok := slices.BinarySearch(l.names, name)
	if !ok {
		panic("simulator: variables.txt has no step " + name)
	}
	return step(i)
}

// template returns the template of an event for a channel with that history
// (nil for events without a channel).
func (l *library) template(k kind, history []byte) template {
	l.mu.RLock()
	t, ok := l.compiled[k][string(history)]
	l.mu.RUnlock()
	if ok {
		return t
	}
	t = l.compile(k, history)
	l.mu.Lock()
	l.compiled[k][string(history)] = t
	l.mu.Unlock()
	return t
}

func (l *library) compile(k kind, history []byte) template {
	var b strings.Builder
	section := about[k].section
	for _, text := range l.expand(l.events, section, l.went(history)) {
		if text == "{variables}" {
			for _, v := range l.variables(history) {
				b.WriteString(v.text)
			}
			continue
		}
		b.WriteString(text + "\n")
	}
	text := b.String()
	if k == backgroundJob { // its body has its own length and its own end
		text = strings.TrimSuffix(text, "\n")
	} else {
		text += "\n"
	}
	return l.cut(text)
}

// variable is one channel variable: its name and its template text.
type variable struct{ name, text string }

// variables sums the steps of a history up, in the order in which FreeSWITCH
// would hold them.
func (l *library) variables(history []byte) []variable {
	went := l.went(history)
	var sum []variable
	for _, s := range history {
		for _, text := range l.expand(l.steps, l.names[s], went) {
			name, _, _ := strings.Cut(text, ": ")
			unset := strings.HasPrefix(name, "-")
			name = strings.TrimPrefix(name, "-")
			sum = slices.DeleteFunc(sum, func(v variable) bool { return v.name == name })
			switch {
			case unset:
			case strings.HasPrefix(text, "{"): // a slot that writes whole lines
				sum = append(sum, variable{name, text})
			default:
				sum = append(sum, variable{name, "variable_" + text + "\n"})
			}
		}
	}
	return sum
}

func (l *library) went(history []byte) map[string]bool {
	went := make(map[string]bool, len(history))
	for _, s := range history {
		went[l.names[s]] = true
	}
	return went
}

// expand lists the lines of a section that hold for a channel, includes
// resolved.
func (l *library) expand(from map[string][]line, section string, went map[string]bool) []string {
	lines, ok := from[section]
	if !ok {
		panic("simulator: no template section " + section)
	}
	var out []string
next:
	for _, ln := range lines {
		for _, c := range ln.conditions {
			if went[c.step] == c.not {
				continue next
			}
		}
		if strings.HasPrefix(ln.text, "@") {
			name := ln.text
			if _, part := from[name]; !part {
				name = strings.TrimPrefix(name, "@")
			}
			out = append(out, l.expand(from, name, went)...)
			continue
		}
		out = append(out, ln.text)
	}
	return out
}

// cut turns text with {slots} into pieces.
func (l *library) cut(text string) template {
	var t template
	for text != "" {
		open := strings.IndexByte(text, '{')
		if open < 0 {
			return append(t, piece{text: text, slot: noSlot})
		}
		end := open + strings.IndexByte(text[open:], '}')
		s, ok := l.slots[text[open+1:end]]
		if !ok {
			panic("simulator: unknown slot " + text[open:end+1])
		}
		t = append(t, piece{text: text[:open], slot: s})
		text = text[end+1:]
	}
	return t
}

// parseSections reads "== name" sections of lines; "# " starts a comment.
func parseSections(text string) map[string][]line {
	sections := make(map[string][]line)
	var name string
	for _, raw := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		switch {
		case strings.HasPrefix(raw, "== "):
			name = strings.TrimPrefix(raw, "== ")
			sections[name] = nil
		case strings.HasPrefix(raw, "#") || name == "":
		default:
			ln := line{text: raw}
			for strings.HasPrefix(ln.text, "?") {
				word, rest, ok := strings.Cut(ln.text[1:], " ")
				if !ok {
					panic(fmt.Sprintf("simulator: bad template line %q", raw))
				}
				ln.conditions = append(ln.conditions, condition{strings.TrimPrefix(word, "!"), strings.HasPrefix(word, "!")})
				ln.text = rest
			}
			sections[name] = append(sections[name], ln)
		}
	}
	for name, lines := range sections { // blank lines between sections
		for len(lines) > 0 && lines[len(lines)-1].text == "" {
			lines = lines[:len(lines)-1]
		}
		sections[name] = lines
	}
	return sections
}
