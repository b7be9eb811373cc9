// Command faxbot sends faxes through FreeSWITCH.
//
// Each sub-command has a file of its own. Flags, environment and help come from
// one struct per command; everything that runs is built from that struct and a
// context, so that tests start the very same thing. Only this package handles
// signals and ends the process.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/alecthomas/kong"
)

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// Exit statuses beside 0.
const (
	exitFailed = 1 // what was asked for did not happen
	exitUsage  = 2 // what was asked for makes no sense
)

type commands struct {
	Serve    serveCommand    `cmd:"" help:"Send faxes: REST on one side, FreeSWITCH on the other."`
	Demo     demoCommand     `cmd:"" help:"Send a real fax through a simulated FreeSWITCH and watch it."`
	Send     sendCommand     `cmd:"" group:"Client" help:"Send a fax through a daemon; with --wait, follow it to its end."`
	List     listCommand     `cmd:"" group:"Client" help:"List faxes, the latest first."`
	Show     showCommand     `cmd:"" group:"Client" help:"Show a fax and its calls."`
	Watch    watchCommand    `cmd:"" group:"Client" help:"Follow a fax to its end; the exit status tells it."`
	Cancel   cancelCommand   `cmd:"" group:"Client" help:"Cancel a fax, also in mid-call."`
	Resend   resendCommand   `cmd:"" group:"Client" help:"Send the documents of a fax again, also to another number."`
	Release  releaseCommand  `cmd:"" group:"Client" help:"Send a held fax on its way again."`
	Plan     planCommand     `cmd:"" group:"Client" help:"Tell what will happen to a fax, and why."`
	Number   numberCommand   `cmd:"" group:"Client" help:"Show what calls to a number have taught, by gateway, or have it forgotten."`
	Keys     keysCommand     `cmd:"" group:"Client" help:"Make, list, rotate and revoke API keys."`
	Hosts    hostsCommand    `cmd:"" group:"Client" help:"List the daemons that share the database, and what they serve."`
	Webhooks webhooksCommand `cmd:"" group:"Client" help:"Have others told of every fax; replay what was given up."`
	MCP      mcpCommand      `cmd:"" name:"mcp" group:"Client" help:"Let an assistant on this machine send faxes (Model Context Protocol over stdio)."`
	Doctor   doctorCommand   `cmd:"" help:"Find out whether faxes can be sent and, where not, what to mend."`
	Simulate simulateCommand `cmd:"" help:"Be a FreeSWITCH with a telephone network behind it, for trying and testing."`
	Dialplan dialplanCommand `cmd:"" help:"Print or write what FreeSWITCH's configuration needs for this daemon."`
	Replay   replayCommand   `cmd:"" help:"Judge a recorded conversation with FreeSWITCH."`
	Import   importCommand   `cmd:"" help:"Take over the keys and the history of an earlier Faxbot."`
	Complete completeCommand `cmd:"" name:"completion" help:"Have your shell complete commands and flags with the tab key."`
	Version  versionCommand  `cmd:"" help:"Print the version."`
}

// streams are where a command reads and writes.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// run is the program: it returns the exit status.
func run(args []string, in io.Reader, out, errout io.Writer) (status int) {
	defer func() {
		if e := recover(); e != nil {
			s, ok := e.(exited)
			if !ok {
				panic(e)
			}
			status = int(s)
		}
	}()
	parser, err := newParser(out, errout)
	if err != nil {
		fmt.Fprintln(errout, "faxbot:", err)
		return exitUsage
	}
	complete(parser)
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(errout, "faxbot: %v\n", err)
		return exitUsage
	}
	if err := parsed.Run(streams{in: in, out: out, err: errout}); err != nil {
		fmt.Fprintf(errout, "faxbot: %v\n", err)
		if errors.As(err, new(*settingsError)) {
			return exitUsage
		}
		if end := (*outcome)(nil); errors.As(err, &end) {
			return end.status
		}
		return exitFailed
	}
	return 0
}

func newParser(out, errout io.Writer) (*kong.Kong, error) {
	parser, err := kong.New(new(commands),
		kong.Name("faxbot"),
		kong.Description("Sends faxes through FreeSWITCH and knows for certain what became of every page.\n\n"+
			"Exit status: 0 done, 1 failed or refused, 2 wrong usage; with send --wait, resend --wait and watch it tells what became of the fax."),
		kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 110}),
		kong.Writers(out, errout),
		kong.Exit(func(status int) { panic(exited(status)) }),
	)
	if err != nil {
		return nil, err
	}
	return parser, forgetEmpty(parser.Model.Node)
}

// exited carries the status of what ends the program early, as --help does,
// past the rest of it.
type exited int

// forgetEmpty unsets the environment variables that are set to nothing: in
// compose files and unit files that is how one leaves a setting alone.
func forgetEmpty(node *kong.Node) error {
	for _, flag := range node.Flags {
		for _, name := range flag.Envs {
			if value, ok := os.LookupEnv(name); ok && value == "" {
				if err := os.Unsetenv(name); err != nil {
					return err
				}
			}
		}
	}
	for _, child := range node.Children {
		if err := forgetEmpty(child); err != nil {
			return err
		}
	}
	return nil
}
