package contrib_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Kubernetes' own types know every field; every setting is one of the daemon's;
// calls may finish before a pod is killed, and nothing secret is in the file.
func TestKubernetes(t *testing.T) {
	t.Parallel()
	if out, err := exec.CommandContext(t.Context(), "go", "-C", "kubernetes/check", "mod", "download").CombinedOutput(); err != nil {
		t.Skipf("the types of Kubernetes cannot be had here: %s", out)
	}
	cmd := exec.CommandContext(t.Context(), "go", "-C", "kubernetes/check", "run", ".", "../faxbot.yaml")
	cmd.Env = append(os.Environ(), "GOFLAGS=")
	cmd.Stderr = os.Stderr
	text, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	type object struct {
		Kind     string
		Metadata struct{ Name string }
		Data     map[string]string
		Spec     struct {
			Replicas       int
			MaxUnavailable int
			ServiceName    string
			Selector       map[string]any
			Template       struct {
				Metadata struct{ Labels map[string]string }
				Spec     struct {
					TerminationGracePeriodSeconds int
					Containers                    []struct {
						Env []struct {
							Name, Value string
						}
						EnvFrom []struct {
							ConfigMapRef, SecretRef struct{ Name string }
						}
						Ports []struct {
							Name          string
							ContainerPort int
						}
						ReadinessProbe, LivenessProbe struct {
							HTTPGet struct {
								Path string
								Port any
							}
						}
					}
				}
			}
		}
	}
	var all []object
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	kinds := map[string]object{}
	for _, o := range all {
		kinds[o.Kind] = o
	}
	set, config := kinds["StatefulSet"], kinds["ConfigMap"]
	pod := set.Spec.Template.Spec
	container := pod.Containers[0]
	if config.Data["FAXBOT_DRAIN"] != "5m" || pod.TerminationGracePeriodSeconds < 5*60+15 {
		t.Errorf("killed after %d s, while calls may finish for %s", pod.TerminationGracePeriodSeconds, config.Data["FAXBOT_DRAIN"])
	}
	if budget := kinds["PodDisruptionBudget"].Spec.MaxUnavailable; budget != 1 || set.Spec.Replicas < 2 {
		t.Errorf("%d of %d may be away", budget, set.Spec.Replicas)
	}
	if live, ready := container.LivenessProbe.HTTPGet, container.ReadinessProbe.HTTPGet; live.Path != "/health" || ready.Path != "/health/ready" {
		t.Errorf("probes: %v %v", live, ready)
	}
	if len(container.EnvFrom) != 2 || container.EnvFrom[0].ConfigMapRef.Name != config.Metadata.Name || container.EnvFrom[1].SecretRef.Name == "" {
		t.Errorf("%+v", container.EnvFrom)
	}
	help := command(t, program, "serve", "--help")
	names := []string{}
	for name := range config.Data {
		names = append(names, name)
	}
	own := false
	for _, e := range container.Env {
		own = own || e.Name == "FAXBOT_HOST"
		if e.Name != "POD_IP" { // it is for the others
			names = append(names, e.Name)
		}
	}
	for _, name := range names {
		if !strings.Contains(help, "$"+name) {
			t.Errorf("%s is no setting", name)
		}
		if strings.Contains(name, "KEY") || strings.Contains(name, "PASSWORD") || strings.Contains(name, "SECRET") || name == "DATABASE_URL" {
			t.Errorf("%s belongs into the secret", name)
		}
	}
	if !own {
		t.Error("the daemons have no names of their own")
	}
}
