package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The console does in a real browser what people do with it. Pictures of every
// page are left in bin/screenshots. ".ci/deps test" installs what it needs.
func TestConsole(t *testing.T) {
	t.Parallel()
	chromium, err := exec.LookPath("chromium")
	if err == nil {
		_, err = exec.LookPath("node")
	}
	if err == nil {
		_, err = os.Stat("testdata/console/node_modules/playwright-core/package.json")
	}
	if err != nil {
		t.Skipf("no browser to look with: %v; run .ci/deps test", err)
	}
	h := build(t, "20")
	letter := filepath.Join(h.dir, "letter.pdf")
	if err := os.WriteFile(letter, testFax, 0o600); err != nil {
		t.Fatal(err)
	}
	pictures, err := filepath.Abs("../../bin/screenshots")
	if err != nil {
		t.Fatal(err)
	}
	bare := build(t, "200")
	port := bare.setting("FREESWITCH_ESL_PORT")
	bare.forget("FREESWITCH_ESL_PORT", "FREESWITCH_ESL_PASSWORD", "FREESWITCH_HOOK_SECRET")
	bare.end()
	bare.begin()
	cmd := exec.CommandContext(t.Context(), "node", "console.mjs", h.rest, h.key, letter, pictures, bare.rest, port, "sesame-that-nobody-prints")
	cmd.Dir = "testdata/console"
	cmd.Env = append(os.Environ(), "CHROMIUM="+chromium, "NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1")
	said, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, h.serve.output())
	}
	t.Logf("%s", said)
}
