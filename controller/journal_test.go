package controller_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"faxbot/controller"
	"faxbot/controller/fax"
	"faxbot/controller/freeswitch/simulator"
	"faxbot/controller/store/pgtest"
)

// The disk is full while the database is away: the result is told to be in
// memory only, kept on disk as soon as there is room, and stored in the end.
func TestFullDiskWhileTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("a small disk needs root")
	}
	server := pgtest.RunT(t)
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("a small disk cannot be had: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(disk, syscall.MNT_DETACH) })
	journal := filepath.Join(disk, "verdicts")
	// A call takes longer than a server that stops.
	h := newHouseOn(t, server.URL, simulator.Config{Speed: 10}, func(c *controller.Config) { c.Journal = journal })

	id := h.submit("15551230090", 3)
	_, calls := h.until(id, fax.Sending)
	ballast := filepath.Join(disk, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 128<<10), 0o600); err == nil {
		t.Fatal("the disk is not full")
	}
	if err := server.Stop("immediate"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the result is in memory only", func() bool { return h.gauge("faxbot_results_waiting", "memory") == 1 })
	if n := h.figure("faxbot_database_up"); n != 0 {
		t.Errorf("the database is up: %v", n)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the result is on disk", func() bool {
		_, err := os.Stat(filepath.Join(journal, string(calls[0].ID)+".json"))
		return err == nil && h.gauge("faxbot_results_waiting", "journal") == 1 && h.gauge("faxbot_results_waiting", "memory") == 0
	})
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	if _, attempts := h.until(id, fax.Done); len(attempts) != 1 {
		t.Errorf("%+v", attempts)
	}
	eventually(t, "nothing waits any more", func() bool { return h.gauge("faxbot_results_waiting", "journal") == 0 })
}
