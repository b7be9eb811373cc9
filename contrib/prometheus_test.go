package contrib_test

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestRules(t *testing.T) {
	t.Parallel()
	promtool := need(t, "promtool", "prometheus")
	command(t, promtool, "check", "rules", "prometheus/faxbot.rules.yml")
	command(t, promtool, "check", "config", "prometheus/prometheus.yml")
	command(t, promtool, "test", "rules", "prometheus/faxbot.rules.test.yml")
}

// demo runs a daemon with a simulated switch that has delivered a fax, and
// returns where its metrics are.
func demo(t *testing.T) string {
	t.Helper()
	need(t, "gs", "ghostscript")
	cmd := exec.Command(program, "demo", "--speed=200", "--listen=127.0.0.1:0", "--internal-listen=127.0.0.1:0", "--dir="+t.TempDir())
	return await(t, start(t, cmd), `Metrics +http://(\S+)/metrics`)
}

var alertName = regexp.MustCompile(`alert: (\w+)`)

// Every figure that the rules and the dashboard ask for is one that the daemon
// has, the operations page explains every one, and every alarm.
func TestFiguresExist(t *testing.T) {
	t.Parallel()
	exposed := get(t, "http://"+demo(t)+"/metrics")
	has := map[string]bool{"up": true} // Prometheus' own
	var families []string
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (\w+) (\w+)`).FindAllStringSubmatch(exposed, -1) {
		has[m[1]] = true
		if strings.HasPrefix(m[1], "faxbot_") {
			families = append(families, m[1])
		}
		if m[2] == "histogram" {
			has[m[1]+"_bucket"], has[m[1]+"_sum"], has[m[1]+"_count"] = true, true, true
		}
	}
	name := regexp.MustCompile(`\b(faxbot|process)_[a-z_]+\b`)
	asked := map[string]bool{}
	for _, file := range []string{"prometheus/faxbot.rules.yml", "prometheus/faxbot.rules.test.yml", "grafana/faxbot.json"} {
		for _, figure := range name.FindAllString(read(t, file), -1) {
			asked[figure] = true
			if !has[figure] {
				t.Errorf("%s asks for %s, which the daemon does not have", file, figure)
			}
		}
	}
	page := read(t, "operations.md")
	for _, figure := range families {
		if !strings.Contains(page, "`"+figure) {
			t.Errorf("operations.md does not explain %s", figure)
		}
		if !asked[figure] && !asked[figure+"_bucket"] && !asked[figure+"_sum"] {
			t.Errorf("neither the rules nor the dashboard show %s", figure)
		}
	}
	tests := read(t, "prometheus/faxbot.rules.test.yml")
	for _, m := range alertName.FindAllStringSubmatch(read(t, "prometheus/faxbot.rules.yml"), -1) {
		if !strings.Contains(page, "### "+m[1]) {
			t.Errorf("operations.md does not say what to do about %s", m[1])
		}
		if !regexp.MustCompile(`alertname: ` + m[1] + `\n`).MatchString(tests) {
			t.Errorf("no test lets %s come", m[1])
		}
	}
}

// A real Prometheus scrapes the daemon, evaluates every rule, and answers every
// question of the dashboard.
func TestPrometheusScrapesTheDaemon(t *testing.T) {
	t.Parallel()
	prometheus := need(t, "prometheus", "prometheus")
	target, dir, address := demo(t), t.TempDir(), free(t)
	config := strings.NewReplacer("127.0.0.1:8081", target, "scrape_interval: 15s", "scrape_interval: 200ms").Replace(read(t, "prometheus/prometheus.yml"))
	if !strings.Contains(config, target) {
		t.Fatal("the example does not scrape the internal listener")
	}
	config = "global: {evaluation_interval: 200ms}\n" + config
	for name, text := range map[string]string{"prometheus.yml": config, "faxbot.rules.yml": read(t, "prometheus/faxbot.rules.yml")} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(prometheus, "--config.file="+filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address)
	await(t, start(t, cmd), `Server is ready`)

	type answer struct {
		Status, Error string
		Data          struct {
			Result []struct{ Value [2]any }
			Groups []struct {
				Rules []struct{ Name, Health, LastError string }
			}
		}
	}
	ask := func(path string) (a answer) {
		t.Helper()
		if err := json.Unmarshal([]byte(get(t, "http://"+address+"/api/v1/"+path)), &a); err != nil {
			t.Fatal(err)
		}
		return a
	}
	until := func(what string, holds func() bool) {
		t.Helper()
		again := time.NewTicker(50 * time.Millisecond)
		defer again.Stop()
		for late := time.After(waiting); !holds(); {
			select {
			case <-again.C:
			case <-late:
				t.Fatalf("waited in vain: %s", what)
			}
		}
	}
	until("the delivered fax is counted", func() bool {
		a := ask("query?query=" + url.QueryEscape(`faxbot_faxes_total{job="faxbot",state="done"} == 1 and on() up{job="faxbot"} == 1`))
		return len(a.Data.Result) == 1
	})
	until("every rule is evaluated", func() bool {
		n := 0
		for _, group := range ask("rules").Data.Groups {
			for _, rule := range group.Rules {
				if rule.LastError != "" {
					t.Fatalf("%s: %s", rule.Name, rule.LastError)
				}
				if rule.Health == "ok" {
					n++
				}
			}
		}
		return n == len(alertName.FindAllString(read(t, "prometheus/faxbot.rules.yml"), -1))
	})
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(read(t, "grafana/faxbot.json")), &dashboard); err != nil || len(dashboard.Panels) < 10 {
		t.Fatalf("the dashboard: %v, %d panels", err, len(dashboard.Panels))
	}
	for _, panel := range dashboard.Panels {
		for _, question := range panel.Targets {
			comparison := regexp.MustCompile(` (> 0|== 1)$`).MatchString(question.Expr) // shows nothing while all is well
			until(panel.Title+" shows something for "+question.Expr, func() bool {
				a := ask("query?query=" + url.QueryEscape(question.Expr))
				if a.Status != "success" {
					t.Fatalf("%s: %s", panel.Title, a.Error)
				}
				return len(a.Data.Result) > 0 || comparison
			})
		}
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// free is an address for a program that cannot say which port it took.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
