package bucket

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/sprint-ml/sprint/storage/gcsblob"
	"github.com/sprint-ml/sprint/storage/localblob"
	"github.com/sprint-ml/sprint/storage/transport"
	"gocloud.dev/blob"
	"gocloud.dev/blob/memblob"
)

// driver is what a Bucket needs to know of one kind of bucket beyond gocloud.
type driver struct {
	open func(ctx context.Context, u *url.URL, log *slog.Logger) (opened, error)
	// credentials says where they belong.
	credentials string
	// params are the query parameters that the URL may carry.
	params []string
	// version names the state of the object that a reader reads.
	version func(r *blob.Reader) string
	// condition makes a write succeed only on that version.
	condition func(as func(any) bool, version string) error
	// serial buckets have no conditional write: the Bucket's mutex makes one.
	serial bool
	// denied opens the bucket without rights; nil where nobody asks for them.
	denied func(ctx context.Context, b *Bucket) (*blob.Bucket, error)
	// remote buckets are read faster by several connections.
	remote bool
}

// opened is an open bucket, without the prefix of its URL.
type opened struct {
	blobs *blob.Bucket
	bulk  bulkTransfer           // nil: the driver's writer and its copy
	conns *transport.Connections // nil where there are none
}

// bulkTransfer moves big objects better than gocloud does.
type bulkTransfer interface {
	// put stores a content.
	put(ctx context.Context, key string, c *Content) error
	// copy puts an object of that size under a second key.
	copy(ctx context.Context, to, from string, size int64) error
}

// drivers is the whole list; there is no other registration.
func drivers() map[string]driver {
	return map[string]driver{
		"file": {
			credentials: "a folder needs none; write ./ before one whose name has an @",
			open: func(_ context.Context, u *url.URL, log *slog.Logger) (opened, error) {
				b, err := localblob.OpenBucket(u.Path, log)
				return opened{blobs: b}, err
			},
			version:   versionOf(func(v localblob.Version) string { return string(v) }),
			condition: demand(func(c *localblob.Condition, v string) { c.Version = v }),
		},
		"mem": {
			credentials: "memory needs none",
			open: func(context.Context, *url.URL, *slog.Logger) (opened, error) {
				return opened{blobs: memblob.OpenBucket(nil)}, nil
			},
			serial: true,
		},
		"s3": {
			open:        openS3,
			credentials: "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
			params:      []string{"region", "endpoint", "profile", "use_path_style", "hostname_immutable", "anonymous", "disable_https", "role", "dualstack", "fips", "ssetype", "kmskeyid", "request_checksum_calculation", "response_checksum_validation"},
			version:     versionOf(func(o s3.GetObjectOutput) string { return aws.ToString(o.ETag) }),
			condition:   demand(func(in *transfermanager.UploadObjectInput, v string) { in.IfMatch = &v }),
			denied:      s3Denied,
			remote:      true,
		},
		"gs": {
			open:        openGCS,
			credentials: "set GOOGLE_APPLICATION_CREDENTIALS to the file with them",
			params:      []string{"anonymous"},
			version:     versionOf(func(g gcsblob.Generation) string { return string(g) }),
			condition:   demand(func(c *gcsblob.Condition, v string) { c.Generation = gcsblob.Generation(v) }),
			denied:      gcsDenied,
			remote:      true,
		},
	}
}

// versionOf reads a version from what a driver says of its reader.
func versionOf[T any](version func(said T) string) func(*blob.Reader) string {
	return func(r *blob.Reader) string {
		var said T
		if !r.As(&said) {
			return ""
		}
		return version(said)
	}
}

// demand sets a version in what a driver lets a writer demand.
func demand[T any](set func(condition *T, version string)) func(as func(any) bool, version string) error {
	return func(as func(any) bool, version string) error {
		var condition *T
		if !as(&condition) {
			return errors.New("storage: the driver takes no condition")
		}
		set(condition, version)
		return nil
	}
}

// The clients repeat a request a little by themselves, for the parts of a big
// transfer; all else is Bucket.retry's. Their defaults are waits of many seconds
// (S3) and no end at all (GCS).
const (
	clientTries   = 3
	clientBackoff = 500 * time.Millisecond
)
