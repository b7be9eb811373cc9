package main

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// doubles are programs by the names of those that read documents. Each leaves a
// file beside it that says it was run, and becomes the true one.
type doubles string

func newDoubles(t *testing.T) doubles {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"gs", "mutool", "soffice"} {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Skip("apt-get install ghostscript mupdf-tools libreoffice-writer-nogui")
		}
		if path, err = filepath.EvalSymlinks(path); err != nil {
			t.Fatal(err)
		}
		if name == "soffice" { // a script, which knows folders by names that are closed to it
			path += ".bin"
		}
		script := "#!/bin/sh\n: >" + filepath.Join(dir, name+".ran") + "\nexec " + path + " \"$@\"\n"
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range []string{dir, filepath.Dir(dir)} { // another user runs them
		if err := os.Chmod(d, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	return doubles(dir)
}

// ran are those that were run.
func (d doubles) ran(t *testing.T) (names []string) {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(string(d), "*.ran"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range all {
		names = append(names, strings.TrimSuffix(filepath.Base(path), ".ran"))
	}
	return names
}

// The settings decide what reads documents, whatever else is in PATH.
func TestProgramsThatReadDocuments(t *testing.T) {
	t.Parallel()
	letter := []byte(`{\rtf1\ansi Dear Sir}`)
	t.Run("named", func(t *testing.T) {
		t.Parallel()
		d := newDoubles(t)
		h := build(t, "100", "FAXBOT_GHOSTSCRIPT="+string(d)+"/gs", "FAXBOT_MUPDF="+string(d)+"/mutool", "FAXBOT_LIBREOFFICE="+string(d)+"/soffice")
		code, fax := h.submitFile("+15551230001", "letter.rtf", letter)
		if code != http.StatusAccepted {
			t.Fatalf("%d %+v", code, fax)
		}
		h.until(fax.ID, "done")
		if got := d.ran(t); !slices.Contains(got, "mutool") || !slices.Contains(got, "soffice") {
			t.Errorf("only %v ran", got)
		}
	})
	t.Run("none", func(t *testing.T) {
		t.Parallel()
		d := newDoubles(t)
		h := build(t, "100", "PATH="+string(d)+":"+os.Getenv("PATH"), "FAXBOT_MUPDF=none", "FAXBOT_LIBREOFFICE=none")
		if code, s := h.submitFile("+15551230001", "letter.rtf", letter); code != http.StatusUnsupportedMediaType || !strings.Contains(s.Detail, "FAXBOT_LIBREOFFICE") {
			t.Errorf("an office document: %d %+v", code, s)
		}
		code, fax := h.submit("+15551230001")
		if code != http.StatusAccepted {
			t.Fatalf("%d %+v", code, fax)
		}
		h.until(fax.ID, "done")
		if got := d.ran(t); !slices.Equal(got, []string{"gs"}) {
			t.Errorf("%v ran", got)
		}
	})
}
