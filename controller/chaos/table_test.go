package chaos_test

import (
	"fmt"
	"strings"
	"sync"
)

// table counts rounds and broken promises by fault.
type table struct {
	mu    sync.Mutex
	names []string // in their order
	rows  map[string]*row
}

type row struct {
	rounds int
	broken [unfit + 1]int // rounds in which it was
	why    string         // not run
}

func newTable() *table {
	t := &table{rows: map[string]*row{}}
	for _, f := range faults {
		t.row(f.name)
	}
	return t
}

func (t *table) row(name string) {
	t.names = append(t.names, name)
	t.rows[name] = &row{}
}

func (t *table) skip(f fault, why string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rows[f.name].why = why
}

func (t *table) add(f fault, problems []problem) {
	t.mu.Lock()
	defer t.mu.Unlock()
	row := t.rows[f.name]
	row.rounds++
	var seen [unfit + 1]bool
	for _, p := range problems {
		if !seen[p.kind] {
			seen[p.kind] = true
			row.broken[p.kind]++
		}
	}
}

// String is the table in Markdown.
func (t *table) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var b strings.Builder
	var sum row
	b.WriteString("| Fault | Rounds | Lost | Doubled | Wrong |\n|---|---:|---:|---:|---:|\n")
	for _, name := range t.names {
		row := t.rows[name]
		if row.why != "" && row.rounds == 0 {
			fmt.Fprintf(&b, "| %s | not run: %s | | | |\n", name, row.why)
			continue
		}
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %d |\n", name, row.rounds, row.broken[lost], row.broken[doubled], row.broken[wrong])
		sum.rounds += row.rounds
		for i, n := range row.broken {
			sum.broken[i] += n
		}
	}
	fmt.Fprintf(&b, "| **all** | **%d** | **%d** | **%d** | **%d** |\n", sum.rounds, sum.broken[lost], sum.broken[doubled], sum.broken[wrong])
	if n := sum.broken[unfit]; n > 0 {
		fmt.Fprintf(&b, "\n%d rounds could not be run as meant.\n", n)
	}
	return b.String()
}
