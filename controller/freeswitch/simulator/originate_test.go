package simulator

import (
	"slices"
	"testing"
	"time"
)

func TestSeparateAsSwitchSeparateStringDoes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text  string
		delim byte
		max   int
		want  []string
	}{
		{"a b  c", ' ', 9, []string{"a", "b", "c"}},
		{"x '&socket(h:1 async full)'", ' ', 9, []string{"x", "&socket(h:1 async full)"}},
		{"x &socket(h:1 async full)", ' ', 9, []string{"x", "&socket(h:1", "async", "full)"}},
		{"a 'b c", ' ', 9, []string{"a", "'b c"}}, // never closed: protects the rest
		{"a,'b,c',d", ',', 9, []string{"a", "b,c", "d"}},
		{"a,'b,c", ',', 9, []string{"a", "'b", "c"}}, // never closed: protects nothing
		{`a\,b,c\'d,e\sf`, ',', 9, []string{"a,b", "c'd", "e f"}},
		{"^^:a,b:c", ',', 9, []string{"a,b", "c"}},
		{" a , 'b ' ", ',', 9, []string{"a", "b "}},
		{"insert/r/k/v/w", '/', 4, []string{"insert", "r", "k", "v/w"}},
		{"", ' ', 9, nil},
		{"a,", ',', 9, []string{"a"}},
	} {
		if got := separate(tt.text, tt.delim, tt.max); !slices.Equal(got, tt.want) {
			t.Errorf("separate(%q, %q): got %q, want %q", tt.text, tt.delim, got, tt.want)
		}
	}
}

func TestParseOriginate(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text            string
		gateway, number string
		app             application
		vars            []setting
		timeout         time.Duration
		err             string
	}{
		{
			// originate takes the quotes away before the commas are looked at:
			// they protect spaces, and only a backslash protects a comma.
			text:    `{a=1,b='x y',c=x\,y,d='x,y',originate_timeout=8}sofia/gateway/g/+1555 '&socket(h:1 async full)'`,
			gateway: "g", number: "+1555", app: application{name: "socket", data: "h:1 async full"},
			vars:    []setting{{"a", "1"}, {"b", "x y"}, {"c", "x,y"}, {"d", "x"}, {"originate_timeout", "8"}},
			timeout: 8 * time.Second,
		},
		{
			text:    "{^^:a=1,2:b=3}sofia/gateway/g/1 &socket(h:1 async full)",
			gateway: "g", number: "1", app: application{name: "socket", data: "h:1"},
			vars: []setting{{"a", "1,2"}, {"b", "3"}}, timeout: 60 * time.Second,
		},
		{
			text: "<a=1>{a=2}[b=3]sofia/tx/1@127.0.0.1:5070 &park() XML default name 1 5", number: "1",
			app: application{name: "park"}, vars: []setting{{"a", "2"}, {"b", "3"}}, timeout: 5 * time.Second,
		},
		{text: "user/1 &park()", err: "CHAN_NOT_IMPLEMENTED", timeout: 60 * time.Second, app: application{name: "park"}},
		{text: "sofia/gateway/g/ &park()", gateway: "g", err: "INVALID_URL", timeout: 60 * time.Second, app: application{name: "park"}},
		{text: "{a=1sofia/gateway/g/1 &park()", err: "DESTINATION_OUT_OF_ORDER", timeout: 60 * time.Second},
	} {
		o, ok := parseOriginate(tt.text)
		if !ok || o.gateway != tt.gateway || o.number != tt.number || o.app != tt.app || o.err != tt.err || o.timeout != tt.timeout || !slices.Equal(o.vars, tt.vars) {
			t.Errorf("%s:\n got %+v %v", tt.text, o, ok)
		}
	}
	for text, want := range map[string][]string{
		"sofia/gateway/g/1 faxbot":                                {"faxbot", "XML", "default"},
		"sofia/gateway/g/1 faxbot XML out":                        {"faxbot", "XML", "out"},
		"sofia/gateway/g/1 faxbot undef UNDEF name 1555 9":        {"faxbot", "XML", "default"},
		"{a='x y'}sofia/gateway/g/1 'two words' 'XML' 'out side'": {"two words", "XML", "out side"},
	} {
		if o, ok := parseOriginate(text); !ok || !slices.Equal(o.extn, want) || o.number != "1" {
			t.Errorf("%s: %q %v", text, o.extn, ok)
		}
	}
	if _, ok := parseOriginate("sofia/gateway/g/1"); ok {
		t.Error("an originate without an application was accepted")
	}
}
