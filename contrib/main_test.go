// Package contrib_test tries what is here against the programs that read it.
package contrib_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// waiting bounds every wait; it is long because machines may be busy.
const waiting = time.Minute

// program is the daemon, built once.
var program string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "faxbot-contrib-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "faxbot")
	build := exec.Command("go", "build", "-o", program, "../cmd/faxbot")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// need finds a program of the system, or skips the test.
func need(t *testing.T, name, debian string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if path = "/usr/sbin/" + name; syscall.Access(path, 1) != nil {
			t.Skipf("no %s: apt-get install %s", name, debian)
		}
	}
	return path
}

// command runs a program to its end, which must be a good one.
func command(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// start runs a program beside the test until the test ends. The channel closes
// when it has ended.
func start(t *testing.T, cmd *exec.Cmd) (lines <-chan string) {
	t.Helper()
	output, theirs, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = theirs, theirs
	err = cmd.Start()
	theirs.Close()
	if err != nil {
		t.Fatal(err)
	}
	said := make(chan string, 10000)
	go func() {
		defer close(said)
		defer output.Close()
		for scan := bufio.NewScanner(output); scan.Scan(); {
			said <- scan.Text()
		}
		_ = cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		killed := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
		defer killed.Stop()
		for range said { // until it has ended
		}
	})
	return said
}

// await reads lines until one matches, and returns the first group.
func await(t *testing.T, lines <-chan string, pattern string) string {
	t.Helper()
	re, late := regexp.MustCompile(pattern), time.After(waiting)
	var said []string
	for {
		select {
		case line, more := <-lines:
			if m := re.FindStringSubmatch(line); m != nil {
				return m[len(m)-1]
			}
			if said = append(said, line); !more {
				t.Fatalf("it ended before it said %q:\n%s", pattern, strings.Join(said, "\n"))
			}
		case <-late:
			t.Fatalf("it did not say %q:\n%s", pattern, strings.Join(said, "\n"))
		}
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
