package fetch

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/redact"
)

// Limits of one request. An honest page is about 120 kB.
const (
	maxBody      = 16 << 20
	maxInflation = 200
	headerWait   = 30 * time.Second
	idleWait     = 20 * time.Second
	totalWait    = 2 * time.Minute
	maxTries     = 6
	firstBackoff = 15 * time.Second
	lastBackoff  = 5 * time.Minute
)

// The classes of a failed request.
type (
	// refusedError: GDELT will never take this query.
	refusedError struct{ text string }
	// passingError: asked too often, the server is ill, or the answer is cut or
	// garbled. Back off and ask again.
	passingError struct{ text string }
)

func (e *refusedError) Error() string { return "refused: " + e.text }
func (e *passingError) Error() string { return e.text }

func throttled(text string) error { return &passingError{"throttled: " + text} }
func broken(err error) error      { return &passingError{"broken answer: " + err.Error()} }

// client asks GDELT with the manners that it demands.
type client struct {
	reached atomic.Bool
	env     stages.Env
	http    *retryablehttp.Client
	clock   *pacer
}

func newClient(env stages.Env, clock *pacer) *client {
	c := &client{env: env, clock: clock}
	dial := &net.Dialer{Timeout: 15 * time.Second}
	inner := &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: dial.DialContext, TLSHandshakeTimeout: 15 * time.Second,
		ResponseHeaderTimeout: headerWait, DisableCompression: true, MaxResponseHeaderBytes: 64 << 10, ForceAttemptHTTP2: true,
	}
	r := retryablehttp.NewClient()
	r.HTTPClient = &http.Client{Transport: &pacedTransport{inner: inner, clock: c.clock, reached: &c.reached}, CheckRedirect: sameServer}
	r.Logger = nil
	r.RetryMax = maxTries - 1
	r.CheckRetry = c.checkRetry
	r.Backoff = c.backoff
	r.ErrorHandler = retryablehttp.PassthroughErrorHandler
	c.http = r
	return c
}

// once makes the client ask a single time.
func (c *client) once() {
	c.http.RetryMax = 0
	c.http.CheckRetry = func(_ context.Context, _ *http.Response, err error) (bool, error) { return false, err }
}

// sameServer follows a few redirects at the server that was asked, or from there to its
// TLS: none to another host or port, and none out of TLS.
func sameServer(req *http.Request, via []*http.Request) error {
	from, to := via[0].URL, req.URL
	same := to.Scheme == from.Scheme && port(to) == port(from)
	upgrade := from.Scheme == "http" && to.Scheme == "https" && port(from) == "80" && port(to) == "443"
	if len(via) > maxRedirects || to.Hostname() != from.Hostname() || !same && !upgrade {
		return &refusedError{"redirected to " + to.Redacted()}
	}
	return nil
}

const maxRedirects = 2

func port(u *url.URL) string {
	return cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
}

// get returns the body of a good answer.
func (c *client) get(ctx context.Context, address string) ([]byte, error) {
	req, err := retryablehttp.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("gdelt request: %w", err)
	}
	req.Header.Set("User-Agent", userAgent)
	req.Header.Set("Accept-Encoding", "gzip")
	resp, err := c.http.Do(req)
	if err == nil {
		defer resp.Body.Close()
		return io.ReadAll(resp.Body)
	}
	var refused *refusedError
	var passing *passingError
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.As(err, &refused):
		return nil, stages.Fail(stages.CodePlan, "mend the options below gdelt", "GDELT says: %s", refused.text)
	case errors.As(err, &passing):
		return nil, err
	}
	return nil, stages.Lose(stages.CodeEnvironment, "Check the network and run the same command again: finished windows are kept. Without a network use source: files.", "GDELT cannot be reached: %w", redact.WithoutAddress(err))
}

// checkRetry decides which failures another try may heal.
func (c *client) checkRetry(ctx context.Context, _ *http.Response, err error) (bool, error) {
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if _, refused := errors.AsType[*refusedError](err); err == nil || refused {
		return false, err
	}
	// Before the first answer a failed dial means no network or a wrong address:
	// the plan's own retries are soon enough, a user is waiting.
	if op, ok := errors.AsType[*net.OpError](err); ok && (op.Op == "dial" || op.Op == "proxyconnect") && !c.reached.Load() {
		return false, err
	}
	c.env.Log.Warn("gdelt: asking again", slog.String("error", redact.WithoutAddress(err).Error()))
	return true, nil
}

// backoff does not wait itself: it holds the clock that all processes of the
// machine share, and the next try waits for it like any request.
func (c *client) backoff(_, _ time.Duration, attempt int, resp *http.Response) time.Duration {
	d := min(firstBackoff<<attempt, lastBackoff)
	if err := c.clock.delay(d); err != nil {
		return d
	}
	return 0
}

// pacedTransport waits for its turn, reads the whole answer within the limits,
// and turns bad answers into errors, also those that come with status 200.
type pacedTransport struct {
	inner   http.RoundTripper
	clock   *pacer
	reached *atomic.Bool // set by the first answer
}

func (t *pacedTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := t.clock.wait(req.Context()); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(req.Context(), totalWait, errors.New("no answer within "+totalWait.String()))
	defer cancel()
	resp, err := t.inner.RoundTrip(req.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	t.reached.Store(true)
	defer resp.Body.Close()
	if resp.StatusCode >= 300 && resp.StatusCode < 400 {
		resp.Body = http.NoBody
		return resp, nil
	}
	body, err := readBody(resp, cancel)
	if err != nil {
		return nil, broken(err)
	}
	if err := classify(resp.StatusCode, body); err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	resp.Header.Del("Content-Encoding")
	return resp, nil
}

// readBody reads and inflates an answer within the caps; a gap of idleWait
// between two reads cancels it.
func readBody(resp *http.Response, cancel context.CancelFunc) ([]byte, error) {
	idle := time.AfterFunc(idleWait, cancel)
	defer idle.Stop()
	packed, err := io.ReadAll(io.LimitReader(&idleReader{resp.Body, idle}, maxBody+1))
	if err != nil {
		return nil, err
	}
	if len(packed) > maxBody {
		return nil, fmt.Errorf("over %d bytes", maxBody)
	}
	if !strings.EqualFold(resp.Header.Get("Content-Encoding"), "gzip") {
		return packed, nil
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	limit := min(maxBody, maxInflation*len(packed))
	body, err := io.ReadAll(io.LimitReader(z, int64(limit)+1))
	if err == nil && len(body) > limit {
		err = fmt.Errorf("inflates to over %d bytes", limit)
	}
	return body, err
}

type idleReader struct {
	r    io.Reader
	idle *time.Timer
}

func (t *idleReader) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	t.idle.Reset(idleWait)
	return n, err
}

// refusals are what GDELT answers to queries that it will never take.
var refusals = []string{
	"too short or too long", "timespan is too short", "invalid/unsupported", "or'd terms must be surrounded",
	"parentheses may only be used", "phrase too short", "phrase is too short", "keyword is too", "keywords that are too",
	"no such", "unknown", "invalid",
}

// classify accepts JSON and sorts everything else by its text.
func classify(status int, body []byte) error {
	text := plainText(body)
	low := strings.ToLower(text)
	switch {
	case status == http.StatusTooManyRequests || strings.Contains(low, "limit requests"):
		return throttled(text)
	case status == 200 && bytes.HasPrefix(bytes.TrimSpace(body), []byte("{")):
		if !bytes.HasSuffix(bytes.TrimSpace(body), []byte("}")) {
			return broken(io.ErrUnexpectedEOF)
		}
		return nil
	case status >= 500 || status == http.StatusRequestTimeout:
		return throttled(fmt.Sprintf("status %d: %s", status, text))
	}
	for _, r := range refusals {
		if strings.Contains(low, r) {
			return &refusedError{text}
		}
	}
	if status >= 400 {
		return &refusedError{fmt.Sprintf("status %d: %s", status, text)}
	}
	if text == "" {
		return broken(io.ErrUnexpectedEOF)
	}
	return throttled(text) // an unknown text: perhaps a passing fault
}

// plainText is the text of an answer without tags, short enough for a message.
func plainText(body []byte) string {
	var b strings.Builder
	in := false
	for _, r := range strings.ToValidUTF8(string(body[:min(len(body), 4096)]), "") {
		switch {
		case r == '<':
			in = true
		case r == '>':
			in = false
		case !in && r >= ' ':
			b.WriteRune(r)
		case !in:
			b.WriteByte(' ')
		}
	}
	text := []rune(strings.Join(strings.Fields(b.String()), " "))
	return string(text[:min(len(text), 300)])
}

// userAgent names us: asks without a User-Agent are throttled more.
const userAgent = "sprint (news classifier training; https://github.com/sprint-ml/sprint)"
