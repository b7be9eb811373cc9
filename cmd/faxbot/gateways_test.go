package main

import (
	"testing"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"

	"faxbot/controller"
)

// The texts of the environment become the policy of the controller.
func TestGatewaySettings(t *testing.T) {
	t.Parallel()
	var s settings
	if err := kong.ApplyDefaults(&s); err != nil {
		t.Fatal(err)
	}
	s.HTTP.APIKey = testKey
	s.Switch.Gateway, s.Switch.Routes = "gw_a*3,gw_b*1,gw_c", "+49=gw_de,gw_c"
	s.Switch.Channels, s.Switch.CPS = "100,gw_c=30", "10, gw_de=0.5"
	s.Fax.Window, s.Fax.Continued = "08:00-20:00", true
	if err := s.check(); err != nil {
		t.Fatal(err)
	}
	p := s.policy()
	want := []controller.Gateway{
		{Name: "gw_a", Weight: 3, Channels: 100, CPS: 10}, {Name: "gw_b", Weight: 1, Channels: 100, CPS: 10}, {Name: "gw_c", Channels: 30, CPS: 10},
	}
	if diff := cmp.Diff(want, p.Gateways); diff != "" {
		t.Error(diff)
	}
	routes := []controller.Route{{Prefix: "+49", Gateways: []controller.Gateway{{Name: "gw_de", Channels: 100, CPS: 0.5}, {Name: "gw_c", Channels: 30, CPS: 10}}}}
	if diff := cmp.Diff(routes, p.Routes); diff != "" {
		t.Error(diff)
	}
	if p.Window != "08:00-20:00" || !p.Continued || p.Switches[0].Address != "127.0.0.1:8021" {
		t.Errorf("%+v", p)
	}
	s.Switch.Several, s.Switch.Password = "west=10.0.0.5:8021 gateways=gw_a; east=10.0.0.6:8021 password=theirs", "usual"
	if err := s.check(); err != nil {
		t.Fatal(err)
	}
	switches := []controller.Switch{
		{Name: "west", Address: "10.0.0.5:8021", Password: "usual", Gateways: []string{"gw_a"}},
		{Name: "east", Address: "10.0.0.6:8021", Password: "theirs"},
	}
	if diff := cmp.Diff(switches, s.policy().Switches); diff != "" {
		t.Error(diff)
	}
	if s.Switch.Several = "west"; s.check() == nil {
		t.Error("a switch without an address is taken")
	}
	for _, wrong := range []string{"", "x", "0", "100,gw_a", "100,gw_a=", "1e9", "NaN", "Inf"} {
		if _, err := parseLimits(wrong); err == nil {
			t.Errorf("%q are limits", wrong)
		}
	}
	if areChannels("1.5") || !areChannels("15") {
		t.Error("half a channel")
	}
}
