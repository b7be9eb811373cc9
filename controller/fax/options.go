package fax

import (
	"slices"
	"strings"
	"time"
)

// Options are the submitter's wishes, the same for every attempt of a job.
// Empty strings mean the daemon's own settings.
type Options struct {
	CallerID  string `json:"caller_id,omitempty"`  // calling number shown to the far end
	StationID string `json:"station_id,omitempty"` // TSI, T.30 5.3.6.1.1: at most 20 characters
	Header    string `json:"header,omitempty"`     // text of the line printed above each page
	Gateway   string `json:"gateway,omitempty"`
	// SendAt is when the fax is due, its hours apart; Deadline is what its
	// submitter named. Zero for none.
	SendAt   time.Time `json:"send_at,omitzero"`
	Deadline time.Time `json:"deadline,omitzero"`
	// Window are the hours, by the clock at the number, in which it is called:
	// 08:00-18:00.
	Window string `json:"window,omitempty"`

	CallbackURL string `json:"callback_url,omitempty"` // is told what becomes of the fax

	Resolution string `json:"resolution,omitempty"` // a name of one; fine when empty
	Pages      Pages  `json:"pages,omitempty"`
	// Darkness makes greys and colours lighter, down to -3, or darker, up to 3.
	Darkness int   `json:"darkness,omitempty"`
	Cover    Cover `json:"cover,omitzero"` // a page before the first

	Tags Tags `json:"tags,omitempty"`
	// PurgeOnSuccess has the documents deleted as soon as the fax is delivered.
	PurgeOnSuccess bool `json:"purge_on_success,omitempty"`
	// Hold has nobody called before a person has seen the pages and released
	// the fax.
	Hold bool `json:"hold,omitempty"`
}

// Cover is what a cover page says. The zero Cover is none.
type Cover struct {
	Name string `json:"name"` // of the template; PlainCover is the built-in design
	// Template is the template's text when the fax was submitted, so that pages
	// that are made again are the same.
	Template string `json:"template,omitempty"`
	To       string `json:"to,omitempty"`
	From     string `json:"from,omitempty"`
	Subject  string `json:"subject,omitempty"`
	Message  string `json:"message,omitempty"` // of several lines
}

// PlainCover is the name of the cover that every daemon has.
const PlainCover = "plain"

// Tags are words by which a submitter finds faxes again, with commas between
// them. A Job can so be compared.
type Tags string

// Limits of Tags.
const (
	MaxTags = 20
	MaxTag  = 64 // bytes
)

// ParseTags reads tags with commas between them. A repeated one counts once.
func ParseTags(text string) (Tags, error) {
	var list []string
	for tag := range strings.SplitSeq(text, ",") {
		if tag = strings.TrimSpace(tag); tag == "" || slices.Contains(list, tag) {
			continue
		}
		if len(tag) > MaxTag || strings.Trim(tag, tagLetters) != "" || len(list) == MaxTags {
			return "", Errorf(Invalid, "Tags: at most %d words of at most %d letters, digits and any of . _ : / @ -", MaxTags, MaxTag)
		}
		list = append(list, tag)
	}
	return Tags(strings.Join(list, ",")), nil
}

const tagLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:/@-"

// List returns the tags one by one.
func (t Tags) List() []string {
	if t == "" {
		return nil
	}
	return strings.Split(string(t), ",")
}
