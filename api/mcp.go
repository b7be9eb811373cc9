package api

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"faxbot/api/mcp"
	"faxbot/controller/fax"
)

// mcpServer is the Model Context Protocol over HTTP ("Streamable HTTP"). Every
// request is a session of its own, which ends with the reply: there is nothing
// to hold open, to steal or to forget, and each comes with its key.
type mcpServer struct {
	handler http.Handler
	turns   chan struct{} // a token in it for each request that runs
}

// mcpAtOnce bounds the memory of the documents that come in JSON.
const mcpAtOnce = 16

func (a *API) mcpRoutes() []route {
	return []route{{"POST /mcp", faxAny, a.serveMCP}}
}

func (a *API) newMCP() mcpServer {
	tools := mcp.New(a.config.Version, false)
	return mcpServer{
		turns: make(chan struct{}, mcpAtOnce),
		handler: sdk.NewStreamableHTTPHandler(
			func(r *http.Request) *sdk.Server { return tools.Server(a.inTheNameOf(r)) },
			// Who may ask from where, and how much, is judged by serveMCP.
			&sdk.StreamableHTTPOptions{Stateless: true, JSONResponse: true, DisableLocalhostProtection: true, MaxRequestBodyBytes: -1},
		),
	}
}

// serveMCP answers POST /mcp.
func (a *API) serveMCP(w http.ResponseWriter, r *http.Request, _ principal) error {
	if err := a.checkOrigin(r); err != nil {
		return err
	}
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
		return fax.Errorf(fax.Unsupported, "Send a message of the Model Context Protocol as application/json")
	}
	select {
	case a.mcp.turns <- struct{}{}:
		defer func() { <-a.mcp.turns }()
	default:
		return fax.Errorf(fax.Unavailable, "%d messages are being answered; try again in a moment", mcpAtOnce)
	}
	if x, ok := w.(*exchange); ok { // a document in base64
		x.expect(a.terms.Load().MaxBytes*4/3 + formOverhead)
	}
	message, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(message)), int64(len(message))
	answer := &kept{header: http.Header{}}
	a.mcp.handler.ServeHTTP(answer, r)
	if answer.status == 0 { // the client went away meanwhile
		return r.Context().Err()
	}
	// What the protocol has no message for is refused as everywhere else.
	if kind := answer.header.Get("Content-Type"); answer.status >= 400 && !strings.HasPrefix(kind, "application/json") {
		return &fax.Error{Problem: fax.Invalid, Detail: strings.TrimSpace(answer.body.String())}
	}
	for name, values := range answer.header {
		w.Header()[name] = values
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(answer.status)
	_, _ = w.Write(answer.body.Bytes()) // a client that is gone needs no reply
	return nil
}

// checkOrigin refuses what a web page may have had a browser send: a page of
// another site, or one whose name was made to mean this machine (DNS
// rebinding). The protocol demands it of every server; programs send no Origin.
func (a *API) checkOrigin(r *http.Request) error {
	refused := &fax.Error{Problem: fax.Forbidden, Detail: "Requests from other web sites are refused"}
	if origin := r.Header.Get("Origin"); origin != "" {
		from, err := url.Parse(origin)
		if err != nil || !a.isOurs(from.Host) {
			return refused
		}
	}
	to, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if to != nil && isLoopback(to.String()) && !a.isOurs(r.Host) {
		return &fax.Error{
			Problem: fax.Forbidden,
			Detail:  fmt.Sprintf("Requests for %q are refused on this address; if clients reach it by that name, set PUBLIC_API_URL", r.Host),
		}
	}
	return nil
}

// isOurs says whether a host, with or without a port, can only mean us.
func (a *API) isOurs(host string) bool {
	public, err := url.Parse(a.terms.Load().PublicURL)
	return isLoopback(host) || err == nil && host != "" && strings.EqualFold(host, public.Host)
}

func isLoopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return strings.EqualFold(host, "localhost") || err == nil && addr.Unmap().IsLoopback()
}

// inTheNameOf sends requests to our own REST as whoever sent r could have sent
// them, without a network between.
func (a *API) inTheNameOf(r *http.Request) mcp.Ask {
	return func(ctx context.Context, method, path string, header http.Header, body io.Reader) (answer *http.Response, err error) {
		if body == nil {
			body = http.NoBody
		}
		q, err := http.NewRequestWithContext(ctx, method, path, body)
		if err != nil {
			return nil, err
		}
		if body != http.NoBody {
			q.ContentLength = -1
		}
		if header != nil {
			q.Header = header
		}
		q.Header.Set("X-API-Key", keyOf(r))
		q.RemoteAddr = r.RemoteAddr
		defer func() {
			if p := recover(); p != nil { // observe has logged it
				err = fmt.Errorf("the reply broke off: %v", p)
			}
		}()
		w := &kept{header: http.Header{}}
		a.public.ServeHTTP(w, q)
		return &http.Response{
			StatusCode: w.status, Status: fmt.Sprint(w.status, " ", http.StatusText(w.status)),
			Header: w.header, Body: io.NopCloser(&w.body), ContentLength: int64(w.body.Len()),
		}, nil
	}
}

// kept is a reply that stays here.
type kept struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (k *kept) Header() http.Header { return k.header }

func (k *kept) WriteHeader(status int) {
	if k.status == 0 {
		k.status = status
	}
}

func (k *kept) Write(p []byte) (int, error) {
	k.WriteHeader(http.StatusOK)
	return k.body.Write(p)
}
