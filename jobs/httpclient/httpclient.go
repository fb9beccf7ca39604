// Package httpclient makes clients of services that an account is for: they ask again only
// what may be repeated, and follow no redirection.
package httpclient

import (
	"context"
	"net/http"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// Options of New.
type Options struct {
	Transport   http.RoundTripper // nil is the default one
	Retries     int               // after the first try
	Least, Most time.Duration     // the wait before the first retry, and the longest one
}

// methodKey is the key of a request's method in its context.
type methodKey struct{}

// New makes a client. It returns the last answer whatever its status is, and does not follow
// redirections: the account is for one host.
//
// What a POST makes may be there although no answer came. It is asked again only where the
// server says that there were too many requests; else whoever asks looks for it first.
func New(o Options) *retryablehttp.Client {
	r := retryablehttp.NewClient()
	r.HTTPClient = &http.Client{
		Transport:     o.Transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	r.Logger, r.RetryMax, r.RetryWaitMin, r.RetryWaitMax = nil, o.Retries, o.Least, o.Most
	r.ErrorHandler = retryablehttp.PassthroughErrorHandler
	r.Backoff = func(least, most time.Duration, attempt int, resp *http.Response) time.Duration {
		return min(retryablehttp.DefaultBackoff(least, most, attempt, resp), most) // whatever Retry-After asks for
	}
	r.CheckRetry = func(ctx context.Context, resp *http.Response, err error) (bool, error) {
		if ctx.Value(methodKey{}) == http.MethodPost && (err != nil || resp.StatusCode != http.StatusTooManyRequests) {
			return false, err
		}
		return retryablehttp.DefaultRetryPolicy(ctx, resp, err)
	}
	return r
}

// NewRequest makes a request of whose method the client knows when it failed. The body is
// what retryablehttp takes, nil for none.
func NewRequest(ctx context.Context, method, address string, body any) (*retryablehttp.Request, error) {
	return retryablehttp.NewRequestWithContext(context.WithValue(ctx, methodKey{}, method), method, address, body)
}
