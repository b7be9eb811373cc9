package webhook

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"
)

// ParseSecret reads a secret in the form of Standard Webhooks: whsec_ and the
// base64 of 24 to 64 random bytes. The error does not repeat it.
func ParseSecret(text string) ([]byte, error) {
	encoded, ok := strings.CutPrefix(text, "whsec_")
	key, err := base64.StdEncoding.DecodeString(encoded)
	if !ok || err != nil || len(key) < 24 || len(key) > 64 {
		return nil, errors.New("a secret of webhooks is whsec_ and the base64 of 24 to 64 bytes; make one with: echo whsec_$(openssl rand -base64 32)")
	}
	return key, nil
}

// NewSecret makes a secret.
func (*Sender) NewSecret() string {
	var key [32]byte
	rand.Read(key[:])
	return "whsec_" + base64.StdEncoding.EncodeToString(key[:])
}

// keys are those of the secrets.
func keys(secrets []string) ([][]byte, error) {
	all := make([][]byte, len(secrets))
	for i, text := range secrets {
		key, err := ParseSecret(text)
		if err != nil {
			return nil, err
		}
		all[i] = key
	}
	return all, nil
}

// sign returns the signatures of all keys, so that a receiver that knows one of
// them is content.
func sign(keys [][]byte, id string, at time.Time, body []byte) string {
	var all []string
	for _, key := range keys {
		mac := hmac.New(sha256.New, key)
		fmt.Fprintf(mac, "%s.%d.%s", id, at.Unix(), body)
		all = append(all, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	return strings.Join(all, " ")
}
