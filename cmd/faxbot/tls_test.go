package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// certify writes a new certificate for 127.0.0.1 with that serial number.
func certify(t *testing.T, dir string, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	of := &x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	cert, err := x509.CreateCertificate(rand.Reader, of, of, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: cert}, "key.pem": {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// REST is served with TLS, and a renewed certificate is used without a restart.
func TestTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	certify(t, dir, 1)
	h := build(t, "100", "FAXBOT_TLS_CERT="+filepath.Join(dir, "cert.pem"), "FAXBOT_TLS_KEY="+filepath.Join(dir, "key.pem"))
	serial := func() int64 {
		t.Helper()
		transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // our own certificate
		defer transport.CloseIdleConnections()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https"+h.rest[len("http"):]+"/health", nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			t.Errorf("%s", answer.Status)
		}
		return answer.TLS.PeerCertificates[0].SerialNumber.Int64()
	}
	if n := serial(); n != 1 {
		t.Errorf("serial number %d, want 1", n)
	}
	until := func(want int64) {
		t.Helper()
		late := time.After(waiting)
		for again := time.NewTicker(50 * time.Millisecond); serial() != want; {
			select {
			case <-again.C:
			case <-late:
				t.Fatalf("the certificate %d is not used\n%s", want, h.serve.output())
			}
		}
	}
	certify(t, dir, 2)
	until(2)
	// What cannot be used changes nothing.
	if err := os.WriteFile(filepath.Join(dir, "key.pem"), []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	for again := time.NewTicker(50 * time.Millisecond); ; <-again.C {
		if serial() != 2 {
			t.Error("a broken certificate is used")
		}
		if strings.Contains(h.serve.output(), "cannot be used; the one before stays") {
			break
		}
	}
	certify(t, dir, 3)
	until(3)
}
