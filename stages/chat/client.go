// Package chat asks OpenAI-compatible endpoints, and keeps what was paid for.
//
// client.go asks one question at a time, kept.go keeps answers in the store, and batch.go
// buys many answers at once, for less money and after up to a day: batch_http.go is how an
// endpoint takes batches, batch_record.go what the store knows of those under way. Kinds
// import this package; it imports no kind.
package chat

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/redact"
)

// Limits of a request. An honest answer is a few kilobytes.
const (
	maxAnswer  = 1 << 20
	retries    = 5
	FirstPause = time.Second // before a request is tried again
	maxWait    = time.Minute // wait before another try, whatever Retry-After says
)

// Options say whom a Client asks.
type Options struct {
	Endpoint string        // name in the config
	Key      string        // reference to the endpoint's key; empty sends none
	Timeout  time.Duration // of one request
	Pause    time.Duration // before the first new try; 0 is FirstPause
}

// filesTimeout is the least time for a request about files and batches.
const filesTimeout = 10 * time.Minute

// Client asks an OpenAI-compatible endpoint. It is safe for concurrent use.
type Client struct {
	env  stages.Env
	name string // of the endpoint
	base *url.URL
	key  string
	hide *redact.Redactor // the key
	http *retryablehttp.Client
	// plain asks once, for files and batches; many rows may need longer than one.
	plain *http.Client
	// timeout is that of one request, pause the wait before the first new try.
	timeout, pause time.Duration

	mu      sync.Mutex
	calls   int
	in, out int64
}

// New resolves endpoint and key. It asks nothing.
func New(env stages.Env, o Options) (*Client, error) {
	address, ok := env.Endpoints[o.Endpoint]
	if !ok {
		return nil, stages.Fail(stages.CodeEnvironment, fmt.Sprintf("add `endpoints: {%s: https://host/v1}` to ~/.config/sprint/config.yaml, or set SPRINT_ENDPOINTS", o.Endpoint), "the config names no endpoint %q", o.Endpoint)
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.Fragment != "" || !plainQuery(u) {
		return nil, stages.Fail(stages.CodeEnvironment, "write it as https://host/v1; a key goes into http.key, by reference", "the address of endpoint %s cannot be used", o.Endpoint)
	}
	u.Path = strings.TrimSuffix(u.Path, "/")
	c := &Client{env: env, name: o.Endpoint, base: u, timeout: o.Timeout, pause: cmp.Or(o.Pause, FirstPause)}
	if o.Key != "" {
		if c.key, err = env.Secret(o.Key); err == nil && c.key == "" {
			err = errors.New("it is empty")
		}
		if err == nil {
			c.hide, err = redact.New(c.key)
		}
		if err != nil {
			return nil, stages.Fail(stages.CodeEnvironment, "set it where the stage runs, or change http.key", "the key of endpoint %s (%s) cannot be read: %w", o.Endpoint, o.Key, err)
		}
		if ip := net.ParseIP(u.Hostname()); u.Scheme == "http" && u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
			env.Log.Warn("the endpoint is not https: its key crosses the network in clear", "endpoint", o.Endpoint)
		}
	}
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse } // the key is for this host alone
	c.plain = &http.Client{Timeout: max(o.Timeout, filesTimeout), Transport: transport(), CheckRedirect: stay}
	r := retryablehttp.NewClient()
	r.HTTPClient = &http.Client{
		Timeout:       o.Timeout,
		Transport:     &bufferedTransport{inner: transport(), endpoint: c.name, hide: c.hide},
		CheckRedirect: stay,
	}
	r.Logger = nil
	r.RetryMax, r.RetryWaitMin, r.RetryWaitMax = retries, c.pause, maxWait
	r.Backoff = func(least, most time.Duration, attempt int, resp *http.Response) time.Duration {
		return min(retryablehttp.DefaultBackoff(least, most, attempt, resp), most)
	}
	r.CheckRetry = c.checkRetry
	r.ErrorHandler = retryablehttp.PassthroughErrorHandler
	c.http = r
	return c, nil
}

func transport() *http.Transport {
	dial := &net.Dialer{Timeout: 15 * time.Second}
	return &http.Transport{Proxy: http.ProxyFromEnvironment, DialContext: dial.DialContext, TLSHandshakeTimeout: 15 * time.Second, MaxResponseHeaderBytes: 64 << 10, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 64}
}

// at is the address of a path of the endpoint.
func (c *Client) at(path string) string {
	u := *c.base
	u.Path += path
	return u.String()
}

// plainQuery allows what some endpoints want in every address, and no more: an
// address is stored with runs, so it must not hold a key.
func plainQuery(u *url.URL) bool {
	for name := range u.Query() {
		if name != "api-version" {
			return false
		}
	}
	return true
}

// Usage returns the answers that this attempt paid for, and their tokens.
func (c *Client) Usage() (calls int, in, out int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls, c.in, c.out
}

// checkRetry decides which failures another try may heal.
func (c *Client) checkRetry(ctx context.Context, resp *http.Response, err error) (bool, error) {
	var refused *stages.Failure
	switch {
	case ctx.Err() != nil:
		return false, ctx.Err()
	case ctx.Value(stopKey{}).(context.Context).Err() != nil:
		return false, err
	case errors.As(err, &refused):
		return false, err
	case err == nil && resp.StatusCode == http.StatusOK:
		return false, nil
	}
	var reason string
	if err != nil {
		reason = redact.WithoutAddress(err).Error()
	} else {
		reason = resp.Status
	}
	c.env.Log.Info("asking again", "endpoint", c.name, "reason", reason)
	return true, nil
}

// stopKey is the key of the context that ends further tries.
type stopKey struct{}

// grace is how long a request under way may last after a stop: its answer is
// paid for.
const grace = 10 * time.Second

// withGrace is a context that outlives ctx by the grace time.
func withGrace(ctx context.Context) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithValue(context.WithoutCancel(ctx), stopKey{}, ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(grace, cancel) })
	return longer, func() { stop(); cancel() }
}

// Ask sends a request and returns the completion.
func (c *Client) Ask(ctx context.Context, body []byte) (Answer, error) {
	if c.env.Offline {
		return Answer{}, stages.Fail(stages.CodeEnvironment, "run without --offline, or remove http from source", "not all answers are kept in the store, and --offline forbids to ask endpoint %s", c.name)
	}
	if ctx.Err() != nil {
		return Answer{}, context.Cause(ctx)
	}
	longer, done := withGrace(ctx)
	defer done()
	req, err := retryablehttp.NewRequestWithContext(longer, http.MethodPost, c.at("/chat/completions"), body)
	if err != nil {
		return Answer{}, fmt.Errorf("request to endpoint %s: %w", c.name, err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "sprint")
	if c.key != "" {
		req.Header.Set("Authorization", "Bearer "+c.key)
	}
	resp, err := c.http.Do(req)
	if err == nil {
		defer resp.Body.Close()
		var data []byte
		if data, err = io.ReadAll(resp.Body); err == nil && resp.StatusCode != http.StatusOK {
			err = fmt.Errorf("status %s: %s", resp.Status, Excerpt(string(data)))
		}
		if err == nil {
			return c.read(data)
		}
	}
	var refused *stages.Failure
	switch {
	case ctx.Err() != nil:
		return Answer{}, context.Cause(ctx)
	case errors.As(err, &refused):
		return Answer{}, refused
	}
	return Answer{}, stages.Lose(stages.CodeEnvironment, "check the endpoint and run the same command again: answers so far are kept", "endpoint %s does not answer, after %d tries: %w", c.name, retries+1, redact.WithoutAddress(err))
}

// completion is the part of a chat completion that is used.
type completion struct {
	Choices []struct {
		Message struct {
			Content *string `json:"content"`
		} `json:"message"`
	} `json:"choices"`
	Usage struct {
		In  int64 `json:"prompt_tokens"`
		Out int64 `json:"completion_tokens"`
	} `json:"usage"`
}

// read takes a completion that bufferedTransport has checked.
func (c *Client) read(data []byte) (Answer, error) {
	var got completion
	if err := json.Unmarshal(data, &got); err != nil {
		return Answer{}, err
	}
	a := c.take(&got)
	c.count(a)
	return a, nil
}

// take is the answer in a completion that has a choice.
func (c *Client) take(got *completion) Answer {
	a := Answer{TokensIn: max(got.Usage.In, 0), TokensOut: max(got.Usage.Out, 0)}
	if content := got.Choices[0].Message.Content; content != nil {
		a.Content = c.hide.String(*content) // which may be JSON in JSON
	}
	return a
}

func (c *Client) count(a Answer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls++
	c.in, c.out = c.in+a.TokensIn, c.out+a.TokensOut
}

// bufferedTransport reads the whole answer within the caps, so that a cut or huge
// one is a failed try like any other, and sorts what is no completion. Nothing that it
// returns repeats the key: answers are kept, and errors shown.
type bufferedTransport struct {
	inner    http.RoundTripper
	endpoint string
	hide     *redact.Redactor
}

func (t *bufferedTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.inner.RoundTrip(req)
	if err != nil {
		if told := t.hide.String(err.Error()); told != err.Error() { // it quotes what is no HTTP
			err = errors.New(told)
		}
		return nil, err
	}
	resp.Status = t.hide.String(resp.Status)
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, errors.New("the answer is cut off: " + err.Error())
	case len(data) > maxAnswer:
		return nil, fmt.Errorf("the answer is over %d bytes", maxAnswer)
	}
	data = t.hide.Bytes(data)
	if err := t.classify(resp.StatusCode, data); err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(data))
	return resp, nil
}

// classify passes completions and what is worth another try: an error that is no
// Failure is asked again. It refuses the rest.
func (t *bufferedTransport) classify(status int, data []byte) error {
	if status == http.StatusOK {
		var got completion
		if json.Unmarshal(data, &got) != nil || len(got.Choices) == 0 {
			return errors.New("the answer is no chat completion: " + Excerpt(string(data)))
		}
		return nil
	}
	return refusal(t.endpoint, status, data)
}

// refusal sorts an answer that is not what was asked for; nil is worth another try.
func refusal(endpoint string, status int, data []byte) error {
	code, why := stages.CodeEnvironment, fmt.Sprintf("status %d: %s", status, Excerpt(string(data)))
	var hint string
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusPaymentRequired:
		hint = "check http.key and what it may do"
	case bytes.Contains(data, []byte("insufficient_quota")):
		hint = "the account has no credit left; answers so far are kept"
	case status == http.StatusTooManyRequests, status == http.StatusRequestTimeout, status == http.StatusConflict, status >= 500:
		return nil // the status tells; Retry-After is honoured
	case status >= 300 && status < 400:
		hint, why = "give the final address in endpoints: the key is not sent to another one", fmt.Sprintf("status %d, a redirection", status)
	default:
		code, hint = stages.CodePlan, "check http.model and http.format, or the endpoint's address"
	}
	return stages.Fail(code, hint, "endpoint %s refuses: %s", endpoint, why)
}

// Excerpt quotes the beginning of a text from outside.
func Excerpt(s string) string {
	runes := []rune(strings.ToValidUTF8(s, "\uFFFD"))
	if len(runes) > 80 {
		return fmt.Sprintf("%q...", string(runes[:80]))
	}
	return fmt.Sprintf("%q", string(runes))
}
