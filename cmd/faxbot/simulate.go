package main

import (
	"context"
	"fmt"
	"os/signal"
	"syscall"

	"faxbot/controller/freeswitch/simulator"
)

type simulateCommand struct {
	Listen   string   `default:"127.0.0.1:8021" placeholder:"HOST:PORT" help:"Of the event socket; port 0 takes a free one (${default})."`
	Password secret   `default:"ClueCon" env:"FREESWITCH_ESL_PASSWORD" placeholder:"WORD" help:"Of the event socket; FreeSWITCH's own default is ClueCon."`
	Speed    float64  `default:"1" placeholder:"N" help:"How much faster than real time the line is; 0 takes no time at all (${default})."`
	Seed     uint64   `placeholder:"N" help:"Makes the ids of channels repeatable; 0 takes a random one."`
	Gateways []string `placeholder:"NAME" help:"Gateways that exist (all)."`
	Ledger   string   `placeholder:"FILE" help:"Append a JSON line for every call, answer, confirmed page, result and end."`
	State    string   `placeholder:"FILE" help:"Keep the memory of mod_db there, as a FreeSWITCH does over a restart."`
	LogLevel string   `default:"info" enum:"debug,info,warn,error" placeholder:"debug|info|warn|error" help:"${default}."`
}

// Help is shown below the flags.
func (simulateCommand) Help() string {
	return "It places no calls: the fax machines behind it are part of it.\n\n" + simulator.Numbers
}

// Run simulates until it is told to end.
func (c simulateCommand) Run(s streams) error {
	if c.Speed < 0 {
		return &settingsError{[]string{"--speed: use 0 or more"}}
	}
	if !isListen(c.Listen) {
		return &settingsError{[]string{fmt.Sprintf("--listen is %q: %s", c.Listen, advice["listen"])}}
	}
	log := newLogger(s.err, "text", level(c.LogLevel))
	ctx, end := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer end()
	sw, err := simulator.New(simulator.Config{
		Listen: c.Listen, Password: string(c.Password), Gateways: c.Gateways, Speed: c.Speed, Seed: c.Seed,
		LedgerPath: c.Ledger, StatePath: c.State, Logger: log,
	})
	if err != nil {
		return err
	}
	log.Info("listening", "for", "event socket", "address", sw.Addr())
	return sw.Run(ctx)
}
