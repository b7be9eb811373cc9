// Package chaos_test breaks everything that can break while faxes are sent, and
// then compares what the daemon says with what the switch wrote down: nothing
// may be lost, nothing sent twice, no status untrue.
//
//	make chaos                          312 rounds
//	make chaos ROUNDS=1000 SEED=7       more, or the same again
//	make chaos SEED=7 ROUND=41          one round of those
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

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// build makes the program under test.
func build(t *testing.T, args ...string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "faxbot")
	cmd := exec.Command("go", append(append([]string{"build", "-o", program}, args...), "faxbot/cmd/faxbot")...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return program
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
const atOnce = 12

func TestChaos(t *testing.T) {
	seed := setting(t, "FAXBOT_CHAOS_SEED", rand.Uint64N(1e9))
	rounds := int(setting(t, "FAXBOT_CHAOS_ROUNDS", uint64(len(faults))))
	only := int(setting(t, "FAXBOT_CHAOS_ROUND", 0))
	t.Logf("seed %d", seed)
	program := build(t)
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
			if why := r.fault.impossible(); why != "" {
				table.skip(r.fault, why)
				return nil
			}
			r.run(program, nil)
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
func (f fault) impossible() string {
	switch {
	case f.root && os.Getuid() != 0:
		return "needs root, for a small tmpfs"
	case f.clock:
		return "not yet"
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
