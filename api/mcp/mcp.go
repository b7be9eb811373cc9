// Package mcp has the tools with which an assistant sends faxes, as the Model
// Context Protocol (modelcontextprotocol.io) has them. They bear the names and
// arguments of the original Faxbot's MCP servers and do everything over REST,
// so that keys, scopes, limits and the log are those of any other client.
package mcp

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// Ask sends a request to REST; whoever gets the reply closes its body. After an
// error nobody knows whether the request has arrived.
type Ask func(ctx context.Context, method, path string, header http.Header, body io.Reader) (*http.Response, error)

// What the tools are for, told to the assistant.
const instructions = `Sends faxes and tells what became of them. A fax goes to a real telephone number: ask the person before you send one,
and never send it again because it takes long. send_fax returns at once; get_fax_status tells how far it is. SUCCESS means that the
receiving machine confirmed every page; FAILED comes with the reason.`

// Tools are the tools, for any number of clients.
type Tools struct {
	version string
	files   bool
	schemas *sdk.SchemaCache // of the arguments: what is found out once is known for all servers
}

// New makes tools. files lets send_fax read files of this machine: only where
// the client is the user of this process.
func New(version string, files bool) *Tools {
	return &Tools{version, files, sdk.NewSchemaCache()}
}

// Server serves one client, in whose name it asks.
func (k *Tools) Server(ask Ask) *sdk.Server {
	s := sdk.NewServer(&sdk.Implementation{Name: "faxbot", Title: "Faxbot", Version: k.version}, &sdk.ServerOptions{
		Instructions: instructions, SchemaCache: k.schemas,
		Capabilities: &sdk.ServerCapabilities{Tools: &sdk.ToolCapabilities{}},
	})
	c := client{ask}
	yes, no := true, false
	reads := &sdk.ToolAnnotations{ReadOnlyHint: true, OpenWorldHint: &no}
	send := &sdk.Tool{
		Name: "send_fax", Title: "Send a fax", Annotations: &sdk.ToolAnnotations{DestructiveHint: &yes},
		Description: "Send a document (PDF, plain text or a picture) to a fax number.",
	}
	if k.files {
		sdk.AddTool(s, send, c.sendFile)
	} else {
		sdk.AddTool(s, send, c.sendContent)
	}
	sdk.AddTool(s, &sdk.Tool{
		Name: "get_fax_status", Title: "Status of a fax", Annotations: reads,
		Description: "Tell how far a fax is: queued, in_progress, SUCCESS or FAILED, with the pages that are confirmed.",
	}, c.status)
	sdk.AddTool(s, &sdk.Tool{
		Name: "get_fax", Title: "All about a fax", Annotations: reads,
		Description: "Tell all that is known of a fax, with every call that was made for it.",
	}, c.get)
	sdk.AddTool(s, &sdk.Tool{
		Name: "cancel_fax", Title: "Cancel a fax", Annotations: &sdk.ToolAnnotations{IdempotentHint: true, DestructiveHint: &yes},
		Description: "Cancel a fax, also in the middle of its call. Pages that were confirmed stay sent; a fax that has ended stays as it is.",
	}, c.cancel)
	s.AddReceivingMiddleware(refuseListening)
	return s
}

// refuseListening refuses the one request that would last for ever. Nothing
// that it could tell of ever changes.
func refuseListening(next sdk.MethodHandler) sdk.MethodHandler {
	return func(ctx context.Context, method string, r sdk.Request) (sdk.Result, error) {
		if method == "subscriptions/listen" {
			return nil, &jsonrpc.Error{Code: jsonrpc.CodeMethodNotFound, Message: "nothing here changes: there is nothing to listen to"}
		}
		return next(ctx, method, r)
	}
}

// client is whoever uses the tools.
type client struct{ ask Ask }

type job struct {
	ID string `json:"jobId" jsonschema:"the job ID from send_fax"`
}

func (c client) status(ctx context.Context, _ *sdk.CallToolRequest, in job) (*sdk.CallToolResult, any, error) {
	f, err := c.tell(ctx, http.MethodGet, in.ID)
	if err != nil {
		return nil, nil, err
	}
	return f.result(f.text()), nil, nil
}

type outboundID struct {
	ID string `json:"id" jsonschema:"the job ID from send_fax"`
}

func (c client) get(ctx context.Context, _ *sdk.CallToolRequest, in outboundID) (*sdk.CallToolResult, any, error) {
	f, err := c.tell(ctx, http.MethodGet, in.ID)
	if err != nil {
		return nil, nil, err
	}
	// The second text is for clients that do not know structured content.
	return f.result("Outbound Fax\n"+f.text(), string(f.all)), nil, nil
}

func (c client) cancel(ctx context.Context, _ *sdk.CallToolRequest, in job) (*sdk.CallToolResult, any, error) {
	f, err := c.tell(ctx, http.MethodDelete, in.ID)
	if err != nil {
		return nil, nil, err
	}
	what := "It had ended before."
	switch {
	case f.State == "cancelled":
		what = "It is cancelled."
	case f.Cancelling:
		what = "Its call is being hung up; then it ends."
	}
	return f.result(what + "\n" + f.text()), nil, nil
}

// tell asks for one fax.
func (c client) tell(ctx context.Context, method, id string) (fax, error) {
	answer, err := c.ask(ctx, method, "/fax/"+url.PathEscape(id), nil, nil)
	if err != nil {
		return fax{}, err
	}
	return readFax(answer)
}

// fax is what an assistant is told of a fax, or why not; what is null is empty.
type fax struct {
	Detail                              string
	ID, To, Status, State, Cause, Error string
	Pages                               int
	DueAt                               time.Time `json:"due_at"`
	Confirmed                           int       `json:"confirmed_pages"`
	Cancelling                          bool      `json:"cancel_requested"`
	Progress                            struct{ Page int }

	all json.RawMessage // as REST has it
}

// maxReply bounds what is read of a reply.
const maxReply = 4 << 20

func readFax(answer *http.Response) (f fax, err error) {
	defer answer.Body.Close()
	if f.all, err = io.ReadAll(io.LimitReader(answer.Body, maxReply)); err == nil {
		err = json.Unmarshal(f.all, &f)
	}
	if err != nil {
		return f, fmt.Errorf("the reply of the daemon (%s): %w", answer.Status, err)
	}
	if answer.StatusCode >= http.StatusMultipleChoices {
		return f, fmt.Errorf("refused (%d %s): %s", answer.StatusCode, http.StatusText(answer.StatusCode), f.Detail)
	}
	return f, nil
}

// text is the fax in lines, as the original has them and with what it lacks.
func (f fax) text() string {
	var b strings.Builder
	line := func(name, format string, args ...any) { fmt.Fprintf(&b, name+": "+format+"\n", args...) }
	line("Job ID", "%s", f.ID)
	line("Status", "%s (%s)", f.Status, f.State)
	line("Recipient", "%s", f.To)
	if f.Pages > 0 {
		line("Pages", "%d, of which %d are confirmed", f.Pages, max(f.Confirmed, f.Progress.Page))
	}
	if f.Error != "" {
		line("Error", "%s (%s)", f.Error, f.Cause)
	}
	if f.State == "retry" {
		line("Next call", "%s", f.DueAt.UTC().Format(time.RFC3339))
	}
	if f.State == "held" {
		line("Held", "a person must decide whether it is sent again (faxbot release)")
	}
	return b.String()
}

func (f fax) result(texts ...string) *sdk.CallToolResult {
	r := &sdk.CallToolResult{StructuredContent: f.all}
	for _, t := range texts {
		r.Content = append(r.Content, &sdk.TextContent{Text: t})
	}
	return r
}
