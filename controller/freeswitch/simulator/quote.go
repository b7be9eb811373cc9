package simulator

import (
	"net/url"
	"strings"

	"golang.org/x/text/encoding/charmap"
)

// separate splits s as switch_separate_string does: at delim, into most parts
// at most, with '…' quoting and \ escaping, unless s begins with ^^ and another
// delimiter. A quote that is never closed protects nothing, except between
// spaces, where it protects the rest.
func separate(s string, delim byte, most int) []string {
	if len(s) > 3 && strings.HasPrefix(s, "^^") {
		delim, s = s[2], s[3:]
	}
	var parts []string
	for s != "" && len(parts) < most {
		if delim == ' ' {
			s = strings.TrimLeft(s, " ")
			if s == "" {
				break
			}
		}
		end, rest := len(s), ""
		if len(parts) < most-1 {
			quoted := false
		scan:
			for i := 0; i < len(s); i++ {
				switch c := s[i]; {
				case c == '\\':
					i++
				case c == '\'' && (quoted || delim == ' ' || strings.IndexByte(s[i+1:], '\'') >= 0):
					quoted = !quoted
				case c == delim && !quoted:
					end, rest = i, s[i+1:]
					break scan
				}
			}
		}
		escaped := delim
		if delim == ' ' {
			escaped = 0
		}
		parts = append(parts, cleanup(s[:end], escaped))
		s = rest
	}
	return parts
}

// cleanup takes quotes, escapes and outer spaces away
// (switch_utils.c, cleanup_separated_string).
func cleanup(s string, delim byte) string {
	s = strings.TrimLeft(s, " ")
	out := make([]byte, 0, len(s))
	end, quoted := 0, false
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '\\' && i+1 < len(s) {
			e := s[i+1]
			switch {
			case e == '\'' || e == '"' || e == '\\' || delim != 0 && e == delim:
			case e == 'n':
				e = '\n'
			case e == 'r':
				e = '\r'
			case e == 't':
				e = '\t'
			case e == 's':
				e = ' '
			default:
				e = 0
			}
			if e != 0 {
				i++
				out = append(out, e)
				end = len(out)
				continue
			}
		}
		if c == '\'' && (quoted || strings.IndexByte(s[i+1:], '\'') >= 0) {
			if quoted = !quoted; quoted {
				end = len(out)
			}
			continue
		}
		out = append(out, c)
		if c != ' ' || quoted {
			end = len(out)
		}
	}
	return string(out[:end])
}

// decode undoes %XX and leaves alone what is none (switch_url_decode).
func decode(s string) string {
	if out, err := url.PathUnescape(s); err == nil {
		return out
	}
	return s
}

// printed is a header as spandsp prints it: each byte is a letter of code page
// 437 (faxfont.h), and of more than 50 there is none (t30.h,
// T30_MAX_PAGE_HEADER_INFO).
func printed(header string) string {
	if len(header) > 50 {
		return ""
	}
	out, _ := charmap.CodePage437.NewDecoder().String(header) // it knows every byte
	return out
}

// truthy is switch_true.
func truthy(s string) bool {
	switch strings.ToLower(s) {
	case "yes", "on", "true", "t", "enabled", "active", "allow", "1":
		return true
	}
	return false
}

// matching finds the bracket that closes the one s begins with, or -1.
func matching(s string, open, shut byte) int {
	depth := 0
	for i := range len(s) {
		switch s[i] {
		case open:
			depth++
		case shut:
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}
