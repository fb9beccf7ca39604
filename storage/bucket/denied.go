package bucket

import (
	"context"
	"net/http"
	"os"
	"path/filepath"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/sprint-ml/sprint/storage/gcsblob"
	"github.com/sprint-ml/sprint/storage/transport"
	"gocloud.dev/blob"
	"gocloud.dev/blob/s3blob"
)

// Denied opens the bucket as one who has no right to the object at key sees it,
// without retries. The caller calls restore when it is done. An untried text says
// why it cannot be tried here; denied and restore are nil then.
func (b *Bucket) Denied(ctx context.Context, key string) (denied *Bucket, restore func(), untried string, err error) {
	switch {
	case b.Local():
		return nil, nil, "nobody but this process sees the store", nil
	case b.driver.denied == nil:
		return b.closeFolder(key)
	}
	blobs, err := b.driver.denied(ctx, b)
	if err != nil {
		return nil, nil, "", err
	}
	o := b.o
	o.Tries = 1
	return newBucket(opened{blobs: blobs}, b.driver, b.at, b.source, o), func() { _ = blobs.Close() }, "", nil
}

// s3Denied signs with a key that nobody has.
func s3Denied(ctx context.Context, b *Bucket) (*blob.Bucket, error) {
	client := s3.New(b.bulk.(*s3Transfer).client.Options(), func(o *s3.Options) {
		o.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIASPRINTDENIED0000", SecretAccessKey: "nobody"}, nil
		})
		o.Retryer = aws.NopRetryer{}
	})
	return s3blob.OpenBucket(ctx, client, b.at.Host, nil)
}

// gcsDenied asks with a token that nobody was given.
func gcsDenied(_ context.Context, b *Bucket) (*blob.Bucket, error) {
	endpoint, _ := gcsblob.Endpoint()
	client := &http.Client{Transport: transport.WithoutRights{Next: http.DefaultTransport}, CheckRedirect: transport.SameServer}
	return blob.NewBucket(gcsblob.New(client, endpoint, b.at.Host)), nil
}

// closeFolder takes all rights from the folder of a local object for a moment.
func (b *Bucket) closeFolder(key string) (denied *Bucket, restore func(), untried string, err error) {
	if os.Geteuid() <= 0 { // no such users on Windows
		return nil, nil, "this process may read every file of the machine", nil
	}
	dir := filepath.Join(b.at.Path, filepath.FromSlash(filepath.Dir(key)))
	fi, err := os.Stat(dir)
	if err != nil {
		return nil, nil, "", err
	}
	if err := os.Chmod(dir, 0); err != nil {
		return nil, nil, "", err
	}
	return b, func() { _ = os.Chmod(dir, fi.Mode()) }, "", nil
}
