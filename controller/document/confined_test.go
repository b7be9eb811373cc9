package document_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// Documents are drawn, as far away as can be, also where the daemon is an
// ordinary user, and where the system gives no namespaces to those.
func TestOrdinaryUser(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
	for _, name := range []string{"setpriv", "unshare"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("no %s: apt-get install util-linux", name)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	const user = 65533 // anybody but nobody
	dir := t.TempDir()
	binary := filepath.Join(dir, "document.test")
	content, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(binary, content, 0o755); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(d, 0o755); err != nil { //nolint:gosec // another user looks in
			t.Fatal(err)
		}
	}
	tests := []string{binary, "-test.v", "-test.run", "^(TestConversionRunsConfined|TestSeveralFilesAreOneFaxInOrder|TestOfficeDocumentsBetweenOthers)$"}
	become := []string{"setpriv", "--reuid=65533", "--regid=65533", "--clear-groups"}
	const none = `echo 0 >/proc/sys/user/max_user_namespaces && exec setpriv --inh-caps=-all --ambient-caps=-all "$@"`
	for name, args := range map[string][]string{
		"with namespaces":    append(become, tests...),
		"without namespaces": append(append(become[:len(become):len(become)], "unshare", "--user", "--map-current-user", "--keep-caps", "sh", "-c", none, "sh"), tests...),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if exec.CommandContext(t.Context(), become[0], append(become[1:len(become):len(become)], "unshare", "-Un", "true")...).Run() != nil { //nolint:gosec // a test
				t.Skip("this system has no namespaces for everybody")
			}
			home := t.TempDir()
			for d := home; d != filepath.Dir(filepath.Dir(home)); d = filepath.Dir(d) {
				if err := os.Chown(d, user, user); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.CommandContext(t.Context(), args[0], args[1:]...) //nolint:gosec // a test
			cmd.Dir = "/"
			cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TMPDIR=" + home}
			said, err := cmd.CombinedOutput()
			if err != nil || !strings.Contains(string(said), "--- PASS: TestConversionRunsConfined") {
				t.Errorf("%v\n%s", err, said)
			}
			if fell := strings.Contains(string(said), "this system has no namespaces"); fell != (name == "without namespaces") {
				t.Errorf("namespaces were used or not: %v\n%s", fell, said)
			}
		})
	}
}
