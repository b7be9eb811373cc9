package main

import (
	"context"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/alecthomas/kong"
)

type serveCommand struct {
	settings `embed:""`
}

// Help is shown below the flags.
func (serveCommand) Help() string {
	return `Every flag can be set by the environment variable in parentheses; an empty variable counts as unset.

The first SIGINT or SIGTERM drains: /health/ready turns 503, new faxes are refused with 503, running calls finish,
and HTTP goes on answering. A second signal, or the end of --drain, hangs the calls up; unfinished faxes go on after
the next start. Under systemd use Type=notify; WatchdogSec= is honoured.

Exit status: 0 ended as asked, 1 failed, 2 the settings cannot be used.`
}

// Run serves until it is told to end.
func (c serveCommand) Run(s streams, parsed *kong.Context) error {
	if err := c.check(); err != nil {
		return err
	}
	at := new(slog.LevelVar)
	at.Set(level(c.Life.LogLevel))
	log := newLogger(s.err, c.Life.LogFormat, at)
	log.Info("starting", "version", version(), "pid", os.Getpid())
	for _, doubt := range c.doubts() {
		log.Warn("a setting looks wrong", "hint", doubt)
	}
	signals := listenForSignals(c.Life.Drain, log)
	defer signals.end()
	d, err := open(signals.drain, layersOf(parsed, c.settings), log, at)
	if err != nil {
		return err
	}
	systemd := supervisor{socket: os.Getenv("NOTIFY_SOCKET"), log: log}
	systemd.say("READY=1")
	defer context.AfterFunc(signals.drain, func() { systemd.stopping(c.Life.Drain + 15*time.Second) })()
	defer systemd.watchdog(d.alive)()
	err = d.run(signals.drain, signals.stop)
	if closing := d.close(); err == nil {
		err = closing
	}
	if err == nil {
		log.Info("ended")
	}
	return err
}

// newLogger writes to w in the given format.
func newLogger(w io.Writer, format string, at slog.Leveler) *slog.Logger {
	options := &slog.HandlerOptions{Level: at}
	if format == "json" {
		return slog.New(newQuiet(slog.NewJSONHandler(w, options)))
	}
	return slog.New(newQuiet(slog.NewTextHandler(w, options)))
}

// level is the level of a name; info when it is none.
func level(name string) (at slog.Level) {
	if at.UnmarshalText([]byte(name)) != nil {
		return slog.LevelInfo
	}
	return at
}
