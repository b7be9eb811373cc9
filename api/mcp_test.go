package api_test

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"faxbot/controller/fax"
)

// bearer sends a key with each request.
type bearer struct {
	key  string
	base http.RoundTripper
}

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+b.key)
	return b.base.RoundTrip(r)
}

// assistant connects the protocol's own client.
func (s *stand) assistant(key string) (*sdk.ClientSession, error) {
	return sdk.NewClient(&sdk.Implementation{Name: "test", Version: "1"}, nil).Connect(s.t.Context(), &sdk.StreamableClientTransport{
		Endpoint: "http://" + s.public + "/mcp", MaxRetries: -1,
		HTTPClient: &http.Client{Transport: bearer{key, s.client.Transport}},
	}, nil)
}

// call calls a tool and returns its texts.
func call(t *testing.T, c *sdk.ClientSession, tool string, args map[string]any) (texts []string, all map[string]any, refused bool) {
	t.Helper()
	r, err := c.CallTool(t.Context(), &sdk.CallToolParams{Name: tool, Arguments: args})
	if err != nil {
		t.Fatalf("%s: %v", tool, err)
	}
	for _, part := range r.Content {
		texts = append(texts, part.(*sdk.TextContent).Text)
	}
	all, _ = r.StructuredContent.(map[string]any)
	return texts, all, r.IsError
}

// An assistant sends a fax over HTTP, follows it to its end, and cancels one.
func TestAssistant(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	_, token := s.newKey(`{"scopes":["fax:send","fax:read"]}`)
	c, err := s.assistant(token)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var tools []string
	for tool, err := range c.Tools(t.Context(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		tools = append(tools, tool.Name)
		if args := fmt.Sprint(tool.InputSchema); strings.Contains(args, "filePath") {
			t.Errorf("%s takes a path of the server: %s", tool.Name, args)
		}
	}
	if want := []string{"cancel_fax", "get_fax", "get_fax_status", "send_fax"}; !slices.Equal(tools, want) {
		t.Errorf("tools %v, want %v", tools, want)
	}
	letter := base64.StdEncoding.EncodeToString([]byte(letter))
	args := map[string]any{"to": "+1 555 123 0001", "fileContent": letter, "fileName": "letter.txt", "fileType": "txt", "idempotencyKey": "once"}
	texts, sent, refused := call(t, c, "send_fax", args)
	id, _ := sent["id"].(string)
	if refused || id == "" || !strings.Contains(texts[0], "Job ID: "+id) || sent["status"] != "queued" {
		t.Fatalf("send_fax: %v %v", texts, sent)
	}
	if _, again, _ := call(t, c, "send_fax", args); again["id"] != id {
		t.Errorf("the same again is another fax: %v", again)
	}
	s.until(id, fax.Done)
	texts, all, _ := call(t, c, "get_fax_status", map[string]any{"jobId": id})
	if !strings.Contains(texts[0], "Status: SUCCESS (done)") || !strings.Contains(texts[0], "Pages: 1, of which 1 are confirmed") || all["status"] != "SUCCESS" {
		t.Errorf("get_fax_status: %v", texts)
	}
	texts, all, _ = call(t, c, "get_fax", map[string]any{"id": id})
	if len(texts) != 2 || !strings.Contains(texts[1], `"attempts":[{`) || len(all["attempts"].([]any)) != 1 {
		t.Errorf("get_fax: %v", texts)
	}
	if texts, _, refused := call(t, c, "cancel_fax", map[string]any{"jobId": id}); refused || !strings.HasPrefix(texts[0], "It had ended before.") {
		t.Errorf("cancel_fax of a delivered fax: %v", texts)
	}
	_, sent, _ = call(t, c, "send_fax", map[string]any{"to": "+1555994004", "fileContent": letter})
	id = sent["id"].(string)
	s.until(id, fax.Sending)
	if texts, _, refused := call(t, c, "cancel_fax", map[string]any{"jobId": id}); refused || !strings.HasPrefix(texts[0], "Its call is being hung up") {
		t.Errorf("cancel_fax in mid-call: %v", texts)
	}
	s.until(id, fax.Cancelled)
	if texts, _, _ := call(t, c, "get_fax_status", map[string]any{"jobId": id}); !strings.Contains(texts[0], "Status: FAILED (cancelled)") {
		t.Errorf("get_fax_status of a cancelled fax: %v", texts)
	}
}

// What REST refuses, the tool refuses, in its words.
func TestAssistantIsRefused(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	_, token := s.newKey(`{"scopes":["fax:read"]}`)
	reader, err := s.assistant(token)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	admin, err := s.assistant(key)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	b64 := base64.StdEncoding.EncodeToString
	others := s.send(number)
	for name, c := range map[string]struct {
		by   *sdk.ClientSession
		tool string
		args map[string]any
		want string
	}{
		"a scope":           {reader, "send_fax", map[string]any{"to": number, "fileContent": b64([]byte(letter))}, "403 Forbidden): Insufficient scope: fax:send required"},
		"a scope to cancel": {reader, "cancel_fax", map[string]any{"jobId": others}, "Insufficient scope: fax:send required"},
		"another's fax":     {reader, "get_fax", map[string]any{"id": others}, "404 Not Found): Job not found"},
		"a number":          {admin, "send_fax", map[string]any{"to": "12", "fileContent": b64([]byte(letter))}, "400 Bad Request)"},
		"a program":         {admin, "send_fax", map[string]any{"to": number, "fileContent": b64([]byte("\x7fELF\x02\x01\x01\x00"))}, "415 Unsupported Media Type)"},
		"too much":          {admin, "send_fax", map[string]any{"to": number, "fileContent": b64([]byte(strings.Repeat("a\n", 1<<20+10)))}, "413 Request Entity Too Large)"},
		"no document":       {admin, "send_fax", map[string]any{"to": number}, "fileContent is missing"},
		"no base64":         {admin, "send_fax", map[string]any{"to": number, "fileContent": "(letter)"}, "not base64"},
		"a path":            {admin, "send_fax", map[string]any{"to": number, "filePath": "/etc/passwd"}, "filePath"},
		"a path as an id":   {admin, "get_fax", map[string]any{"id": "../admin/config"}, "404 Not Found)"},
	} {
		t.Run(name, func(t *testing.T) {
			texts, _, refused := call(t, c.by, c.tool, c.args)
			if !refused || !strings.Contains(texts[0], c.want) {
				t.Errorf("refused: %v, %v, want %s", refused, texts, c.want)
			}
		})
	}
}

const hello = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}`

// mcp posts a message.
func (s *stand) mcp(message string, header map[string]string) *answer {
	s.t.Helper()
	h := map[string]string{"Accept": "application/json, text/event-stream"}
	for k, v := range header {
		h[k] = v
	}
	return s.post("/mcp", message, h)
}

// The door of REST is the door of MCP, and browsers are told apart.
func TestMCPDoor(t *testing.T) {
	t.Parallel()
	s := newStand(t, func(c *settings) { c.api.PublicURL = "https://fax.example.org" })
	_, inbound := s.newKey(`{"scopes":["inbound:read"]}`)
	_, reader := s.newKey(`{"scopes":["fax:read"]}`)
	s.mcp(hello, nil).ok(200)
	s.mcp(hello, as("")).want(401, fax.Unauthorized)
	s.mcp(hello, as("wrong")).want(401, fax.Unauthorized)
	s.mcp(hello, map[string]string{"X-API-Key": "", "Authorization": "Basic " + key}).want(401, fax.Unauthorized)
	s.mcp(hello, map[string]string{"X-API-Key": "", "Authorization": "bearer " + key}).ok(200)
	s.mcp(hello, as(inbound)).want(403, fax.Forbidden, "Insufficient scope: fax:send or fax:read required")
	s.mcp(hello, as(reader)).ok(200)
	for origin, status := range map[string]int{
		"http://" + s.public: 200, "https://fax.example.org": 200, "http://localhost:5173": 403, // another program on this machine
		"https://evil.example": 403, "null": 403, "http://127.0.0.1.evil.example": 403,
	} {
		if a := s.mcp(hello, map[string]string{"Origin": origin}); a.status != status {
			t.Errorf("from %s: %d, want %d", origin, a.status, status)
		}
	}
	// A name that was made to mean 127.0.0.1 gives itself away.
	for host, status := range map[string]string{"evil.example": "403", "fax.example.org": "200", "localhost:8080": "200", "[::1]:80": "200"} {
		reply := raw(t, s.public, "POST /mcp HTTP/1.1\r\nHost: "+host+"\r\nX-API-Key: "+key+"\r\nContent-Type: application/json\r\n"+
			"Accept: application/json, text/event-stream\r\nContent-Length: "+fmt.Sprint(len(hello))+"\r\n\r\n"+hello)
		if !strings.HasPrefix(reply, "HTTP/1.1 "+status) {
			t.Errorf("to %s: %q, want %s", host, reply, status)
		}
	}
	// Before the body.
	for given, status := range map[string]string{"guess": "401", inbound: "403"} {
		reply := raw(t, s.public, "POST /mcp HTTP/1.1\r\nHost: x\r\nX-API-Key: "+given+"\r\nContent-Type: application/json\r\nContent-Length: 200000000\r\n\r\n")
		if !strings.HasPrefix(reply, "HTTP/1.1 "+status) {
			t.Errorf("200 MB: %q, want %s", reply, status)
		}
	}
	s.mcp(hello, map[string]string{"Content-Type": "text/plain"}).want(415, fax.Unsupported)
	s.mcp(hello, map[string]string{"Accept": "text/html"}).want(400, fax.Invalid)
	s.mcp("{", nil).want(400, fax.Invalid)
	s.mcp(`{"jsonrpc":"2.0","id":1,"method":"`+strings.Repeat("x", 5<<20)+`"}`, nil).want(413, fax.TooLarge)
	s.do(request{method: "GET", path: "/mcp"}).want(405, "method_not_allowed")
	if a := s.mcp(hello, nil); a.header.Get("Mcp-Session-Id") != "" {
		t.Error("a session was begun")
	}
	// Nothing lasts for ever.
	a := s.mcp(`{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{}}`, map[string]string{"MCP-Protocol-Version": "2026-07-28"})
	if a.status == 200 && a.fields["error"] == nil {
		t.Errorf("listening: %d %s", a.status, a.body)
	}
}

// Whoever sends slowly keeps a turn; there are so many and no more.
func TestMCPTurns(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	head := "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nX-API-Key: " + key + "\r\nContent-Type: application/json\r\n" +
		"Accept: application/json, text/event-stream\r\nExpect: 100-continue\r\nContent-Length: " + fmt.Sprint(len(hello)) + "\r\n\r\n"
	first := dial(t, s.public)
	for i := range 16 {
		c := first
		if i > 0 {
			c = dial(t, s.public)
		}
		_, err := io.WriteString(c, head)
		if err != nil {
			t.Fatal(err)
		}
		if reply := headOf(t, c); !strings.HasPrefix(reply, "HTTP/1.1 100") { // it is being read
			t.Fatalf("%d: %q", i, reply)
		}
	}
	if a := s.mcp(hello, nil).want(503, fax.Unavailable); a.header.Get("Retry-After") == "" {
		t.Error("nobody says when to come back")
	}
	if _, err := io.WriteString(first, hello); err != nil {
		t.Fatal(err)
	}
	if reply := headOf(t, first); !strings.HasPrefix(reply, "HTTP/1.1 200") {
		t.Errorf("%q", reply)
	}
	waitFor(t, func() bool { return s.mcp(hello, nil).status == 200 })
}

func headOf(t *testing.T, c io.Reader) string {
	t.Helper()
	return head(t, bufio.NewReader(c))
}
