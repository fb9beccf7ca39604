package storage

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/storage/localblob"
	"gocloud.dev/blob"
	"gocloud.dev/blob/memblob"
)

// driver is what the store needs to know of one kind of bucket beyond gocloud.
type driver struct {
	open func(ctx context.Context, u *url.URL) (opened, error)
	// params are the query parameters that the URL may carry.
	params []string
	// version names the state of the object that a reader reads.
	version func(r *blob.Reader) string
	// condition makes a write succeed only on that version.
	condition func(as func(any) bool, version string) error
	// serial buckets have no conditional write: the store's mutex makes one.
	serial bool
	// stranger sees the bucket without rights; nil where there is no such.
	stranger stranger
	// remote buckets are read faster by several connections.
	remote bool
}

// opened is an open bucket, without the prefix of its URL.
type opened struct {
	*blob.Bucket
	mover mover  // nil: streams and the bucket's own copy
	conns *conns // nil where there are none
}

// mover moves big objects better than gocloud does.
type mover interface {
	// put stores a blob.
	put(ctx context.Context, key string, c *content) error
	// copy puts an object of that size under a second key.
	copy(ctx context.Context, to, from string, size int64) error
}

// drivers is the whole list; there is no other registration.
func drivers() map[string]driver {
	return map[string]driver{
		"file": {
			open:      openFile,
			version:   localVersion,
			condition: localCondition,
			stranger:  localStranger,
		},
		"mem": {
			open:   func(context.Context, *url.URL) (opened, error) { return opened{Bucket: memblob.OpenBucket(nil)}, nil },
			serial: true,
		},
		"s3": {
			open:      openS3,
			params:    []string{"region", "endpoint", "profile", "use_path_style", "hostname_immutable", "anonymous", "disable_https", "role", "dualstack", "fips", "ssetype", "kmskeyid", "request_checksum_calculation", "response_checksum_validation"},
			version:   s3Version,
			condition: s3Condition,
			stranger:  s3Stranger,
			remote:    true,
		},
		"gs": {
			open:      openGCS,
			params:    []string{"anonymous"},
			version:   gcsVersion,
			condition: gcsCondition,
			stranger:  gcsStranger,
			remote:    true,
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

func openFile(_ context.Context, u *url.URL) (opened, error) {
	dir, err := filepath.Abs(filepath.FromSlash(u.Path))
	if err != nil {
		return opened{}, err
	}
	b, err := localblob.OpenBucket(dir)
	return opened{Bucket: b}, err
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

// Redact strips what may be a secret from a store's URL, for messages.
func Redact(rawURL string) string { return redact(rawURL) }
