package logtest_test

import (
	"testing"

	"faxbot/controller/logtest"
)

func TestLeaks(t *testing.T) {
	t.Parallel()
	for line, leaks := range map[string]bool{
		`msg="fax accepted" to=+15551230001`:                                         true,
		`msg="fax accepted" to="(555) 123-0001"`:                                     true,
		`{"path":"/destinations/15551230001"}`:                                       true,
		`{"number":"+4930123456"}`:                                                   true,
		`{"error":"Get \"http://x/?token=fbk_live_0123456789ab_the-key\""}`:          true,
		`{"error":"%PDF-1.4 is no number"}`:                                          true,
		`{"command":"originate {origination_uuid=1}sofia/gateway/a/1 &socket(a:1)"}`: true,
		`{"error":"no signature with whsec_MfKQ9r8"}`:                                true,
		`msg="wrong password" given=sesame`:                                          true,

		`{"number":"********0001","seconds":0.15551230001,"gateway":"carrier"}`:                         false,
		`{"attempt":"01a208fd-5c47-7052-a0b3-155512300011","fax":"01a208fd5bf71555123000115cc99ac2f9"}`: false,
		`{"time":"2026-11-23T15:19:11.155512300Z","zone":"+0100"}`:                                      false,
		`msg="command link is up" address=127.0.0.1:40785`:                                              false,
	} {
		if got := logtest.Leaks("msg=fine\n"+line+"\n", "sesame"); (len(got) > 0) != leaks {
			t.Errorf("%s: %v", line, got)
		}
	}
}
