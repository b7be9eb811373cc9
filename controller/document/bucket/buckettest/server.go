// Package buckettest runs a real S3 server for tests: Versity's S3 gateway over a
// temporary folder.
package buckettest

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"faxbot/controller/document/bucket"
)

// program is where .ci/deps installs the server, seen from the module's folder.
const program = "bin/versitygw-v1.8.0/versitygw"

const (
	accessKey = "faxbot"
	secretKey = "of-no-value-beyond-this-test" //nolint:gosec // as it says
	name      = "faxes"
)

// Server is an S3 server with one bucket.
type Server struct {
	Config  bucket.Config
	dir     string                 // of the bucket
	args    []string               // of its process
	address string                 // of its process
	down    atomic.Pointer[string] // what is refused: paths that end so

	mu      sync.Mutex
	process *exec.Cmd     // nil while it is down
	ended   chan struct{} // closed when that has ended
	headers []http.Header // of the requests that stored something
}

// RunT runs a server until the test ends. It skips the test when the server is
// not installed.
func RunT(tb testing.TB) *Server {
	tb.Helper()
	path := find(tb)
	dir := tb.TempDir()
	files, side := filepath.Join(dir, "files"), filepath.Join(dir, "side")
	s := &Server{dir: filepath.Join(files, name)}
	if err := errors.Join(os.MkdirAll(s.dir, 0o700), os.Mkdir(side, 0o700)); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.Kill)
	for try := 0; ; try++ {
		s.address = free(tb)
		s.args = []string{path, "--port", s.address, "--access", accessKey, "--secret", secretKey, "--quiet", "posix", "--sidecar", side, files}
		err := s.Start()
		if err == nil {
			break
		}
		if try == 5 {
			tb.Fatal(err)
		}
	}
	proxy := httptest.NewServer(s.front(&url.URL{Scheme: "http", Host: s.address}))
	tb.Cleanup(proxy.Close)
	s.Config = bucket.Config{
		Name: name, Prefix: "test/", Region: "us-east-1", Endpoint: proxy.URL, AccessKey: accessKey, SecretKey: secretKey,
	}
	return s
}

// find looks for the server's program from the test's folder upwards.
func find(tb testing.TB) string {
	tb.Helper()
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if path := filepath.Join(dir, program); exists(path) {
			return path
		}
	}
	if path, err := exec.LookPath("versitygw"); err == nil {
		return path
	}
	tb.Skip("no S3 server: .ci/deps test installs versitygw")
	return ""
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func free(tb testing.TB) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Start starts a server that was killed, at the same address.
func (s *Server) Start() error {
	cmd := exec.Command(s.args[0], s.args[1:]...) //nolint:gosec // installed by .ci/deps
	// It dies with the test, however that ends.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = cmd.Wait() }()
	s.mu.Lock()
	s.process, s.ended = cmd, ended
	s.mu.Unlock()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		if conn, err := net.Dial("tcp", s.address); err == nil {
			_ = conn.Close()
			return nil
		}
		select {
		case <-ended:
			return errors.New("versitygw ended before it listened")
		case <-look.C:
		}
	}
	s.Kill()
	return errors.New("versitygw does not listen within 20 s")
}

// Kill ends the server at once; what it has stored stays.
func (s *Server) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil {
		_ = s.process.Process.Kill()
		<-s.ended
		s.process = nil
	}
}

// Signal sends the server a signal: SIGSTOP has it stand still.
func (s *Server) Signal(sig syscall.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return errors.New("versitygw is down")
	}
	return s.process.Process.Signal(sig)
}

// front passes requests on, unless the server is to be down.
func (s *Server) front(to *url.URL) http.Handler {
	pass := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Host = r.In.Host // it is signed
	}, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if end := s.down.Load(); end != nil && strings.HasSuffix(r.URL.Path, *end) {
			_, _ = io.Copy(io.Discard, r.Body)
			http.Error(w, "down", http.StatusServiceUnavailable)
			return
		}
		if r.Method == http.MethodPut {
			s.mu.Lock()
			s.headers = append(s.headers, r.Header.Clone())
			s.mu.Unlock()
		}
		pass.ServeHTTP(w, r)
	})
}

// Fail makes the server refuse everything, or work again.
func (s *Server) Fail(down bool) {
	if s.down.Store(nil); down {
		s.FailOn("")
	}
}

// FailOn makes the server refuse what concerns keys that end so.
func (s *Server) FailOn(end string) { s.down.Store(&end) }

// Stored returns the headers of the requests that stored something.
func (s *Server) Stored() []http.Header {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]http.Header(nil), s.headers...)
}

// Files lists the keys of what the bucket holds, as its server keeps it.
func (s *Server) Files() (keys []string) {
	_ = filepath.WalkDir(s.dir, func(path string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			keys = append(keys, strings.TrimPrefix(path, s.dir+"/"))
		}
		return nil
	})
	return keys
}

// Spoil changes the content of a file behind the server's back.
func (s *Server) Spoil(key string) error {
	return os.WriteFile(filepath.Join(s.dir, key), []byte("spoilt"), 0o600)
}

// Open returns the server's bucket.
func (s *Server) Open(tb testing.TB) *bucket.Bucket {
	tb.Helper()
	b, err := bucket.Open(s.Config)
	if err == nil {
		err = b.Check(context.Background())
	}
	if err != nil {
		tb.Fatal(err)
	}
	return b
}
