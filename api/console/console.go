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
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
)

//go:embed assets
var assets embed.FS

// Policy is the Content-Security-Policy of the page: our own files and nothing
// else, neither inline nor from another host.
const Policy = "default-src 'none'; frame-ancestors 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
	"connect-src 'self'; base-uri 'none'; form-action 'none'"

type file struct {
	kind, keep string
	content    []byte
}

// Handler serves the page at / and its files below /console/. Their addresses
// change with their content, so browsers keep them for good and ask for the
// page alone. Whatever it does not have goes to next.
func Handler(next http.Handler) http.Handler {
	files := map[string]file{}
	sum := sha256.New()
	err := fs.WalkDir(assets, "assets", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := assets.ReadFile(name)
		sum.Write(content)
		files[strings.TrimPrefix(name, "assets/")] = file{kinds[path.Ext(name)], "max-age=31536000, immutable", content}
		return err
	})
	if err != nil {
		panic(err) // of files in this very binary
	}
	below := "/console/" + hex.EncodeToString(sum.Sum(nil)[:8]) + "/"
	page := file{kinds[".html"], "no-cache", bytes.ReplaceAll(files["index.html"].content, []byte("/console/"), []byte(below))}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, ok := strings.CutPrefix(r.URL.Path, below)
		f, there := files[name]
		if r.URL.Path == "/" {
			f, ok, there = page, true, true
		}
		if !ok || !there || r.Method != http.MethodGet && r.Method != http.MethodHead {
			next.ServeHTTP(w, r)
			return
		}
		h := w.Header()
		h.Set("Content-Security-Policy", Policy)
		h.Set("Cache-Control", f.keep)
		h.Set("Content-Type", f.kind)
		h.Set("Content-Length", strconv.Itoa(len(f.content)))
		_, _ = w.Write(f.content) // a browser that is gone needs no page
	})
}

// kinds do not depend on the machine's own table of types.
var kinds = map[string]string{
	".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8",
	".css": "text/css; charset=utf-8", ".svg": "image/svg+xml", ".txt": "text/plain; charset=utf-8",
}
