package redact

import (
	"errors"
	"net/url"
	"regexp"
)

// userInfo is that of a URL. A password with a slash in it ends a URL's host for
// everybody else, who then shows all of it in the error: it follows a colon and is no
// port.
var userInfo = regexp.MustCompile(`://(?:[^\s/?#"'<>]*@|[^\s/?#"'<>:]*:[0-9]*[^0-9\s/?#"'<>][^\s"'<>]*@)`)

// URLs returns a text without users and passwords in the URLs that stand in it, such as
// that of a proxy.
func URLs(text string) string { return userInfo.ReplaceAllString(text, "://"+mask+"@") }

// WithoutAddress is an error of a request without the address that was asked, which may hold a
// secret and is the same at each try; any other error is itself.
func WithoutAddress(err error) error {
	if asked, ok := errors.AsType[*url.Error](err); ok {
		return asked.Err
	}
	return err
}
