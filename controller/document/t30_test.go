package document_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image/gif"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/image/tiff"

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

// everyKind is files of each kind, each with pages of the three lengths that all
// receivers know: A4, Letter and Legal. A text has its own length, and the WebP is
// a stamp.
func everyKind(t *testing.T) [][]byte {
	t.Helper()
	webp, err := base64.StdEncoding.DecodeString(webpLossless)
	if err != nil {
		t.Fatal(err)
	}
	files := [][]byte{
		[]byte("Γειά σου κόσμε\nHello\fSecond page"),
		pdf(sheets[0].page(), sheets[1].page(), sheets[2].page()),
		webp,
	}
	sections := ""
	for _, s := range sheets[:3] {
		picture := drawing(int(s.w*100/72), int(s.h*100/72)) // at the 100 dpi of pictures
		files = append(files,
			encoded(t, func(b *bytes.Buffer) error { return png.Encode(b, picture) }),
			jpegOf(t, picture),
			encoded(t, func(b *bytes.Buffer) error { return gif.Encode(b, fewColours(picture), nil) }),
			encoded(t, func(b *bytes.Buffer) error {
				return tiff.Encode(b, opaque(picture), &tiff.Options{Compression: tiff.Deflate})
			}))
		sections += fmt.Sprintf(`\sectd\pgwsxn%g\pghsxn%g %s\sect`, 20*s.w, 20*s.h, hello) //nolint:misspell // RTF
	}
	if _, err := exec.LookPath("soffice"); err == nil {
		files = append(files, []byte(`{\rtf1\ansi `+strings.TrimSuffix(sections, `\sect`)+`}`)) //nolint:misspell // RTF
	}
	return files
}

// A fax engine takes what we make and delivers it pixel by pixel, whatever the
// receiver can do: it sends each page in the coding that both agree on, which is
// not the one of the file unless both have error correction and T.6.
func TestPagesArriveAsTheyAre(t *testing.T) {
	t.Parallel()
	program := t30test(t)
	f := open(t, document.Config{Timeout: 10 * time.Minute})
	id := receive(t, f, everyKind(t)...)
	rates := map[string]int{"v17": 14400, "v29": 9600, "v27ter": 4800}
	for _, resolution := range []document.Resolution{document.Standard, document.Fine, document.Superfine} {
		// Calls go on while the next fax is made, which takes its place.
		made, err := f.Prepare(t.Context(), id, document.Options{Resolution: resolution, Cover: &document.Cover{To: "the receiver"}})
		if err != nil {
			t.Fatal(err, unwrap(err))
		}
		lengths := map[int]int{}
		for _, s := range made.Sheets {
			lengths[(s.Height*196+int(resolution)/2)/int(resolution)/10]++
		}
		if lengths[229] < 4 || lengths[214]+lengths[215] < 4 || lengths[273] < 4 {
			t.Errorf("not each kind has each length: %v", lengths)
		}
		sent := filepath.Join(t.TempDir(), "sent.tiff")
		if err := os.Link(made.Path, sent); err != nil {
			t.Fatal(err)
		}
		for modem, rate := range rates {
			for _, best := range []string{"mmr", "mr", "mh"} { // of the receiver
				if modem != "v17" && best != "mmr" && resolution != document.Fine {
					continue // codings do not depend on modems
				}
				for _, line := range []string{"audio", "t38"} {
					for _, ecm := range []string{"ecm", "plain"} {
						t.Run(fmt.Sprint(int(resolution), "/", modem, "/", best, "/", line, "/", ecm), func(t *testing.T) {
							t.Parallel()
							coding := best
							if coding == "mmr" && ecm == "plain" {
								coding = "mr" // T.6 needs error correction (T.30, table 2, note 9)
							}
							call(t, program, sent, made, arrival{rate: rate, coding: coding, ecm: ecm == "ecm"}, line, ecm, modem, best, "superfine")
						})
					}
				}
			}
		}
	}
}

// A preview has the pixels that the receiver got, as libtiff reads what spandsp
// wrote there.
func TestPreviewIsWhatArrives(t *testing.T) {
	t.Parallel()
	program := t30test(t)
	f := open(t, document.Config{})
	id := receive(t, f, []byte("Γειά σου κόσμε"), pdf(sheets[0].page(), sheets[2].page()), jpegOf(t, drawing(800, 600)))
	made, err := f.Prepare(t.Context(), id, document.Options{Cover: &document.Cover{To: "the receiver"}})
	if err != nil {
		t.Fatal(err, unwrap(err))
	}
	name := filepath.Join(t.TempDir(), "received.tiff")
	if said, err := exec.CommandContext(t.Context(), program, made.Path, name, "audio", "plain", "v17", "mh", "fine").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	received, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	pages := strips(t, tiffcp(t, received, "-L", "-c", "none", "-f", "msb2lsb", "-r", "100000"))
	if len(pages) != made.Pages {
		t.Fatalf("%d pages arrived of %d", len(pages), made.Pages)
	}
	for i, arrived := range pages {
		b := preview(t, f, id, i+1)
		shown := make([]byte, len(b.Pix)/8)
		for at, v := range b.Pix {
			shown[at/8] |= v << (7 - at%8)
		}
		if !bytes.Equal(shown, arrived) {
			t.Errorf("page %d: another one arrived than is shown", i+1)
		}
	}
}

// What is said to take so long does, also for a photograph.
func TestSecondsOnTheLine(t *testing.T) {
	t.Parallel()
	program := t30test(t)
	f := open(t, document.Config{})
	var greys strings.Builder // from black to white
	for i := range 256 {
		fmt.Fprintf(&greys, "%02X", i)
	}
	photo := pdfPage{attributes: a4, content: "q 500 0 0 700 40 70 cm BI /W 16 /H 16 /BPC 8 /CS /G /F /AHx ID " + greys.String() + "> EI Q"}
	for name, file := range map[string][]byte{"photo": pdf(photo), "letters": long} {
		_, made := prepare(t, f, file)
		took := call(t, program, made.Path, made, arrival{rate: 14400, coding: "mmr", ecm: true}, "audio", "ecm", "v17", "mmr", "superfine")
		if made.Seconds < 0.8*took || made.Seconds > 1.25*took {
			t.Errorf("%s: %.0f seconds estimated, took %.0f", name, made.Seconds, took)
		}
	}
}

// A receiver that lacks a resolution gets nothing of a fax that has it: the engine
// makes no other pages of ours. It takes the same fax when it is drawn again.
func TestResolutionThatTheReceiverLacks(t *testing.T) {
	t.Parallel()
	program := t30test(t)
	f := open(t, document.Config{})
	id := receive(t, f, long)
	for _, c := range []struct {
		resolution document.Resolution
		receiver   string
		fits       bool
	}{
		{document.Superfine, "fine", false},
		{document.Superfine, "standard", false},
		{document.Fine, "standard", false},
		{document.Fine, "fine", true},
		{document.Standard, "fine", true},
		{document.Standard, "standard", true},
	} {
		made, err := f.Prepare(t.Context(), id, document.Options{Resolution: c.resolution})
		if err != nil {
			t.Fatal(err, unwrap(err))
		}
		for _, line := range []string{"audio", "t38"} {
			args := []string{line, "ecm", "v17", "mmr", c.receiver}
			if c.fits {
				call(t, program, made.Path, made, arrival{rate: 14400, coding: "mmr", ecm: true}, args...)
				continue
			}
			received := filepath.Join(t.TempDir(), "received.tiff")
			said, err := exec.CommandContext(t.Context(), program, append([]string{made.Path, received}, args...)...).CombinedOutput() //nolint:gosec // our own
			if err == nil || !strings.Contains(string(said), "sender: Far end cannot receive at the resolution of the image") {
				t.Errorf("%d to %s, %s: %v: %s", c.resolution, c.receiver, line, err, said)
			}
			if _, err := os.Stat(received); !os.IsNotExist(err) {
				t.Errorf("%d to %s, %s: something was received: %v", c.resolution, c.receiver, line, err)
			}
		}
	}
}

// arrival is how a fax is received.
type arrival struct {
	rate   int
	coding string
	ecm    bool
}

// call sends a fax, wants every pixel of it received, and returns how many
// seconds it was on the line.
func call(t *testing.T, program, sent string, made document.Fax, want arrival, args ...string) float64 {
	t.Helper()
	rows := 0
	for _, s := range made.Sheets {
		rows += s.Height
	}
	said, err := exec.CommandContext(t.Context(), program, append([]string{sent, filepath.Join(t.TempDir(), "received.tiff")}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	var got arrival
	var pages, received, wrong, corrected, seconds int
	if _, err := fmt.Sscanf(string(said), "pages %d rows %d wrong %d rate %d ecm %d coding %s seconds %d", &pages, &received, &wrong, &got.rate, &corrected, &got.coding, &seconds); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	got.ecm = corrected == 1
	if pages != made.Pages || received != rows || wrong != 0 || got != want {
		t.Errorf("of %d pages and %d rows, want %+v: %s", made.Pages, rows, want, said)
	}
	return float64(seconds)
}
