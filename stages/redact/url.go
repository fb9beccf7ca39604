package redact

import (
	"errors"
	"net/url"
	"regexp"
	"strings"
)

// userInfo is that of a URL. A password with a slash in it ends a URL's host for
// everybody else, who then shows all of it in the error: it follows a colon and is no
// port.
var userInfo = regexp.MustCompile(`://(?:[^\s/?#"'<>]*@|[^\s/?#"'<>:]*:[0-9]*[^0-9\s/?#"'<>][^\s"'<>]*@)`)

// URLs returns a text without users and passwords in the URLs that stand in it, such as
// that of a proxy.
func URLs(text string) string { return userInfo.ReplaceAllString(text, "://"+mask+"@") }

// Address is one address without what may let in whoever has it: its user and password, its
// query and its fragment. It need not be one that can be parsed. Where a password can hold
// what ends a host, nothing of it but the scheme is left.
func Address(text string) string {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		scheme, rest = "", text
	} else {
		scheme += "://"
	}
	shown, hidden, cut := rest, "", ""
	if at := strings.IndexAny(rest, "?#"); at >= 0 {
		shown, hidden, cut = rest[:at], rest[at:], rest[at:at+1]+mask
	}
	if strings.Contains(hidden, "@") {
		return scheme + mask // the host may be behind it, and a password before
	}
	if at := strings.LastIndexByte(shown, '@'); at >= 0 {
		shown = mask + shown[at:]
	}
	return scheme + shown + cut
}

// WithoutAddress is an error of a request without the address that was asked, which may hold a
// secret and is the same at each try; any other error is itself.
func WithoutAddress(err error) error {
	if asked, ok := errors.AsType[*url.Error](err); ok {
		return asked.Err
	}
	return err
}
