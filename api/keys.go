package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"faxbot/controller"
	"faxbot/controller/fax"
)

func (a *API) keyRoutes() []route {
	return []route{
		{"POST /admin/api-keys", keysManage, a.createKey},
		{"GET /admin/api-keys", keysManage, a.listKeys},
		{"PATCH /admin/api-keys/{key_id}", keysManage, a.weighKey},
		{"DELETE /admin/api-keys/{key_id}", keysManage, a.revokeKey},
		{"POST /admin/api-keys/{key_id}/rotate", keysManage, a.rotateKey},
	}
}

// keyRequest is what somebody wants of a new key.
type keyRequest struct {
	Name      string  `json:"name"`
	Owner     string  `json:"owner"`
	Scopes    []scope `json:"scopes"`
	ExpiresAt *string `json:"expires_at"`
	Note      string  `json:"note"`
	Weight    *int    `json:"weight"`
}

// keyView is a key as administrators see it.
type keyView struct {
	ID         string   `json:"key_id"`
	Name       *string  `json:"name"`
	Owner      *string  `json:"owner"`
	Scopes     []string `json:"scopes"`
	CreatedAt  *string  `json:"created_at"`
	LastUsedAt *string  `json:"last_used_at"`
	ExpiresAt  *string  `json:"expires_at"`
	RevokedAt  *string  `json:"revoked_at"`
	Note       *string  `json:"note"`
	Weight     int      `json:"weight"`
}

// newKeyView is a key on the only occasion on which its token is told.
type newKeyView struct {
	ID        string   `json:"key_id"`
	Token     string   `json:"token"`
	Name      *string  `json:"name"`
	Owner     *string  `json:"owner"`
	Scopes    []string `json:"scopes"`
	ExpiresAt *string  `json:"expires_at"`
	Weight    int      `json:"weight"`
}

// defaultScopes are those of a key for which none were named.
var defaultScopes = []scope{faxSend, faxRead}

const (
	maxKeyName = 100
	maxKeyNote = 1000
)

// key is the request as it is kept.
func (k keyRequest) key() (controller.Key, error) {
	key := controller.Key{Name: k.Name, Owner: k.Owner, Note: k.Note, Weight: 1}
	wrong := func(name, rule string) (controller.Key, error) {
		return key, &fax.Error{Problem: badField, Detail: fmt.Sprintf("Invalid %s: %s", name, rule)}
	}
	line := fmt.Sprintf("use at most %d bytes of printable text", maxKeyName)
	switch {
	case len(k.Name) > maxKeyName || !printable(k.Name):
		return wrong("name", line)
	case len(k.Owner) > maxKeyName || !printable(k.Owner):
		return wrong("owner", line)
	case len(k.Note) > maxKeyNote:
		return wrong("note", fmt.Sprintf("use at most %d bytes", maxKeyNote))
	}
	if k.Scopes == nil {
		k.Scopes = defaultScopes
	}
	for _, s := range k.Scopes {
		if !slices.Contains(scopes, s) {
			return wrong("scopes", fmt.Sprintf("use some of %v", scopes))
		}
		key.Scopes = append(key.Scopes, string(s))
	}
	if k.ExpiresAt != nil && *k.ExpiresAt != "" {
		at, err := parseTime(*k.ExpiresAt)
		if err != nil || !at.After(time.Now()) {
			return wrong("expires_at", "use a time in the future like 2030-01-31T12:00:00Z")
		}
		key.ExpiresAt = at
	}
	if k.Weight != nil {
		key.Weight = *k.Weight
	}
	return key, checkWeight(key.Weight)
}

func checkWeight(n int) error {
	if n < 1 || n > controller.MaxKeyWeight {
		return fax.Errorf(badField, "Invalid weight: use a whole number from 1 to %d", controller.MaxKeyWeight)
	}
	return nil
}

// parseTime reads ISO 8601 as JSON and as Python write it; without a zone it
// is UTC.
func parseTime(s string) (time.Time, error) {
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		at, err = time.Parse("2006-01-02T15:04:05", strings.Replace(s, " ", "T", 1))
	}
	return at, err
}

// createKey answers POST /admin/api-keys.
func (a *API) createKey(w http.ResponseWriter, r *http.Request, _ principal) error {
	var asked keyRequest
	if err := readJSON(r, &asked); err != nil {
		return err
	}
	key, err := asked.key()
	if err != nil {
		return err
	}
	key.ID = newKeyID()
	token, hash := newToken(key.ID)
	key.Hash = hash
	if key, err = a.config.Controller.Keys().Create(r.Context(), key); err != nil {
		return err
	}
	v := keyViewOf(key)
	reply(w, http.StatusOK, newKeyView{v.ID, token, v.Name, v.Owner, v.Scopes, v.ExpiresAt, v.Weight})
	return nil
}

// listKeys answers GET /admin/api-keys.
func (a *API) listKeys(w http.ResponseWriter, r *http.Request, _ principal) error {
	keys, err := a.config.Controller.Keys().List(r.Context())
	if err != nil {
		return err
	}
	list := make([]keyView, len(keys))
	for i, k := range keys {
		list[i] = keyViewOf(k)
	}
	reply(w, http.StatusOK, list)
	return nil
}

// weighKey answers PATCH /admin/api-keys/{key_id}: more turns for its faxes, or
// fewer.
func (a *API) weighKey(w http.ResponseWriter, r *http.Request, _ principal) error {
	id := r.PathValue("key_id")
	var asked struct {
		Weight int `json:"weight"`
	}
	err := readJSON(r, &asked)
	if err == nil {
		err = checkWeight(asked.Weight)
	}
	if err == nil {
		err = a.config.Controller.Keys().Weigh(r.Context(), id, asked.Weight)
	}
	if err != nil {
		return err
	}
	a.log.Info("key weighed", "key", id, "weight", asked.Weight)
	reply(w, http.StatusOK, map[string]any{"key_id": id, "weight": asked.Weight})
	return nil
}

// revokeKey answers DELETE /admin/api-keys/{key_id}.
func (a *API) revokeKey(w http.ResponseWriter, r *http.Request, _ principal) error {
	id := r.PathValue("key_id")
	err := a.config.Controller.Keys().Revoke(r.Context(), id)
	a.door.ring.changed(id) // also when the database may have stored it in spite of an error
	if err != nil {
		return err
	}
	reply(w, http.StatusOK, map[string]string{"status": "ok"})
	return nil
}

// rotateKey answers POST /admin/api-keys/{key_id}/rotate: the key keeps its id
// and its faxes, and the token of before is worth nothing from now on.
func (a *API) rotateKey(w http.ResponseWriter, r *http.Request, _ principal) error {
	id := r.PathValue("key_id")
	token, hash := newToken(id)
	err := a.config.Controller.Keys().Rotate(r.Context(), id, hash)
	a.door.ring.changed(id)
	if err != nil {
		return err
	}
	reply(w, http.StatusOK, map[string]string{"key_id": id, "token": token})
	return nil
}

func keyViewOf(k controller.Key) keyView {
	if k.Scopes == nil {
		k.Scopes = []string{}
	}
	return keyView{
		ID: k.ID, Name: orNull(k.Name), Owner: orNull(k.Owner), Scopes: k.Scopes, CreatedAt: stamp(k.CreatedAt),
		LastUsedAt: stamp(k.LastUsedAt), ExpiresAt: stamp(k.ExpiresAt), RevokedAt: stamp(k.RevokedAt), Note: orNull(k.Note), Weight: k.Weight,
	}
}

// maxJSON is how large a request in JSON may be.
const maxJSON = 64 << 10

// readJSON reads a body in JSON, whatever its type is said to be. An empty one
// leaves v as it is; unknown names are ignored.
func readJSON(r *http.Request, v any) error {
	text, err := io.ReadAll(io.LimitReader(r.Body, maxJSON+1))
	if err != nil {
		return err
	}
	if len(text) > maxJSON {
		return fax.Errorf(fax.TooLarge, "The request is larger than %d bytes", maxJSON)
	}
	if len(text) == 0 {
		return nil
	}
	if err := json.Unmarshal(text, v); err != nil {
		detail := "The body is not valid JSON"
		if wrong := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrong) {
			detail = fmt.Sprintf("Invalid %s: a %s is not what is expected", wrong.Field, wrong.Value)
		}
		return &fax.Error{Problem: badField, Detail: detail, Cause: err}
	}
	return nil
}
