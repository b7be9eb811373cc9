package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"faxbot/controller/store"
)

type importCommand struct {
	From     secret `name:"from" placeholder:"URL" help:"Database of the earlier Faxbot: sqlite:////DIR/faxbot.db or postgresql://USER:PASSWORD@HOST/NAME (DATABASE_URL of --settings). It is only read."`
	To       secret `name:"database-url" env:"DATABASE_URL" placeholder:"URL" help:"Database of this Faxbot; may be the same."`
	Settings string `name:"settings" placeholder:"FILE" type:"existingfile" help:"Settings file (.env) of the earlier Faxbot."`
	WriteEnv string `name:"write-settings" placeholder:"FILE" help:"Write what this Faxbot uses of them there; an existing file is left alone."`
	DryRun   bool   `name:"dry-run" help:"Read, and say what would be taken over; write nothing."`
}

// Help is shown below the flags.
func (importCommand) Help() string {
	return `Takes over what people rely on: API keys, which go on working, and the history of faxes. All or nothing; a second
time nothing is taken twice. A fax is found by its old id, too.

Nothing is ever dialled for it: a fax that was still queued or in progress becomes FAILED with the cause "unknown",
because nobody knows whether it arrived, and is named here for a person to ask the receiver. Documents stay where
they are. Stop the earlier Faxbot before, so that it neither sends nor accepts anything afterwards.`
}

// Run takes over.
func (c importCommand) Run(s streams) error {
	ctx, end := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer end()
	var known, unknown []variable
	if c.Settings != "" {
		text, err := os.ReadFile(c.Settings)
		if err != nil {
			return err
		}
		if known, unknown, c.From, err = sortSettings(string(text), c.From); err != nil {
			return fmt.Errorf("%s: %w", c.Settings, err)
		}
	}
	switch {
	case c.From == "":
		return &settingsError{[]string{"--from is not set: name the database of the earlier Faxbot"}}
	case c.To == "" && !c.DryRun:
		return &settingsError{[]string{"--database-url (DATABASE_URL) is not set: name the database of this Faxbot, or use --dry-run"}}
	case c.WriteEnv != "" && c.Settings == "":
		return &settingsError{[]string{"--write-settings needs --settings"}}
	}
	earlier, err := store.ReadEarlier(ctx, string(c.From))
	if err != nil {
		return fmt.Errorf("the earlier Faxbot's database (--from): %w", err)
	}
	describeEarlier(s.out, earlier)
	describeSettings(s.out, known, unknown)
	if c.DryRun {
		fmt.Fprintln(s.out, "Nothing was written (--dry-run).")
		return nil
	}
	if c.WriteEnv != "" {
		if err := writeSettings(c.WriteEnv, known); err != nil {
			return err
		}
		fmt.Fprintf(s.out, "Settings written to %s.\n", c.WriteEnv)
	}
	return c.store(ctx, s.out, earlier)
}

func (c importCommand) store(ctx context.Context, out io.Writer, earlier store.Earlier) (err error) {
	to, err := store.Open(ctx, string(c.To), store.Options{Host: "import"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	jobs, keys, err := to.Import(ctx, earlier)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "Taken over: %d faxes and %d keys; %d faxes and %d keys were here already.\n",
		jobs, keys, len(earlier.Jobs)-jobs, len(earlier.Keys)-keys)
	return err
}

// describeEarlier says what there is, and what a person has to look after.
func describeEarlier(out io.Writer, e store.Earlier) {
	count := map[string]int{}
	var ask, odd []string
	for _, j := range e.Jobs {
		count[j.Status]++
		if j.Unresolved {
			ask = append(ask, fmt.Sprintf("  %s  %s  %s  %s", j.EarlierID, j.CreatedAt.Format("2006-01-02 15:04"), j.To.Masked(), j.Status))
		}
	}
	for _, k := range e.Keys {
		if !strings.HasPrefix(k.Hash, "scrypt$") {
			odd = append(odd, "  "+k.ID)
		}
	}
	fmt.Fprintf(out, "Faxes: %d\n", len(e.Jobs))
	for _, status := range slices.Sorted(maps.Keys(count)) {
		fmt.Fprintf(out, "  %-12s %d\n", status, count[status])
	}
	fmt.Fprintf(out, "Keys: %d\n", len(e.Keys))
	paragraph(out, "These faxes had not ended. They will not be sent; ask the receivers, and submit again what is missing:", ask)
	paragraph(out, "These keys have a hash that this Faxbot does not know; rotate them:", odd)
}

func describeSettings(out io.Writer, known, unknown []variable) {
	names := func(list []variable) (lines []string) {
		for _, v := range list {
			lines = append(lines, "  "+v.name)
		}
		return lines
	}
	paragraph(out, "Settings that are taken over:", names(known))
	paragraph(out, "Settings that have no meaning here, and are left out:", names(unknown))
}

func paragraph(out io.Writer, head string, lines []string) {
	if len(lines) > 0 {
		fmt.Fprintf(out, "%s\n%s\n", head, strings.Join(lines, "\n"))
	}
}

// writeSettings makes a file for systemd's EnvironmentFile=, which nobody else
// may read.
func writeSettings(name string, list []variable) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	for _, v := range list {
		fmt.Fprintln(f, v.String())
	}
	return f.Close()
}
