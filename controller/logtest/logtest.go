// Package logtest judges the logs of tests: whatever is tried, no log may hold
// a whole telephone number, a key, a secret, a document or what the switch is
// told.
package logtest

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// Log keeps what is logged in a test. When the test ends it is judged, and
// shown if the test has failed.
type Log struct {
	t       testing.TB
	secrets []string

	mu   sync.Mutex
	text bytes.Buffer
}

// New makes a log; secrets are what only this test knows to be secret.
func New(t testing.TB, secrets ...string) *Log {
	t.Helper()
	l := &Log{t: t, secrets: secrets}
	t.Cleanup(func() {
		for _, leak := range Leaks(l.String(), l.secrets...) {
			t.Error(leak)
		}
		if t.Failed() {
			t.Log(l.String())
		}
	})
	return l
}

// Logger is a logger of a test with a log of its own, which hears everything.
func Logger(t testing.TB, secrets ...string) *slog.Logger {
	t.Helper()
	return New(t, secrets...).Logger()
}

// Logger writes into the log.
func (l *Log) Logger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

var _ io.Writer = (*Log)(nil)

func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// String is all that was logged so far.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// private is what no log may hold, whoever writes it.
var private = []struct {
	what string
	is   *regexp.Regexp
}{
	{"a whole number", regexp.MustCompile(`\+[0-9]{7,}|(^|[^0-9A-Za-z.*-])1?\(?555\)?[ .-]?[0-9]{3}[ .-]?[0-9]{4}\b`)},
	{"a key", regexp.MustCompile(`fbk_live_[^_\s]+_|scrypt\$`)},
	{"a secret of webhooks", regexp.MustCompile(`whsec_`)},
	{"a document", regexp.MustCompile(`%PDF|JVBERi0|%!PS|II\*\\u0000`)},
	{"what the switch is told", regexp.MustCompile(`origination_uuid|bgapi |sofia/gateway/|&txfax|faxbot_token`)},
	{"a key of a certificate", regexp.MustCompile(`PRIVATE KEY`)},
}

// Leaks tells of every line of a log that holds what it must not.
func Leaks(text string, secrets ...string) (leaks []string) {
	for line := range strings.Lines(text) {
		leak := func(what string) {
			leaks = append(leaks, fmt.Sprintf("the log holds %s: %.1000s", what, strings.TrimSpace(line)))
		}
		for _, p := range private {
			if p.is.MatchString(line) {
				leak(p.what)
			}
		}
		for _, s := range secrets {
			if s != "" && strings.Contains(line, s) {
				leak(fmt.Sprintf("the secret %q", s))
			}
		}
	}
	return leaks
}
