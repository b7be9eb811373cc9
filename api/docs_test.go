package api_test

import (
	"crypto/sha256"
	"encoding/base64"
	"os"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// The page tells of every route and every object, leads nowhere in vain, and
// needs nothing but itself.
func TestDocs(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	a := s.do(request{method: "GET", path: "/docs", header: map[string]string{"X-API-Key": ""}}).ok(200)
	page := string(a.body)
	var described struct {
		Paths      map[string]map[string]any
		Components struct{ Schemas map[string]any }
	}
	text, err := os.ReadFile("openapi.yaml")
	if err == nil {
		err = yaml.Unmarshal(text, &described)
	}
	if err != nil {
		t.Fatal(err)
	}
	for path, item := range described.Paths {
		for method, operation := range item {
			if method == "parameters" {
				continue
			}
			of := operation.(map[string]any)
			id, summary := of["operationId"].(string), strings.ReplaceAll(of["summary"].(string), "'", "&#39;")
			if !strings.Contains(page, `id="`+id+`"`) || !strings.Contains(page, strings.ToUpper(method)+"</b> <code>"+path+"</code>") || !strings.Contains(page, summary) {
				t.Errorf("%s %s (%s) is not on the page", method, path, id)
			}
		}
	}
	for name := range described.Components.Schemas {
		if !strings.Contains(page, `id="object-`+name+`"`) {
			t.Errorf("%s is not on the page", name)
		}
	}
	for _, link := range regexp.MustCompile(`href="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		switch to, inside := strings.CutPrefix(link[1], "#"); {
		case inside && strings.Count(page, `id="`+to+`"`) != 1:
			t.Errorf("%s leads to %d places", link[0], strings.Count(page, `id="`+to+`"`))
		case !inside && to != "/openapi.json" && to != "/openapi.yaml":
			t.Errorf("%s leads away", link[0])
		}
	}
	if strings.Contains(page, "<script") || strings.Contains(page, "src=") || strings.Contains(page, "style=") || strings.Contains(page, "url(") {
		t.Error("the page needs more than itself")
	}
	// The browser takes the styles by their hash.
	_, style, _ := strings.Cut(page, "<style>")
	style, _, _ = strings.Cut(style, "</style>")
	sum := sha256.Sum256([]byte(style))
	policy := a.header.Get("Content-Security-Policy")
	if !strings.HasSuffix(policy, "; style-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'") {
		t.Errorf("the policy %q does not let the styles in", policy)
	}
	if !strings.Contains(page, "<span>1.2.3</span>") {
		t.Error("the page does not say which version it is of")
	}
}
