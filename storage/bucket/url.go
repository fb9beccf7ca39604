package bucket

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
)

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
	return fmt.Errorf("store URL %q: %w: %w", Redact(raw), ErrInvalid, fmt.Errorf(format, args...))
}

// Redact strips from a URL what may be a secret, for messages: user info, and
// parameters but for those that name places.
func Redact(raw string) string {
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

// keyPrefix is the prefix that a URL gives to all keys: empty or with a slash at
// its end.
func keyPrefix(u *url.URL) string {
	if u.Scheme == "file" || u.Scheme == "mem" {
		return ""
	}
	p := strings.Trim(u.Path, "/")
	if p == "" {
		return ""
	}
	return p + "/"
}
