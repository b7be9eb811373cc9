package contrib_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// The unit lets the daemon do little: systemd's own exposure is 0 (nothing) to
// 10 (everything).
func TestUnitIsHardened(t *testing.T) {
	t.Parallel()
	analyze := need(t, "systemd-analyze", "systemd")
	said := command(t, analyze, "security", "--no-pager", "--offline=true", "systemd/faxbot.service")
	m := regexp.MustCompile(`Overall exposure level for faxbot.service: ([\d.]+)`).FindStringSubmatch(said)
	if m == nil {
		t.Fatal(said)
	}
	if exposure, err := strconv.ParseFloat(m[1], 64); err != nil || exposure > 2.2 {
		t.Errorf("the exposure is %s: %v", m[1], err)
	}
}

// The settings file of the packages names settings that exist.
func TestSettingsOfThePackages(t *testing.T) {
	t.Parallel()
	help := command(t, program, "serve", "--help")
	for _, m := range regexp.MustCompile(`(?m)^#?([A-Z_0-9]+)=`).FindAllStringSubmatch(read(t, "package/faxbot.env"), -1) {
		if !strings.Contains(help, "$"+m[1]) {
			t.Errorf("serve knows no %s", m[1])
		}
	}
}

// What the pages here point to exists.
func TestLinks(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("*.md")
	if err != nil || len(pages) < 4 {
		t.Fatal(pages, err)
	}
	for _, page := range pages {
		for _, m := range regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`).FindAllStringSubmatch(read(t, page), -1) {
			if _, err := os.Stat(m[1]); err != nil {
				t.Errorf("%s: %v", page, err)
			}
		}
	}
}
