// Package console is the web page of the daemon: for the operator at the desk
// and at 3 a.m. It is a small program that runs in the browser and asks for
// nothing that REST does not give everybody; this package only hands its files
// out. What a key may not do it does not show, but the refusal is REST's.
//
// There is no build step: the files are modules that browsers read. The one
// library, Preact with htm (assets/vendor), makes every text a text node, so
// nothing that an outsider wrote becomes markup.
package console

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
)

//go:embed assets
var assets embed.FS

// Policy is the Content-Security-Policy of the page: our own files and nothing
// else, neither inline nor from another host.
const Policy = "default-src 'none'; frame-ancestors 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
	"connect-src 'self'; base-uri 'none'; form-action 'none'"

type file struct {
	kind, tag string
	content   []byte
}

// Handler serves the page at / and its files below /console/. Whatever it does
// not have goes to next.
func Handler(next http.Handler) http.Handler {
	files := map[string]file{}
	err := fs.WalkDir(assets, "assets", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := assets.ReadFile(name)
		sum := sha256.Sum256(content)
		files["/console"+name[len("assets"):]] = file{kinds[path.Ext(name)], `"` + hex.EncodeToString(sum[:8]) + `"`, content}
		return err
	})
	if err != nil {
		panic(err) // of files in this very binary
	}
	files["/"] = files["/console/index.html"]
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, ok := files[r.URL.Path]
		if !ok || r.Method != http.MethodGet && r.Method != http.MethodHead {
			next.ServeHTTP(w, r)
			return
		}
		h := w.Header()
		h.Set("Content-Security-Policy", Policy)
		h.Set("Cache-Control", "no-cache") // kept, and asked for again: a new version shows at once
		h.Set("ETag", f.tag)
		if r.Header.Get("If-None-Match") == f.tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		h.Set("Content-Type", f.kind)
		_, _ = w.Write(f.content) // a browser that is gone needs no page
	})
}

// kinds do not depend on the machine's own table of types.
var kinds = map[string]string{
	".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8",
	".css": "text/css; charset=utf-8", ".svg": "image/svg+xml", ".txt": "text/plain; charset=utf-8",
}
