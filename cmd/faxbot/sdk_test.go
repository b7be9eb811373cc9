package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The HTTP libraries of Faxbot's SDKs drive the daemon as the SDKs do.
// ".ci/deps test" installs them.
func TestSDKs(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		program, script string
		there           func(program string) error
	}{
		"node": {"node", "sdk.mjs", func(string) error {
			_, err := os.Stat("testdata/sdk/node_modules/axios/package.json")
			return err
		}},
		"python": {"python3", "sdk.py", func(program string) error {
			return exec.CommandContext(t.Context(), program, "-c", "import requests").Run()
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			program, err := exec.LookPath(c.program)
			if err == nil {
				err = c.there(program)
			}
			if err != nil {
				t.Skipf("the library of the SDK is not here: %v; run .ci/deps test", err)
			}
			h := build(t, "200")
			pdf := filepath.Join(h.dir, "letter.pdf")
			if err := os.WriteFile(pdf, testFax, 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), program, c.script, h.rest, h.key, pdf)
			cmd.Dir = "testdata/sdk"
			cmd.Env = append(os.Environ(), "NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1")
			said, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("%v\n%s\n%s", err, said, h.serve.output())
			}
			t.Logf("%s", said)
		})
	}
}
