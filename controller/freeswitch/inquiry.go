package freeswitch

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Inquiry is a connection to a switch for a few questions, apart from any Link.
// It belongs to one goroutine.
type Inquiry struct {
	commands *commander
	timeout  time.Duration
}

// Inquire connects and authenticates within Timeout (default 10 s). Its errors
// are those of the network, ErrACL, ErrPassword, ErrSilent or ErrStranger. Of c
// it uses Address, Password, Limits and Timeout. The caller closes the Inquiry,
// which also ends with ctx.
func Inquire(ctx context.Context, c LinkConfig) (*Inquiry, error) {
	if c.Timeout <= 0 {
		c.Timeout = 10 * time.Second
	}
	commands, err := dialCommander(ctx, func(error) {}, c.Address, c.Password, c.Limits.withDefaults(), c.Timeout)
	if err != nil {
		return nil, err
	}
	return &Inquiry{commands, c.Timeout}, nil
}

// API sends an api command and returns its answer, "-ERR …" included. After an
// error no more can be asked.
func (q *Inquiry) API(command string) (string, error) {
	if strings.ContainsAny(command, "\r\n") {
		return "", fmt.Errorf("%.100q has a line break and cannot be sent", command)
	}
	answer, err := q.commands.do("api "+command, q.timeout)
	if err != nil {
		return "", fmt.Errorf("no answer to %.40q within %s: %w", command, q.timeout, err)
	}
	return answer, nil
}

// Close ends the connection.
func (q *Inquiry) Close() { q.commands.close() }
