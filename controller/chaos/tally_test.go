package chaos_test

import (
	"fmt"
	"strings"
	"sync"
)

// deed is what was done to a fleet, or what its daemons did about it.
type deed string

const (
	hostsKilled     deed = "hosts killed (SIGKILL)"
	hostsStopped    deed = "hosts standing still (SIGSTOP)"
	hostsEnded      deed = "hosts told to end (SIGTERM)"
	switchesKilled  deed = "switches killed"
	switchesStopped deed = "switches standing still"
	postgresKilled  deed = "PostgreSQL killed, all of it"
	backendsKilled  deed = "PostgreSQL killed, one process"
	postgresStopped deed = "PostgreSQL standing still"
	bucketKilled    deed = "S3 killed"
	bucketStopped   deed = "S3 standing still"
	bucketFailed    deed = "S3 answering with errors"
	wiresCut        deed = "connections broken"
	wiresShut       deed = "connections refused"
	wiresHeld       deed = "connections silent"

	adopted   deed = "calls of silent hosts adopted"
	robbed    deed = "of these, of hosts that had not been silent"
	connected deed = "calls that connected to another host"
	released  deed = "calls let go, since another host has them"
	takenUp   deed = "calls taken up by a host's next life"
	attached  deed = "calls found alive, and waited for"
	kept      deed = "results kept in a journal"
	replayed  deed = "results stored by a host's next life"
	stale     deed = "results in a journal that others had found out"
	second    deed = "second results of a call, refused"
	restarted deed = "restarts of switches that hosts noticed"
	unknown   deed = "calls whose end nobody could know"
)

// deeds are all, in the order of the table.
var deeds = []deed{
	hostsKilled, hostsStopped, hostsEnded, switchesKilled, switchesStopped, postgresKilled, backendsKilled, postgresStopped,
	bucketKilled, bucketStopped, bucketFailed, wiresCut, wiresShut, wiresHeld,
	adopted, robbed, connected, released, takenUp, attached, kept, replayed, stale, second, restarted, unknown,
}

// by is what a daemon says when it has done so.
var by = map[string]deed{
	"taking over a call of a host that is silent":                                              adopted,
	"a call of another host connected here":                                                    connected,
	"another host looks after this call now":                                                   released,
	"taking up a call of the last run":                                                         takenUp,
	"the call is still up; its end is awaited":                                                 attached,
	"the database takes no result; it is kept in the journal until it does":                    kept,
	"storing a result that the database could not take in the last run":                        replayed,
	"a result in the journal is of no use: the call has ended, or is unknown to this database": stale,
	"this call had a result already; the first stands":                                         second,
	"a switch was started anew; its calls are judged by what it has recorded":                  restarted,
}

// tally counts deeds, so that a run in which nothing happened is no success.
type tally struct {
	mu     sync.Mutex
	counts map[deed]int
}

func newTally() *tally { return &tally{counts: map[deed]int{}} }

func (t *tally) add(d deed) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts[d]++
}

// said counts what a daemon has said.
func (t *tally) said(message string) {
	if d, counts := by[message]; counts {
		t.add(d)
	}
}

func (t *tally) count(d deed) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.counts[d]
}

// missing are those that never happened, though they must in a long run. A host
// is robbed of its calls only when this machine is too slow, and that a journal
// is stale is as good as that it is not.
func (t *tally) missing() (list []deed) {
	for _, d := range deeds {
		if t.count(d) == 0 && d != robbed && d != stale {
			list = append(list, d)
		}
	}
	return list
}

// String is a table in Markdown.
func (t *tally) String() string {
	var b strings.Builder
	b.WriteString("| What happened | Times |\n|---|---:|\n")
	for _, d := range deeds {
		fmt.Fprintf(&b, "| %s | %d |\n", d, t.count(d))
	}
	return b.String()
}
