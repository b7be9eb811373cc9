package dialplan

import (
	"regexp"
	"strings"

	"faxbot/controller/fax"
)

// Route is a way through FreeSWITCH's XML dialplan to the socket application.
type Route struct {
	Extension string
	Context   string
}

// ParseRoute reads "EXTENSION [XML [CONTEXT]]", as originate has it; the
// context is "default" when none is named. Empty text is no route.
func ParseRoute(text string) (Route, error) {
	words := strings.Fields(text)
	if len(words) == 0 {
		return Route{}, nil
	}
	r := Route{Extension: words[0], Context: "default"}
	if len(words) > 2 {
		r.Context = words[2]
	}
	if len(words) > 3 || len(words) > 1 && words[1] != "XML" {
		return Route{}, fax.Errorf(fax.Invalid, "dialplan %.80q: use EXTENSION XML CONTEXT, for instance faxbot XML default", text)
	}
	return r, r.check()
}

// String is the route as originate has it.
func (r Route) String() string { return r.Extension + " XML " + r.Context }

func (r Route) check() error {
	for _, word := range []string{r.Extension, r.Context} {
		// "undef" is nothing to originate (mod_commands.c, originate_function).
		if word == "" || len(word) > 64 || !plain(word, letters+digits+"._-") || strings.EqualFold(word, "undef") || word[0] == '.' {
			return fax.Errorf(fax.Invalid, "dialplan %.80q: extension and context are 1 to 64 letters, digits, dots, dashes and underscores", r.String())
		}
	}
	return nil
}

// Pattern is the extension as a regular expression of the dialplan.
func (r Route) Pattern() string { return regexp.QuoteMeta(r.Extension) }
