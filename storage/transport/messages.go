package transport

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/aws/smithy-go"
	"golang.org/x/oauth2"
)

// messageError is a driver's error in few words; Unwrap gives the error itself.
type messageError struct {
	text string
	err  error
}

func (e *messageError) Error() string { return e.text }
func (e *messageError) Unwrap() error { return e.err }

// Message leaves out of a driver's error what says nothing to people: the layers
// that it came through, the key once more, the URL of a request.
func Message(err error) error {
	var api smithy.APIError
	var request *url.Error
	var operation *net.OpError
	var name *net.DNSError
	switch {
	case noCredentials(err):
		return &messageError{"there are no credentials for S3: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE", err}
	case refusedToken(err) != "":
		return &messageError{"the credentials for GCS are refused: " + refusedToken(err) + "; make new ones, as with `gcloud auth application-default login`", err}
	case errors.As(err, &api) && api.ErrorCode() != "" && api.ErrorMessage() != "":
		return &messageError{fmt.Sprintf("%s (%s)", strings.TrimSuffix(api.ErrorMessage(), "."), api.ErrorCode()), err}
	case errors.As(err, &request):
		host, problem := "the server", "the connection to %s broke: %v"
		if u, err := url.Parse(request.URL); err == nil && u.Host != "" {
			host = u.Host
		}
		if errors.As(err, &name) || errors.As(err, &operation) && (operation.Op == "dial" || operation.Op == "proxyconnect") {
			problem = "cannot reach %s: %v"
		}
		// The URL of an upload is as good as a password for it.
		return &messageError{fmt.Sprintf(problem, host, request.Err), err}
	}
	// gocloud's own layer names the key again. What it is about comes first.
	var layer interface {
		error
		Unwrap() []error
	}
	if !strings.HasPrefix(err.Error(), "blob (") || !errors.As(err, &layer) || len(layer.Unwrap()) == 0 || layer.Unwrap()[0] == nil {
		return err
	}
	return &messageError{layer.Unwrap()[0].Error(), err}
}

// refusedToken says why there will be no token for the credentials of GCS: they
// were withdrawn, or have expired. It is empty if that is not what went wrong.
func refusedToken(err error) string {
	var token *oauth2.RetrieveError
	if !errors.As(err, &token) || token.Response == nil || token.Response.StatusCode >= 500 || token.Response.StatusCode == http.StatusTooManyRequests {
		return ""
	}
	var reply struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	if json.Unmarshal(token.Body, &reply) != nil || reply.Error == "" {
		return token.Response.Status
	}
	return strings.TrimSpace(fmt.Sprintf("%s (%s)", strings.TrimSuffix(reply.Description, "."), reply.Error))
}

// Unauthenticated reports whether a client had no credentials, or was refused a token for
// those that it had.
func Unauthenticated(err error) bool { return noCredentials(err) || refusedToken(err) != "" }

// noCredentials reports whether S3's client found none to sign a request with;
// it has no type for that.
func noCredentials(err error) bool {
	return strings.Contains(err.Error(), "get identity: get credentials:")
}
