package dialplan

import (
	"regexp"
	"strings"

	"faxbot/controller/fax"
)

// Entry is where calls enter FreeSWITCH's XML dialplan, which leads them to the
// socket application.
type Entry struct {
	Extension string
	Context   string
}

// ParseEntry reads "EXTENSION [XML [CONTEXT]]", as originate has it; the
// context is "default" when none is named. Empty text is none.
func ParseEntry(text string) (Entry, error) {
	words := strings.Fields(text)
	if len(words) == 0 {
		return Entry{}, nil
	}
	r := Entry{Extension: words[0], Context: "default"}
	if len(words) > 2 {
		r.Context = words[2]
	}
	if len(words) > 3 || len(words) > 1 && words[1] != "XML" {
		return Entry{}, fax.Errorf(fax.Invalid, "dialplan %.80q: use EXTENSION XML CONTEXT, for instance faxbot XML default", text)
	}
	return r, r.check()
}

// String is the entry as originate has it.
func (r Entry) String() string { return r.Extension + " XML " + r.Context }

func (r Entry) check() error {
	for _, word := range []string{r.Extension, r.Context} {
		// "undef" is nothing to originate (mod_commands.c, originate_function).
		if word == "" || len(word) > 64 || !plain(word, letters+digits+"._-") || strings.EqualFold(word, "undef") || word[0] == '.' {
			return fax.Errorf(fax.Invalid, "dialplan %.80q: extension and context are 1 to 64 letters, digits, dots, dashes and underscores", r.String())
		}
	}
	return nil
}

// Pattern is the extension as a regular expression of the dialplan.
func (r Entry) Pattern() string { return regexp.QuoteMeta(r.Extension) }
