package document

import (
	"bytes"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"

	"faxbot/controller/fax"
)

// Kind is what a submitted file is, told by its content alone. It is also the
// extension under which the file is kept.
type Kind string

// Every Kind there is.
const (
	PDF  Kind = "pdf"
	Text Kind = "txt" // UTF-8, or UTF-16 with a byte order mark
	TIFF Kind = "tiff"
	PNG  Kind = "png"
	JPEG Kind = "jpeg"
	GIF  Kind = "gif"
	WebP Kind = "webp"

	DOCX Kind = "docx"
	XLSX Kind = "xlsx"
	PPTX Kind = "pptx"
	ODT  Kind = "odt"
	ODS  Kind = "ods"
	ODP  Kind = "odp"
	DOC  Kind = "doc"
	XLS  Kind = "xls"
	PPT  Kind = "ppt"
	RTF  Kind = "rtf"
)

const accepted = "send PDF, TIFF, PNG, JPEG, GIF, WebP or plain text (UTF-8), or an office document where the server has LibreOffice"

// beginnings are first bytes that tell a kind.
var beginnings = []struct {
	kind  Kind
	magic string
}{
	{TIFF, "II*\x00"}, {TIFF, "MM\x00*"}, {PNG, "\x89PNG\r\n\x1a\n"}, {JPEG, "\xff\xd8\xff"}, {GIF, "GIF87a"}, {GIF, "GIF89a"},
	{RTF, "{\\rtf"}, {zipped, "PK\x03\x04"}, {compound, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"},
}

// headSize is how much of a file decides its kind. A PDF's header may stand
// anywhere in the first 1024 bytes (ISO 32000-1, Annex H.3, note 13).
const headSize = 1024

// tailSize is how much of a PDF's end is searched for the pointer to its
// cross-reference table. Readers agree on 1024 bytes (the same annex, note 18);
// the rest is for padding and what mail gateways append.
const tailSize = 4096

// sniffer tells the kind of a file from the bytes written to it and checks what
// can be checked without a parser. It keeps no more than the first and the last
// few bytes.
type sniffer struct {
	kind  Kind
	size  int64
	head  []byte
	tail  []byte
	text  func(p []byte) error // checks text; nil until the file is known to be text
	held  []byte               // the start of a character that the last write broke off
	drawn bool                 // some character of the text leaves ink
}

// Write never fails on I/O: its error is the verdict on the file.
func (s *sniffer) Write(p []byte) (int, error) {
	n := len(p)
	s.size += int64(n)
	if s.kind == "" {
		if s.head = append(s.head, p...); len(s.head) < headSize {
			return n, nil
		}
		p = s.head
		if err := s.decide(); err != nil {
			return 0, err
		}
	}
	return n, s.check(p)
}

// Close gives the verdict on the whole file.
func (s *sniffer) Close() error {
	if s.size == 0 {
		return fax.Errorf(fax.BadDocument, "The document is empty")
	}
	if s.kind == "" {
		if err := s.decide(); err != nil {
			return err
		}
		if err := s.check(s.head); err != nil {
			return err
		}
	}
	switch s.kind {
	case PDF:
		if !bytes.Contains(bytes.TrimRight(s.tail, "\x00 \t\r\n"), []byte("startxref")) {
			return fax.Errorf(fax.BadDocument, "The PDF is incomplete: its end is missing; export or upload it again")
		}
	case Text:
		if len(s.held) > 0 {
			return s.notText(fmt.Sprintf("a character is broken off at byte %d", s.size-int64(len(s.held))+1))
		}
		if !s.drawn {
			return fax.Errorf(fax.BadDocument, "The text is empty: it has only blanks and line ends")
		}
	}
	return nil
}

// foreign are formats that would pass for text, or that people are likely to
// try; none of them can be faxed as it is.
var foreign = []struct{ magic, name string }{
	{"%!PS", "PostScript"},
	{"II+\x00", "a BigTIFF"}, {"MM\x00+", "a BigTIFF"},
	{"<!DOCTYPE html", "HTML"}, {"<!doctype html", "HTML"}, {"<html", "HTML"}, {"<HTML", "HTML"},
}

func (s *sniffer) decide() error {
	body := bytes.TrimLeft(bytes.TrimPrefix(s.head, []byte("\xef\xbb\xbf")), " \t\r\n\f")
	for _, f := range foreign {
		if bytes.HasPrefix(body, []byte(f.magic)) {
			return fax.Errorf(fax.Unsupported, "The document is %s, which cannot be faxed; %s", f.name, accepted)
		}
	}
	for _, p := range beginnings {
		if bytes.HasPrefix(s.head, []byte(p.magic)) {
			s.kind = p.kind
			return nil
		}
	}
	switch {
	case len(s.head) > 12 && string(s.head[:4]) == "RIFF" && string(s.head[8:12]) == "WEBP":
		s.kind = WebP
	case isPDF(s.head):
		s.kind = PDF
	case bytes.HasPrefix(s.head, []byte{0xff, 0xfe}), bytes.HasPrefix(s.head, []byte{0xfe, 0xff}):
		s.kind, s.text = Text, s.checkUTF16
	default:
		s.kind, s.text = Text, s.checkUTF8
	}
	return nil
}

// isPDF accepts what other readers accept: a header at the start of any line of
// the first kilobyte, since mail gateways and web servers put lines before it.
func isPDF(head []byte) bool {
	for line := range bytes.FieldsFuncSeq(head[:min(len(head), headSize)], func(r rune) bool { return r == '\n' || r == '\r' }) {
		line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
		if rest, ok := bytes.CutPrefix(bytes.TrimLeft(line, " \t\x00"), []byte("%PDF-")); ok && len(rest) > 0 && rest[0] >= '0' && rest[0] <= '9' {
			return true
		}
	}
	return false
}

func (s *sniffer) check(p []byte) error {
	if s.text != nil {
		return s.text(p)
	}
	if s.kind != PDF {
		return nil
	}
	s.tail = append(s.tail, p...)
	// Padding does not push the end out of sight.
	s.tail = bytes.TrimRight(s.tail, "\x00")
	if over := len(s.tail) - tailSize; over > 0 {
		s.tail = append(s.tail[:0], s.tail[over:]...)
	}
	return nil
}

func (s *sniffer) checkUTF8(p []byte) error {
	p = append(s.held, p...)
	for len(p) > 0 {
		r, n := utf8.DecodeRune(p)
		if r == utf8.RuneError && n == 1 {
			if !utf8.FullRune(p) {
				break
			}
			return s.notText("it is not valid UTF-8")
		}
		if err := s.see(r); err != nil {
			return err
		}
		p = p[n:]
	}
	s.held = append([]byte(nil), p...)
	return nil
}

func (s *sniffer) checkUTF16(p []byte) error {
	p = append(s.held, p...)
	for len(p) >= 2 {
		r, n := decodeUTF16(p, s.head[0] == 0xfe)
		if n == 0 {
			break
		}
		if r == utf8.RuneError {
			return s.notText("it is not valid UTF-16")
		}
		if err := s.see(r); err != nil {
			return err
		}
		p = p[n:]
	}
	s.held = append([]byte(nil), p...)
	return nil
}

// decodeUTF16 returns the first character of p and its size in bytes: 0 when p
// ends within it, and utf8.RuneError for half of a surrogate pair.
func decodeUTF16(p []byte, bigEndian bool) (rune, int) {
	unit := func(i int) rune {
		if bigEndian {
			return rune(p[i])<<8 | rune(p[i+1])
		}
		return rune(p[i+1])<<8 | rune(p[i])
	}
	if len(p) < 2 {
		return 0, 0
	}
	r := unit(0)
	if !utf16.IsSurrogate(r) {
		return r, 2
	}
	if len(p) < 4 {
		return 0, 0
	}
	return utf16.DecodeRune(r, unit(2)), 4
}

// see judges one character of a text.
func (s *sniffer) see(r rune) error {
	switch {
	case r == '\t' || r == '\n' || r == '\r' || r == '\f' || r == ' ' || r == 0x85 || r == 0xfeff:
		return nil
	case r < ' ' || r >= 0x7f && r < 0xa0:
		return s.notText(fmt.Sprintf("it contains the control character U+%04X", r))
	}
	s.drawn = true
	return nil
}

func (s *sniffer) notText(why string) error {
	return fax.Errorf(fax.Unsupported, "The document is of no kind that can be faxed, and not plain text: %s; %s", why, accepted)
}
