package document_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"faxbot/controller/document"
	"faxbot/controller/fax"
)

// long is a document of three pages.
var long = pdf(letter("one"), letter("two"), letter("three"))

func TestDamagedDocumentsAreRefused(t *testing.T) {
	t.Parallel()
	f := open(t, document.Config{MaxPages: 20})
	slow := open(t, document.Config{MaxPages: 20, MuPDF: absent})
	// A good end on what has lost its middle.
	end := long[bytes.LastIndex(long, []byte("xref\n0")):]
	for _, c := range []struct {
		name  string
		file  []byte
		words string
	}{
		{"empty", nil, "empty"},
		{"header only", []byte("%PDF-1.4\n"), "its end is missing"},
		{"garbage after the header", append([]byte("%PDF-1.4\n"), bytes.Repeat([]byte{0xde, 0xad, 0, 7, '\n'}, 5000)...), "its end is missing"},
		{"garbage with an end", append(append([]byte("%PDF-1.4\n"), bytes.Repeat([]byte{0xde, 0xad, 0, 7, '\n'}, 500)...), "startxref\n9\n%%EOF\n"...), "damaged"},
		{"cut in half", long[:len(long)/2], "its end is missing"},
		{"cut at the end", long[:len(long)-60], "its end is missing"},
		{"page missing", append(append([]byte(nil), long[:bytes.Index(long, []byte("7 0 obj"))]...), end...), "damaged"},
		{"no pages", pdf(), "no pages"},
		{"too many pages", pdf(make([]pdfPage, 21)...), "21 pages, more than 20"},
		{"pages form a circle", bytes.Replace(long, []byte("/Kids [3 0 R"), []byte("/Kids [2 0 R"), 1), ""},
		{"page without size", pdf(pdfPage{attributes: "/MediaBox [0 0 0 0]"}), ""},
		{"scan with a part that is too short", jbig2(100, "00000001 26 00 01 00000004 DEADBEEF"), "damaged"},
		{"unknown operator data", pdf(pdfPage{attributes: "/MediaBox [0 0 612 792]", content: "/X Do (unbalanced"}), ""},
		{"portfolio", pdfWith("/Collection << /Type /Collection >> /Names << /EmbeddedFiles << /Names [(a.pdf) 5 0 R] >> >>", []string{
			"<< /Type /Filespec /F (a.pdf) /EF << /F 6 0 R >> >>",
			fmt.Sprintf("<< /Type /EmbeddedFile /Subtype /application#2Fpdf /Length %d >>\nstream\n%s\nendstream", len(long), long),
		}, letter("open me in another program")), "portfolio"},
	} {
		t.Run(c.name, func(t *testing.T) {
			wantRefusal(t, refuse(t, f, c.file), fax.BadDocument, c.words)
			wantRefusal(t, refuse(t, slow, c.file), fax.BadDocument, c.words)
		})
	}
}

func TestProtectedDocuments(t *testing.T) {
	t.Parallel()
	f := open(t, document.Config{})
	encrypt := func(args ...string) []byte {
		t.Helper()
		dir := t.TempDir()
		in, out := filepath.Join(dir, "in.pdf"), filepath.Join(dir, "out.pdf")
		if err := os.WriteFile(in, long, 0o600); err != nil {
			t.Fatal(err)
		}
		args = append([]string{"-q", "-dBATCH", "-dNOPAUSE", "-sDEVICE=pdfwrite", "-dEncryptionR=3", "-dKeyLength=128", "-sOutputFile=" + out}, args...)
		if said, err := exec.CommandContext(t.Context(), "gs", append(args, in)...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, said)
		}
		b, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	wantRefusal(t, refuse(t, f, encrypt("-sUserPassword=u", "-sOwnerPassword=o")), fax.BadDocument, "protected by a password", "remove the password")
	// Only changing it needs a password.
	if _, made := prepare(t, f, encrypt("-sOwnerPassword=o", "-dPermissions=-3904")); made.Pages != 3 {
		t.Errorf("%d pages", made.Pages)
	}
}

func TestHarmlessFaultsAreForgiven(t *testing.T) {
	t.Parallel()
	f := open(t, document.Config{})
	slow := open(t, document.Config{MuPDF: absent})
	for name, file := range map[string][]byte{
		"lines before the header": append([]byte("Content-Type: application/pdf\r\n\r\n"), long...),
		"padding after the end":   append(append([]byte(nil), long...), make([]byte, 9000)...),
		"wrong cross-references":  bytes.ReplaceAll(long, []byte("00000 n"), []byte("00009 n")),
		"count too high":          bytes.Replace(long, []byte("/Count 3"), []byte("/Count 1000000"), 1),
		"count too low":           bytes.Replace(long, []byte("/Count 3"), []byte("/Count 2"), 1),
		"objects moved":           bytes.Replace(long, []byte("3 0 obj"), []byte("%  comment  \n3 0 obj"), 1),
	} {
		t.Run(name, func(t *testing.T) {
			for _, f := range []*document.Folder{f, slow} {
				if _, made := prepare(t, f, file); made.Pages != 3 {
					t.Errorf("%d pages", made.Pages)
				}
			}
		})
	}
}

func TestOtherKindsAreNamed(t *testing.T) {
	t.Parallel()
	f := open(t, document.Config{})
	for word, file := range map[string]string{
		"ZIP":        string(zipOf(t, "readme.txt", "hello")),
		"HTML":       "\n<!DOCTYPE html><html></html>",
		"PostScript": "%!PS-Adobe-3.0\nshowpage\n",
		"UTF-8":      "caf\xe9 in another encoding",
		"U+0000":     "text\x00with a zero",
		"U+001B":     "\x1b[31mterminal colours",
		"no kind":    "\x7fELF\x02\x01",
	} {
		wantRefusal(t, refuse(t, f, []byte(file)), fax.Unsupported, word, "send PDF")
	}
}

// A page that draws the same thing for ever, as far as anybody can wait.
func endless() []byte {
	return pdf(pdfPage{attributes: "/MediaBox [0 0 612 792]", content: strings.Repeat("0 0 m 1 1 611 791 3 3 c 0 792 612 -792 9 9 c b* ", 100_000)})
}

func TestConversionThatTakesTooLongEndsInTime(t *testing.T) {
	t.Parallel()
	f := open(t, document.Config{Timeout: 300 * time.Millisecond})
	began := time.Now()
	wantRefusal(t, refuse(t, f, endless()), fax.BadDocument, "took longer than 300ms")
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestCancelledConversionIsNobodysFault(t *testing.T) {
	t.Parallel()
	f := open(t, document.Config{})
	id := receive(t, f, endless())
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := f.Prepare(ctx, id, document.Options{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

func TestWithoutGhostscript(t *testing.T) {
	t.Parallel()
	f := open(t, document.Config{Ghostscript: absent, MuPDF: absent})
	if err := f.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "apt-get install ghostscript") {
		t.Error(err)
	}
	wantRefusal(t, refuse(t, f, long), fax.Unavailable, "Ghostscript is not installed")
}

// stand is a program in Ghostscript's place.
func stand(t *testing.T, script string) string {
	t.Helper()
	dir := t.TempDir()
	if err := errors.Join(os.Chmod(dir, 0o755), os.Chmod(filepath.Dir(dir), 0o755)); err != nil { // an unprivileged user runs it
		t.Fatal(err)
	}
	path := filepath.Join(dir, "gs")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o755); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	return path
}

func TestFaultsOfGhostscriptAreNotTheDocuments(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"does not start": "echo 'Cannot find initialization file gs_init.ps.' >&2; exit 1",
		"is killed":      "echo 'FAX: begin'; kill -9 $$",
		"has no room":    "echo 'FAX: begin'; echo 'write: No space left on device'; exit 1",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := open(t, document.Config{MuPDF: absent, Ghostscript: stand(t, script)})
			wantRefusal(t, refuse(t, f, long), fax.Unavailable)
		})
	}
}

func TestConversionRunsConfined(t *testing.T) {
	t.Parallel()
	probe := filepath.Join(t.TempDir(), "probe")
	f := open(t, document.Config{MuPDF: absent, Spare: -1, Ghostscript: stand(t, `exec >&2
yes noise | head -c 100000; echo
pwd; env; ulimit -t; ulimit -v; ulimit -f; ulimit -c; echo "$@"; id -u; id -G; cat /proc/net/dev; ls -l /proc/$$/fd | wc -l
: >/tmp/x 2>/dev/null && echo "can write $(echo x >'`+probe+`' && echo it)"; exit 1`)})
	said := fmt.Sprint(unwrap(refuse(t, f, long)))
	for _, want := range []string{"\n/\n", "\nHOME=/nonexistent\n", "\nTMPDIR=/nonexistent\n", "\n61\n1048576\n0\n0\n", "-dSAFER"} {
		if !strings.Contains(said, want) {
			t.Errorf("no %q in %s", want, said)
		}
	}
	if strings.Contains(said, "GOROOT") || strings.Contains(said, "USER=") {
		t.Errorf("the daemon's environment is passed on: %s", said)
	}
	if os.Geteuid() == 0 && !strings.Contains(said, "\n65534\n65534\n") {
		t.Errorf("not nobody: %s", said)
	}
	if exec.CommandContext(t.Context(), "unshare", "-Un", "true").Run() != nil {
		t.Log("this system has no namespaces for everybody")
	} else if strings.Contains(said, "eth") || !strings.Contains(said, "lo:") {
		t.Errorf("a network is in reach: %s", said)
	}
	if _, err := os.Stat(probe); err == nil {
		t.Error("a file was written")
	}
}

func TestDocumentsCannotReadOtherFiles(t *testing.T) {
	t.Parallel()
	f := open(t, document.Config{})
	secret := filepath.Join(t.TempDir(), "secret.pdf")
	if err := os.WriteFile(secret, long, 0o600); err != nil {
		t.Fatal(err)
	}
	// An external stream (ISO 32000-1, 7.3.8.2) that names a file.
	file := bytes.Replace(pdf(letter("x")), []byte("<< /Length"), []byte("<< /F ("+secret+") /Length"), 1)
	id := receive(t, f, file)
	if _, err := f.Prepare(t.Context(), id, document.Options{}); err == nil {
		plain, _ := prepare(t, f, pdf(letter("x")))
		if page(t, f, id, 1).extent() != page(t, f, plain, 1).extent() {
			t.Error("another file was drawn")
		}
	}
}
