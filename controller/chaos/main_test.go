// Package chaos_test breaks everything that can break while faxes are sent, and
// then compares what the daemon says with what the switch wrote down: nothing
// may be lost, nothing sent twice, no status untrue.
//
//	make chaos                          312 rounds
//	make chaos ROUNDS=1000 SEED=7       more, or the same again
//	make chaos SEED=7 ROUND=41          one round of those
//	make chaos-fleet                    117 rounds with several hosts
package chaos_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"
)

// program is the Faxbot under test.
var program string

func TestMain(m *testing.M) {
	if os.Getenv(switchVariable) != "" {
		if err := beSwitch(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	dir, err := os.MkdirTemp("", "faxbot-chaos-")
	if err == nil {
		program, err = build(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(status int) {
		os.RemoveAll(dir)
		os.Exit(status)
	}))
}

// build makes a Faxbot in a folder.
func build(dir string, flags ...string) (string, error) {
	file := filepath.Join(dir, "faxbot")
	out, err := exec.Command("go", append(append([]string{"build", "-o", file}, flags...), "faxbot/cmd/faxbot")...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return file, nil
}

// setting reads a number from the environment.
func setting(t *testing.T, name string, otherwise uint64) uint64 {
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s=%q: give a number", name, text)
	}
	return n
}

// atOnce is how many rounds run at the same time: they mostly wait.
const atOnce = 16

func TestChaos(t *testing.T) {
	seed := setting(t, "FAXBOT_CHAOS_SEED", rand.Uint64N(1e9))
	rounds := int(setting(t, "FAXBOT_CHAOS_ROUNDS", uint64(len(faults))))
	only := int(setting(t, "FAXBOT_CHAOS_ROUND", 0))
	t.Logf("seed %d", seed)
	movable := ""
	if os.Getenv("FAXBOT_CHAOS_ROUNDS") != "" { // it compiles everything anew
		var err error
		if movable, err = build(t.TempDir(), movableClock(t)...); err != nil {
			t.Fatal(err)
		}
	}
	table := newTable()
	var g errgroup.Group
	g.SetLimit(atOnce)
	began := time.Now()
	for number := 1; number <= rounds; number++ {
		if only != 0 && number != only {
			continue
		}
		g.Go(func() error {
			r := &round{
				seed: seed, number: number, fault: faults[(number-1)%len(faults)],
				rand: rand.New(rand.NewPCG(seed, uint64(number))),
			}
			program := program
			if r.fault.clock {
				program = movable
			}
			if why := r.fault.impossible(program); why != "" {
				table.skip(r.fault, why)
				return nil
			}
			r.run(program)
			table.add(r.fault, r.problems)
			if len(r.problems) > 0 {
				t.Errorf("round %d: %s\nrepeat it: make chaos SEED=%d ROUND=%d\n%s", number, r.fault.name, seed, number, r.account())
			}
			return nil
		})
	}
	_ = g.Wait() // rounds report by themselves
	t.Logf("seed %d, %.0f s\n%s", seed, time.Since(began).Seconds(), table)
}

// impossible says why this fault cannot be made here; "" when it can.
func (f fault) impossible(program string) string {
	switch {
	case f.root && os.Getuid() != 0:
		return "a small disk needs root"
	case program == "":
		return "a daemon with a movable clock takes long to build; make chaos does"
	}
	return ""
}

var names = map[promise]string{lost: "LOST", doubled: "DOUBLED", wrong: "WRONG", unfit: "NOT RUN"}

// account is all that is known of a round that went wrong.
func (r *round) account() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", r.detail)
	for _, p := range r.problems {
		fmt.Fprintf(&b, "%s: %s\n", names[p.kind], p.text)
	}
	for _, s := range r.faxes {
		fmt.Fprintf(&b, "%s: %d pages to %s, id %s, %+v\n   %+v\n", s.key, s.pages, s.number, s.id, s.outcomes, s.last)
	}
	b.WriteString(r.evidence)
	return b.String()
}
