package pgtest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// PoolerT starts a PgBouncer in front of the server, which lends its connections
// for one transaction each, and returns the URL of the same database. It ends
// with the test, which is skipped where there is no PgBouncer.
func (s *Server) PoolerT(t testing.TB) string {
	t.Helper()
	binary, err := exec.LookPath("pgbouncer")
	if err != nil {
		if binary = "/usr/sbin/pgbouncer"; !exists(binary) {
			t.Skip("no PgBouncer: apt-get install pgbouncer")
		}
	}
	dir, err := os.MkdirTemp(s.dir, "pooler-") //nolint:usetesting // the server's user can reach it, and a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "ini")
	text := fmt.Sprintf(`[databases]
postgres = host=%s dbname=postgres user=faxbot
[pgbouncer]
listen_port = 6432
unix_socket_dir = %s
auth_type = any
pool_mode = transaction
default_pool_size = 5
ignore_startup_parameters = extra_float_digits
`, s.dir, dir)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil { //nolint:gosec // another user reads it
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "-q", file)
	id, gid, err := credential()
	if err != nil {
		t.Fatal(err)
	}
	if id != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: id, Gid: gid}}
		if err := os.Chown(dir, int(id), int(gid)); err != nil {
			t.Fatal(err)
		}
	}
	out, err := os.Create(filepath.Join(dir, "log")) //nolint:gosec // a folder of our own
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // it is killed
		close(ended)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
	})
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for late := time.After(30 * time.Second); ; {
		if c, err := net.Dial("unix", filepath.Join(dir, ".s.PGSQL.6432")); err == nil {
			c.Close()
			break
		}
		select {
		case <-look.C:
		case <-ended:
			said, _ := os.ReadFile(out.Name())
			t.Fatalf("PgBouncer ended: %s", said)
		case <-late:
			t.Fatal("PgBouncer takes no connections")
		}
	}
	return address(dir) + "&port=6432"
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}
