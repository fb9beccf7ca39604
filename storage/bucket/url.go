package bucket

import (
	"cmp"
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
	if isURL && hasUserInfo(rest) {
		return nil, driver{}, invalidURL(raw, "user and password in it are not used, and it is stored with runs: %s", d.credentials)
	}
	if scheme == "file" {
		dir, query := raw, "" // a folder may be named with any character
		if isURL {
			dir, query, _ = strings.Cut(rest, "?")
		}
		if query != "" {
			return nil, driver{}, invalidURL(raw, "file:// takes no parameters")
		}
		if isURL && !filepath.IsAbs(filepath.FromSlash(dir)) {
			// A host of that name is meant, or a folder: one may be taken for the other.
			return nil, driver{}, invalidURL(raw, "what follows file:// is no whole path; write file:///FOLDER for one, or %q for the folder from here", cmp.Or(dir, "."))
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
	for k, values := range u.Query() {
		if !slices.Contains(d.params, k) {
			return nil, driver{}, invalidURL(raw, "unknown parameter %q; %s:// knows %s", k, scheme, strings.Join(d.params, ", "))
		}
		for _, v := range values {
			if _, rest, isURL := strings.Cut(v, "://"); isURL && hasUserInfo(rest) {
				return nil, driver{}, invalidURL(raw, "user and password in its %s are not used, and it is stored with runs: %s", k, d.credentials)
			}
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

// HasUserInfo reports whether a URL holds a user or a password. A text that is no URL
// holds none.
func HasUserInfo(raw string) bool {
	_, rest, isURL := strings.Cut(raw, "://")
	return isURL && hasUserInfo(rest)
}

// hasUserInfo looks at what follows ://. A password with a slash in it, as those of S3
// have it, ends a URL's host for everybody else.
func hasUserInfo(rest string) bool {
	host := hostOf(rest)
	if strings.Contains(host, "@") {
		return true
	}
	_, port, ok := strings.Cut(host[strings.Index(host, "]")+1:], ":")
	return ok && strings.Trim(port, "0123456789") != "" && strings.Contains(rest, "@")
}

func hostOf(rest string) string {
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		return rest[:i]
	}
	return rest
}

// Redact strips from a URL what may be a secret, for messages: user info, and
// parameters but for those that name places.
func Redact(raw string) string {
	raw = stripUserInfo(raw)
	if !strings.Contains(raw, "://") {
		return raw // a folder, which may be named with any character
	}
	base, query, _ := strings.Cut(raw, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		return base
	}
	open := []string{"region", "endpoint", "use_path_style", "anonymous", "profile"}
	maps.DeleteFunc(values, func(k string, _ []string) bool { return !slices.Contains(open, k) })
	for _, v := range values {
		for i := range v {
			v[i] = stripUserInfo(v[i])
		}
	}
	text, err := url.QueryUnescape(values.Encode())
	if err != nil || text == "" {
		return base
	}
	return base + "?" + text
}

func stripUserInfo(raw string) string {
	if !HasUserInfo(raw) {
		return raw
	}
	scheme, rest, _ := strings.Cut(raw, "://")
	at := strings.LastIndexByte(hostOf(rest), '@')
	if at < 0 {
		at = strings.LastIndexByte(rest, '@')
	}
	if strings.Contains(rest[:at], "?") {
		return scheme + "://…" // where the password ends cannot be told
	}
	return scheme + "://" + rest[at+1:]
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
