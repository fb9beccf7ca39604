package bucket

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
)

// parseURL accepts a URL of a known scheme or a plain folder.
func parseURL(raw string) (*url.URL, driver, error) {
	known := drivers()
	scheme, rest, isURL := strings.Cut(raw, "://")
	if !isURL {
		scheme = "file"
	}
	d, ok := known[scheme]
	if !ok {
		return nil, driver{}, invalidURL(raw, "unknown scheme %q; known are %s", scheme, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
	}
	if scheme == "file" {
		dir, query := raw, "" // a folder may be named with any character
		if isURL {
			dir, query, _ = strings.Cut(rest, "?")
		}
		if query != "" {
			return nil, driver{}, invalidURL(raw, "file:// takes no parameters")
		}
		dir, err := filepath.Abs(filepath.FromSlash(dir))
		if err != nil {
			return nil, driver{}, invalidURL(raw, "%w", err)
		}
		return &url.URL{Scheme: scheme, Path: dir}, d, nil
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

// Folder is the absolute path of the folder that a bucket's URL names; ok is false if it
// names none.
func Folder(raw string) (path string, ok bool) {
	u, _, err := parseURL(raw)
	if err != nil || u.Scheme != "file" {
		return "", false
	}
	return u.Path, true
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
	base, query, _ := strings.Cut(raw, "?")
	if scheme, rest, ok := strings.Cut(base, "://"); ok {
		if i := strings.IndexByte(rest, '@'); i >= 0 && !strings.Contains(rest[:i], "/") {
			base = scheme + "://" + rest[i+1:]
		}
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return base
	}
	open := []string{"region", "endpoint", "use_path_style", "anonymous", "profile"}
	maps.DeleteFunc(values, func(k string, _ []string) bool { return !slices.Contains(open, k) })
	for _, v := range values {
		for i, one := range v {
			if u, err := url.Parse(one); err == nil && u.User != nil {
				u.User = nil
				v[i] = u.String()
			}
		}
	}
	text, err := url.QueryUnescape(values.Encode())
	if err != nil || text == "" {
		return base
	}
	return base + "?" + text
}

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
