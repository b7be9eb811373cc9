package api

import (
	"regexp"
	"strings"
	"testing"
)

// pythonSecret is one that begins with "_", and pythonHash is what hashlib.scrypt
// of Python makes of it, in the form that Faxbot's databases have.
const (
	pythonSecret = "_secret_-that_python_hashed-0123456789ABCDE"
	pythonHash   = "scrypt$AAECAwQFBgcICQoLDA0ODw$YXDADIHiZOrR0FX3UmiO-9UuPs0wTPE3YL9VOF-RMbQ$n=16384$r=8$p=1"
)

func TestHashes(t *testing.T) {
	t.Parallel()
	token, hash := newToken("0123456789ab")
	if !regexp.MustCompile(`^fbk_live_0123456789ab_[A-Za-z0-9_-]{43}$`).MatchString(token) {
		t.Errorf("token %q", token)
	}
	if !regexp.MustCompile(`^scrypt\$[A-Za-z0-9_-]{22}\$[A-Za-z0-9_-]{43}\$n=16384\$r=8\$p=1$`).MatchString(hash) {
		t.Errorf("hash %q", hash)
	}
	id, secret, ok := parseToken(token)
	if !ok || id != "0123456789ab" || !matches(secret, hash) || matches(secret+"x", hash) {
		t.Errorf("%q, %q, %v is not the token that was made", id, secret, ok)
	}
	if !matches(pythonSecret, pythonHash) || matches(pythonSecret[1:], pythonHash) {
		t.Error("a hash that Python made is not understood")
	}
	for _, broken := range []string{
		"", "scrypt", "pbkdf2$a$b$1000", strings.Replace(pythonHash, "n=16384", "n=16383", 1),
		strings.Replace(pythonHash, "n=16384", "n=1073741824", 1), strings.Replace(pythonHash, "r=8", "r=8000", 1),
		"scrypt$AAECAwQFBgcICQoLDA0ODw$$n=16384$r=8$p=1", "scrypt$!$!$n=16384$r=8$p=1",
	} {
		if matches(pythonSecret, broken) {
			t.Errorf("%q matches", broken)
		}
	}
}

func TestTokensAreTakenApart(t *testing.T) {
	t.Parallel()
	for token, want := range map[string][2]string{
		"fbk_live_0123456789ab_" + pythonSecret:  {"0123456789ab", pythonSecret},
		"fbk_live_0123456789ab__":                {"0123456789ab", "_"},
		"fbk_live_0123456789ab_":                 {},
		"fbk_live__x":                            {},
		"fbk_live_0123456789ab":                  {},
		"abc_live_0123456789ab_x":                {},
		"":                                       {},
		"fbk_live_a_" + strings.Repeat("x", 512): {},
	} {
		id, secret, ok := parseToken(token)
		if ok != (want[0] != "") || id != want[0] || secret != want[1] {
			t.Errorf("%q: %q, %q, %v", token, id, secret, ok)
		}
	}
}
