package contrib_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// BuildKit and Compose take the files, only REST and SIP are published, and the
// sockets between daemon and switch are in a network without a way out.
func TestContainers(t *testing.T) {
	t.Parallel()
	if out, err := exec.CommandContext(t.Context(), "go", "-C", "docker/check", "mod", "download").CombinedOutput(); err != nil {
		t.Skipf("the libraries of Compose cannot be had here: %s", out)
	}
	cmd := exec.CommandContext(t.Context(), "go", "-C", "docker/check", "run", ".", "../Dockerfile", "../compose.yaml")
	cmd.Env = append(os.Environ(), "GOFLAGS=", "API_KEY=a", "POSTGRES_PASSWORD=b", "FREESWITCH_ESL_PASSWORD=c", "FREESWITCH_HOOK_SECRET=d")
	cmd.Stderr = os.Stderr
	text, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var project struct {
		Services map[string]struct {
			Environment map[string]string
			ReadOnly    bool `json:"read_only"`
			Ports       []struct {
				HostIP    string `json:"host_ip"`
				Published string
				Protocol  string
			}
			Networks map[string]struct {
				IPv4 string `json:"ipv4_address"`
			}
			Volumes []struct {
				Source, Target string
				ReadOnly       bool `json:"read_only"`
			}
		}
		Networks map[string]struct{ Internal bool }
	}
	if err := json.Unmarshal(text, &project); err != nil {
		t.Fatal(err)
	}
	faxbot, freeswitch := project.Services["faxbot"], project.Services["freeswitch"]
	if len(faxbot.Ports) != 1 || faxbot.Ports[0].HostIP != "127.0.0.1" || len(project.Services["postgres"].Ports) != 0 {
		t.Errorf("published: %+v", faxbot.Ports)
	}
	for _, p := range freeswitch.Ports {
		if p.Protocol != "udp" {
			t.Errorf("FreeSWITCH publishes %+v; 8021 is nobody's business", p)
		}
	}
	if !project.Networks["switch"].Internal || !project.Networks["database"].Internal {
		t.Error("the sockets have a way out")
	}
	if esl := faxbot.Environment["FREESWITCH_ESL_HOST"]; esl == "" || esl != freeswitch.Networks["switch"].IPv4 {
		t.Errorf("the event socket is sought at %q", esl)
	}
	if at := faxbot.Environment["FAXBOT_SOCKET_ADVERTISE"]; at != faxbot.Networks["switch"].IPv4+":8084" {
		t.Errorf("calls connect to %q", at)
	}
	shared := map[string]bool{}
	for _, v := range faxbot.Volumes {
		shared[v.Source+" "+v.Target] = true
	}
	readable := false
	for _, v := range freeswitch.Volumes {
		readable = readable || v.ReadOnly && shared[v.Source+" "+v.Target]
	}
	if !readable {
		t.Error("FreeSWITCH does not see the documents under the same path, read-only")
	}
	help := command(t, program, "serve", "--help")
	for name := range faxbot.Environment {
		if !strings.Contains(help, "$"+name) {
			t.Errorf("serve knows no %s", name)
		}
	}
	if dockerfile := read(t, "docker/Dockerfile"); !strings.Contains(dockerfile, "\nUSER faxbot\n") || !strings.Contains(dockerfile, "\nHEALTHCHECK ") {
		t.Error("the image runs as root, or nobody asks whether it lives")
	}
}
