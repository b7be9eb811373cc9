package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"reflect"
	"strconv"
	"time"
	"unicode"

	"faxbot/controller"
	"faxbot/controller/fax"
	"faxbot/controller/plan"
	"faxbot/dialplan"

	"github.com/go-playground/validator/v10"
)

// form is what POST /fax takes, beside the files. The tag "form" is the part's
// name; "validate" holds what the controller would also refuse, so that a wrong
// value is refused before the files that follow it have been read. The tag
// "line" is printable text of at most so many bytes.
type form struct {
	To          fax.Number `form:"to" validate:"required"`
	Files       int        `form:"file" validate:"min=1"`
	From        string     `form:"from" validate:"callerid"`
	Priority    int        `form:"priority" validate:"min=0,max=255"`
	MaxAttempts int        `form:"max_attempts" validate:"omitempty,min=1,max=100"`
	SendAt      time.Time  `form:"send_at"`
	Deadline    time.Time  `form:"deadline" validate:"omitempty,gt"`
	Header      string     `form:"header" validate:"line=50"`
	StationID   string     `form:"station_id" validate:"line=20"`
	Gateway     string     `form:"gateway" validate:"omitempty,gateway"`
	Window      string     `form:"window" validate:"omitempty,window"`
	CallbackURL string     `form:"callback_url" validate:"omitempty,callback"`

	Resolution     string    `form:"resolution" validate:"omitempty,oneof=standard fine superfine"`
	Pages          fax.Pages `form:"pages"`
	Darkness       int       `form:"darkness" validate:"min=-3,max=3"`
	Cover          string    `form:"cover" validate:"line=64"`
	CoverTo        string    `form:"cover_to" validate:"line=100"`
	CoverFrom      string    `form:"cover_from" validate:"line=100"`
	CoverSubject   string    `form:"cover_subject" validate:"line=100"`
	CoverMessage   string    `form:"cover_message" validate:"max=2000"`
	Tags           fax.Tags  `form:"tags"`
	PurgeOnSuccess bool      `form:"purge_on_success"`
	Hold           bool      `form:"hold"`
}

const (
	maxField  = 2 << 10 // bytes of a part that is not a file
	maxFields = 100
)

// parse sets the field of a part.
func (f *form) parse(name, value string) (err error) {
	switch name {
	case "to":
		f.To, err = fax.ParseNumber(value)
	case "from":
		f.From = value
	case "priority":
		f.Priority, err = strconv.Atoi(value)
	case "max_attempts":
		if f.MaxAttempts, err = strconv.Atoi(value); err == nil && f.MaxAttempts == 0 {
			err = errors.New("0 attempts")
		}
	case "send_at":
		f.SendAt, err = time.Parse(time.RFC3339, value)
	case "deadline":
		f.Deadline, err = time.Parse(time.RFC3339, value)
	case "header":
		f.Header = value
	case "station_id":
		f.StationID = value
	case "gateway":
		f.Gateway = value
	case "window":
		f.Window = value
	case "callback_url":
		f.CallbackURL = value
	default:
		err = f.parsePages(name, value)
	}
	return err
}

// parsePages sets the fields that say what the pages look like and how the fax
// is kept.
func (f *form) parsePages(name, value string) (err error) {
	switch name {
	case "resolution":
		f.Resolution = value
	case "pages":
		f.Pages = fax.Pages(value)
		_, err = f.Pages.Ranges()
	case "darkness":
		f.Darkness, err = strconv.Atoi(value)
	case "cover":
		f.Cover = value
	case "cover_to":
		f.CoverTo = value
	case "cover_from":
		f.CoverFrom = value
	case "cover_subject":
		f.CoverSubject = value
	case "cover_message":
		f.CoverMessage = value
	case "tags": // may be repeated
		f.Tags, err = fax.ParseTags(string(f.Tags) + "," + value)
	case "purge_on_success":
		f.PurgeOnSuccess, err = strconv.ParseBool(value)
	case "hold":
		f.Hold, err = strconv.ParseBool(value)
	}
	return err
}

// rules say for a person what a field must be.
var rules = map[string]string{
	"from":         "use an optional + and at most 20 digits",
	"priority":     "use a whole number from 0 (last) to 255 (first)",
	"max_attempts": "use a whole number from 1 to 100",
	"send_at":      "use a time like 2030-01-31T12:00:00Z",
	"deadline":     "use a time in the future like 2030-01-31T12:00:00Z",
	"header":       "use at most 50 bytes of printable text",
	"station_id":   "use at most 20 bytes of printable text",
	"callback_url": "use an address like https://example.net/hook that is in no private network; the daemon must have a secret for webhooks",
	"window":       "use hours like 08:00-18:00, by the clock at the number, or always",
	"gateway":      "use 1 to 64 letters, digits, dots, dashes and underscores, or several names with commas between them",
	"resolution":   "use standard, fine or superfine",
	"darkness":     "use a whole number from -3 (lightest) to 3 (darkest)",
	"cover":        "use the name of a cover, plain for instance",

	"cover_to":         "use at most 100 bytes of printable text",
	"cover_from":       "use at most 100 bytes of printable text",
	"cover_subject":    "use at most 100 bytes of printable text",
	"cover_message":    "use at most 2000 bytes of text",
	"purge_on_success": "use true or false",
	"hold":             "use true or false",
}

// fields validates forms.
type fields struct {
	*validator.Validate
	names map[string]string // of the form's struct fields, by part
}

func newFields(callback func(url string) error) fields {
	v := fields{validator.New(validator.WithRequiredStructEnabled()), map[string]string{}}
	v.RegisterTagNameFunc(func(f reflect.StructField) string { return f.Tag.Get("form") })
	for tag, ok := range map[string]func(s, limit string) bool{
		"callerid": func(s, _ string) bool { return dialplan.CheckCallerID(s) == nil },
		"callback": func(s, _ string) bool { return callback != nil && callback(s) == nil },
		"gateway":  func(s, _ string) bool { return controller.CheckGateways(s) == nil },
		"window":   func(s, _ string) bool { _, err := plan.ParseWindow(s); return err == nil },
		"line": func(s, limit string) bool {
			n, err := strconv.Atoi(limit)
			must(err)
			return len(s) <= n && printable(s)
		},
	} {
		must(v.RegisterValidation(tag, func(l validator.FieldLevel) bool { return ok(l.Field().String(), l.Param()) }, true))
	}
	for f := range reflect.TypeFor[form]().Fields() {
		v.names[f.Tag.Get("form")] = f.Name
	}
	return v
}

func printable(s string) bool {
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

func must(err error) {
	if err != nil {
		panic(err) // of a literal in this package
	}
}

// set parses and validates one part as soon as it has come. Parts that no field
// asks for are ignored: clients of other versions send them.
func (v fields) set(f *form, name, value string) error {
	if value == "" || v.names[name] == "" { // a form's empty box, or not ours
		return nil
	}
	err := f.parse(name, value)
	if shown := (*fax.Error)(nil); errors.As(err, &shown) {
		return shown
	}
	if err == nil {
		err = v.StructPartial(f, v.names[name])
	}
	if err != nil {
		return &fax.Error{Problem: badField, Detail: fmt.Sprintf("Invalid %s: %s", name, rules[name])}
	}
	return nil
}

// whole validates a form that has been read to its end.
func (v fields) whole(f *form) error {
	err := v.Struct(f)
	if err == nil {
		return nil
	}
	var wrong validator.ValidationErrors
	if !errors.As(err, &wrong) {
		return err
	}
	name := wrong[0].Field()
	if name == "to" || name == "file" {
		return &fax.Error{Problem: missing, Detail: fmt.Sprintf("Field required: %s", name)}
	}
	return &fax.Error{Problem: badField, Detail: fmt.Sprintf("Invalid %s: %s", name, rules[name])}
}

// read streams a multipart body: fields into the form, files into the
// reception. Nothing is kept in memory but one small field.
func (v fields) read(ctx context.Context, parts *multipart.Reader, into *controller.Reception) (form, error) {
	f := form{Priority: fax.DefaultPriority}
	for others := 0; ; {
		part, err := parts.NextPart()
		if err == io.EOF { //nolint:errorlint // wrapped, it means that the last boundary is missing
			return f, v.whole(&f)
		}
		if err != nil {
			return f, brokenForm(err)
		}
		if part.FormName() == "file" {
			if _, err := into.Add(ctx, partReader{part}); err != nil {
				return f, err
			}
			f.Files++
			continue
		}
		if others++; others > maxFields {
			return f, &fax.Error{Problem: fax.TooLarge, Detail: fmt.Sprintf("The form has more than %d fields", maxFields)}
		}
		value, err := io.ReadAll(io.LimitReader(partReader{part}, maxField+1))
		if err != nil {
			return f, err
		}
		if len(value) > maxField {
			if v.names[part.FormName()] != "" {
				return f, &fax.Error{Problem: badField, Detail: fmt.Sprintf("Invalid %s: it is longer than %d bytes", part.FormName(), maxField)}
			}
			continue
		}
		if err := v.set(&f, part.FormName(), string(value)); err != nil {
			return f, err
		}
	}
}

// partReader makes what a broken form gives into something that can be shown.
type partReader struct{ io.Reader }

func (p partReader) Read(b []byte) (int, error) {
	n, err := p.Reader.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		err = brokenForm(err)
	}
	return n, err
}

// brokenForm explains why a multipart body could not be read.
func brokenForm(err error) error {
	if shown := (*fax.Error)(nil); errors.As(err, &shown) {
		return shown // from the body itself
	}
	return &fax.Error{Problem: fax.Invalid, Detail: "The multipart form is broken; send it again", Cause: err}
}

// multipartOf refuses what is not a form before its body is read.
func multipartOf(r *http.Request) (*multipart.Reader, error) {
	parts, err := r.MultipartReader()
	if err != nil {
		return nil, &fax.Error{
			Problem: missing, Cause: err,
			Detail: "Fields required: to, file; send them as multipart/form-data",
		}
	}
	return parts, nil
}

// submission is the form as the controller takes it.
func (f form) submission(who principal, key string) controller.Submission {
	return controller.Submission{
		To: string(f.To), Owner: who.owner, Priority: f.Priority, MaxAttempts: f.MaxAttempts,
		SendAt: f.SendAt, Deadline: f.Deadline, IdempotencyKey: key,
		Options: fax.Options{
			CallerID: f.From, StationID: f.StationID, Header: f.Header, Gateway: f.Gateway, Window: f.Window, CallbackURL: f.CallbackURL,
			Resolution: f.Resolution, Pages: f.Pages, Darkness: f.Darkness,
			Cover: fax.Cover{Name: f.Cover, To: f.CoverTo, From: f.CoverFrom, Subject: f.CoverSubject, Message: f.CoverMessage},
			Tags:  f.Tags, PurgeOnSuccess: f.PurgeOnSuccess, Hold: f.Hold,
		},
	}
}
