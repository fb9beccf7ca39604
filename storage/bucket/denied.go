package bucket

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/sprint-ml/sprint/storage/gcsblob"
	"gocloud.dev/blob"
	"gocloud.dev/blob/s3blob"
)

// A deniedOpener opens the bucket of b as one who has no right to the object at
// key. restore ends that. An untried text says why there can be no such opening
// here.
type deniedOpener func(ctx context.Context, b *Bucket, key string) (denied *Bucket, restore func(), untried string, err error)

// Denied opens the bucket as one who has no right to the object at key sees it,
// without retries. The caller calls restore when it is done. An untried text says
// why it cannot be tried here; denied and restore are nil then.
func (b *Bucket) Denied(ctx context.Context, key string) (denied *Bucket, restore func(), untried string, err error) {
	if b.driver.denied == nil {
		return nil, nil, "nobody but this process sees the store", nil
	}
	return b.driver.denied(ctx, b, key)
}

// with is b over other blobs, without retries.
func (b *Bucket) with(blobs *blob.Bucket) (*Bucket, error) {
	u, _, err := parseURL(b.source)
	if err != nil {
		return nil, err
	}
	if prefix := keyPrefix(u); prefix != "" {
		blobs = blob.PrefixedBucket(blobs, prefix)
	}
	o := b.o
	o.Tries = 1
	return &Bucket{blobs: blobs, driver: b.driver, scheme: b.scheme, url: b.url, source: b.source, o: o, ahead: make(chan struct{}, rangesAhead)}, nil
}

// s3Denied signs with a key that nobody has.
func s3Denied(ctx context.Context, b *Bucket, _ string) (*Bucket, func(), string, error) {
	var client *s3.Client
	if !b.blobs.As(&client) {
		return nil, nil, "", errors.New("storage: the bucket is not an S3 one")
	}
	u, _, err := parseURL(b.source)
	if err != nil {
		return nil, nil, "", err
	}
	client = s3.New(client.Options(), func(o *s3.Options) {
		o.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIASPRINTDENIED0000", SecretAccessKey: "nobody"}, nil
		})
		o.Retryer = aws.NopRetryer{}
	})
	blobs, err := s3blob.OpenBucket(ctx, client, u.Host, nil)
	if err != nil {
		return nil, nil, "", err
	}
	denied, err := b.with(blobs)
	return denied, func() { _ = blobs.Close() }, "", err
}

// withoutRights adds a token that nobody was given.
type withoutRights struct{ next http.RoundTripper }

func (w withoutRights) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer sprint-denied")
	return w.next.RoundTrip(r)
}

// gcsDenied asks with a token that nobody was given.
func gcsDenied(_ context.Context, b *Bucket, _ string) (*Bucket, func(), string, error) {
	u, _, err := parseURL(b.source)
	if err != nil {
		return nil, nil, "", err
	}
	endpoint, _ := gcsEndpoint()
	blobs := gcsblob.OpenBucket(&http.Client{Transport: withoutRights{http.DefaultTransport}}, endpoint, u.Host)
	denied, err := b.with(blobs)
	return denied, func() { _ = blobs.Close() }, "", err
}

// fileDenied closes the object's folder for a moment.
func fileDenied(_ context.Context, b *Bucket, key string) (*Bucket, func(), string, error) {
	if os.Geteuid() <= 0 { // no such users on Windows
		return nil, nil, "this process may read every file of the machine", nil
	}
	dir := filepath.Join(b.folder, filepath.FromSlash(filepath.Dir(key)))
	fi, err := os.Stat(dir)
	if err != nil {
		return nil, nil, "", err
	}
	if err := os.Chmod(dir, 0); err != nil {
		return nil, nil, "", err
	}
	return b, func() { _ = os.Chmod(dir, fi.Mode()) }, "", nil
}
