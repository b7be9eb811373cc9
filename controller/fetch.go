package controller

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"os"
	"strings"

	"faxbot/controller/fax"
	"faxbot/dialplan"
)

// PagesPath is what follows Config.DocumentURL in the address of a call's pages;
// the attempt and the token come behind it. The suffix tells the switch what it
// fetches (mod_http_cache.c, find_extension).
const (
	PagesPath   = "/_internal/pages/"
	PagesSuffix = ".tif"
)

// maxFetches is how often the pages of one call may be fetched: once, and again
// should the connection break.
const maxFetches = 3

func (c *Controller) checkDocumentURL() error {
	if c.config.DocumentURL == "" {
		return nil
	}
	if err := dialplan.CheckFetchURL(c.config.DocumentURL); err != nil {
		return fmt.Errorf("FAXBOT_DOCUMENT_URL: %w", err)
	}
	return nil
}

// fetch is the command with which the switch fetches the pages; "" when it sees
// them.
func (k *call) fetch() string {
	if k.c.config.DocumentURL == "" {
		return ""
	}
	return dialplan.Fetch(k.address())
}

// address is where the pages of this call are, and of no other.
func (k *call) address() string {
	return strings.TrimRight(k.c.config.DocumentURL, "/") + PagesPath + string(k.id) + "/" + k.pagesToken() + PagesSuffix
}

// pagesToken is known to nobody but the switch. It tells nothing of the call's
// own token, since addresses end up in the switch's log.
func (k *call) pagesToken() string {
	mac := hmac.New(sha256.New, []byte(k.attempt.Token)) // Token never changes
	mac.Write([]byte("pages"))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

var errNoPages = &fax.Error{Problem: fax.NotFound, Detail: "Not Found"}

// Pages opens what a call transmits, for the switch, and only while the call
// needs it: from the moment it is to send until it has a result. The caller
// closes the file. Whatever is wrong is fax.NotFound.
func (c *Controller) Pages(attempt fax.AttemptID, token string) (*os.File, error) {
	k := c.find(attempt)
	if k == nil || c.config.DocumentURL == "" || subtle.ConstantTimeCompare([]byte(token), []byte(k.pagesToken())) != 1 {
		return nil, errNoPages
	}
	k.mu.Lock()
	ready := k.verdict.begun && !k.ending && k.conn != nil && k.fetches < maxFetches
	if ready {
		k.fetches++
	}
	k.mu.Unlock()
	if !ready {
		return nil, errNoPages
	}
	return os.Open(c.docs.TIFF(k.job.ID))
}
