package document_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"faxbot/controller/document"
	"faxbot/controller/fax"
)

const hello = "Hello office"

// zipOf packs names and contents, in this order.
func zipOf(t *testing.T, parts ...string) []byte {
	t.Helper()
	return encoded(t, func(b *bytes.Buffer) error {
		z := zip.NewWriter(b)
		for i := 0; i < len(parts); i += 2 {
			w, err := z.CreateHeader(&zip.FileHeader{Name: parts[i], Method: zip.Store})
			if err != nil {
				return err
			}
			if _, err := w.Write([]byte(parts[i+1])); err != nil {
				return err
			}
		}
		return z.Close()
	})
}

// openXML is an Office Open XML document of a main part and others.
func openXML(t *testing.T, main, mainType, body string, more ...string) []byte {
	t.Helper()
	types := fmt.Sprintf(`<Override PartName="/%s" ContentType="application/vnd.openxmlformats-officedocument.%s.main+xml"/>`, main, mainType)
	for i := 0; i < len(more); i += 3 {
		types += fmt.Sprintf(`<Override PartName="/%s" ContentType="application/vnd.openxmlformats-officedocument.%s+xml"/>`, more[i], more[i+1])
	}
	parts := []string{
		"[Content_Types].xml", `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/>` + types + `</Types>`,
		"_rels/.rels", `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="` + main + `"/></Relationships>`,
		main, body,
	}
	for i := 0; i < len(more); i += 3 {
		parts = append(parts, more[i], more[i+2])
	}
	return zipOf(t, parts...)
}

func docx(t *testing.T, paragraphs string) []byte {
	return openXML(t, "word/document.xml", "wordprocessingml.document",
		`<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>`+paragraphs+`</w:body></w:document>`)
}

func xlsx(t *testing.T) []byte {
	const ns = `xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"`
	file := openXML(t, "xl/workbook.xml", "spreadsheetml.sheet", `<workbook `+ns+`><sheets><sheet name="S" sheetId="1" r:id="r1"/></sheets></workbook>`,
		"xl/worksheets/sheet1.xml", "spreadsheetml.worksheet", `<worksheet `+ns+`><sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>`+hello+`</t></is></c><c r="B1"><v>42</v></c></row></sheetData></worksheet>`,
		"xl/_rels/workbook.xml.rels", "none", `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>`)
	return bytes.ReplaceAll(file, []byte(`<Override PartName="/xl/_rels/workbook.xml.rels" ContentType="application/vnd.openxmlformats-officedocument.none+xml"/>`),
		[]byte(strings.Repeat(" ", len(`<Override PartName="/xl/_rels/workbook.xml.rels" ContentType="application/vnd.openxmlformats-officedocument.none+xml"/>`))))
}

// openDocument is an OpenDocument file; more are parts beside its content.
func openDocument(t *testing.T, kind, body string, more ...string) []byte {
	t.Helper()
	mime := "application/vnd.oasis.opendocument." + kind
	manifest := `<manifest:file-entry manifest:full-path="/" manifest:media-type="` + mime + `"/><manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml"/>`
	for i := 0; i < len(more); i += 2 {
		manifest += `<manifest:file-entry manifest:full-path="` + more[i] + `" manifest:media-type="text/xml"/>`
	}
	var ns string
	for name, uri := range map[string]string{
		"office": "opendocument:xmlns:office", "text": "opendocument:xmlns:text", "table": "opendocument:xmlns:table", "draw": "opendocument:xmlns:drawing",
		"svg": "opendocument:xmlns:svg-compatible", "script": "opendocument:xmlns:script", "style": "opendocument:xmlns:style", "fo": "opendocument:xmlns:xsl-fo-compatible",
	} {
		ns += fmt.Sprintf(` xmlns:%s="urn:oasis:names:tc:%s:1.0"`, name, uri)
	}
	return zipOf(t, append([]string{
		"mimetype", mime,
		"META-INF/manifest.xml", `<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0" manifest:version="1.2">` + manifest + `</manifest:manifest>`,
		"content.xml", `<office:document-content` + ns + ` xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:dom="http://www.w3.org/2001/xml-events" office:version="1.2">` + body + `</office:document-content>`,
	}, more...)...)
}

func odt(t *testing.T, before, text string, more ...string) []byte {
	return openDocument(t, "text", before+`<office:body><office:text>`+text+`</office:text></office:body>`, more...)
}

// libreOffice skips a test where it is not installed.
func libreOffice(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("soffice")
	if err != nil {
		t.Skip("no LibreOffice: apt-get install libreoffice-writer-nogui libreoffice-calc-nogui libreoffice-impress-nogui")
	}
	return path
}

const (
	wordPage  = `<w:p><w:r><w:t>` + hello + `</w:t></w:r></w:p>`
	wordBreak = `<w:p><w:r><w:br w:type="page"/></w:r></w:p>`
	odtPage   = `<text:p>` + hello + `</text:p>`
	rtfPage   = `{\rtf1\ansi ` + hello + `}`
)

func TestOfficeDocuments(t *testing.T) {
	t.Parallel()
	libreOffice(t)
	f := open(t, document.Config{})
	for _, c := range []struct {
		kind  document.Kind
		file  []byte
		pages int
		most  int // black pixels
	}{
		{document.DOCX, docx(t, wordPage+wordBreak+wordPage), 2, 6000},
		{document.ODT, odt(t, "", odtPage), 1, 6000},
		{document.RTF, []byte(rtfPage), 1, 6000},
		{document.XLSX, xlsx(t), 1, 6000},
		{document.ODS, openDocument(t, "spreadsheet", `<office:body><office:spreadsheet><table:table table:name="S"><table:table-row><table:table-cell office:value-type="string"><text:p>`+hello+`</text:p></table:table-cell></table:table-row></table:table></office:spreadsheet></office:body>`), 1, 6000},
		{document.ODP, openDocument(t, "presentation", `<office:body><office:presentation><draw:page draw:name="p"><draw:frame svg:x="2cm" svg:y="2cm" svg:width="15cm" svg:height="3cm"><draw:text-box><text:p>`+hello+`</text:p></draw:text-box></draw:frame></draw:page></office:presentation></office:body>`), 1, 150_000}, // in a box with a colour
	} {
		t.Run(string(c.kind), func(t *testing.T) {
			t.Parallel()
			id, made := prepare(t, f, c.file)
			r, kind, err := f.Source(t.Context(), id, 1)
			if err != nil {
				t.Fatal(err)
			}
			if b := readAll(t, r); kind != c.kind || !bytes.Equal(b, c.file) || made.Pages != c.pages {
				t.Fatalf("kind %s, %d bytes, %+v", kind, len(b), made)
			}
			// The words, and a header in some.
			if b := page(t, f, id, 1); b.ink(b.Rect) < 800 || b.ink(b.Rect) > c.most {
				t.Errorf("%d black pixels in %v", b.ink(b.Rect), b.extent())
			}
		})
	}
}

// What older programs have saved, and slides, as LibreOffice itself writes them.
func TestOldOfficeDocuments(t *testing.T) {
	t.Parallel()
	program := libreOffice(t)
	f := open(t, document.Config{})
	dir := t.TempDir()
	slide := openDocument(t, "presentation", `<office:body><office:presentation><draw:page draw:name="p"/></office:presentation></office:body>`)
	for kind, in := range map[document.Kind][]byte{document.DOC: []byte(rtfPage), document.XLS: xlsx(t), document.PPT: slide, document.PPTX: slide} {
		name := filepath.Join(dir, string(kind)+".in")
		if err := os.WriteFile(name, in, 0o600); err != nil {
			t.Fatal(err)
		}
		if said, err := exec.CommandContext(t.Context(), program, "-env:UserInstallation=file://"+dir+"/profile", "--headless", "--convert-to", string(kind), "--outdir", dir, name).CombinedOutput(); err != nil { //nolint:gosec // a test
			t.Fatalf("%v: %s", err, said)
		}
		file, err := os.ReadFile(filepath.Join(dir, string(kind)+"."+string(kind)))
		if err != nil {
			t.Fatal(err)
		}
		id, made := prepare(t, f, file)
		r, got, err := f.Source(t.Context(), id, 1)
		if err != nil || got != kind || made.Pages != 1 || made.Sheets[0].Blank != (kind == document.PPT || kind == document.PPTX) {
			t.Errorf("%s: %s, %+v, %v", kind, got, made, err)
		}
		_ = r.Close()
	}
}

// runningIn are the processes that have dir, or a folder in it, as theirs.
func runningIn(t *testing.T, dir string) (names []string) {
	t.Helper()
	folders, err := filepath.Glob("/proc/[0-9]*/cwd")
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range folders {
		if at, err := os.Readlink(link); err == nil && strings.HasPrefix(at, dir) {
			names = append(names, filepath.Dir(link))
		}
	}
	return names
}

// Documents that keep LibreOffice busy end in time, also several at once; nothing
// of them runs on or stays on disk, and the next one is converted.
func TestLibreOfficeIsEndedInTime(t *testing.T) {
	t.Parallel()
	libreOffice(t)
	dir := t.TempDir()
	f := open(t, document.Config{Dir: dir, Timeout: 3 * time.Second})
	f.SetLimits(time.Minute, 0, 0, 0) // the clock ends them, not the processor's
	endless := []byte(`{\rtf1\ansi ` + strings.Repeat(`A line of a letter\par `, 400_000) + `}`)
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			began := time.Now()
			_, _, err := attempt(t, f, endless)
			wantRefusal(t, err, fax.BadDocument, "took longer than 3s")
			if took := time.Since(began); took > f.Timeout+10*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
	ended := make(chan struct{})
	go func() {
		all.Wait()
		close(ended)
	}()
	seen := false
	for again := time.NewTicker(50 * time.Millisecond); ; {
		select {
		case <-again.C:
			seen = seen || len(runningIn(t, dir)) > 0
			continue
		case <-ended:
			again.Stop()
		}
		break
	}
	if left := runningIn(t, dir); !seen || len(left) > 0 {
		t.Errorf("LibreOffice was seen: %v; still there: %v", seen, left)
	}
	f.Timeout = document.DefaultTimeout
	prepare(t, f, []byte(rtfPage))
}

func TestOfficeDocumentsBetweenOthers(t *testing.T) {
	t.Parallel()
	libreOffice(t)
	f := open(t, document.Config{})
	id, made := prepare(t, f, long, []byte(rtfPage), []byte("text"))
	if made.Pages != 5 || page(t, f, id, 4).extent().Dx() < 120 {
		t.Errorf("%+v", made)
	}
	wantRefusal(t, refuse(t, f, long, []byte(rtfPage[:6]+"\x00"), []byte("text")), fax.BadDocument, "File 2 (rtf)")
}

func TestWithoutLibreOffice(t *testing.T) {
	t.Parallel()
	f := open(t, document.Config{LibreOffice: absent})
	for packaged, file := range map[string][]byte{
		"libreoffice-writer-nogui":  []byte(rtfPage),
		"libreoffice-calc-nogui":    xlsx(t),
		"libreoffice-impress-nogui": openDocument(t, "presentation", ""),
	} {
		wantRefusal(t, refuse(t, f, file), fax.Unsupported, "LibreOffice", packaged, "send it as PDF")
	}
	// One of its parts is there, but not the one that is needed.
	dir := t.TempDir()
	for _, name := range []string{"soffice", "libswlo.so"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\nexit 1\n"), 0o700); err != nil { //nolint:gosec // a program
			t.Fatal(err)
		}
	}
	f = open(t, document.Config{LibreOffice: filepath.Join(dir, "soffice")})
	wantRefusal(t, refuse(t, f, xlsx(t)), fax.Unsupported, "LibreOffice Calc", "libreoffice-calc-nogui")
	for word, file := range map[string][]byte{
		"ZIP archive":         zipOf(t, "readme.txt", "hello"),
		"old Office document": append([]byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), make([]byte, 2000)...),
	} {
		wantRefusal(t, refuse(t, f, file), fax.Unsupported, word)
	}
	wantRefusal(t, refuse(t, f, xlsx(t)[:900]), fax.BadDocument, "damaged")
}

// A document runs nothing and draws nothing of other files.
func TestOfficeDocumentsAreHarmless(t *testing.T) {
	t.Parallel()
	libreOffice(t)
	f := open(t, document.Config{})
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} { // whoever runs it could
		if err := os.Chmod(d, 0o777); err != nil { //nolint:gosec // meant
			t.Fatal(err)
		}
	}
	secret, probe := filepath.Join(dir, "secret.txt"), filepath.Join(dir, "probe")
	if err := os.WriteFile(secret, []byte(strings.Repeat("a secret\n", 30)), 0o644); err != nil { //nolint:gosec // meant
		t.Fatal(err)
	}
	plain, _ := prepare(t, f, odt(t, "", odtPage))
	want := page(t, f, plain, 1)
	const library = `<!DOCTYPE library:library PUBLIC "-//OpenOffice.org//DTD OfficeDocument 1.0//EN" "library.dtd">`
	for name, file := range map[string][]byte{
		"section of a file": odt(t, "", odtPage+`<text:section text:name="s"><text:section-source xlink:type="simple" xlink:href="file://`+secret+`"/><text:p/></text:section>`),
		"macro at the start": odt(t, `<office:scripts><office:event-listeners><script:event-listener script:language="ooo:script" script:event-name="dom:load" xlink:href="vnd.sun.star.script:Standard.M.Main?language=Basic&amp;location=document"/></office:event-listeners></office:scripts>`, odtPage,
			"Basic/script-lc.xml", library+`<library:libraries xmlns:library="http://openoffice.org/2000/library" xmlns:xlink="http://www.w3.org/1999/xlink"><library:library library:name="Standard" library:link="false"/></library:libraries>`,
			"Basic/Standard/script-lb.xml", library+`<library:library xmlns:library="http://openoffice.org/2000/library" library:name="Standard" library:readonly="false" library:passwordprotected="false"><library:element library:name="M"/></library:library>`,
			"Basic/Standard/M.xml", `<!DOCTYPE script:module PUBLIC "-//OpenOffice.org//DTD OfficeDocument 1.0//EN" "module.dtd"><script:module xmlns:script="http://openoffice.org/2000/script" script:name="M" script:language="StarBasic">Sub Main
Open "`+probe+`" For Output As #1
Print #1, "here"
Close #1
End Sub</script:module>`),
	} {
		id, made := prepare(t, f, file)
		if got := page(t, f, id, 1); made.Pages != 1 || !bytes.Equal(got.Pix, want.Pix) {
			t.Errorf("%s: ink in %v, not only in %v", name, got.extent(), want.extent())
		}
	}
	if _, err := os.Stat(probe); err == nil {
		t.Error("a macro ran")
	}
}
