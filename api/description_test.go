package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"faxbot/controller"
	"faxbot/controller/fax"

	"github.com/getkin/kin-openapi/openapi3"
)

func describe(t *testing.T) *openapi3.T {
	t.Helper()
	w := httptest.NewRecorder()
	New(Config{Version: "1.2.3"}).Public().ServeHTTP(w, httptest.NewRequest("GET", "/openapi.json", nil))
	doc, err := openapi3.NewLoader().LoadFromData(w.Body.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestDescriptionIsValid(t *testing.T) {
	t.Parallel()
	doc := describe(t)
	if err := doc.Validate(t.Context()); err != nil {
		t.Error(err)
	}
	if doc.Info.Version != "1.2.3" {
		t.Errorf("version %q", doc.Info.Version)
	}
}

// What is served is described, and nothing else.
func TestDescriptionIsComplete(t *testing.T) {
	t.Parallel()
	a := New(Config{})
	var served, described []string
	for _, rt := range append(a.routes(), a.pagesRoute()) {
		served = append(served, rt.pattern)
	}
	for path, item := range describe(t).Paths.Map() {
		for method := range item.Operations() {
			described = append(described, method+" "+path)
		}
	}
	slices.Sort(served)
	slices.Sort(described)
	if !slices.Equal(served, described) {
		t.Errorf("served:\n%s\ndescribed:\n%s", strings.Join(served, "\n"), strings.Join(described, "\n"))
	}
}

// Clients that are made from the description know every word we say.
func TestDescriptionKnowsTheVocabulary(t *testing.T) {
	t.Parallel()
	schemas := describe(t).Components.Schemas
	words := func(name string, property ...string) []string {
		s := schemas[name].Value
		for _, p := range property {
			s = s.Properties[p].Value
		}
		var list []string
		for _, w := range s.Enum {
			if w != nil {
				list = append(list, fmt.Sprint(w))
			}
		}
		slices.Sort(list)
		return list
	}
	for what, c := range map[string]struct{ described, spoken []string }{
		"states":         {words("State"), texts(fax.States)},
		"scopes":         {words("Scope"), texts(scopes)},
		"statuses":       {words("Status"), texts(fax.Statuses)},
		"causes":         {words("Cause"), texts(fax.Causes)},
		"deeds":          {words("Deed"), texts(controller.Deeds)},
		"events":         {words("Event"), texts(controller.Events)},
		"sources":        {words("Setting", "source"), texts([]Source{FromDefault, FromStored, FromEnvironment, FromFlag})},
		"effects":        {words("Setting", "applies"), texts([]Effect{Now, NextStart, Never})},
		"changes":        {words("Reason", "change"), texts(fax.Changes)},
		"witnesses":      {words("Witness"), texts(fax.Witnesses)},
		"attempt states": {words("Attempt", "state"), texts(fax.AttemptStates)},
		"codes":          {words("Refusal", "code"), slices.DeleteFunc(texts(slices.Collect(maps.Keys(statuses))), func(s string) bool { return s == string(gone) })},
	} {
		if !slices.Equal(c.described, c.spoken) {
			t.Errorf("%s: described are %v, spoken %v", what, c.described, c.spoken)
		}
	}
}

// A field that is not described is one that nobody knows of.
func TestDescriptionKnowsEveryField(t *testing.T) {
	t.Parallel()
	schemas := describe(t).Components.Schemas
	for name, v := range map[string]any{"Fax": viewOf(fax.Job{}), "Attempt": attemptOf(fax.Attempt{}), "Key": keyViewOf(controller.Key{}), "Job": jobViewOf(fax.Job{}), "Session": sessionView{}, "DeadWebhook": deadViewOf(controller.Message{}), "Record": recordViewOf(controller.Record{}), "Setting": Setting{}, "Endpoint": endpointViewOf(controller.Endpoint{})} {
		var sent map[string]any
		b, _ := json.Marshal(v)
		if err := json.Unmarshal(b, &sent); err != nil {
			t.Fatal(err)
		}
		required := slices.Sorted(slices.Values(schemas[name].Value.Required))
		if got := slices.Sorted(maps.Keys(sent)); !slices.Equal(got, required) {
			t.Errorf("%s: sent %v, required %v", name, got, required)
		}
	}
	for part := range newFields(nil).names {
		if schemas["Submission"].Value.Properties[part] == nil {
			t.Errorf("the part %q is not described", part)
		}
	}
}

func texts[T ~string](list []T) []string {
	var out []string
	for _, w := range list {
		out = append(out, string(w))
	}
	slices.Sort(out)
	return out
}
