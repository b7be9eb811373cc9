// Package pgtest runs a real PostgreSQL for tests: Debian's, reached through a
// socket in a folder of its own.
package pgtest

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// Server is a private PostgreSQL. Its methods are for one goroutine.
type Server struct {
	URL string // of the database "postgres", for its superuser "faxbot"

	dir, binary, options string
	up                   bool
}

// Quick makes the server faster and its data worthless after a loss of power,
// but not after a crash of the server itself.
const Quick = "-c fsync=off"

// Start makes and starts a server with these options of postgres(1). Stop it
// with Remove.
func Start(options ...string) (*Server, error) {
	return begin(options, func(s *Server) error {
		return s.ctl("initdb", "-s", "-o", "--no-sync --auth=trust --encoding=UTF8 --locale=C --username=faxbot")
	})
}

// Standby makes and starts a server that follows this one. As long as this one
// has synchronous_standby_names=*, what it confirms is there, too.
func (s *Server) Standby(options ...string) (*Server, error) {
	return begin(options, func(standby *Server) error {
		copies, err := Program("pg_basebackup")
		if err != nil {
			return err
		}
		return standby.run(copies, "-D", standby.Dir(), "-h", s.dir, "-U", "faxbot", "-R", "-c", "fast", "--no-sync")
	})
}

// Either is the URL of whichever of the servers can be written to.
func Either(servers ...*Server) string {
	var hosts []string
	for _, s := range servers {
		hosts = append(hosts, s.dir)
	}
	return address(hosts...)
}

func address(hosts ...string) string {
	return "postgres:///postgres?" + url.Values{"host": {strings.Join(hosts, ",")}, "user": {"faxbot"}, "sslmode": {"disable"}}.Encode()
}

func begin(options []string, fill func(*Server) error) (_ *Server, err error) {
	s := &Server{}
	if s.binary, err = Program("pg_ctl"); err != nil {
		return nil, err
	}
	if s.dir, err = os.MkdirTemp("", "faxbot-pg-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Remove())
		}
	}()
	if id, gid, err := credential(); err != nil {
		return nil, err
	} else if id != 0 {
		if err := os.Chown(s.dir, int(id), int(gid)); err != nil {
			return nil, err
		}
	}
	if err := fill(s); err != nil {
		return nil, err
	}
	s.options = strings.Join(append([]string{"-c listen_addresses= -c max_connections=400 -c unix_socket_directories=" + s.dir}, options...), " ")
	if err := s.Start(); err != nil {
		return nil, err
	}
	s.URL = address(s.dir)
	return s, nil
}

// RunT starts a quick server, with these options besides, that ends with the
// test, which is skipped where there is no PostgreSQL.
func RunT(t testing.TB, options ...string) *Server {
	t.Helper()
	s, err := Start(append([]string{Quick}, options...)...)
	if err != nil {
		t.Skipf("no PostgreSQL: %v", err)
	}
	s.removeAfter(t)
	return s
}

// RunPairT starts a server, with these options besides, that confirms nothing
// which its standby does not have, and that standby; they end with the test.
func RunPairT(t testing.TB, options ...string) (primary, standby *Server) {
	t.Helper()
	primary = RunT(t, append(options, "-c synchronous_standby_names=*")...)
	standby, err := primary.Standby(Quick)
	if err != nil {
		t.Fatal(err)
	}
	standby.removeAfter(t)
	return primary, standby
}

func (s *Server) removeAfter(t testing.TB) {
	t.Cleanup(func() {
		if err := s.Remove(); err != nil {
			t.Error(err)
		}
	})
}

// Start starts a server that was stopped.
func (s *Server) Start() error {
	err := s.ctl("start", "-w", "-s", "-t", "120", "-l", s.Log(), "-o", s.options)
	s.up = s.up || err == nil
	return err
}

// Stop stops the server: "fast" as for a restart, "immediate" as a crash.
func (s *Server) Stop(how string) error {
	s.up = false
	return s.ctl("stop", "-w", "-s", "-m", how)
}

// Promote makes a standby the server that is written to.
func (s *Server) Promote() error { return s.ctl("promote", "-w", "-s", "-t", "60") }

// Kill ends all of the server's processes as a loss of power does.
func (s *Server) Kill() error {
	s.up = false
	return s.signal(syscall.SIGKILL)
}

// Freeze has all of the server's processes stand still until thaw is called:
// connections stay up, and nothing is answered.
func (s *Server) Freeze() (thaw func() error, err error) {
	return func() error { return s.signal(syscall.SIGCONT) }, s.signal(syscall.SIGSTOP)
}

// signal reaches the main process first, which then starts no others.
func (s *Server) signal(sig syscall.Signal) error {
	text, err := os.ReadFile(filepath.Join(s.Dir(), "postmaster.pid"))
	if err != nil {
		return err
	}
	first, _, _ := strings.Cut(string(text), "\n")
	main, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil {
		return err
	}
	children := func() []string {
		list, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", main, main))
		return strings.Fields(string(list))
	}
	all := children()
	if err := syscall.Kill(main, sig); err != nil {
		return err
	}
	for _, word := range append(all, children()...) { // one may have ended, or just begun
		if pid, err := strconv.Atoi(word); err == nil {
			_ = syscall.Kill(pid, sig)
		}
	}
	return nil
}

// Log is the server's log file.
func (s *Server) Log() string { return filepath.Join(s.dir, "log") }

// Dir is the server's data directory.
func (s *Server) Dir() string { return filepath.Join(s.dir, "data") }

// Remove stops the server and deletes all that it kept.
func (s *Server) Remove() error {
	var err error
	if s.up {
		_ = s.signal(syscall.SIGCONT) // it may stand still
		err = s.Stop("immediate")
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}

// Program finds one of PostgreSQL's programs, which Debian keeps out of PATH.
func Program(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if len(found) == 0 {
		return "", fmt.Errorf("%s is neither in PATH nor in /usr/lib/postgresql", name)
	}
	return found[len(found)-1], nil
}

func (s *Server) ctl(verb string, args ...string) error {
	return s.run(s.binary, append([]string{verb, "-D", s.Dir()}, args...)...)
}

// run runs one of PostgreSQL's programs as the server's user.
func (s *Server) run(program string, args ...string) error {
	cmd := exec.Command(program, args...) //nolint:gosec // the program is PostgreSQL's
	cmd.Dir = s.dir
	id, gid, err := credential()
	if err != nil {
		return err
	}
	if id != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: id, Gid: gid}}
	}
	// A file, not a pipe: the server would keep a pipe open.
	out, err := os.CreateTemp(s.dir, "ctl-")
	if err != nil {
		return err
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err != nil {
		said, _ := os.ReadFile(out.Name())
		return fmt.Errorf("%s %s: %w: %s", filepath.Base(program), args[0], err, said)
	}
	return nil
}

// credential is whom the server runs as: PostgreSQL refuses to be root. Zero
// means ourselves.
func credential() (uid, gid uint32, err error) {
	if os.Getuid() != 0 {
		return 0, 0, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return 0, 0, err
	}
	id, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return 0, 0, err
	}
	group, err := strconv.ParseUint(u.Gid, 10, 32)
	return uint32(id), uint32(group), err
}
