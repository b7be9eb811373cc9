package bucket_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"faxbot/controller/document/bucket"
	"faxbot/controller/document/bucket/buckettest"
)

func file(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFiles(t *testing.T) {
	t.Parallel()
	s := buckettest.RunT(t)
	b, ctx := s.Open(t), t.Context()
	big := strings.Repeat("0123456789abcdef", 1<<20) // more than one part
	for key, content := range map[string]string{"a/1.pdf": "first", "a/fax.tiff": big, "ab/1.txt": ""} {
		if err := b.Put(ctx, key, file(t, content)); err != nil {
			t.Fatal(key, err)
		}
		var got bytes.Buffer
		if err := b.Get(ctx, key, &got); err != nil || got.String() != content {
			t.Errorf("%s: %d bytes, %v", key, got.Len(), err)
		}
		sum := sha256.Sum256([]byte(content))
		if got, err := b.Sum(ctx, key); err != nil || got != hex.EncodeToString(sum[:]) {
			t.Errorf("%s: %s, %v", key, got, err)
		}
	}
	if err := b.Put(ctx, "a/1.pdf", file(t, "second")); err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if err := b.Get(ctx, "a/1.pdf", &got); err != nil || got.String() != "second" {
		t.Errorf("%q, %v", got.String(), err)
	}
	list := func(prefix string) (names []string) {
		for name, err := range b.List(ctx, prefix) {
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, name)
		}
		return names
	}
	if names := list("a/"); !slices.Equal(names, []string{"1.pdf", "fax.tiff"}) {
		t.Errorf("%v", names)
	}
	if err := b.Remove(ctx, "a/"); err != nil {
		t.Fatal(err)
	}
	if names := list(""); !slices.Equal(names, []string{"ab/1.txt"}) {
		t.Errorf("after removal: %v", names)
	}
	if keys := s.Files(); !slices.Equal(keys, []string{"test/ab/1.txt"}) {
		t.Errorf("the server keeps %v", keys)
	}
	if err := b.Remove(ctx, "a/"); err != nil {
		t.Errorf("what is gone: %v", err)
	}
	if _, err := b.Sum(ctx, "a/1.pdf"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if err := b.Get(ctx, "a/1.pdf", io.Discard); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// What comes back is what was put, or an error.
func TestSpoiltFile(t *testing.T) {
	t.Parallel()
	s := buckettest.RunT(t)
	b := s.Open(t)
	if err := b.Put(t.Context(), "a", file(t, "honest")); err != nil {
		t.Fatal(err)
	}
	if err := s.Spoil("test/a"); err != nil {
		t.Fatal(err)
	}
	if err := b.Get(t.Context(), "a", io.Discard); err == nil {
		t.Error("a spoilt file was taken for good")
	}
}

func TestKMSKeyIsNamed(t *testing.T) {
	t.Parallel()
	s := buckettest.RunT(t)
	s.Config.KMSKey = "alias/faxes"
	b, err := bucket.Open(s.Config)
	if err != nil {
		t.Fatal(err)
	}
	_ = b.Put(t.Context(), "a", file(t, "secret")) // this server has no KMS, and may say so
	sent := s.Stored()
	if len(sent) == 0 || sent[0].Get("X-Amz-Server-Side-Encryption") != "aws:kms" || sent[0].Get("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id") != "alias/faxes" {
		t.Errorf("%v", sent)
	}
}

func TestBucketsThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	s := buckettest.RunT(t)
	for name, c := range map[string]func(*bucket.Config){
		"no such bucket": func(c *bucket.Config) { c.Name = "nobodys" },
		"wrong secret":   func(c *bucket.Config) { c.SecretKey = "guessed" },
		"nobody there":   func(c *bucket.Config) { c.Endpoint = "http://127.0.0.1:1" },
	} {
		config := s.Config
		c(&config)
		b, err := bucket.Open(config)
		if err != nil {
			t.Fatal(name, err)
		}
		began := time.Now()
		if err := b.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "S3_BUCKET") || strings.Contains(err.Error(), "guessed") {
			t.Errorf("%s: %v", name, err)
		}
		if took := time.Since(began); took > 25*time.Second {
			t.Errorf("%s: it took %s", name, took)
		}
		if err := b.Put(t.Context(), "a", file(t, "x")); err == nil {
			t.Errorf("%s: a file is stored", name)
		}
	}
	for _, c := range []bucket.Config{{}, {Name: "b", Endpoint: "s3.example.net"}, {Name: "b", Endpoint: "ftp://s3.example.net"}, {Name: "b", Endpoint: "https://s3.example.net/path"}} {
		if _, err := bucket.Open(c); err == nil {
			t.Errorf("%+v is taken", c)
		}
	}
}
