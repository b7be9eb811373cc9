package doctor_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"faxbot/controller/doctor"
	"faxbot/controller/document"
	"faxbot/controller/document/bucket"

	"golang.org/x/sys/unix"
)

func accepting(err error) func(*testing.T, *doctor.Patient) {
	return func(_ *testing.T, p *doctor.Patient) { p.Accepting = func() error { return err } }
}

func taken(t *testing.T, p *doctor.Patient) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	p.Premises.Addresses[0].Address = l.Addr().String()
}

func databaseAway(t *testing.T, p *doctor.Patient) {
	p.Database = database("postgresql://faxbot:hunter2@" + nobody(t) + "/faxbot")
}

func bucketAway(t *testing.T, p *doctor.Patient) {
	b, err := bucket.Open(bucket.Config{Name: "faxes", Region: "x", Endpoint: "http://" + nobody(t), AccessKey: "a", SecretKey: "hunter2"})
	if err != nil {
		t.Fatal(err)
	}
	setFolder(t, p, document.Config{Dir: filepath.Join(t.TempDir(), "documents"), Bucket: b})
}

// program is the path of a program, made for a test or not.
type program func(*testing.T) string

func script(text string) program {
	return func(t *testing.T) string {
		name := filepath.Join(t.TempDir(), "gs")
		if err := os.WriteFile(name, []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		return name
	}
}

// ghostscript has the patient use another one: a path, or a program.
func ghostscript[T string | program](which T) func(*testing.T, *doctor.Patient) {
	return func(t *testing.T, p *doctor.Patient) {
		name, is := any(which).(string)
		if !is {
			name = any(which).(program)(t)
		}
		setFolder(t, p, document.Config{Dir: filepath.Join(t.TempDir(), "documents"), Ghostscript: name})
	}
}

// documents has the patient draw them in another way.
func documents(c document.Config) func(*testing.T, *doctor.Patient) {
	return func(t *testing.T, p *doctor.Patient) {
		c.Dir = filepath.Join(t.TempDir(), "documents")
		setFolder(t, p, c)
	}
}

// mounted puts the documents on a disk of their own.
func mounted(options string) func(*testing.T, *doctor.Patient) {
	return func(t *testing.T, p *doctor.Patient) {
		dir := t.TempDir()
		flags, size := uintptr(0), options
		if options == "ro" {
			flags, size = unix.MS_RDONLY, ""
		}
		if err := unix.Mount("tmpfs", dir, "tmpfs", flags, size); err != nil {
			t.Skipf("no disk can be mounted here: %v", err)
		}
		t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
		setFolder(t, p, document.Config{Dir: filepath.Join(dir, "documents")})
	}
}

// certified gives REST a certificate that ends so much later.
func certified(ends time.Duration) func(*testing.T, *doctor.Patient) {
	return func(t *testing.T, p *doctor.Patient) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		plan := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(ends)}
		cert, err := x509.CreateCertificate(rand.Reader, plan, plan, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		secret, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		p.Premises.TLSCert, p.Premises.TLSKey = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
		for name, block := range map[string]*pem.Block{
			p.Premises.TLSCert: {Type: "CERTIFICATE", Bytes: cert}, p.Premises.TLSKey: {Type: "PRIVATE KEY", Bytes: secret},
		} {
			if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}
