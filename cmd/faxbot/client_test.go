package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestClient runs scripts against a daemon with a simulated switch.
//
//	status N COMMAND…   runs a command that must end with status N
//	replay ID STATUS      judges the recording of a fax's first call, once it is kept
//	keep NAME PATTERN   sets NAME to the first group of PATTERN in the last output
func TestClient(t *testing.T) {
	t.Parallel()
	h := build(t, "200")
	testscript.Run(t, testscript.Params{
		Dir: "testdata/client",
		Setup: func(e *testscript.Env) error {
			e.Setenv("FAXBOT_URL", h.rest)
			e.Setenv("FAXBOT_API_KEY", h.key)
			e.Setenv("SWITCH_PORT", strings.TrimPrefix(h.env[0], "FREESWITCH_ESL_PORT="))
			return errors.Join(
				os.WriteFile(filepath.Join(e.WorkDir, "three.pdf"), testFax, 0o600),
				os.WriteFile(filepath.Join(e.WorkDir, "program"), []byte("\x7fELF\x02\x01\x01\x00"), 0o600),
			)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"status": func(ts *testscript.TestScript, _ bool, args []string) {
				want, err := strconv.Atoi(args[0])
				ts.Check(err)
				got, failed := 0, (*exec.ExitError)(nil)
				if err := ts.Exec(args[1], args[2:]...); errors.As(err, &failed) {
					got = failed.ExitCode()
				}
				if got != want {
					ts.Fatalf("status %d, want %d\n%s%s", got, want, ts.ReadFile("stdout"), ts.ReadFile("stderr"))
				}
			},
			"replay": func(ts *testscript.TestScript, _ bool, args []string) {
				late := time.After(waiting)
				for again := time.NewTicker(20 * time.Millisecond); ts.Exec("faxbot", "show", args[0], "--recording", "1") != nil; {
					select {
					case <-again.C:
					case <-late:
						ts.Fatalf("%s", ts.ReadFile("stderr"))
					}
				}
				recording := ts.MkAbs("recording")
				ts.Check(os.WriteFile(recording, []byte(ts.ReadFile("stdout")), 0o600))
				ts.Check(ts.Exec("faxbot", "replay", recording))
				if verdict := ts.ReadFile("stdout"); !strings.Contains(verdict, `{"status":"`+args[1]+`"`) {
					ts.Fatalf("%s", verdict)
				}
			},
			"keep": func(ts *testscript.TestScript, _ bool, args []string) {
				m := regexp.MustCompile(args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
				if m == nil {
					ts.Fatalf("no %s in %q", args[1], ts.ReadFile("stdout"))
				}
				ts.Setenv(args[0], m[1])
			},
		},
	})
}
