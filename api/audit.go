package api

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strconv"

	"faxbot/controller"
	"faxbot/controller/fax"
)

// acting has what a request does recorded as its sender's deed.
func (a *API) acting(w http.ResponseWriter, r *http.Request, who principal) *http.Request {
	key := who.key()
	if x, ok := w.(*exchange); ok {
		x.key = key
	}
	return r.WithContext(fax.As(r.Context(), fax.Actor{Key: key, Address: peer(r)}))
}

// strangerRefused records a wrong key or secret. The id of a key is no secret
// and tells whose is out of date.
func (a *API) strangerRefused(r *http.Request, given string) {
	id, _, ok := parseToken(given)
	if !ok || !isKeyID(id) {
		id = ""
	}
	a.log.Warn("sign-in failed", "peer", peer(r), "route", r.Pattern, "key", id)
	if a.config.Controller == nil || !a.guesses.Allow() {
		return
	}
	ctx := fax.As(r.Context(), fax.Actor{Key: id, Address: peer(r)})
	if err := a.config.Controller.Audit().Note(ctx, controller.SignInFailed, "", r.Pattern); err != nil {
		a.log.Warn("a failed sign-in is not in the audit log", "error", err)
	}
}

// A crowd that guesses must not fill the database: beyond these, failed
// sign-ins are only counted and logged.
const (
	guessesPerSecond = 1
	guessesAtOnce    = 100
)

func isKeyID(id string) bool {
	return len(id) <= 32 && !slices.ContainsFunc([]byte(id), func(c byte) bool { return (c < '0' || c > '9') && (c < 'a' || c > 'z') })
}

// peer is the address that a request comes from.
func peer(r *http.Request) string {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return "unknown"
	}
	return at.Addr().Unmap().WithZone("").String()
}

// recordView is an entry of the audit log as administrators see it.
type recordView struct {
	ID      string          `json:"id"`
	At      *string         `json:"at"`
	Event   controller.Deed `json:"event"`
	Fax     *fax.JobID      `json:"fax_id"`
	Key     *string         `json:"key_id"` // "bootstrap" for API_KEY; null for the daemon itself, and for strangers
	Address *string         `json:"address"`
	Detail  *string         `json:"detail"`
}

func recordViewOf(r controller.Record) recordView {
	return recordView{
		ID: r.ID, At: stamp(r.At), Event: r.Deed, Fax: orNull(r.Fax),
		Key: orNull(r.Who.Key), Address: orNull(r.Who.Address), Detail: orNull(r.Detail),
	}
}

// adminLogs answers GET /admin/logs.
func (a *API) adminLogs(w http.ResponseWriter, r *http.Request, _ principal) error {
	f, err := auditFilterOf(r)
	if err != nil {
		return err
	}
	limit := f.Limit
	f.Limit++ // one more tells whether there are more
	records, err := a.config.Controller.Audit().List(r.Context(), f)
	if err != nil {
		return err
	}
	next := (*string)(nil)
	if len(records) > limit {
		records = records[:limit]
		next = &records[limit-1].ID
	}
	items := make([]recordView, len(records))
	for i, record := range records {
		items[i] = recordViewOf(record)
	}
	reply(w, http.StatusOK, map[string]any{"items": items, "count": len(items), "next": next})
	return nil
}

const maxSearch = 100

// auditFilterOf reads the query. Unknown names are ignored.
func auditFilterOf(r *http.Request) (controller.AuditFilter, error) {
	q := r.URL.Query()
	f := controller.AuditFilter{Text: q.Get("q"), Deed: controller.Deed(q.Get("event")), After: q.Get("after"), Limit: defaultLimit}
	wrong := func(name, rule string) (controller.AuditFilter, error) {
		return f, &fax.Error{Problem: badField, Detail: fmt.Sprintf("Invalid %s: %s", name, rule)}
	}
	if len(f.Text) > maxSearch || !printable(f.Text) {
		return wrong("q", fmt.Sprintf("use at most %d bytes of printable text", maxSearch))
	}
	if f.Deed != "" && !slices.Contains(controller.Deeds, f.Deed) {
		return wrong("event", fmt.Sprintf("use one of %v", controller.Deeds))
	}
	if s := q.Get("limit"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > maxLimit {
			return wrong("limit", fmt.Sprintf("use 1 to %d", maxLimit))
		}
		f.Limit = n
	}
	if s := q.Get("since"); s != "" {
		at, err := parseTime(s)
		if err != nil {
			return wrong("since", "use a time like 2030-01-31T12:00:00Z")
		}
		f.Since = at
	}
	if _, err := fax.ParseJobID(f.After); f.After != "" && err != nil { // records have ids of the same form
		return wrong("after", "use the \"next\" of the page before")
	}
	return f, nil
}
