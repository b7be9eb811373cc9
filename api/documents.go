package api

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"faxbot/controller"
	"faxbot/controller/fax"
)

func (a *API) documentRoutes() []route {
	return []route{
		{"POST /fax/{id}/resend", faxSend, a.resend},
		{"GET /fax/{id}/pages/{page}", faxRead, a.preview},
		{"POST /fax/{id}/pdf-link", faxRead, a.makeLink},
		{"GET /fax/{id}/pdf", "", a.pdf},
		{"GET /fax/{id}/events", faxRead, a.events},
		{"GET /events", faxRead, a.live},
	}
}

// resend answers POST /fax/{id}/resend as submit does.
func (a *API) resend(w http.ResponseWriter, r *http.Request, who principal) error {
	id, err := a.named(r, who)
	if err != nil {
		return err
	}
	key, err := idempotencyKey(r)
	if err != nil {
		return err
	}
	var asked struct {
		To string `json:"to"`
	}
	if err := readJSON(r, &asked); err != nil {
		return err
	}
	to := fax.Number("") // the same
	if asked.To != "" {
		if to, err = fax.ParseNumber(asked.To); err != nil {
			return err
		}
	}
	job, again, err := a.config.Controller.Resend(r.Context(), id, controller.Submission{To: string(to), Owner: who.owner, IdempotencyKey: key})
	if err != nil {
		return err
	}
	accepted(w, job, again)
	return nil
}

// preview answers GET /fax/{id}/pages/{n}.png.
func (a *API) preview(w http.ResponseWriter, r *http.Request, who principal) error {
	name, isPNG := strings.CutSuffix(r.PathValue("page"), ".png")
	n, err := strconv.ParseUint(name, 10, 31)
	if err != nil || !isPNG {
		return &fax.Error{Problem: fax.NotFound, Detail: "Not Found"}
	}
	id, err := a.named(r, who)
	if err != nil {
		return err
	}
	var picture bytes.Buffer
	if err := a.config.Controller.Preview(r.Context(), id, int(n), &picture); err != nil {
		return err
	}
	return send(w, "image/png", picture.Bytes())
}

// links signs the addresses of documents for those who have no key.
type links struct {
	key []byte
}

// DefaultLinkTTL is PDF_TOKEN_TTL_MINUTES where it is not set.
const DefaultLinkTTL = time.Hour

// newLinks takes its key from the bootstrap key, so that all daemons with that
// key honour a link; without one a link lives as long as the daemon.
func newLinks(c Config) links {
	l := links{key: make([]byte, sha256.Size)}
	rand.Read(l.key)
	if c.Key != "" {
		l.key = sign([]byte(c.Key), "links to documents")
	}
	return l
}

func sign(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

// token is good for one document until a time.
func (l links) token(id fax.JobID, until time.Time) string {
	end := strconv.FormatInt(until.Unix(), 16)
	return end + "." + unpadded.EncodeToString(sign(l.key, string(id)+" "+end))
}

func (l links) check(id fax.JobID, token string) error {
	refused := func(detail string) error { return &fax.Error{Problem: fax.Forbidden, Detail: detail} }
	end, _, _ := strings.Cut(token, ".")
	unix, err := strconv.ParseInt(end, 16, 64)
	until := time.Unix(unix, 0)
	if err != nil || subtle.ConstantTimeCompare([]byte(token), []byte(l.token(id, until))) != 1 {
		return refused("Invalid token")
	}
	if !time.Now().Before(until) {
		return refused("Token expired")
	}
	return nil
}

// makeLink answers POST /fax/{id}/pdf-link.
func (a *API) makeLink(w http.ResponseWriter, r *http.Request, who principal) error {
	id, err := fax.ParseJobID(r.PathValue("id"))
	if err != nil {
		return err
	}
	if _, _, err := a.known(r, who, id); err != nil {
		return err
	}
	terms := a.terms.Load()
	until := time.Now().Add(terms.LinkTTL)
	token := a.links.token(id, until)
	reply(w, http.StatusOK, map[string]any{
		"url":        fmt.Sprintf("%s/fax/%s/pdf?token=%s", strings.TrimRight(terms.PublicURL, "/"), id, token),
		"token":      token,
		"expires_at": stamp(until.Truncate(time.Second)),
	})
	return nil
}

// pdf answers GET /fax/{id}/pdf, to the bearer of a token or of a key.
func (a *API) pdf(w http.ResponseWriter, r *http.Request, _ principal) error {
	id, err := fax.ParseJobID(r.PathValue("id"))
	if query := r.URL.Query(); query.Has("token") {
		if err == nil {
			err = a.links.check(id, query.Get("token"))
		}
	} else {
		who, refused := a.admit(r, route{pattern: "GET /fax/{id}/pdf", scope: faxRead})
		if refused != nil {
			return refused
		}
		id, err = a.named(r, who)
	}
	if err != nil {
		return err
	}
	return a.download(w, r, id)
}

// download sends a document.
func (a *API) download(w http.ResponseWriter, r *http.Request, id fax.JobID) error {
	h := w.Header()
	h.Set("Content-Type", "application/pdf")
	h.Set("Content-Disposition", fmt.Sprintf("attachment; filename=\"fax-%s.pdf\"", id))
	err := a.config.Controller.PDF(r.Context(), id, w)
	if x, ok := w.(*exchange); err != nil && ok && x.status != 0 {
		x.err = err
		panic(http.ErrAbortHandler) // half a document must not look like a whole one
	}
	if err != nil {
		h.Del("Content-Disposition")
	}
	return err
}
