package events_test

import (
	"net/url"
	"testing"

	"faxbot/events"
)

func TestUnescape(t *testing.T) {
	for in, want := range map[string]string{
		"":                      "",
		"plain":                 "plain",
		"SpanDSP%20Fax%20Ident": "SpanDSP Fax Ident",
		"a+b":                   "a+b",
		"100%":                  "100%",
		"%":                     "%",
		"%4":                    "%4",
		"%zz%41":                "%zzA",
		"%00%0a":                "\x00\n",
		"%e2%82%AC":             "€",
	} {
		if got := events.Unescape([]byte(in)); got != want {
			t.Errorf("Unescape(%q) = %q, want %q", in, got, want)
		}
	}
}

// Where the standard library has an opinion, ours is the same.
func FuzzUnescape(f *testing.F) {
	f.Add([]byte("SpanDSP%20Fax%20Ident"))
	f.Add([]byte("%zz%4"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got := events.Unescape(b)
		if want, err := url.PathUnescape(string(b)); err == nil && got != want {
			t.Fatalf("%q: %q, the standard library says %q", b, got, want)
		}
		if len(got) > len(b) {
			t.Fatalf("%q grew to %q", b, got)
		}
	})
}
