package freeswitch

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A switch whose machine vanishes in the middle of a command, without RST, is
// noticed within the time-out by TCP itself. It lives in a network of its own,
// which then answers no more.
func TestAVanishedSwitchIsNoticed(t *testing.T) {
	t.Parallel()
	space := fmt.Sprintf("faxbot%d", os.Getpid())
	ours, theirs := fmt.Sprintf("fbx%d", os.Getpid()), fmt.Sprintf("fby%d", os.Getpid())
	ip := func(args ...string) error {
		said, err := exec.Command("ip", args...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, said)
		}
		return nil
	}
	if err := ip("netns", "add", space); err != nil {
		t.Skipf("a network of its own cannot be made here: %v", err)
	}
	t.Cleanup(func() {
		ip("link", "del", ours) // at once; with the network alone it would be later
		ip("netns", "del", space)
	})
	for _, step := range []string{
		"link add " + ours + " type veth peer name " + theirs + " netns " + space,
		"addr add 198.18.77.1/30 dev " + ours, "link set " + ours + " up",
		"-n " + space + " addr add 198.18.77.2/30 dev " + theirs, "-n " + space + " link set " + theirs + " up",
	} {
		if err := ip(strings.Fields(step)...); err != nil {
			t.Skipf("a network of its own cannot be made here: %v", err)
		}
	}
	listener, err := listenIn("/run/netns/"+space, "198.18.77.2:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	taken := make(chan error, 1)
	go func() {
		conn, err := listener.Accept()
		if err == nil {
			p := newPeer(t, conn)
			_, err = io.WriteString(conn, authRequested)
			if _, e := p.in.next(); e == nil {
				_, err = io.WriteString(conn, reply("+OK accepted"))
			}
		}
		taken <- err
	}()
	const limit = 2 * time.Second
	conn, _, err := dialSwitch(t.Context(), listener.Addr().String(), "secret", Limits{}.withDefaults(), limit)
	if err != nil {
		t.Fatal(err, <-taken)
	}
	defer conn.Close()
	if err := errors.Join(<-taken, ip("-n", space, "addr", "flush", "dev", theirs)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "api status\n\n"); err != nil {
		t.Fatal(err)
	}
	conn.SetReadDeadline(time.Now().Add(15 * limit))
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ETIMEDOUT) {
		t.Errorf("after %s: %v", 15*limit, err)
	}
}

// listenIn listens in another network. A socket stays in the one that its thread
// was in when it was made; the thread ends with the goroutine.
func listenIn(space, address string) (l net.Listener, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		var f *os.File
		if f, err = os.Open(space); err != nil {
			return
		}
		defer f.Close()
		if err = unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err == nil {
			l, err = net.Listen("tcp", address)
		}
	}()
	<-done
	return l, err
}
