// Package apitest holds what tests send to REST, and what they are answered,
// against the description of it.
package apitest

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
)

// Check fails a test for every request that is accepted and every reply that is
// given otherwise than described.
type Check struct {
	t      testing.TB
	router routers.Router

	mu      sync.Mutex
	over    bool // the test has ended
	running sync.WaitGroup
}

// New takes the description, an openapi.yaml. The test ends when all that it
// caused has been checked: close servers and connections in later Cleanups.
func New(t testing.TB, description []byte) *Check {
	t.Helper()
	decoders()
	doc, err := openapi3.NewLoader().LoadFromData(description)
	if err != nil {
		t.Fatal(err)
	}
	router, err := legacy.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	c := &Check{t: t, router: router}
	t.Cleanup(func() {
		c.mu.Lock()
		c.over = true
		c.mu.Unlock()
		c.running.Wait()
	})
	return c
}

// decoders tells the validator of bodies that are bytes to it.
var decoders = sync.OnceFunc(func() {
	for _, kind := range []string{"application/pdf", "application/yaml", "image/png", "text/event-stream", "text/html"} {
		openapi3filter.RegisterBodyDecoder(kind, openapi3filter.FileBodyDecoder)
	}
})

// begin says whether an exchange may still be checked; then running is told.
func (c *Check) begin() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.over {
		c.running.Add(1)
	}
	return !c.over
}

// exchange is one request and its reply. whole says that the body of the
// request was read to its end.
type exchange struct {
	request *http.Request
	body    []byte
	whole   bool
	status  int
	header  http.Header
	reply   []byte
}

// check judges one exchange.
func (c *Check) check(x exchange) {
	c.t.Helper()
	r := x.request
	c.headers(x)
	if isConsole(r) && x.status < 400 { // it is files, not REST
		return
	}
	if x.status == clientClosed { // nobody was told
		return
	}
	route, params, err := c.find(r)
	if err != nil || bytes.Contains(x.reply, []byte(`"detail":"Not Found"`)) { // not in the description
		if x.status != http.StatusNotFound && x.status != http.StatusMethodNotAllowed && r.URL.Path != "/metrics" {
			c.t.Errorf("%s %s is not described, but answered with %d", r.Method, r.URL.Path, x.status)
		}
		return
	}
	options := &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true, SkipSettingDefaults: true}
	in := &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route, Options: options}
	if x.status < 300 && x.whole {
		r.Body = io.NopCloser(bytes.NewReader(x.body))
		// The hook takes any type and any form; an empty part counts as none.
		if strings.Contains(r.URL.Path, "_internal") || r.Header.Get("X-Empty-Parts") != "" {
			options.ExcludeRequestBody = true
		}
		if err := openapi3filter.ValidateRequest(context.Background(), in); err != nil {
			c.t.Errorf("%s %s is accepted, but not as described: %v", r.Method, r.URL.Path, err)
		}
	}
	err = openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: x.status, Header: x.header,
		Body: io.NopCloser(bytes.NewReader(x.reply)), Options: options,
	})
	if err != nil {
		c.t.Errorf("the reply to %s %s is not as described: %v\n%s", r.Method, r.URL.Path, err, x.reply)
	}
}

// find says what a request is described as.
func (c *Check) find(r *http.Request) (*routers.Route, map[string]string, error) {
	switch r.Method {
	case http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodHead, http.MethodOptions:
		return c.router.FindRoute(r)
	}
	return nil, nil, routers.ErrMethodNotAllowed // the router panics at invented ones
}

// clientClosed is what the log calls the end of a request whose client has gone.
const clientClosed = 499

func isConsole(r *http.Request) bool {
	return r.URL.Path == "/" || strings.HasPrefix(r.URL.Path, "/console/")
}

// headers checks those that every reply has.
func (c *Check) headers(x exchange) {
	c.t.Helper()
	kept := "no-store"
	if isConsole(x.request) && x.status < 400 { // files whose addresses change with their content, and the page that names them
		kept = "max-age=31536000, immutable"
		if x.request.URL.Path == "/" {
			kept = "no-cache"
		}
	}
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Cache-Control": kept, "Referrer-Policy": "no-referrer",
	} {
		if got := x.header.Get(name); got != want {
			c.t.Errorf("%s %s: %s: %q, want %q", x.request.Method, x.request.URL.Path, name, got, want)
		}
	}
	policy := x.header.Get("Content-Security-Policy")
	if !strings.HasPrefix(policy, "default-src 'none'; frame-ancestors 'none'") || strings.Contains(policy, "unsafe") {
		c.t.Errorf("%s %s: Content-Security-Policy: %q", x.request.Method, x.request.URL.Path, policy)
	}
}
