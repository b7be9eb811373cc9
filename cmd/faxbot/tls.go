package main

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"
)

// certificate is a pair of files that is read again when it changes, so that a
// renewed certificate needs no restart.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	mu      sync.Mutex
	looked  time.Time
	changed time.Time // the later file's, when they were read
	pair    *tls.Certificate
}

// lookEach is how often the files are looked at, when somebody connects.
const lookEach = time.Second

// withTLS serves the listener's connections with the certificate in the files.
// What cannot be used is an error now, and later keeps the one in use.
func withTLS(l net.Listener, certFile, keyFile string, log *slog.Logger) (net.Listener, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, log: log}
	if err := c.read(); err != nil {
		return nil, fmt.Errorf("--tls-cert (FAXBOT_TLS_CERT), --tls-key (FAXBOT_TLS_KEY): %w", err)
	}
	return tls.NewListener(l, &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.current(), nil },
	}), nil
}

func (c *certificate) current() *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.looked) < lookEach {
		return c.pair
	}
	c.looked = time.Now()
	if at, err := c.modified(); err == nil && at.Equal(c.changed) {
		return c.pair
	}
	if err := c.read(); err != nil {
		c.log.Error("the TLS certificate has changed and cannot be used; the one before stays", "error", err)
	} else {
		c.log.Info("the TLS certificate has changed and is used")
	}
	return c.pair
}

func (c *certificate) read() error {
	at, err := c.modified()
	if err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return err
	}
	c.pair, c.changed = &pair, at
	return nil
}

func (c *certificate) modified() (time.Time, error) {
	var at time.Time
	for _, name := range []string{c.certFile, c.keyFile} {
		st, err := os.Stat(name)
		if err != nil {
			return at, err
		}
		if st.ModTime().After(at) {
			at = st.ModTime()
		}
	}
	return at, nil
}
