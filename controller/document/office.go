package document

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"faxbot/controller/fax"
)

// officeMemory is what LibreOffice may have; a letter takes a quarter.
const officeMemory = 2 << 30

// offices are the parts of LibreOffice: the library that tells whether it is
// there, Debian's package, and what it reads.
var offices = []struct {
	name, library, packaged string
	kinds                   []Kind
}{
	{"Writer", "libswlo.so", "libreoffice-writer-nogui", []Kind{DOCX, ODT, DOC, RTF}},
	{"Calc", "libsclo.so", "libreoffice-calc-nogui", []Kind{XLSX, ODS, XLS}},
	{"Impress", "libsdlo.so", "libreoffice-impress-nogui", []Kind{PPTX, ODP, PPT}},
}

// officePart is the index in offices of what reads a kind; -1 for other kinds.
func officePart(kind Kind) int {
	for i, o := range offices {
		for _, k := range o.kinds {
			if k == kind {
				return i
			}
		}
	}
	return -1
}

// office is the path of the program, itself rather than the script that starts
// it; empty when there is none.
func (f *Folder) office() string {
	names := []string{"soffice", "libreoffice"}
	switch f.LibreOffice {
	case "":
	case None:
		return ""
	default:
		names = []string{f.LibreOffice}
	}
	for _, name := range names {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		if real, err := filepath.EvalSymlinks(path); err == nil {
			path = real
		}
		if program := filepath.Join(filepath.Dir(path), "soffice.bin"); exists(program) {
			return program
		}
		return path
	}
	return ""
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// reads says why an office document of a kind cannot be converted here.
func (f *Folder) reads(kind Kind) error {
	part := offices[officePart(kind)]
	program := f.office()
	if f.LibreOffice == None {
		return fax.Errorf(fax.Unsupported, "The document is an office document (%s), and LibreOffice is switched off on the server (FAXBOT_LIBREOFFICE); send it as PDF", kind)
	}
	if program == "" {
		return fax.Errorf(fax.Unsupported, "The document is an office document (%s), which needs LibreOffice on the server, and that is not installed (apt-get install %s); send it as PDF", kind, part.packaged)
	}
	others := false
	for _, o := range offices {
		others = others || exists(filepath.Join(filepath.Dir(program), o.library))
	}
	if others && !exists(filepath.Join(filepath.Dir(program), part.library)) {
		return fax.Errorf(fax.Unsupported, "The document is an office document (%s), which needs LibreOffice %s on the server, and that is not installed (apt-get install %s); send it as PDF", kind, part.name, part.packaged)
	}
	return nil
}

// officeKind tells what a ZIP archive (Office Open XML, OpenDocument) or a
// compound file (older Office) is by what is in it.
func officeKind(r io.ReaderAt, size int64, first Kind) (Kind, error) {
	switch first {
	case zipped:
		return zippedKind(r, size)
	case compound:
		return compoundKind(r, size)
	}
	return first, nil
}

// Kinds that only the whole file tells apart.
const (
	zipped   Kind = "zip"
	compound Kind = "ole"
)

func zippedKind(r io.ReaderAt, size int64) (Kind, error) {
	archive, err := zip.NewReader(r, size)
	if err != nil {
		return "", &fax.Error{Problem: fax.BadDocument, Detail: "The office document or ZIP archive is damaged or incomplete; save and upload it again", Cause: err}
	}
	for _, part := range []struct {
		name string
		kind Kind
	}{{"word/document.xml", DOCX}, {"xl/workbook.xml", XLSX}, {"xl/workbook.bin", XLSX}, {"ppt/presentation.xml", PPTX}} {
		if _, err := fs.Stat(archive, part.name); err == nil {
			if _, err := fs.Stat(archive, "[Content_Types].xml"); err == nil {
				return part.kind, nil
			}
		}
	}
	// OpenDocument 1.2, part 3, 3.3.
	if file, err := archive.Open("mimetype"); err == nil {
		defer file.Close()                               //nolint:errcheck // read only
		name, _ := io.ReadAll(io.LimitReader(file, 100)) // a name of another length is none of these
		what := strings.TrimPrefix(string(name), "application/vnd.oasis.opendocument.")
		for kind, of := range map[Kind]string{ODT: "text", ODS: "spreadsheet", ODP: "presentation"} {
			if what == of || what == of+"-template" {
				return kind, nil
			}
		}
	}
	return "", fax.Errorf(fax.Unsupported, "The document is a ZIP archive, which cannot be faxed; %s", accepted)
}

// compoundKind looks for the streams that the programs write ([MS-CFB], 2.6.1:
// directory entries begin at multiples of 128 bytes with a name in UTF-16, whose
// length with the ending zero is at byte 64).
func compoundKind(r io.ReaderAt, size int64) (Kind, error) {
	names := []struct {
		name string
		kind Kind
	}{{"EncryptedPackage", ""}, {"WordDocument", DOC}, {"Workbook", XLS}, {"Book", XLS}, {"PowerPoint Document", PPT}}
	found := map[string]bool{}
	const entry = 128
	buf := make([]byte, 512*entry)
	for at := int64(0); at < size; at += int64(len(buf)) {
		n, err := r.ReadAt(buf, at)
		if err != nil && !errors.Is(err, io.EOF) {
			return "", unavailable("receiving a document", err)
		}
		for e := buf[:n]; len(e) >= entry; e = e[entry:] {
			for _, s := range names {
				if int(e[64]) == 2*len(s.name)+2 && e[65] == 0 && bytes.Equal(bytes.ReplaceAll(e[:2*len(s.name)], []byte{0}, nil), []byte(s.name)) {
					found[s.name] = true
				}
			}
		}
	}
	for _, s := range names {
		switch {
		case !found[s.name]:
		case s.kind == "":
			return "", fax.Errorf(fax.BadDocument, "The document is protected by a password; remove the password")
		default:
			return s.kind, nil
		}
	}
	return "", fax.Errorf(fax.Unsupported, "The document is of a kind of old Office document that cannot be faxed; %s", accepted)
}

// officeSettings keep LibreOffice from running or fetching anything: they are the
// strictest of Tools, Options, Security.
const officeSettings = `<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry" xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
<item oor:path="/org.openoffice.Office.Common/Security/Scripting"><prop oor:name="MacroSecurityLevel" oor:op="fuse"><value>3</value></prop></item>
<item oor:path="/org.openoffice.Office.Common/Security/Scripting"><prop oor:name="DisableMacrosExecution" oor:op="fuse"><value>true</value></prop></item>
<item oor:path="/org.openoffice.Office.Common/Security/Scripting"><prop oor:name="BlockUntrustedRefererLinks" oor:op="fuse"><value>true</value></prop></item>
<item oor:path="/org.openoffice.Office.Writer/Content/Update"><prop oor:name="Link" oor:op="fuse"><value>0</value></prop></item>
<item oor:path="/org.openoffice.Office.Calc/Content/Update"><prop oor:name="Link" oor:op="fuse"><value>1</value></prop></item>
</oor:items>
`

// drawOffice has LibreOffice make a PDF of an office document, and draws that.
// It runs in a folder of its own, which it finds by no other name than
// /proc/self/cwd, and of which nothing but the PDF outlives it.
func (f *Folder) drawOffice(ctx context.Context, work, from string, s source, files int, to *faxWriter) error {
	program := f.office()
	if program == "" {
		return &fax.Error{Problem: fax.Unavailable, Detail: "Office documents cannot be converted now: LibreOffice is not installed on the server"}
	}
	in := "in." + string(s.kind)
	dir, err := os.MkdirTemp(work, "office-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // with work, at the latest
	profile := filepath.Join(dir, "profile", "user")
	if err := os.MkdirAll(profile, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(profile, "registrymodifications.xcu"), []byte(officeSettings), 0o600); err != nil {
		return err
	}
	if err := copyFile(from, filepath.Join(dir, in)); err != nil {
		return err
	}
	for _, name := range []string{"profile", "profile/user", "profile/user/registrymodifications.xcu", in} {
		if err := f.give(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	own, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer own.Close() //nolint:errcheck // only a name
	const here = "/proc/self/cwd"
	p := confined{
		path: program,
		args: []string{
			"-env:UserInstallation=file://" + here + "/profile", "--headless", "--norestore", "--nologo", "--nodefault", "--nolockcheck", "--nofirststartwizard",
			"--convert-to", "pdf", "--outdir", here + "/out", here + "/" + in,
		},
		env: []string{"HOME=" + here, "TMPDIR=" + here, "SAL_USE_VCLPLUGIN=svp"},
		cpu: f.limits.cpu, memory: f.limits.officeMemory, output: f.limits.output, dir: own,
	}
	var said report
	p.out, p.said = &said, &said
	err = f.run(ctx, p)
	// With a new profile it asks to be started again (EXITHELPER_NORMAL_RESTART).
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 81 {
		err = f.run(ctx, p)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	made, openErr := openMade(dir, "out/in.pdf")
	if err != nil || openErr != nil {
		which := "The document"
		if files > 1 {
			which = fmt.Sprintf("File %d", s.n)
		}
		return &fax.Error{
			Problem: fax.BadDocument, Detail: fmt.Sprintf("%s (%s) is damaged, protected by a password, or more than LibreOffice can convert; send it as PDF", which, s.kind),
			Cause: fmt.Errorf("libreoffice: %w: %s", errors.Join(err, openErr), said.last),
		}
	}
	defer made.Close() //nolint:errcheck // read only
	drawn := filepath.Join(dir, "drawn.pdf")
	if err := writeFile(drawn, io.LimitReader(made, maxOutput), 0o600); err != nil {
		return err
	}
	return f.drawPDF(ctx, drawn, s.n, files, to)
}

// give hands a file to the user that confined programs run as.
func (f *Folder) give(path string) error {
	if _, user := confinement(int(f.level.Load())); user >= 0 {
		return os.Chown(path, user, user)
	}
	return nil
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // read only
	return writeFile(to, in, 0o600)
}
