package main

import (
	"context"
	"errors"
	"io"
	"os/signal"
	"syscall"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"faxbot/api/mcp"
)

type mcpCommand struct {
	remote `embed:""`
}

// Help is shown below the flags.
func (mcpCommand) Help() string {
	return `An assistant starts this as a program of its own. Where it keeps its list of such servers, say:

  {"mcpServers": {"faxbot": {"command": "faxbot", "args": ["mcp"],
    "env": {"FAXBOT_URL": "http://127.0.0.1:8080", "FAXBOT_API_KEY": "..."}}}}

The tools are send_fax, get_fax_status, get_fax and cancel_fax. They may do what the key may, and send_fax reads the
files that you can read. Assistants elsewhere use the daemon's own address, http://HOST:PORT/mcp, with the key in
X-API-Key or as a bearer token; there a document comes with the request.`
}

// Run serves one assistant until it hangs up.
func (c mcpCommand) Run(s streams) error {
	ctx, end := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer end()
	err := mcp.New(version(), true).Server(c.send).Run(ctx, &sdk.IOTransport{Reader: io.NopCloser(s.in), Writer: unclosed{s.out}})
	if errors.Is(err, context.Canceled) || errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// unclosed is a writer that others cannot close.
type unclosed struct{ io.Writer }

func (unclosed) Close() error { return nil }
