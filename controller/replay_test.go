package controller_test

import (
	"os"
	"path/filepath"
	"testing"

	"faxbot/controller"
	"faxbot/controller/fax"

	"github.com/google/go-cmp/cmp"
)

const recordings = "freeswitch/testdata/recordings"

func replay(t *testing.T, name string) []controller.Replayed {
	t.Helper()
	f, err := os.Open(filepath.Join(recordings, name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, err := controller.Replay(f)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// Every recorded call is judged rightly.
func TestReplayCalls(t *testing.T) {
	code := func(n int) *int { return &n }
	const station = "SpanDSP Fax Ident"
	const notAsync = `the socket application runs without "async full": in originate it must be quoted, '&socket(HOST:PORT async full)'`
	for name, want := range map[string]controller.Replayed{
		"success-t38-1page":           {Status: fax.StatusSuccess, Cause: fax.OK, Code: code(0), Text: "OK", Pages: 1, TotalPages: 1, ECM: true, T38: true, Rate: 14400, RemoteStation: station},
		"success-t38-3pages":          {Status: fax.StatusSuccess, Cause: fax.OK, Code: code(0), Text: "OK", Pages: 3, TotalPages: 3, ECM: true, T38: true, Rate: 14400, RemoteStation: station},
		"failure-voice-answered":      {Status: fax.StatusFailed, Cause: fax.NotAFax, Code: code(2), Text: "Timed out waiting for initial communication", Rate: 14400},
		"failure-far-end-hangs-up":    {Status: fax.StatusFailed, Cause: fax.Dropped, Code: code(49), Text: "The call dropped prematurely", TotalPages: 3, ECM: true, T38: true, Rate: 14400, RemoteStation: station},
		"failure-document-missing":    {Status: fax.StatusFailed, Cause: fax.Document, Text: "Cannot send non-existant fax file"},
		"failure-document-unreadable": {Status: fax.StatusFailed, Cause: fax.Document, Code: code(41), Text: "TIFF/F file cannot be opened", ECM: true, T38: true, Rate: 14400, RemoteStation: station},
		"pitfall-socket-not-async":    {Status: fax.StatusSuccess, Cause: fax.OK, Code: code(0), Text: "OK", Pages: 1, TotalPages: 1, ECM: true, T38: true, Rate: 14400, RemoteStation: station, Warning: notAsync},
	} {
		all := replay(t, name)
		if len(all) != 1 {
			t.Errorf("%s: %d calls", name, len(all))
			continue
		}
		got := all[0]
		if got.Call == "" {
			t.Errorf("%s: the call has no uuid", name)
		}
		want.Call, want.Job, want.HangupCause = got.Call, got.Job, got.HangupCause
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// Calls that were never answered exist on the command link only.
func TestReplayCommandLink(t *testing.T) {
	want := map[string]fax.Cause{
		"busy": fax.Busy, "noans": fax.NoAnswer, "notfound": fax.WrongNumber, "cong": fax.Trunk,
		"declined": fax.Refused, "deadgw": fax.Trunk, "nogw": fax.Misconfigured, "nosock": fax.Switch,
	}
	got := map[string]fax.Cause{}
	for _, r := range replay(t, "command-link-failures") {
		if _, ok := want[r.Job]; ok {
			got[r.Job] = r.Cause
			if r.Status != fax.StatusFailed {
				t.Errorf("%s: %s", r.Job, r.Status)
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
