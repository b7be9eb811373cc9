package doctor_test

import (
	"strings"
	"testing"

	"faxbot/controller/doctor"
	"faxbot/controller/freeswitch"
	"faxbot/controller/freeswitch/simulator"
)

// Of several switches each is examined, and each line of the findings names its
// own. While calls can go out over one, what fails at the others is a warning.
func TestEverySwitchIsExamined(t *testing.T) {
	t.Parallel()
	p, _ := healthy(t, simulator.Config{})
	p.Switch.Name = "west"
	deaf, gone := p.Line, p.Line
	deaf.Switch.Name, deaf.Switch.Address = "east", simulator.RunT(t, without("mod_spandsp")).Addr()
	gone.Switch = freeswitch.LinkConfig{Name: "north", Address: nobody(t), Password: "ClueCon"}
	examined := func(lines ...doctor.Line) (map[string]doctor.Outcome, doctor.Outcome) {
		t.Helper()
		p.Line, p.Others = lines[0], lines[1:]
		outcomes := map[string]doctor.Outcome{}
		list := doctor.Examine(t.Context(), *p)
		for _, f := range list {
			if _, twice := outcomes[f.Check]; twice {
				t.Errorf("two findings are called %s", f.Check)
			}
			if outcomes[f.Check] = f.Outcome; (f.Outcome == doctor.Fails || f.Outcome == doctor.Warning) && f.Mend == "" {
				t.Errorf("%+v", f)
			}
		}
		return outcomes, doctor.Worst(list)
	}

	got, worst := examined(gone, deaf, p.Line)
	for check, want := range map[string]doctor.Outcome{
		"switch north": doctor.Warning, "password north": doctor.Skipped, "connects_back north": doctor.Skipped,
		"switch east": doctor.OK, "fax_engine east": doctor.Warning, "gateway east": doctor.OK, "connects_back east": doctor.OK,
		"switch west": doctor.OK, "fax_engine west": doctor.OK, "gateway west": doctor.OK, "reads_documents west": doctor.OK, "t38": doctor.OK,
	} {
		if got[check] != want {
			t.Errorf("%s: %s, want %s", check, got[check], want)
		}
	}
	if worst != doctor.Warning {
		t.Errorf("calls can go out over west, and it is said: %s", worst)
	}

	got, worst = examined(gone, deaf)
	if worst != doctor.Fails || got["switch north"] != doctor.Fails || got["fax_engine east"] != doctor.Fails {
		t.Errorf("no switch can be used: %s, %v", worst, got)
	}
	for check := range got {
		if strings.HasSuffix(check, " west") {
			t.Errorf("%s, of a switch that is left out", check)
		}
	}
}
