package events

import (
	"encoding/json"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"faxbot/controller/fax"
)

// Hook is what api_hangup_hook posts: one witness among several.
type Hook struct {
	JobID     string
	AttemptID string // names the attempt when the dialplan knows it, by "attempt_id" or "uuid"
	Fax       Fax
	Cause     string // hangup cause; "" when it was not sent
	Cancelled bool
}

// ParseHook reads the body of the result hook, whatever its Content-Type says:
// JSON, a form, and the JSON with holes that the snippet in circulation makes
// when it expands unset variables ("fax_document_transferred_pages":,). From a
// body that is neither, the job's id alone is saved, so that a call can at
// least be looked into. A body without job_id is fax.Invalid.
func ParseHook(body []byte) (Hook, error) {
	get := hookFields(strings.TrimSpace(string(body)))
	h := Hook{
		JobID:     get("job_id"),
		AttemptID: get("attempt_id"),
		Cause:     strings.ToUpper(get("hangup_cause")),
	}
	if h.AttemptID == "" {
		h.AttemptID = get("uuid")
	}
	if h.JobID == "" {
		return Hook{}, fax.Errorf(fax.Invalid, "Missing job_id")
	}
	h.Fax.Text = words([]byte(get("fax_result_text")))
	h.Fax.Pages = integer([]byte(get("fax_document_transferred_pages")))
	switch strings.ToLower(get("fax_status")) {
	case "1", "true", "success", "ok":
		h.Fax.Known, h.Fax.Success = true, true
	case "0", "false", "failed", "fail", "error":
		h.Fax.Known = true
	case "cancelled", "canceled":
		h.Cancelled = true
	}
	h.Fax.Code = fax.NoCode
	if code, err := strconv.Atoi(get("fax_result_code")); err == nil {
		h.Fax.Code = code
	} else if h.Fax.Success {
		h.Fax.Code = 0
	}
	return h, nil
}

var (
	hole  = regexp.MustCompile(`:\s*([,}])`)
	jobID = regexp.MustCompile(`job_id["=:\s]+([0-9A-Za-z-]{1,64})`)
)

func hookFields(body string) func(string) string {
	if strings.HasPrefix(body, "{") {
		var doc map[string]any
		decode := func(s string) error {
			d := json.NewDecoder(strings.NewReader(s))
			d.UseNumber()
			return d.Decode(&doc)
		}
		err := decode(body)
		if err != nil {
			err = decode(hole.ReplaceAllString(body, ":null$1"))
		}
		if err == nil {
			return func(k string) string { return scalar(doc[k]) }
		}
	} else if form, _ := url.ParseQuery(body); form.Has("job_id") {
		// A field that is not encoded as it should be is lost, the others stand.
		return func(k string) string { return strings.TrimSpace(form.Get(k)) }
	}
	m := jobID.FindStringSubmatch(body)
	return func(k string) string {
		if k == "job_id" && m != nil {
			return m[1]
		}
		return ""
	}
}

func scalar(v any) string {
	switch v := v.(type) {
	case string:
		return strings.TrimSpace(v)
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	}
	return ""
}
