// Command check reads manifests into Kubernetes' own types, which must know every
// field, and prints them as a JSON array. It is a module of its own, so that its
// libraries are no part of Faxbot.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// kinds are what may be in a manifest.
var kinds = map[string]func() any{
	"v1 ConfigMap":                       func() any { return &core.ConfigMap{} },
	"v1 Service":                         func() any { return &core.Service{} },
	"apps/v1 StatefulSet":                func() any { return &apps.StatefulSet{} },
	"policy/v1 PodDisruptionBudget":      func() any { return &policy.PodDisruptionBudget{} },
	"networking.k8s.io/v1 NetworkPolicy": func() any { return &networking.NetworkPolicy{} },
}

func main() {
	if err := check(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func check(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var all []any
	for i, part := range strings.Split(string(text), "\n---\n") {
		var is meta.TypeMeta
		if err := yaml.Unmarshal([]byte(part), &is); err != nil {
			return fmt.Errorf("%s, part %d: %w", file, i+1, err)
		}
		make, known := kinds[is.APIVersion+" "+is.Kind]
		if !known {
			return fmt.Errorf("%s, part %d: %s %s is not expected", file, i+1, is.APIVersion, is.Kind)
		}
		object := make()
		if err := yaml.UnmarshalStrict([]byte(part), object); err != nil {
			return fmt.Errorf("%s, %s: %w", file, is.Kind, err)
		}
		all = append(all, object)
	}
	return json.NewEncoder(os.Stdout).Encode(all)
}
