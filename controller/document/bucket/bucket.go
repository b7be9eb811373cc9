// Package bucket keeps files in Amazon S3, or in a store that speaks as S3 does.
//
// It knows nothing of faxes: a file has a key, and is stored whole or not at
// all. Beside each stands the SHA-256 of its content, so that a copy elsewhere
// can be compared without being sent, and a file that comes back is known to be
// the one that was put.
package bucket

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"iter"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/encrypt"
)

// Config says where the bucket is.
type Config struct {
	Name     string // of the bucket, which exists
	Prefix   string // before every key
	Region   string // asked of the server when empty
	Endpoint string // URL of the server; Amazon's when empty
	KMSKey   string // id of a key that the server encrypts with; its own rule when empty

	// AccessKey and SecretKey, and a SessionToken for temporary ones; when
	// empty those of ~/.aws/credentials, or the role of the machine.
	AccessKey, SecretKey, SessionToken string
}

// Bucket is safe for concurrent use. It has nothing to close.
type Bucket struct {
	config Config
	client *minio.Client
	seal   encrypt.ServerSide // nil: as the bucket does
}

// Limits of one request. A file may take longer by its size.
const (
	tries   = 3
	timeout = 20 * time.Second
	slowest = 1 << 20 // bytes per second
)

// digest is the name under which the SHA-256 is stored beside a file.
const digest = "Sha256"

// Open makes a Bucket. It asks nobody: whether the bucket can be used, Check
// says.
func Open(c Config) (*Bucket, error) {
	if c.Name == "" {
		return nil, errors.New("S3_BUCKET is empty: name a bucket")
	}
	at := &url.URL{Scheme: "https", Host: "s3.amazonaws.com"}
	if c.Endpoint != "" {
		var err error
		if at, err = url.Parse(c.Endpoint); err != nil || at.Host == "" || at.Scheme != "http" && at.Scheme != "https" || strings.Trim(at.Path, "/") != "" {
			return nil, errors.New("S3_ENDPOINT_URL: use an address like https://s3.example.net, without a path")
		}
	}
	b := &Bucket{config: c}
	var err error
	if c.KMSKey != "" {
		if b.seal, err = encrypt.NewSSEKMS(c.KMSKey, nil); err != nil {
			return nil, fmt.Errorf("S3_KMS_KEY_ID: %w", err)
		}
	}
	who := credentials.NewStaticV4(c.AccessKey, c.SecretKey, c.SessionToken)
	if c.AccessKey == "" {
		who = credentials.NewChainCredentials([]credentials.Provider{&credentials.FileAWSCredentials{}, &credentials.IAM{}})
	}
	b.client, err = minio.New(at.Host, &minio.Options{
		Secure: at.Scheme == "https", Region: c.Region, MaxRetries: tries, Creds: who,
	})
	if err != nil {
		return nil, fmt.Errorf("S3_ENDPOINT_URL: %w", err)
	}
	return b, nil
}

// Check says whether the bucket can be reached with our credentials; its error
// tells the operator what to do.
func (b *Bucket) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	found, err := b.client.BucketExists(ctx, b.config.Name)
	if err == nil && !found {
		err = errors.New("there is no such bucket")
	}
	if err != nil {
		return fmt.Errorf("bucket %s cannot be used: %w; check S3_BUCKET, S3_REGION, S3_ENDPOINT_URL and the AWS credentials", b.config.Name, err)
	}
	return nil
}

// Put stores the file path under key, in the place of what is there. When it
// returns nil the file is as durable as the bucket.
func (b *Bucket) Put(ctx context.Context, key, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // read only
	sum := sha256.New()
	size, err := io.Copy(sum, file)
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout+time.Duration(size/slowest)*time.Second)
	defer cancel()
	_, err = b.client.PutObject(ctx, b.config.Name, b.config.Prefix+key, file, size, minio.PutObjectOptions{
		ContentType: "application/octet-stream", ServerSideEncryption: b.seal,
		UserMetadata: map[string]string{digest: hex.EncodeToString(sum.Sum(nil))},
	})
	return told("storing a file in the bucket", err)
}

// Sum returns the SHA-256 of the file under key, in hexadecimal; fs.ErrNotExist
// when there is none.
func (b *Bucket) Sum(ctx context.Context, key string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	info, err := b.client.StatObject(ctx, b.config.Name, b.config.Prefix+key, minio.StatObjectOptions{})
	return info.UserMetadata[digest], told("asking the bucket for a file", err)
}

// Get writes the file under key to w; fs.ErrNotExist when there is none. It is
// an error when what comes is not what was put.
func (b *Bucket) Get(ctx context.Context, key string, w io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	const what = "fetching a file from the bucket"
	overdue := time.AfterFunc(timeout, cancel)
	defer overdue.Stop()
	object, err := b.client.GetObject(ctx, b.config.Name, b.config.Prefix+key, minio.GetObjectOptions{})
	if err != nil {
		return told(what, err)
	}
	defer object.Close() //nolint:errcheck // read only
	info, err := object.Stat()
	if err != nil {
		return told(what, err)
	}
	overdue.Reset(timeout + time.Duration(info.Size/slowest)*time.Second)
	sum := sha256.New()
	if _, err := io.Copy(io.MultiWriter(w, sum), object); err != nil {
		return told(what, err)
	}
	return same(sum, info.UserMetadata[digest])
}

func same(sum hash.Hash, want string) error {
	if got := hex.EncodeToString(sum.Sum(nil)); got != want {
		return fmt.Errorf("fetching a file from the bucket: its content has the SHA-256 %s, not %s", got, want)
	}
	return nil
}

// List yields what follows prefix in the keys that begin with it.
func (b *Bucket) List(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		prefix := b.config.Prefix + prefix
		for object := range b.client.ListObjectsIter(ctx, b.config.Name, minio.ListObjectsOptions{Prefix: prefix, Recursive: true}) {
			if err := told("listing the bucket", object.Err); err != nil {
				yield("", err)
				return
			}
			if !yield(strings.TrimPrefix(object.Key, prefix), nil) {
				return
			}
		}
	}
}

// Remove deletes all files whose keys begin with prefix. None is no error.
func (b *Bucket) Remove(ctx context.Context, prefix string) error {
	for name, err := range b.List(ctx, prefix) {
		if err != nil {
			return err
		}
		if err := b.remove(ctx, prefix+name); err != nil {
			return err
		}
	}
	return nil
}

func (b *Bucket) remove(ctx context.Context, key string) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return told("deleting a file from the bucket", b.client.RemoveObject(ctx, b.config.Name, b.config.Prefix+key, minio.RemoveObjectOptions{}))
}

// told says what was being done, and makes a file that is not there
// fs.ErrNotExist.
func told(what string, err error) error {
	if err == nil {
		return nil
	}
	if minio.ToErrorResponse(err).Code == minio.NoSuchKey {
		err = fs.ErrNotExist
	}
	return fmt.Errorf("%s: %w", what, err)
}
