package controller

import (
	"math"
	"strings"
	"testing"

	"faxbot/controller/fax"
)

func TestParseRoutes(t *testing.T) {
	t.Parallel()
	list, err := ParseGateways("gw_a*3, gw_b*1,gw_c")
	if err != nil || len(list) != 3 || list[0].Weight != 3 || list[1].Name != "gw_b" || list[2].Weight != 0 || list[2].Channels != 100 || list[2].CPS != 10 {
		t.Errorf("%+v %v", list, err)
	}
	for _, wrong := range []string{"", "a,", "a,a", "a b", "a*0", "a*x", "a*1001", "a/b"} {
		if _, err := ParseGateways(wrong); fax.ProblemOf(err) != fax.Invalid {
			t.Errorf("%q is taken: %v", wrong, err)
		}
	}
	for _, wrong := range []string{"gw", "+49=", "=gw", "+4x=gw", "+49=a;+49=b", "+49=a,a"} {
		if _, err := ParseRoutes(wrong); fax.ProblemOf(err) != fax.Invalid {
			t.Errorf("%q is taken: %v", wrong, err)
		}
	}
	if routes, err := ParseRoutes(""); err != nil || len(routes) != 0 {
		t.Errorf("%+v %v", routes, err)
	}
	if CheckGateways("a,b") != nil || CheckGateways("a*2") == nil || CheckGateways("a,,b") == nil {
		t.Error("what a fax may ask for")
	}
}

// The fax's own list goes before its route, the longest prefix before others,
// and what has none takes the general list.
func TestWays(t *testing.T) {
	t.Parallel()
	routes, err := ParseRoutes("+49=de,main;+4930=berlin;0=local")
	if err != nil {
		t.Fatal(err)
	}
	p, err := Policy{
		Gateways: []Gateway{{Name: "main"}, {Name: "backup"}}, Routes: routes, Switches: []Switch{{Address: "127.0.0.1:8021"}},
	}.checked()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		to   fax.Number
		own  string
		want string
	}{
		{"+493012345678", "", "berlin"},
		{"+494012345678", "", "de main"},
		{"04012345678", "", "local"},
		{"+15551230000", "", "main backup"},
		{"494012345678", "", "main backup"},
		{"+493012345678", "mine, backup", "mine backup"},
	} {
		got := strings.Join(p.ways(fax.Job{To: c.to, Options: fax.Options{Gateway: c.own}}), " ")
		if got != c.want {
			t.Errorf("%s (%s) goes through %s, want %s", c.to, c.own, got, c.want)
		}
	}
	var all []string
	for _, g := range p.gateways() {
		all = append(all, g.Name)
	}
	if got := strings.Join(all, " "); got != "main backup de berlin local" {
		t.Errorf("all gateways: %s", got)
	}
}

// Weights share the faxes out, one fax keeps its order, and gateways without a
// weight keep their place.
func TestShare(t *testing.T) {
	t.Parallel()
	list, err := ParseGateways("first,a*3,b*1,c*2,last")
	if err != nil {
		t.Fatal(err)
	}
	const faxes = 6000
	began, second := map[string]int{}, map[string]int{}
	for range faxes {
		id := fax.NewJobID()
		one, again := share(list, id), share(list, id)
		for i := range one {
			if one[i] != again[i] {
				t.Fatalf("the order of a fax changes: %v, %v", one, again)
			}
		}
		if one[0].Name != "first" || one[4].Name != "last" {
			t.Fatalf("%v", one)
		}
		began[one[1].Name]++
		if one[1].Name == "a" {
			second[one[2].Name]++
		}
	}
	for name, part := range map[string]float64{"a": 3. / 6, "b": 1. / 6, "c": 2. / 6} {
		if got := float64(began[name]) / faxes; math.Abs(got-part) > 0.03 {
			t.Errorf("%s is first for %.3f of the faxes, want %.3f", name, got, part)
		}
	}
	// When a cannot be used its share goes to the others by their weights.
	if got := float64(second["c"]) / float64(began["a"]); math.Abs(got-2./3) > 0.04 {
		t.Errorf("c takes %.3f of what a cannot, want 0.667", got)
	}
}

// The note takes its room from the text: the engine prints no more than 50
// bytes, and cuts no letter in half.
func TestContinuedHeader(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ä", 25)
	for _, c := range []struct {
		own, general string
		off          bool
		start        int
		want         string
	}{
		{"", "Clinic", false, 0, "Clinic"},
		{"", "Clinic", false, 3, "Clinic (continued, page 4 of 10)"},
		{"Ward 7", "Clinic", false, 3, "Ward 7 (continued, page 4 of 10)"},
		{"", "", false, 3, "(continued, page 4 of 10)"},
		{"", "Clinic", true, 3, "Clinic"},
		{long, "", false, 0, long},
		{long, "", false, 3, strings.Repeat("ä", 12) + " (continued, page 4 of 10)"},
	} {
		p := Policy{Header: c.general, Continued: !c.off}
		got := p.header(fax.Job{Pages: 10, Options: fax.Options{Header: c.own}}, fax.Parameters{StartPage: c.start})
		if got != c.want || len(got) > maxHeader {
			t.Errorf("%+v: %q", c, got)
		}
	}
}
