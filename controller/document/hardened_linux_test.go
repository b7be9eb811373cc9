package document_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"faxbot/controller/document"
)

// hardened names a test process that, and whose programs, may not make memory
// executable: what the systemd unit's MemoryDenyWriteExecute does.
const hardened = "FAXBOT_TEST_HARDENED"

// Every kind of document is drawn under the unit's rule that no memory is made
// executable, which programs with a compiler inside break.
func TestNoMemoryIsMadeExecutable(t *testing.T) {
	t.Parallel()
	if os.Getenv(hardened) == "" {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), self, "-test.v", "-test.run", "^TestNoMemoryIsMadeExecutable$") //nolint:gosec // ourselves
		cmd.Env = append(os.Environ(), hardened+"=1")
		said, err := cmd.CombinedOutput()
		if strings.Contains(string(said), "--- SKIP") {
			t.Skip(string(said))
		}
		if err != nil || !strings.Contains(string(said), "--- PASS") {
			t.Errorf("%v\n%s", err, said)
		}
		return
	}
	libreOffice(t)
	if err := unix.Prctl(unix.PR_SET_MDWE, unix.PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0); err != nil {
		t.Skip("this kernel cannot forbid it: ", err)
	}
	if page, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE|unix.PROT_EXEC, unix.MAP_PRIVATE|unix.MAP_ANON); err == nil {
		t.Fatal(unix.Munmap(page), "it is not forbidden")
	}
	// MuPDF, Ghostscript, LibreOffice.
	if _, made := prepare(t, open(t, document.Config{}), long, scan("/ColorSpace /DeviceGray"), []byte(rtfPage)); made.Pages != 5 {
		t.Errorf("%+v", made)
	}
}
