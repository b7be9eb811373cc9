// Command cockroach tells which statements of a PostgreSQL server's log
// CockroachDB's own parser refuses: make cockroach. The log is one of
// log_statement = all without a prefix. That a statement can be parsed does not say
// that all it uses exists there; see contrib/scaling.md.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/cockroachdb/cockroachdb-parser/pkg/sql/parser"
)

// known are the beginnings of what it refuses: news of other hosts, without which
// they are found by looking, and what only a test asks for.
var known = []string{"LISTEN ", "DO "}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return errors.New("usage: cockroach LOG")
	}
	f, err := os.Open(args[0])
	if err != nil {
		return err
	}
	defer f.Close()
	list, err := statements(f)
	if err != nil {
		return err
	}
	refused, unknown := 0, 0
	for _, text := range list {
		err := parse(text)
		if err == nil {
			continue
		}
		refused++
		if !slices.ContainsFunc(known, func(begin string) bool { return strings.HasPrefix(text, begin) }) {
			unknown++
		}
		fmt.Printf("%s\n    %.300s\n", err, strings.Join(strings.Fields(text), " "))
	}
	fmt.Printf("%d different statements, %d refused\n", len(list), refused)
	if unknown > 0 || len(list) < 100 {
		return fmt.Errorf("%d of %d are refused that were not before", unknown, len(list))
	}
	return nil
}

// parse also survives what the parser, taken out of its database, does not.
func parse(text string) (err error) {
	defer func() {
		if why := recover(); why != nil {
			err = errors.New("the parser broke down")
		}
	}()
	_, err = parser.Parse(text)
	return err
}

var (
	begins = regexp.MustCompile(`^LOG:  (?:statement|execute [^:]*): (.*)$`)
	values = regexp.MustCompile(`'(?:[^']|'')*'|"[^"]*"|\b\d+\b`)
	many   = regexp.MustCompile(`\(\$\d+(?:, \$\d+)+\)`)
)

// statements returns one of each kind, sorted; kinds differ in more than values.
func statements(from io.Reader) ([]string, error) {
	kinds := map[string]string{}
	var text strings.Builder
	end := func() {
		if s := text.String(); s != "" {
			kinds[many.ReplaceAllString(values.ReplaceAllString(s, "?"), "(?)")] = s
		}
		text.Reset()
	}
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		line := lines.Text()
		if m := begins.FindStringSubmatch(line); m != nil {
			end()
			text.WriteString(m[1])
		} else if more, is := strings.CutPrefix(line, "\t"); is && text.Len() > 0 {
			text.WriteString("\n" + more)
		} else {
			end()
		}
	}
	end()
	list := make([]string, 0, len(kinds))
	for _, s := range kinds {
		list = append(list, s)
	}
	slices.Sort(list)
	return list, lines.Err()
}
