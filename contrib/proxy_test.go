package contrib_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Behind nginx an event arrives before the next one is made, an upload reaches
// the daemon before it has ended, a large one is refused, and nothing goes in
// clear text.
func TestNginx(t *testing.T) {
	t.Parallel()
	nginx, openssl := need(t, "nginx", "nginx-light"), need(t, "openssl", "openssl")
	dir, seen := t.TempDir(), make(chan string, 10)
	behind := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			first := make([]byte, 5)
			_, _ = io.ReadFull(r.Body, first)
			seen <- string(first)
			_, _ = io.Copy(io.Discard, r.Body)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: page 1\n\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done() // the stream goes on
	}))
	t.Cleanup(behind.Close)
	chain, secret := filepath.Join(dir, "chain.pem"), filepath.Join(dir, "key.pem")
	command(t, openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1", "-subj", "/CN=fax.example.org", "-keyout", secret, "-out", chain)
	secure, clear := free(t), free(t)
	site := strings.NewReplacer(
		"listen 443 ssl", "listen "+secure+" ssl", "\tlisten [::]:443 ssl http2;\n", "", "listen 80;", "listen "+clear+";", "\tlisten [::]:80;\n", "",
		"/etc/letsencrypt/live/fax.example.org/fullchain.pem", chain, "/etc/letsencrypt/live/fax.example.org/privkey.pem", secret,
		"127.0.0.1:8080", behind.Listener.Addr().String(),
	).Replace(read(t, "nginx/faxbot.conf"))
	config := "daemon off; master_process off; pid " + dir + "/pid; error_log stderr notice; events {}\nhttp {\n" +
		"client_body_temp_path " + dir + "/body; proxy_temp_path " + dir + "/proxy; fastcgi_temp_path " + dir + "/f; uwsgi_temp_path " + dir + "/u; scgi_temp_path " + dir + "/s;\n" + site + "}\n"
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	command(t, nginx, "-t", "-e", "stderr", "-p", dir, "-c", file)
	await(t, start(t, exec.Command(nginx, "-e", "stderr", "-p", dir, "-c", file)), `using the "|start worker|nginx/`)

	ctx, cancel := context.WithTimeout(t.Context(), waiting)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} // its name is not ours
	defer client.CloseIdleConnections()
	ask := func(method, url string, body io.Reader) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(ctx, method, url, body)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { answer.Body.Close() })
		return answer
	}
	began := time.Now()
	line, err := bufio.NewReader(ask(http.MethodGet, "https://"+secure+"/fax/1/events", nil).Body).ReadString('\n')
	if err != nil || line != "data: page 1\n" {
		t.Errorf("%q, %v after %s", line, err, time.Since(began))
	}

	reader, writer := io.Pipe()
	go func() {
		_, _ = io.WriteString(writer, "first")
		if first := <-seen; first != "first" {
			_ = writer.CloseWithError(io.ErrUnexpectedEOF)
			return
		}
		_, _ = io.WriteString(writer, " and the rest")
		writer.Close()
	}()
	if answer := ask(http.MethodPost, "https://"+secure+"/fax", reader); answer.StatusCode != http.StatusOK {
		t.Errorf("an upload: %s", answer.Status)
	}
	if answer := ask(http.MethodPost, "https://"+secure+"/fax", strings.NewReader(strings.Repeat("x", 13<<20))); answer.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("13 MiB: %s", answer.Status)
	}
	if answer := ask(http.MethodGet, "http://"+clear+"/health", nil); answer.StatusCode != http.StatusForbidden {
		t.Errorf("without TLS: %s", answer.Status)
	}
}

func TestCaddy(t *testing.T) {
	t.Parallel()
	caddy := need(t, "caddy", "caddy")
	cmd := exec.CommandContext(t.Context(), caddy, "validate", "--adapter=caddyfile", "--config=caddy/Caddyfile")
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "Valid configuration") {
		t.Errorf("%v\n%s", err, out)
	}
}
