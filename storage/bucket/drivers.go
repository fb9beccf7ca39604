package bucket

import (
	"context"
	"net/url"
	"time"

	"gocloud.dev/blob"
)

// driver is what a Bucket needs to know of one kind of bucket beyond gocloud.
type driver struct {
	open func(ctx context.Context, u *url.URL) (opened, error)
	// params are the query parameters that the URL may carry.
	params []string
	// version names the state of the object that a reader reads.
	version func(r *blob.Reader) string
	// condition makes a write succeed only on that version.
	condition func(as func(any) bool, version string) error
	// serial buckets have no conditional write: the Bucket's mutex makes one.
	serial bool
	// denied opens the bucket without rights; nil where nobody is denied.
	denied deniedOpener
	// remote buckets are read faster by several connections.
	remote bool
}

// opened is an open bucket, without the prefix of its URL.
type opened struct {
	*blob.Bucket
	bulk  bulkTransfer // nil: the driver's writer and its copy
	conns *conns       // nil where there are none
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
			open:      openFile,
			version:   fileVersion,
			condition: fileCondition,
			denied:    fileDenied,
		},
		"mem": {
			open:   openMem,
			serial: true,
		},
		"s3": {
			open:      openS3,
			params:    []string{"region", "endpoint", "profile", "use_path_style", "hostname_immutable", "anonymous", "disable_https", "role", "dualstack", "fips", "ssetype", "kmskeyid", "request_checksum_calculation", "response_checksum_validation"},
			version:   s3Version,
			condition: s3Condition,
			denied:    s3Denied,
			remote:    true,
		},
		"gs": {
			open:      openGCS,
			params:    []string{"anonymous"},
			version:   gcsVersion,
			condition: gcsCondition,
			denied:    gcsDenied,
			remote:    true,
		},
	}
}

// The clients repeat a request a little by themselves, for the parts of a big
// transfer; all else is Bucket.retry's. Their defaults are waits of many seconds
// (S3) and no end at all (GCS).
const (
	clientTries   = 3
	clientBackoff = 500 * time.Millisecond
)
