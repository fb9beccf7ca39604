package storage

import (
	"net/url"
	"strings"

	"github.com/sprint-ml/sprint/storage/bucket"
)

// Redact strips what may be a secret from a store's URL, for messages.
func Redact(rawURL string) string { return bucket.Redact(rawURL) }

// HasUserInfo reports whether a URL, of a store or not, holds a user or a password.
func HasUserInfo(rawURL string) bool { return bucket.HasUserInfo(rawURL) }

// Folder is the absolute path of the folder that a store's URL names; ok is false if it
// names none.
func Folder(rawURL string) (path string, ok bool) { return bucket.Folder(rawURL) }

// SplitURL parts the URL of an object into the URL of its bucket, which Open
// takes, and the object's key there. ok is false for what names a local file: a
// path, or a file:// URL, of which LocalPath makes one.
func SplitURL(raw string) (bucketURL, key string, ok bool) {
	scheme, rest, isURL := strings.Cut(raw, "://")
	if !isURL || scheme == "file" {
		return "", "", false
	}
	rest, query, _ := strings.Cut(rest, "?")
	host, key, _ := strings.Cut(rest, "/")
	bucketURL = scheme + "://" + host
	if query != "" {
		bucketURL += "?" + query
	}
	if k, err := url.PathUnescape(key); err == nil {
		key = k
	}
	return bucketURL, key, true
}

// JoinURL is the URL of an object of a bucket: SplitURL gives both back.
func JoinURL(bucketURL, key string) string {
	base, query, has := strings.Cut(bucketURL, "?")
	raw := base + "/" + strings.NewReplacer("%", "%25", "?", "%3F").Replace(key)
	if has {
		raw += "?" + query
	}
	return raw
}

// LocalPath is the path of the local file that a path or a file:// URL names.
func LocalPath(raw string) string { return strings.TrimPrefix(raw, "file://") }
