package chaos_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// clockVariable names the file that says by how many seconds the clock of a
// daemon that was built with a movable clock is wrong.
const clockVariable = "FAXBOT_CHAOS_CLOCK"

// movableClock returns what makes go build put a clock into the program that a
// test can move. A Go program asks the kernel for the time without libc, so
// libfaketime cannot lie to it; and it runs on this host's clock, which is not
// ours to set. The monotonic clock, by which timers run, stays right, as it
// does when a real clock is set.
func movableClock(t *testing.T) []string {
	t.Helper()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	original := filepath.Join(strings.TrimSpace(string(root)), "src", "time", "time.go")
	text, err := os.ReadFile(original)
	if err != nil {
		t.Fatal(err)
	}
	const now = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"
	if strings.Count(string(text), now) != 1 || strings.Count(string(text), "import (\n") != 1 {
		t.Fatalf("%s is not as expected: teach movableClock how to patch it", original)
	}
	patched := strings.Replace(string(text), now, now+"\tsec += clockWrong.Load()\n", 1)
	patched = strings.Replace(patched, "import (\n", "import (\n\t\"sync/atomic\"\n\t\"syscall\"\n", 1) + `
var clockWrong atomic.Int64 // by so many seconds

func init() {
	if name, asked := syscall.Getenv("` + clockVariable + `"); asked {
		clockWrong.Store(readError(name)) 
		go func() {
			for ; ; Sleep(5 * Millisecond) {
				clockWrong.Store(readError(name))
			}
		}()
	}
}

func readError(name string) (seconds int64) {
	f, err := open(name)
	if err != nil {
		return 0
	}
	defer closefd(f)
	var text [32]byte
	n, _ := read(f, text[:])
	sign := int64(1)
	for _, c := range text[:n] {
		switch {
		case c == '-':
			sign = -1
		case c >= '0' && c <= '9':
			seconds = 10*seconds + int64(c-'0')
		}
	}
	return sign * seconds
}
`
	dir := t.TempDir()
	replacement, overlay := filepath.Join(dir, "time.go"), filepath.Join(dir, "overlay.json")
	list, err := json.Marshal(map[string]any{"Replace": map[string]string{original: replacement}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(replacement, []byte(patched), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(overlay, list, 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"-overlay", overlay}
}
