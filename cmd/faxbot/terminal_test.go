package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
)

// terminal is a program with a person before it.
type terminal struct {
	t   testing.TB
	tty *os.File

	mu    sync.Mutex
	shown strings.Builder
	more  chan struct{} // a token when there is more
	ended chan error
}

// sit starts a program in a terminal; it is killed when the test ends.
func sit(t testing.TB, cmd *exec.Cmd) *terminal {
	t.Helper()
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 40, Cols: 120})
	if err != nil {
		t.Fatal(err)
	}
	w := &terminal{t: t, tty: tty, more: make(chan struct{}, 1), ended: make(chan error, 1)}
	read := make(chan struct{})
	go func() {
		defer close(read)
		var b [4096]byte
		for {
			n, err := tty.Read(b[:])
			w.mu.Lock()
			w.shown.Write(b[:n])
			w.mu.Unlock()
			select {
			case w.more <- struct{}{}:
			default:
			}
			if err != nil {
				w.ended <- cmd.Wait()
				return
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-read
		tty.Close()
	})
	return w
}

func (w *terminal) screen() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.shown.String()
}

// types types something and waits until the screen shows the pattern after it.
func (w *terminal) types(keys, pattern string) {
	w.t.Helper()
	before := len(w.screen())
	if _, err := io.WriteString(w.tty, keys); err != nil {
		w.t.Fatal(err)
	}
	re, late := regexp.MustCompile(pattern), time.After(waiting)
	for !re.MatchString(w.screen()[before:]) {
		select {
		case <-w.more:
		case <-late:
			w.t.Fatalf("after %q there is no %q:\n%q", keys, pattern, w.screen()[before:])
		}
	}
}

// A person sees one bar, which grows with each page.
func TestProgressBar(t *testing.T) {
	t.Parallel()
	h := build(t, "100")
	pdf := filepath.Join(h.dir, "letter.pdf")
	if err := os.WriteFile(pdf, testFax, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("faxbot", "send", pdf, "--to", "+15551230501", "--wait")
	cmd.Env = append(cmd.Environ(), "FAXBOT_URL="+h.rest, "FAXBOT_API_KEY="+h.key)
	w := sit(t, cmd)
	if err := <-w.ended; err != nil {
		t.Errorf("it ended with %v", err)
	}
	screen := w.screen()
	want := regexp.MustCompile(`\r\x1b\[K█{8}░{16}  page 1 of 3\r\x1b\[K█{16}░{8}  page 2 of 3\r\x1b\[K█{24}  page 3 of 3\r\n[0-9:]+  fax [0-9a-f]{6}  SUCCESS: 3 of 3 pages confirmed\r\n$`)
	if !want.MatchString(screen) {
		t.Errorf("the screen shows %q", screen)
	}
}

// The tab key completes commands, flags, their values and files, in the shells
// themselves.
func TestCompletion(t *testing.T) {
	t.Parallel()
	type typed struct{ keys, shows string }
	for shell, c := range map[string]struct {
		args  []string
		steps []typed
	}{
		"bash": {[]string{"--norc", "--noprofile", "-i"}, []typed{
			{"PS1='ready> '; source <(faxbot completion -c bash)\n", `\nready> $`},
		}},
		"zsh": {[]string{"-f", "-i"}, []typed{
			{"PS1='ready> '; autoload -U compinit; compinit -u -D; source <(faxbot completion -c zsh)\n", `ready> .*$`},
		}},
	} {
		t.Run(shell, func(t *testing.T) {
			t.Parallel()
			program, err := exec.LookPath(shell)
			if err != nil {
				t.Skipf("%v; run .ci/deps test", err)
			}
			cmd := exec.Command(program, c.args...)
			cmd.Dir = t.TempDir()
			if err := os.WriteFile(filepath.Join(cmd.Dir, "letter.pdf"), testFax, 0o600); err != nil {
				t.Fatal(err)
			}
			cmd.Env = append(cmd.Environ(), "TERM=dumb", "HOME="+cmd.Dir, "HISTFILE=")
			w := sit(t, cmd)
			for _, s := range append(c.steps,
				typed{"faxbot canc\t", `faxbot cancel `},
				typed{"\x15faxbot keys ro\t", `keys rotate `},
				typed{"\x15faxbot list --stat\t\t", `(?s)--state.*--status|--status.*--state`},
				typed{"\x15faxbot list --status in\t", `--status in_progress `},
				typed{"\x15faxbot send let\t", `send letter.pdf `},
			) {
				w.types(s.keys, s.shows)
			}
		})
	}
	t.Run("fish", func(t *testing.T) {
		t.Parallel()
		program, err := exec.LookPath("fish")
		if err != nil {
			t.Skipf("%v; run .ci/deps test", err)
		}
		for line, want := range map[string]string{
			"faxbot canc": "cancel\n", "faxbot keys ro": "rotate\n", "faxbot list --status in": "in_progress\n", "faxbot list --stat": "--state\n--status\n", "faxbot send let": "letter.pdf\n",
		} {
			cmd := exec.CommandContext(t.Context(), program, "--no-config", "-c", "faxbot completion -c fish | source; complete -C $argv[1] | sort", line)
			cmd.Dir = t.TempDir()
			if err := os.WriteFile(filepath.Join(cmd.Dir, "letter.pdf"), testFax, 0o600); err != nil {
				t.Fatal(err)
			}
			if got, err := cmd.Output(); err != nil || string(got) != want {
				t.Errorf("%s: %q, %v, want %q", line, got, err, want)
			}
		}
	})
}
