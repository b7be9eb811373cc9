package api

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"sync"
	"time"

	"faxbot/controller/fax"
)

// A browser shows its key once and gets a session, so that no page and no
// script of a page ever holds the key. The session is the key in the daemon's
// memory: what the key may do, its end and its revocation are looked up at
// every request, as if it had been sent. A restart ends all sessions.
type sessions struct {
	mu   sync.Mutex
	open map[[sha256.Size]byte]session // by the cookie's value
}

type session struct {
	key         string
	began, used time.Time
}

const (
	sessionCookie = "faxbot_session"
	sessionIdle   = time.Hour      // without a request; a page that lies open asks now and then
	sessionLife   = 12 * time.Hour // in all: a working day
	maxSessions   = 10000
)

// begin returns the value of the cookie.
func (s *sessions) begin(key string, now time.Time) string {
	var b [32]byte
	rand.Read(b[:])
	value := base64.RawURLEncoding.EncodeToString(b[:])
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, one := range s.open {
		if one.over(now) || len(s.open) >= maxSessions {
			delete(s.open, id)
		}
	}
	if s.open == nil {
		s.open = map[[sha256.Size]byte]session{}
	}
	s.open[sha256.Sum256([]byte(value))] = session{key, now, now}
	return value
}

// key is that of the request's session; "" without one.
func (s *sessions) key(r *http.Request, now time.Time) string {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return ""
	}
	id := sha256.Sum256([]byte(cookie.Value))
	s.mu.Lock()
	defer s.mu.Unlock()
	one, ok := s.open[id]
	if !ok || one.over(now) {
		delete(s.open, id)
		return ""
	}
	one.used = now
	s.open[id] = one
	return one.key
}

func (s *sessions) end(r *http.Request) {
	if cookie, err := r.Cookie(sessionCookie); err == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.open, sha256.Sum256([]byte(cookie.Value)))
	}
}

func (s session) over(now time.Time) bool {
	return now.Sub(s.used) > sessionIdle || now.Sub(s.began) > sessionLife
}

func (a *API) sessionRoutes() []route {
	return []route{
		{"GET /session", "", a.whoAmI},
		{"POST /session", "", a.signIn},
		{"DELETE /session", "", a.signOut},
	}
}

// sessionView is who somebody is to us. Without scopes nobody has signed in.
type sessionView struct {
	Key     *string `json:"key_id"` // null: the bootstrap key, or none is asked for
	Scopes  []scope `json:"scopes"`
	Admin   bool    `json:"admin"`
	Open    bool    `json:"open"` // no key is asked for here
	Version string  `json:"version"`
}

func (a *API) sessionOf(who principal) sessionView {
	return sessionView{orNull(who.owner), who.scopes, who.admin(), a.config.InsecureNoAuth, a.config.Version}
}

// whoAmI answers GET /session. That nobody has signed in is no refusal: every
// first visit begins so.
func (a *API) whoAmI(w http.ResponseWriter, r *http.Request, _ principal) error {
	who, err := a.door.open(r)
	if err != nil && fax.ProblemOf(err) != fax.Unauthorized {
		return err
	}
	if who.scopes == nil {
		who.scopes = []scope{}
	}
	reply(w, http.StatusOK, a.sessionOf(who))
	return nil
}

// signIn answers POST /session.
func (a *API) signIn(w http.ResponseWriter, r *http.Request, _ principal) error {
	if err := a.fromHere(r, true); err != nil {
		return err
	}
	var asked struct {
		Key string `json:"key"`
	}
	if err := readJSON(r, &asked); err != nil {
		return err
	}
	// The key is judged as if it had come with any other request.
	r.Header.Set("X-API-Key", asked.Key)
	who, err := a.door.open(r)
	if err != nil {
		return err
	}
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // Secure where the browser came through TLS; loopback has none
		Name: sessionCookie, Value: a.door.sessions.begin(asked.Key, time.Now()), Path: "/",
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: a.throughTLS(r), MaxAge: int(sessionLife.Seconds()),
	})
	reply(w, http.StatusOK, a.sessionOf(who))
	return nil
}

// signOut answers DELETE /session.
func (a *API) signOut(w http.ResponseWriter, r *http.Request, _ principal) error {
	if err := a.fromHere(r, true); err != nil {
		return err
	}
	a.door.sessions.end(r)
	http.SetCookie(w, &http.Cookie{Name: sessionCookie, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode, MaxAge: -1}) //nolint:gosec // it takes the cookie away
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// throughTLS says whether the browser reached us so, ourselves or a proxy in
// front of us. A wrong word costs whoever sends it his own session.
func (a *API) throughTLS(r *http.Request) bool {
	return r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https"
}

// fromHere refuses what a page of another site has a browser send. By the
// cookie of a session nothing may be changed unless the browser says where the
// request comes from; all that are in use do.
func (a *API) fromHere(r *http.Request, browser bool) error {
	err := a.terms.Load().origin.Check(r)
	if err == nil && browser && !safe(r) && r.Header.Get("Origin") == "" && r.Header.Get("Sec-Fetch-Site") == "" {
		err = errors.New("the request does not say where it comes from")
	}
	if err != nil {
		return &fax.Error{Problem: fax.Forbidden, Detail: "Requests from other web sites are refused", Cause: err}
	}
	return nil
}

func safe(r *http.Request) bool {
	return r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions
}
