// Package rest talks with registries by HTTP and JSON: with one account, for one host,
// trying again what may be repeated.
package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hashicorp/go-retryablehttp"
	"github.com/sprint-ml/sprint/jobs/httpclient"
	"github.com/sprint-ml/sprint/stages/redact"
)

// Options of New. The zero value asks without an account.
type Options struct {
	User, Secret string // a Secret without User is a token
	// Transport carries requests; nil is the default one.
	Transport http.RoundTripper
}

// Client asks one server. It is safe for concurrent use.
type Client struct {
	base          string
	authorization func(http.Header)
	http          *retryablehttp.Client
}

// What is read of an answer at most, in bytes: of one that refuses less, and then as a whole
// or not at all, as a cut could leave a piece of a secret that it repeats.
const (
	maxAnswer  = 16 << 20
	maxRefusal = 64 << 10
)

// maxMoves is how often the server may say that what is read is at another path.
const maxMoves = 3

// New makes the client of a server at a base address without a slash at its end. It asks
// nothing.
func New(base string, o Options) *Client {
	r := httpclient.New(httpclient.Options{Transport: o.Transport, Retries: 2, Least: 100 * time.Millisecond, Most: 10 * time.Second})
	c := &Client{base: base, http: r, authorization: func(http.Header) {}}
	switch {
	case o.User != "":
		c.authorization = func(h http.Header) { (&http.Request{Header: h}).SetBasicAuth(o.User, o.Secret) }
	case o.Secret != "":
		c.authorization = func(h http.Header) { h.Set("Authorization", "Bearer "+o.Secret) }
	}
	return c
}

// StatusError is an answer that is no success.
type StatusError struct {
	Status int
	Code   string // the server's word for it; empty if it has none
	Text   string
}

func (e *StatusError) Error() string {
	text := fmt.Sprintf("status %d %s", e.Status, http.StatusText(e.Status))
	if e.Code != "" {
		text += ", " + e.Code
	}
	if e.Text != "" {
		text += ": " + e.Text
	}
	return text
}

// Is reports whether an error is an answer with that status, or that word for it.
func Is(err error, status int, code string) bool {
	s, ok := errors.AsType[*StatusError](err)
	return ok && (s.Status == status || code != "" && s.Code == code)
}

// Body is what a request carries. Open is called for each try; whoever sends it closes it.
type Body struct {
	Type string
	Size int64 // bytes
	Open func() (io.ReadCloser, error)
}

// JSON is a body with a value.
func JSON(value any) (Body, error) {
	data, err := json.Marshal(value)
	return Bytes("application/json", data), err
}

// Bytes is a body of bytes.
func Bytes(mediaType string, data []byte) Body {
	return Body{Type: mediaType, Size: int64(len(data)), Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }}
}

// Do sends a request, and reads the answer into out, if that is not nil: into a *[]byte as it
// is, its header into a *http.Header, into another as JSON. Requests with a path go to the
// server with the account, those with a whole address, which the server gave, without it.
func (c *Client) Do(ctx context.Context, method, path string, header http.Header, body *Body, out any) error {
	var resp *http.Response
	for range maxMoves {
		var err error
		if resp, err = c.send(ctx, method, path, header, body); err != nil {
			return err
		}
		next, moved := c.moved(method, path, resp)
		if !moved {
			break
		}
		resp.Body.Close()
		path = next
	}
	defer resp.Body.Close()
	good, most := resp.StatusCode >= 200 && resp.StatusCode < 300, maxRefusal
	if good {
		most = maxAnswer
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, int64(most)+1))
	switch {
	case !good:
		return refusal(resp.StatusCode, data)
	case err != nil:
		return fmt.Errorf("the answer is cut off: %w", err)
	case len(data) > maxAnswer:
		return fmt.Errorf("an answer is over %d bytes", maxAnswer)
	}
	switch to := out.(type) {
	case nil:
		return nil
	case *[]byte:
		*to = data
		return nil
	case *http.Header:
		*to = resp.Header
		return nil
	}
	if err := json.Unmarshal(data, out); err != nil {
		return fmt.Errorf("the answer is not what was asked for: %w", err)
	}
	return nil
}

// Call is Do with a value as the request's body, if there is one, in JSON.
func (c *Client) Call(ctx context.Context, method, path string, in, out any) error {
	if in == nil {
		return c.Do(ctx, method, path, nil, nil, out)
	}
	body, err := JSON(in)
	if err != nil {
		return err
	}
	return c.Do(ctx, method, path, nil, &body, out)
}

// send sends a request. The caller closes the answer's body.
func (c *Client) send(ctx context.Context, method, path string, header http.Header, body *Body) (*http.Response, error) {
	address, own := path, strings.HasPrefix(path, "/")
	if own {
		address = c.base + path
	} else if err := c.checkGiven(path); err != nil {
		return nil, err
	}
	var content any
	if body != nil {
		content = retryablehttp.ReaderFunc(func() (io.Reader, error) {
			r, err := body.Open()
			if err != nil {
				return nil, err
			}
			return &sized{r, int(body.Size)}, nil
		})
	}
	req, err := httpclient.NewRequest(ctx, method, address, content)
	if err != nil {
		return nil, err
	}
	for name, values := range header {
		req.Header[name] = values
	}
	req.Header.Set("User-Agent", "sprint")
	if body != nil && body.Type != "" {
		req.Header.Set("Content-Type", body.Type)
	}
	if own {
		c.authorization(req.Header)
	}
	resp, err := c.http.Do(req)
	return resp, redact.WithoutAddress(err) // which may be one that was signed
}

// checkGiven refuses an address that the server gave and that is less safe than its own. It
// is not repeated: it may be one that was signed.
func (c *Client) checkGiven(address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http":
		return errors.New("the server gives no address of http or https to go on with")
	case u.Scheme == "http" && !strings.HasPrefix(c.base, "http://"):
		return errors.New("the server gives an address of http, and itself is asked by https")
	}
	return nil
}

// moved is the path to which the server moves what is read; it moves nothing to another host.
func (c *Client) moved(method, path string, resp *http.Response) (next string, ok bool) {
	if method != http.MethodGet || !strings.HasPrefix(path, "/") || resp.StatusCode != http.StatusTemporaryRedirect && resp.StatusCode != http.StatusFound {
		return "", false
	}
	to, err := resp.Location()
	if err != nil || to.User != nil || to.Fragment != "" {
		return "", false
	}
	next, ok = strings.CutPrefix(to.String(), c.base)
	return next, ok && strings.HasPrefix(next, "/")
}

// refusal reads what a server says of what it did not do.
func refusal(status int, data []byte) error {
	var said struct {
		Code    string `json:"error_code"`
		Message string `json:"message"`
		Error   string `json:"error"`
	}
	e := &StatusError{Status: status}
	if json.Unmarshal(data, &said) == nil {
		e.Code, e.Text = said.Code, said.Message+said.Error
	}
	return e
}

// sized is a body whose length is told before it is sent.
type sized struct {
	io.ReadCloser
	n int
}

func (s *sized) Len() int { return s.n }
