package main

import (
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// An assistant on this machine starts faxbot mcp and sends a file.
func TestMCPOverStdio(t *testing.T) {
	t.Parallel()
	h := build(t, "200")
	pdf := filepath.Join(h.dir, "letter.pdf")
	if err := os.WriteFile(pdf, testFax, 0o600); err != nil {
		t.Fatal(err)
	}
	connect := func(key string) *sdk.ClientSession {
		t.Helper()
		cmd := exec.Command("faxbot", "mcp")
		cmd.Env = append(cmd.Environ(), "FAXBOT_URL="+h.rest, "FAXBOT_API_KEY="+key)
		c, err := sdk.NewClient(&sdk.Implementation{Name: "test", Version: "1"}, nil).Connect(t.Context(), &sdk.CommandTransport{Command: cmd}, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := c.Close(); err != nil {
				t.Errorf("faxbot mcp ended with %v", err)
			}
		})
		return c
	}
	call := func(c *sdk.ClientSession, tool string, args map[string]any) (text string, fax map[string]any, refused bool) {
		t.Helper()
		r, err := c.CallTool(t.Context(), &sdk.CallToolParams{Name: tool, Arguments: args})
		if err != nil {
			t.Fatalf("%s: %v", tool, err)
		}
		fax, _ = r.StructuredContent.(map[string]any)
		return r.Content[0].(*sdk.TextContent).Text, fax, r.IsError
	}
	c := connect(h.key)
	text, fax, refused := call(c, "send_fax", map[string]any{"to": "+15551230401", "filePath": pdf})
	id, _ := fax["id"].(string)
	if refused || id == "" || !strings.Contains(text, "File: letter.pdf") {
		t.Fatalf("send_fax: %s", text)
	}
	h.until(id, "done")
	if text, fax, _ := call(c, "get_fax_status", map[string]any{"jobId": id}); !strings.Contains(text, "Status: SUCCESS (done)") || fax["pages"] != 3.0 {
		t.Errorf("get_fax_status: %s", text)
	}
	_, fax, refused = call(c, "send_fax", map[string]any{"to": stalls, "fileContent": base64.URLEncoding.EncodeToString(testFax), "fileName": "letter.pdf"})
	if refused {
		t.Fatal("a document in base64 is refused")
	}
	id = fax["id"].(string)
	h.until(id, "sending")
	call(c, "cancel_fax", map[string]any{"jobId": id})
	h.until(id, "cancelled")
	if _, fax, _ = call(c, "get_fax", map[string]any{"id": id}); fax["cause"] != "cancelled" {
		t.Errorf("get_fax: %v", fax)
	}
	stranger := connect("wrong-key-that-nobody-prints")
	gone := connect(h.key)
	for name, x := range map[string]struct {
		by   *sdk.ClientSession
		tool string
		args map[string]any
		want string
	}{
		"a wrong key":    {stranger, "get_fax_status", map[string]any{"jobId": id}, "refused (401 Unauthorized): Invalid or missing API key"},
		"no such file":   {c, "send_fax", map[string]any{"to": "+15551230402", "filePath": pdf + "x"}, "no such file"},
		"a folder":       {c, "send_fax", map[string]any{"to": "+15551230402", "filePath": h.dir}, "is not a file that can be faxed"},
		"an endless one": {c, "send_fax", map[string]any{"to": "+15551230402", "filePath": "/dev/zero"}, "is not a file that can be faxed"},
		"nothing":        {c, "send_fax", map[string]any{"to": "+15551230402"}, "give filePath"},
		"both":           {c, "send_fax", map[string]any{"to": "+15551230402", "filePath": pdf, "fileContent": "eA=="}, "either"},
	} {
		if text, _, refused := call(x.by, x.tool, x.args); !refused || !strings.Contains(text, x.want) {
			t.Errorf("%s: %s, want %s", name, text, x.want)
		}
	}
	// Nobody knows whether it arrived: the assistant learns how to repeat it.
	_ = h.serve.cmd.Process.Kill()
	h.serve.status()
	if text, _, refused := call(gone, "send_fax", map[string]any{"to": "+15551230402", "filePath": pdf}); !refused || !strings.Contains(text, "cannot be reached") || !strings.Contains(text, "idempotencyKey") {
		t.Errorf("without a daemon: %s", text)
	}
}
