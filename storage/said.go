package storage

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/aws/smithy-go"
)

// said is a driver's error in few words; the error itself is behind it.
type said struct {
	text string
	err  error
}

func (e *said) Error() string { return e.text }
func (e *said) Unwrap() error { return e.err }

// plainly leaves out of a driver's error what says nothing to people: the
// layers that it came through, the key once more, the URL of a request.
func plainly(err error) error {
	var api smithy.APIError
	var request *url.Error
	var operation *net.OpError
	var name *net.DNSError
	switch {
	case noCredentials(err):
		return &said{"there are no credentials for S3: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE", err}
	case errors.As(err, &api) && api.ErrorCode() != "" && api.ErrorMessage() != "":
		return &said{fmt.Sprintf("%s (%s)", strings.TrimSuffix(api.ErrorMessage(), "."), api.ErrorCode()), err}
	case errors.As(err, &request) && (errors.As(err, &operation) || errors.As(err, &name)):
		host := "the server"
		if u, err := url.Parse(request.URL); err == nil && u.Host != "" {
			host = u.Host
		}
		return &said{fmt.Sprintf("cannot reach %s: %v", host, request.Err), err}
	}
	// gocloud's own layer names the key again. What it is about comes first.
	var layer interface {
		error
		Unwrap() []error
	}
	if !strings.HasPrefix(err.Error(), "blob (") || !errors.As(err, &layer) || len(layer.Unwrap()) == 0 || layer.Unwrap()[0] == nil {
		return err
	}
	return &said{layer.Unwrap()[0].Error(), err}
}

// noCredentials reports whether S3's client found none to sign a request with;
// it has no type for that.
func noCredentials(err error) bool {
	return strings.Contains(err.Error(), "get identity: get credentials:")
}
