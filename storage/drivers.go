package storage

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	gcs "cloud.google.com/go/storage"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/googleapis/gax-go/v2"
	"github.com/sprint-ml/sprint/storage/localblob"
	"gocloud.dev/blob"
	"gocloud.dev/blob/gcsblob"
	"gocloud.dev/blob/memblob"
	"gocloud.dev/blob/s3blob"
	"gocloud.dev/gcp"
)

// driver is what the store needs to know of one kind of bucket beyond gocloud.
type driver struct {
	open func(ctx context.Context, u *url.URL) (*blob.Bucket, error)
	// params are the query parameters that the URL may carry.
	params []string
	// version names the state of the object that a reader reads.
	version func(r *blob.Reader) string
	// condition makes a write succeed only on that version.
	condition func(as func(any) bool, version string) error
	// serial buckets have no conditional write: the store's mutex makes one.
	serial bool
}

// drivers is the whole list; there is no other registration.
func drivers() map[string]driver {
	return map[string]driver{
		"file": {
			open:      openFile,
			version:   localVersion,
			condition: localCondition,
		},
		"mem": {
			open:   func(context.Context, *url.URL) (*blob.Bucket, error) { return memblob.OpenBucket(nil), nil },
			serial: true,
		},
		"s3": {
			open:      openS3,
			params:    []string{"region", "endpoint", "profile", "use_path_style", "hostname_immutable", "anonymous", "disable_https", "role", "dualstack", "fips", "ssetype", "kmskeyid", "request_checksum_calculation", "response_checksum_validation"},
			version:   s3Version,
			condition: s3Condition,
		},
		"gs": {
			open:      openGCS,
			params:    []string{"anonymous"},
			version:   gcsVersion,
			condition: gcsCondition,
		},
	}
}

// parseURL accepts a URL of a known scheme or a plain folder.
func parseURL(raw string) (*url.URL, driver, error) {
	known := drivers()
	scheme, _, isURL := strings.Cut(raw, "://")
	if !isURL {
		return &url.URL{Scheme: "file", Path: raw}, known["file"], nil
	}
	d, ok := known[scheme]
	if !ok {
		return nil, driver{}, invalidURL(raw, "unknown scheme %q; known are %s", scheme, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
	}
	if scheme == "file" {
		// A folder may hold any character; only a query is cut off.
		rest, query, _ := strings.Cut(strings.TrimPrefix(raw, "file://"), "?")
		if query != "" {
			return nil, driver{}, invalidURL(raw, "file:// takes no parameters")
		}
		return &url.URL{Scheme: "file", Path: rest}, d, nil
	}
	u, err := url.Parse(raw)
	if err != nil {
		return nil, driver{}, invalidURL(raw, "%w", errors.Unwrap(err))
	}
	for k := range u.Query() {
		if !slices.Contains(d.params, k) {
			return nil, driver{}, invalidURL(raw, "unknown parameter %q; %s:// knows %s", k, scheme, strings.Join(d.params, ", "))
		}
	}
	if scheme != "mem" && u.Host == "" {
		return nil, driver{}, invalidURL(raw, "it names no bucket; write %s://BUCKET/PREFIX", scheme)
	}
	return u, d, nil
}

// invalidURL is a mistake in a URL: trying again would not help.
func invalidURL(raw, format string, args ...any) error {
	return fmt.Errorf("store URL %q: %w: %w", redact(raw), ErrInvalid, fmt.Errorf(format, args...))
}

// redact strips what may be a secret: user info and every parameter's value.
func redact(raw string) string {
	if !strings.Contains(raw, "://") {
		return raw // a folder, which may be named with any character
	}
	base, query, has := strings.Cut(raw, "?")
	if scheme, rest, ok := strings.Cut(base, "://"); ok {
		if i := strings.IndexByte(rest, '@'); i >= 0 && !strings.Contains(rest[:i], "/") {
			base = scheme + "://" + rest[i+1:]
		}
	}
	if !has {
		return base
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return base
	}
	open := []string{"region", "endpoint", "use_path_style", "anonymous", "profile"}
	kept := url.Values{}
	for k, v := range values {
		if !slices.Contains(open, k) {
			continue
		}
		for _, one := range v {
			if u, err := url.Parse(one); err == nil && u.User != nil {
				u.User = nil
				one = u.String()
			}
			kept.Add(k, one)
		}
	}
	if len(kept) == 0 {
		return base
	}
	text, err := url.QueryUnescape(kept.Encode())
	if err != nil {
		return base
	}
	return base + "?" + text
}

func openFile(_ context.Context, u *url.URL) (*blob.Bucket, error) {
	dir, err := filepath.Abs(filepath.FromSlash(u.Path))
	if err != nil {
		return nil, err
	}
	return localblob.OpenBucket(dir)
}

func localVersion(r *blob.Reader) string {
	var v localblob.Version
	if r.As(&v) {
		return string(v)
	}
	return ""
}

func localCondition(as func(any) bool, version string) error {
	var c *localblob.Condition
	if !as(&c) {
		return errors.New("storage: the bucket is not a local one")
	}
	c.Version = version
	return nil
}

// The clients repeat a request a little by themselves, for the parts of a big
// transfer; all else is Store.try's. Their defaults are waits of many seconds
// (S3) and no end at all (GCS).
const (
	clientTries   = 3
	clientBackoff = 500 * time.Millisecond
)

func openS3(ctx context.Context, u *url.URL) (*blob.Bucket, error) {
	opener := &s3blob.URLOpener{}
	bucket, err := opener.OpenBucketURL(ctx, u)
	if err != nil {
		return nil, err
	}
	var client *s3.Client
	if !bucket.As(&client) {
		return nil, errors.New("storage: the bucket is not an S3 one")
	}
	// The opener offers no way to set the retries before it builds the client,
	// but leaves in its Options what the URL said of the bucket.
	client = s3.New(client.Options(), func(o *s3.Options) {
		o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxAttempts, o.MaxBackoff = clientTries, clientBackoff
		})
	})
	return s3blob.OpenBucket(ctx, client, u.Host, &opener.Options)
}

func s3Version(r *blob.Reader) string {
	var out s3.GetObjectOutput
	if r.As(&out) {
		return aws.ToString(out.ETag)
	}
	return ""
}

func s3Condition(as func(any) bool, version string) error {
	var in *transfermanager.UploadObjectInput
	if !as(&in) {
		return errors.New("storage: the bucket is not an S3 one")
	}
	in.IfMatch = aws.String(version)
	return nil
}

// openGCS opens a bucket with the machine's credentials. Without any it says
// so at once instead of failing on the first read.
func openGCS(ctx context.Context, u *url.URL) (*blob.Bucket, error) {
	var client *gcp.HTTPClient
	anonymous := false
	if v := u.Query().Get("anonymous"); v != "" {
		var err error
		if anonymous, err = strconv.ParseBool(v); err != nil {
			return nil, fmt.Errorf("invalid value for \"anonymous\": %w", err)
		}
	}
	if anonymous || os.Getenv("STORAGE_EMULATOR_HOST") != "" {
		client = gcp.NewAnonymousHTTPClient(gcp.DefaultTransport())
	} else {
		credentials, err := gcp.DefaultCredentials(ctx)
		if err != nil {
			return nil, &Error{Op: "open", Key: "gs://" + u.Host, Class: ErrDenied, Err: err}
		}
		client, err = gcp.NewHTTPClient(gcp.DefaultTransport(), gcp.CredentialsTokenSource(credentials))
		if err != nil {
			return nil, err
		}
	}
	bucket, err := gcsblob.OpenBucket(ctx, client, u.Host, nil)
	if err != nil {
		return nil, err
	}
	var api *gcs.Client
	if !bucket.As(&api) {
		return nil, errors.New("storage: the bucket is not a GCS one")
	}
	api.SetRetry(gcs.WithMaxAttempts(clientTries), gcs.WithBackoff(gax.Backoff{Initial: clientBackoff / 5, Max: clientBackoff, Multiplier: 2}))
	return bucket, nil
}

func gcsVersion(r *blob.Reader) string {
	var in *gcs.Reader
	if r.As(&in) {
		return strconv.FormatInt(in.Attrs.Generation, 10)
	}
	return ""
}

func gcsCondition(as func(any) bool, version string) error {
	var handle **gcs.ObjectHandle
	if !as(&handle) {
		return errors.New("storage: the bucket is not a GCS one")
	}
	generation, err := strconv.ParseInt(version, 10, 64)
	if err != nil {
		return fmt.Errorf("storage: version %q is not a generation: %w", version, err)
	}
	*handle = (*handle).If(gcs.Conditions{GenerationMatch: generation})
	return nil
}

// Redact strips what may be a secret from a store's URL, for messages.
func Redact(rawURL string) string { return redact(rawURL) }
