package freeswitch

import (
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv(starveEnv) != "" {
		os.Exit(starved())
	}
	goleak.VerifyTestMain(m)
}

// recordings names every recording of a real switch.
func recordings(tb testing.TB) []string {
	tb.Helper()
	all, err := filepath.Glob("testdata/recordings/*.txt")
	if err != nil || len(all) == 0 {
		tb.Fatalf("no recordings: %v", err)
	}
	return all
}

// recording reads one of them.
func recording(tb testing.TB, path string) []Message {
	tb.Helper()
	f, err := os.Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	all, err := ReadRecording(f)
	if err != nil {
		tb.Fatal(err)
	}
	return all
}

// switchSaid is what the switch sent in a recording, one element for each time
// it was written.
func switchSaid(tb testing.TB, path string) [][]byte {
	tb.Helper()
	var said [][]byte
	for _, m := range recording(tb, path) {
		if m.FromSwitch {
			said = append(said, m.Data)
		}
	}
	return said
}

// hangupComplete is the recorded CHANNEL_HANGUP_COMPLETE of a delivered fax,
// with its envelope: the largest message of an ordinary call.
func hangupComplete(tb testing.TB) []byte {
	tb.Helper()
	var largest []byte
	for _, b := range switchSaid(tb, "testdata/recordings/success-t38-1page.txt") {
		if len(b) > len(largest) {
			largest = b
		}
	}
	return largest
}
