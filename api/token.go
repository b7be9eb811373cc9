package api

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"

	"golang.org/x/crypto/scrypt"
)

// A token is fbk_live_<id>_<secret>. The id is no secret, so that a token can
// be found without trying all; the secret is 43 characters of unpadded
// base64url and may hold and begin with "_".
const tokenPrefix = "fbk_live_"

// maxToken bounds what is looked at; ours have 65 characters.
const maxToken = 512

// newKeyID returns 12 hexadecimal digits.
func newKeyID() string {
	var b [6]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// newToken returns a token for a key and the hash to keep of it.
func newToken(id string) (token, hash string) {
	var b [32]byte
	rand.Read(b[:])
	secret := unpadded.EncodeToString(b[:])
	return tokenPrefix + id + "_" + secret, hashOf(secret)
}

// parseToken takes a token apart. Any word may stand where ours say "live".
func parseToken(token string) (id, secret string, ok bool) {
	parts := strings.SplitN(token, "_", 4)
	if len(token) > maxToken || len(parts) != 4 || parts[0] != "fbk" || parts[2] == "" || parts[3] == "" {
		return "", "", false
	}
	return parts[2], parts[3], true
}

// What a secret is hashed with: RFC 7914, at the cost that Faxbot's databases
// have. A secret has 256 bits, so nothing is gained by more.
const (
	scryptN   = 1 << 14
	scryptR   = 8
	scryptP   = 1
	scryptLen = 32
)

var unpadded = base64.RawURLEncoding

// hashOf is scrypt$<salt>$<key>$n=16384$r=8$p=1, as Faxbot's databases have it.
func hashOf(secret string) string {
	var salt [16]byte
	rand.Read(salt[:])
	key, err := scrypt.Key([]byte(secret), salt[:], scryptN, scryptR, scryptP, scryptLen)
	must(err)
	return fmt.Sprintf("scrypt$%s$%s$n=%d$r=%d$p=%d", unpadded.EncodeToString(salt[:]), unpadded.EncodeToString(key), scryptN, scryptR, scryptP)
}

// matches says whether a secret has that hash. It takes some 50 ms and 16 MiB.
// A hash that cannot be read, or that would cost much more, matches nothing.
func matches(secret, hash string) bool {
	parts := strings.Split(hash, "$")
	if len(parts) != 6 || parts[0] != "scrypt" {
		return false
	}
	var n, r, p int
	if _, err := fmt.Sscanf(strings.Join(parts[3:], " "), "n=%d r=%d p=%d", &n, &r, &p); err != nil {
		return false
	}
	salt, err := unpadded.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return false
	}
	want, err := unpadded.DecodeString(strings.TrimRight(parts[2], "="))
	if err != nil || len(want) < 16 || len(want) > 64 || n > 1<<17 || r > 16 || p > 4 {
		return false
	}
	got, err := scrypt.Key([]byte(secret), salt, n, r, p, len(want))
	return err == nil && subtle.ConstantTimeCompare(got, want) == 1
}
