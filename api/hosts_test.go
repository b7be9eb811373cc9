package api_test

import "testing"

// A daemon alone is a fleet of one, and says what it serves.
func TestHosts(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	list := s.get("/admin/hosts").ok(200).fields["hosts"].([]any)
	if len(list) != 1 {
		t.Fatalf("%v", list)
	}
	host := list[0].(map[string]any)
	switches := host["switches"].([]any)
	if host["alive"] != true || host["live_calls"] != 0.0 || host["draining"] != false || len(switches) != 1 || switches[0].(map[string]any)["name"] != "freeswitch" {
		t.Errorf("%v", host)
	}
}
