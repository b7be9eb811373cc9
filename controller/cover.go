package controller

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"unicode/utf8"

	"faxbot/controller/document"
	"faxbot/controller/fax"
)

// Limits of what a submitter may have put on a cover, in bytes. It is one page.
const (
	maxCoverLine    = 100
	maxCoverMessage = 2000
	maxTemplate     = 16 << 10
)

// checkPages refuses options of the pages that cannot be drawn.
func checkPages(o fax.Options) error {
	if _, ok := resolutions[o.Resolution]; !ok {
		return fax.Errorf(fax.Invalid, "resolution must be standard, fine or superfine")
	}
	if _, err := o.Pages.Ranges(); err != nil {
		return err
	}
	if o.Darkness < -document.MaxDarkness || o.Darkness > document.MaxDarkness {
		return fax.Errorf(fax.Invalid, "darkness must be -%d to %d", document.MaxDarkness, document.MaxDarkness)
	}
	if tags, err := fax.ParseTags(string(o.Tags)); err != nil || tags != o.Tags {
		return errors.Join(err, fax.Errorf(fax.Invalid, "tags are words with commas between them, each once"))
	}
	for _, line := range []string{o.Cover.To, o.Cover.From, o.Cover.Subject} {
		if len(line) > maxCoverLine || !printable(line) {
			return fax.Errorf(fax.Invalid, "the lines of a cover must have at most %d bytes of printable text", maxCoverLine)
		}
	}
	if len(o.Cover.Message) > maxCoverMessage || !utf8.ValidString(o.Cover.Message) {
		return fax.Errorf(fax.Invalid, "the message of a cover must have at most %d bytes of UTF-8", maxCoverMessage)
	}
	if o.Cover.Name == "" && o.Cover != (fax.Cover{}) {
		return fax.Errorf(fax.Invalid, "the fax has no cover for what should be on it: choose one, %s for instance", fax.PlainCover)
	}
	return nil
}

// settle returns the options as they hold for all calls of the fax, whatever is
// changed on this host meanwhile.
func (c *Controller) settle(o fax.Options) (fax.Options, error) {
	o.PurgeOnSuccess = o.PurgeOnSuccess || c.policy.Load().PurgeOnSuccess
	if o.Cover.Name == "" || o.Cover.Name == fax.PlainCover || o.Cover.Template != "" {
		return o, nil
	}
	text, err := c.template(o.Cover.Name)
	o.Cover.Template = text
	return o, err
}

// template reads a template by its name, from the folder of templates and
// nowhere else.
func (c *Controller) template(name string) (string, error) {
	unknown := fax.Errorf(fax.Invalid, "There is no cover of this name on the server; %s is built in", fax.PlainCover)
	if c.config.Covers == "" || len(name) > fax.MaxTag || strings.ContainsAny(name, `/\.`) || !printable(name) {
		return "", unknown
	}
	root, err := os.OpenRoot(c.config.Covers)
	if err != nil {
		return "", unreadable(err)
	}
	defer root.Close() //nolint:errcheck // read only
	file, err := root.Open(name + ".txt")
	if errors.Is(err, fs.ErrNotExist) {
		return "", unknown
	}
	if err != nil {
		return "", unreadable(err)
	}
	defer file.Close() //nolint:errcheck // read only
	text, err := io.ReadAll(io.LimitReader(file, maxTemplate+1))
	switch {
	case err != nil:
		return "", unreadable(err)
	case len(text) > maxTemplate || len(text) == 0 || !utf8.Valid(text):
		return "", unreadable(errors.New("a template has 1 byte to 16 KiB of UTF-8"))
	}
	return string(text), nil
}

func unreadable(err error) error {
	return &fax.Error{Problem: fax.Unavailable, Detail: "The cover's template cannot be read; an administrator must look at FAXBOT_COVER_DIR", Cause: err}
}
