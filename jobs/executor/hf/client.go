package hf

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/sprint-ml/sprint/jobs/httpclient"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/redact"
)

// client talks JSON with the hub. It is safe for concurrent use.
type client struct {
	base  *url.URL
	token func() (string, error)
	http  *retryablehttp.Client
}

// maxAnswer bounds an answer of the hub.
const maxAnswer = 8 << 20

func newClient(base *url.URL, token func() (string, error)) *client {
	dial := &net.Dialer{Timeout: 15 * time.Second}
	r := httpclient.New(httpclient.Options{
		Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, DialContext: dial.DialContext, TLSHandshakeTimeout: 15 * time.Second,
			ResponseHeaderTimeout: time.Minute, MaxResponseHeaderBytes: 64 << 10, ForceAttemptHTTP2: true},
		Retries: 4, Least: 250 * time.Millisecond, Most: 20 * time.Second,
	})
	return &client{base: base, token: token, http: r}
}

// statusError is an answer that is no success.
type statusError struct{ status int }

func (e *statusError) Error() string { return fmt.Sprintf("status %d", e.status) }

// missing reports whether the hub knows no such thing.
func missing(err error) bool {
	s, ok := errors.AsType[*statusError](err)
	return ok && s.status == http.StatusNotFound
}

// do sends a request with body as JSON, and reads the answer into out, if that is not nil.
func (c *client) do(ctx context.Context, method, path string, body, out any) (http.Header, error) {
	resp, hide, err := c.send(ctx, method, path, body)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil:
		return nil, c.lose("the answer is cut off: %s", err)
	case len(data) > maxAnswer:
		return nil, c.lose("an answer is over %d bytes", maxAnswer)
	}
	if err := c.check(resp.StatusCode, hide.Bytes(data)); err != nil {
		return nil, err
	}
	if out != nil && json.Unmarshal(data, out) != nil {
		return nil, c.lose("the answer is no JSON of a job: %s", excerpt(hide.Bytes(data)))
	}
	return resp.Header, nil
}

// send sends a request, and returns with the answer what hides the token in it.
func (c *client) send(ctx context.Context, method, path string, body any) (*http.Response, *redact.Redactor, error) {
	token, err := c.token()
	if err != nil {
		return nil, nil, err
	}
	hide, err := redact.New(token)
	if err != nil {
		return nil, nil, err
	}
	var text []byte
	if body != nil {
		if text, err = json.Marshal(body); err != nil {
			return nil, nil, err
		}
	}
	req, err := httpclient.NewRequest(ctx, method, c.base.String()+path, text)
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("User-Agent", "sprint")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	switch {
	case ctx.Err() != nil:
		if err == nil {
			resp.Body.Close()
		}
		return nil, nil, context.Cause(ctx)
	case err != nil:
		return nil, nil, c.lose("it does not answer: %s", hide.String(redact.WithoutAddress(err).Error()))
	}
	return resp, hide, nil
}

func (c *client) lose(format string, args ...any) error {
	return stages.Lose(stages.CodeEnvironment, "check "+c.base.Host+" and run the same command again", "Hugging Face: "+format, args...)
}

// check sorts answers that are no success.
func (c *client) check(status int, data []byte) error {
	text := excerpt(data)
	switch {
	case status >= 200 && status < 300:
		return nil
	case status == http.StatusNotFound:
		return fmt.Errorf("%w", &statusError{status})
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return stages.Fail(stages.CodeEnvironment, "the token needs the right to start jobs in the namespace", "Hugging Face refuses the token: status %d: %s", status, text)
	case status == http.StatusPaymentRequired:
		return stages.Fail(stages.CodeEnvironment, "add credit to the namespace, or name another one", "Hugging Face asks for payment: %s", text)
	case status == http.StatusTooManyRequests || status == http.StatusRequestTimeout || status == http.StatusConflict || status >= 500:
		return c.lose("status %d: %s", status, text)
	case status >= 300 && status < 400:
		return stages.Fail(stages.CodeEnvironment, "give the final address in endpoint: the token is not sent to another one", "Hugging Face answers with a redirection")
	}
	return stages.Fail(stages.CodeEnvironment, "check flavor, image and namespace of the executor", "Hugging Face refuses: status %d: %s", status, text)
}

// next is the path of the next page of a list, if it is one of the same host.
func (c *client) next(h http.Header) string {
	for link := range strings.SplitSeq(h.Get("Link"), ",") {
		address, attributes, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(link), "<"), ">")
		if !ok || !strings.Contains(attributes, `rel="next"`) {
			continue
		}
		if u, err := c.base.Parse(address); err == nil && u.Host == c.base.Host && u.Scheme == c.base.Scheme {
			return u.RequestURI()
		}
	}
	return ""
}

// excerpt is the first line of a text, cut.
func excerpt(data []byte) string {
	line, _, _ := bytes.Cut(bytes.TrimSpace(data), []byte("\n"))
	return string(line[:min(len(line), 300)])
}
