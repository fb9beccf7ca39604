package storage

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

// A stranger sees the store of s as one who has no right to the object at key.
// done ends that; untried says why there can be none here.
type stranger func(ctx context.Context, s *Store, key string) (other *Store, done func(), untried string, err error)

// as is s with another bucket, without retries.
func (s *Store) as(b *blob.Bucket) (*Store, error) {
	u, _, err := parseURL(s.open)
	if err != nil {
		return nil, err
	}
	if prefix := keyPrefix(u); prefix != "" {
		b = blob.PrefixedBucket(b, prefix)
	}
	o := s.o
	o.Tries = 1
	return &Store{bucket: b, driver: s.driver, scheme: s.scheme, url: s.url, open: s.open, log: s.log, o: o, ahead: make(chan struct{}, rangesAhead)}, nil
}

// s3Stranger signs with a key that nobody has.
func s3Stranger(ctx context.Context, s *Store, _ string) (*Store, func(), string, error) {
	var client *s3.Client
	if !s.bucket.As(&client) {
		return nil, nil, "", errors.New("storage: the bucket is not an S3 one")
	}
	u, _, err := parseURL(s.open)
	if err != nil {
		return nil, nil, "", err
	}
	client = s3.New(client.Options(), func(o *s3.Options) {
		o.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIASPRINTSTRANGER00", SecretAccessKey: "nobody"}, nil
		})
		o.Retryer = aws.NopRetryer{}
	})
	b, err := s3blob.OpenBucket(ctx, client, u.Host, nil)
	if err != nil {
		return nil, nil, "", err
	}
	other, err := s.as(b)
	return other, func() { _ = b.Close() }, "", err
}

// withoutRights adds a token that nobody was given.
type withoutRights struct{ next http.RoundTripper }

func (w withoutRights) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer sprint-stranger")
	return w.next.RoundTrip(r)
}

func gcsStranger(_ context.Context, s *Store, _ string) (*Store, func(), string, error) {
	u, _, err := parseURL(s.open)
	if err != nil {
		return nil, nil, "", err
	}
	endpoint, _ := gcsEndpoint()
	b := blob.NewBucket(gcsblob.New(&http.Client{Transport: withoutRights{http.DefaultTransport}}, endpoint, u.Host))
	other, err := s.as(b)
	return other, func() { _ = b.Close() }, "", err
}

// localStranger closes the object's folder for a moment.
func localStranger(_ context.Context, s *Store, key string) (*Store, func(), string, error) {
	if os.Geteuid() <= 0 { // no such users on Windows
		return nil, nil, "this process may read every file of the machine", nil
	}
	dir := filepath.Join(s.folder, filepath.FromSlash(filepath.Dir(key)))
	fi, err := os.Stat(dir)
	if err != nil {
		return nil, nil, "", err
	}
	if err := os.Chmod(dir, 0); err != nil {
		return nil, nil, "", err
	}
	return s, func() { _ = os.Chmod(dir, fi.Mode()) }, "", nil
}
