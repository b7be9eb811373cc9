package document_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"faxbot/controller/document"
)

// t30test builds the program that sends a TIFF through a real fax engine.
func t30test(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("cc"); err != nil {
		t.Skip("no C compiler: apt-get install gcc libspandsp-dev")
	}
	probe := exec.CommandContext(t.Context(), "cc", "-E", "-")
	probe.Stdin = strings.NewReader("#include <spandsp.h>\n#include <tiffio.h>\n")
	if probe.Run() != nil {
		t.Skip("no spandsp: apt-get install libspandsp-dev")
	}
	program := filepath.Join(t.TempDir(), "t30test")
	build := exec.CommandContext(t.Context(), "cc", "-O2", "-o", program, "t30test/t30test.c", "-lspandsp", "-ltiff") //nolint:gosec // our own
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	return program
}

// A fax engine takes what we make and delivers it pixel by pixel.
func TestPagesArriveAsTheyAre(t *testing.T) {
	t.Parallel()
	program := t30test(t)
	f := open(t, document.Config{})
	var mixed []pdfPage
	for _, s := range sheets {
		mixed = append(mixed, s.page())
	}
	var greys strings.Builder // from black to white
	for i := range 256 {
		fmt.Fprintf(&greys, "%02X", i)
	}
	photo := pdfPage{attributes: "/MediaBox [0 0 595 842]", content: "q 500 0 0 700 40 70 cm BI /W 16 /H 16 /BPC 8 /CS /G /F /AHx ID " + greys.String() + "> EI Q"}
	for name, file := range map[string][]byte{
		"text":  []byte("Γειά σου κόσμε\nHello\fSecond page"),
		"mixed": pdf(mixed...),
		"photo": pdf(photo),
	} {
		for _, resolution := range []document.Resolution{document.Fine, document.Standard} {
			id := receive(t, f, file)
			made, err := f.Prepare(t.Context(), id, document.Options{Resolution: resolution})
			if err != nil {
				t.Fatal(err)
			}
			rows := 0
			for _, s := range made.Sheets {
				rows += s.Height
			}
			for _, line := range []string{"audio", "t38"} {
				for _, ecm := range []string{"ecm", "plain"} {
					t.Run(fmt.Sprintf("%s/%d/%s/%s", name, resolution, line, ecm), func(t *testing.T) {
						t.Parallel()
						said, err := exec.CommandContext(t.Context(), program, made.Path, filepath.Join(t.TempDir(), "received.tiff"), line, ecm).CombinedOutput()
						if err != nil {
							t.Fatalf("%v: %s", err, said)
						}
						var pages, got, wrong, rate, corrected, seconds int
						if _, err := fmt.Sscanf(string(said), "pages %d rows %d wrong %d rate %d ecm %d seconds %d", &pages, &got, &wrong, &rate, &corrected, &seconds); err != nil {
							t.Fatalf("%v: %s", err, said)
						}
						if pages != made.Pages || got != rows || wrong != 0 || rate != 14400 || (corrected == 1) != (ecm == "ecm") {
							t.Errorf("of %d pages and %d rows: %s", made.Pages, rows, said)
						}
						// The estimate is for error correction.
						if took := float64(seconds); ecm == "ecm" && (made.Seconds < 0.8*took || made.Seconds > 1.25*took) {
							t.Errorf("%.0f seconds estimated, took %d", made.Seconds, seconds)
						}
					})
				}
			}
		}
	}
}
