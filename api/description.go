package api

import (
	_ "embed"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"faxbot/api/docs"
)

// openapi is written by hand. The tests hold every request and reply against it.
//
//go:embed openapi.yaml
var openapi string

// description serves openapi.yaml with the version of the daemon in it, and as
// a page to read.
type description struct {
	asYAML, asJSON []byte
	page           docs.Page
}

func newDescription(version string) description {
	if version == "" {
		version = "unknown"
	}
	text := strings.Replace(openapi, "version: VERSION", "version: "+strconv.Quote(version), 1)
	var doc any
	must(yaml.Unmarshal([]byte(text), &doc))
	j, err := json.Marshal(doc)
	must(err)
	page, err := docs.Make([]byte(text))
	must(err)
	return description{[]byte(text), j, page}
}

func (d description) docs(w http.ResponseWriter, _ *http.Request, _ principal) error {
	w.Header().Set("Content-Security-Policy", contentPolicy+"; style-src "+d.page.Styles)
	return send(w, "text/html; charset=utf-8", d.page.HTML)
}

func (d description) yaml(w http.ResponseWriter, _ *http.Request, _ principal) error {
	return send(w, "application/yaml", d.asYAML)
}

func (d description) json(w http.ResponseWriter, _ *http.Request, _ principal) error {
	return send(w, "application/json", d.asJSON)
}

func send(w http.ResponseWriter, contentType string, b []byte) error {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	_, _ = w.Write(b) // a client that is gone needs no reply
	return nil
}
