package api

import (
	"io"
	"net/http"

	"faxbot/controller/fax"
	"faxbot/events"
)

// maxHook is how large the report of a call may be; real ones have 300 bytes.
const maxHook = 64 << 10

// hook answers POST /_internal/freeswitch/outbound_result. The secret comes
// first, then the body, whatever its type is said to be.
func (a *API) hook(w http.ResponseWriter, r *http.Request, _ principal) error {
	if err := a.door.openHook(r, a.terms.Load().hook); err != nil {
		return err
	}
	report, err := io.ReadAll(io.LimitReader(r.Body, maxHook+1))
	if err != nil {
		return err
	}
	if len(report) > maxHook {
		return fax.Errorf(fax.TooLarge, "The report is larger than %d bytes", maxHook)
	}
	h, err := events.ParseHook(report)
	if err != nil {
		return err
	}
	if err := a.config.Controller.Hook(r.Context(), h); err != nil {
		return err
	}
	reply(w, http.StatusOK, map[string]bool{"ok": true})
	return nil
}
