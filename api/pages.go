package api

import (
	"net/http"
	"strings"

	"faxbot/controller"
	"faxbot/controller/fax"
)

// pagesRoute is where the switch fetches the pages of a call, on the internal
// listener only.
func (a *API) pagesRoute() route {
	return route{pattern: "GET " + controller.PagesPath + "{attempt}/{token}", serve: a.pages}
}

// pages answers it. What is in the path is a secret for the time of one call.
func (a *API) pages(w http.ResponseWriter, r *http.Request, _ principal) error {
	token, is := strings.CutSuffix(r.PathValue("token"), controller.PagesSuffix)
	attempt, err := fax.ParseAttemptID(r.PathValue("attempt"))
	if err != nil || !is {
		return &fax.Error{Problem: fax.NotFound, Detail: "Not Found"}
	}
	file, err := a.config.Controller.Pages(attempt, token)
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // read only
	st, err := file.Stat()
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "image/tiff")
	w.Header().Set("ETag", `"`+string(attempt)+`"`)
	http.ServeContent(w, r, "", st.ModTime(), file)
	return nil
}
