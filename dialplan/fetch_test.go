package dialplan_test

import (
	"testing"

	"faxbot/dialplan"
)

func TestAddressesToFetchFrom(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"http://10.0.0.5:8081", "https://Fax.example.net/in", "http://[::1]:8081/"} {
		if err := dialplan.CheckFetchURL(good); err != nil {
			t.Error(err)
		}
		if got, want := dialplan.Fetch(good), "http_get "+good; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for _, bad := range []string{
		"", "10.0.0.5:8081", "ftp://10.0.0.5", "http://", "http://h/{a=b}", "http://h/ x", "http://h/$x", "http://h/%24",
		"http://u:p@h", "http://h?x=y", "http://h#x", "http://h/\n", "{profile=x}http://h",
	} {
		if dialplan.CheckFetchURL(bad) == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
