package contrib_test

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var include = regexp.MustCompile(`<X-PRE-PROCESS cmd="include" data="([^"]+)"/>`)

// expand reads a file as FreeSWITCH does: with the files that it includes, whose
// names are relative to it (switch_xml.c, preprocess).
func expand(t *testing.T, name string) string {
	t.Helper()
	return include.ReplaceAllStringFunc(read(t, name), func(line string) string {
		pattern := include.FindStringSubmatch(line)[1]
		files, err := filepath.Glob(filepath.Join(filepath.Dir(name), pattern))
		if err != nil || len(files) == 0 && !strings.Contains(pattern, "*") {
			t.Fatalf("%s includes %s: %v", name, pattern, err)
		}
		var all strings.Builder
		for _, file := range files {
			all.WriteString(regexp.MustCompile(`^<\?xml.*?\?>`).ReplaceAllString(expand(t, file), ""))
		}
		return all.String()
	})
}

// The sample, with what Faxbot renders into it, is one document: well-formed,
// nothing said twice, every list and profile that is named there.
func TestFreeSWITCHSample(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("freeswitch")); err != nil {
		t.Fatal(err)
	}
	if xmllint, err := exec.LookPath("xmllint"); err == nil {
		files, _ := filepath.Glob(dir + "/*/*.xml")
		command(t, xmllint, append([]string{"--noout", dir + "/freeswitch.xml", dir + "/vars.xml"}, files...)...)
	}
	render := exec.CommandContext(t.Context(), program, "dialplan", "all", "--carrier=sip.example.net", "--out="+dir)
	render.Env = append(os.Environ(), "FREESWITCH_HOOK_SECRET=hook", "FREESWITCH_GATEWAY_NAME=carrier", "FREESWITCH_ESL_PASSWORD=sesame")
	if out, err := render.CombinedOutput(); err != nil {
		t.Fatalf("it does not go into the sample: %v\n%s", err, out)
	}

	document := expand(t, filepath.Join(dir, "freeswitch.xml"))
	seen := map[string]int{}
	once := []string{"configuration", "profile", "gateway", "context", "extension", "load", "list"}
	for tokens := xml.NewDecoder(strings.NewReader(document)); ; {
		token, err := tokens.Token()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		e, ok := token.(xml.StartElement)
		if !ok || !slices.Contains(once, e.Name.Local) || len(e.Attr) == 0 {
			continue
		}
		seen[e.Name.Local+" "+e.Attr[0].Value]++ // its name comes first
	}
	for _, want := range []string{
		"configuration switch.conf", "configuration sofia.conf", "configuration event_socket.conf", "configuration acl.conf",
		"configuration modules.conf", "configuration spandsp.conf", "configuration db.conf", "profile internal", "profile external",
		"gateway carrier", "context default", "context public", "extension faxbot", "extension faxbot_hook", "load mod_sofia", "load mod_spandsp", "load mod_db",
	} {
		if seen[want] != 1 {
			t.Errorf("%s is there %d times", want, seen[want])
		}
	}
	for what, n := range seen {
		if n > 1 {
			t.Errorf("%s is there %d times", what, n)
		}
	}
	if external := expand(t, filepath.Join(dir, "sip_profiles", "external.xml")); !strings.Contains(external, `<gateway name="carrier">`) {
		t.Error("the gateway is not the external profile's")
	}
	// What Faxbot puts before the calls comes before what refuses all others.
	if i, j := strings.Index(document, `"faxbot_hook"`), strings.Index(document, `"nothing_else"`); i < 0 || i > j {
		t.Error("the extension is after the one that refuses everything")
	}
}
