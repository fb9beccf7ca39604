package kubernetes

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/redact"
)

// api is a client of that part of the Kubernetes API which jobs need. The module
// k8s.io/client-go, which does this and much more, adds 9 ms to every start of a
// small program and 19 MB to its size: it registers the types of the whole API.
type api struct {
	*connection
	tries   int           // of a request that may be answered better later
	backoff time.Duration // before the second one; doubles
}

// The media types of what is sent.
const (
	mediaJSON  = "application/json"
	mediaMerge = "application/merge-patch+json"
)

// maxAnswer bounds what is read of one answer.
const maxAnswer = 32 << 20

// call is one request. Its path begins with /api or /apis.
type call struct {
	method, path string
	query        url.Values
	media        string // of body; JSON where it is empty
	body         any
	out          any
}

// do makes a call until it is answered, as often as the client tries.
func (a *api) do(ctx context.Context, c call) error {
	var err error
	for i := range a.tries {
		if i > 0 {
			if executor.Pause(ctx, a.pause(i, err)) != nil {
				return err
			}
		}
		err = a.once(ctx, c)
		if !transient(err) || ctx.Err() != nil {
			return err
		}
	}
	return err
}

// pause is how long to wait before a try: what the server asked for, else longer
// each time.
func (a *api) pause(try int, err error) time.Duration {
	if e, ok := errors.AsType[*apiError](err); ok && e.after > 0 {
		return min(e.after, 20*time.Second)
	}
	d := min(a.backoff<<(try-1), 10*time.Second)
	return d/2 + rand.N(d/2+1)
}

func (a *api) once(ctx context.Context, c call) error {
	answer, err := a.send(ctx, c)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return &apiError{verb: c.method, path: c.path, err: err}
	}
	if c.out == nil {
		return nil
	}
	if err := json.Unmarshal(data, c.out); err != nil {
		return &apiError{verb: c.method, path: c.path, code: answer.StatusCode, prose: true, message: excerpt(data)}
	}
	return nil
}

// send returns an answer of success, whose body the caller closes. A credential that
// was not taken is asked for anew, once.
func (a *api) send(ctx context.Context, c call) (*http.Response, error) {
	answer, err := a.sendAs(ctx, c)
	if e, ok := errors.AsType[*apiError](err); ok && e.code == http.StatusUnauthorized && a.auth.forget() {
		return a.sendAs(ctx, c)
	}
	return answer, err
}

func (a *api) sendAs(ctx context.Context, c call) (*http.Response, error) {
	var body io.Reader
	if c.body != nil {
		data, err := json.Marshal(c.body)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(data)
	}
	target := a.server.String() + c.path
	if len(c.query) > 0 {
		target += "?" + c.query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, c.method, target, body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		request.Header.Set("Content-Type", mediaJSON)
		if c.media != "" {
			request.Header.Set("Content-Type", c.media)
		}
	}
	request.Header.Set("Accept", mediaJSON+", */*")
	request.Header.Set("User-Agent", "sprint")
	if err := a.auth.sign(ctx, request); err != nil {
		return nil, &apiError{verb: c.method, path: c.path, err: err}
	}
	answer, err := a.client.Do(request)
	if err != nil {
		return nil, &apiError{verb: c.method, path: c.path, err: err}
	}
	if answer.StatusCode >= 300 {
		defer answer.Body.Close()
		data, _ := io.ReadAll(io.LimitReader(answer.Body, 1<<20)) // what came tells enough
		return nil, newAPIError(c, answer, data)
	}
	return answer, nil
}

// apiError is a call that was not done.
type apiError struct {
	verb, path string
	code       int           // HTTP's; 0 is no answer
	reason     string        // Kubernetes' word, AlreadyExists
	message    string        // its sentence
	prose      bool          // what answered is not Kubernetes
	after      time.Duration // the server's wish
	err        error
}

func newAPIError(c call, answer *http.Response, data []byte) *apiError {
	e := &apiError{verb: c.method, path: c.path, code: answer.StatusCode}
	var status struct {
		Kind    string `json:"kind"`
		Message string `json:"message"`
		Reason  string `json:"reason"`
	}
	if json.Unmarshal(data, &status) == nil && status.Kind == "Status" {
		e.message, e.reason = status.Message, status.Reason
	} else {
		e.prose, e.message = true, excerpt(data)
	}
	if seconds, err := strconv.Atoi(answer.Header.Get("Retry-After")); err == nil {
		e.after = time.Duration(seconds) * time.Second
	}
	return e
}

// excerpt is the beginning of what should have been an answer.
func excerpt(data []byte) string {
	text := strings.ToValidUTF8(firstLine(string(data[:min(len(data), 200)])), "?")
	return redact.URLs(text)
}

func (e *apiError) Error() string {
	where := "the Kubernetes API (" + e.verb + " " + e.path + ")"
	switch {
	case e.err != nil:
		return where + " did not answer: " + redact.URLs(e.err.Error())
	case e.prose:
		return fmt.Sprintf("%s answered %d with what is no answer of Kubernetes: %q", where, e.code, e.message)
	}
	return fmt.Sprintf("%s answered %d %s: %s", where, e.code, e.reason, e.message)
}

func (e *apiError) Unwrap() error { return e.err }

// is reports whether the API answered so.
func is(err error, code int) bool {
	e, ok := errors.AsType[*apiError](err)
	return ok && e.code == code && !e.prose
}

// transient reports whether the same call may be answered better later.
func transient(err error) bool {
	e, ok := errors.AsType[*apiError](err)
	if !ok {
		return false
	}
	if e.err != nil {
		return !unhealable(e.err)
	}
	switch e.code {
	case http.StatusUnauthorized:
		return false
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return e.prose
}

// unhealable reports whether a connection fails for a reason that stays.
func unhealable(err error) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return true
	}
	if _, ok := errors.AsType[*pluginError](err); ok {
		return true
	}
	// A timeout of the connection's own is a DeadlineExceeded too.
	return errors.Is(err, context.Canceled)
}

// sorted gives an error of the API its class and what to do.
func (a *api) sorted(err error) error {
	e, ok := errors.AsType[*apiError](err)
	if !ok {
		return err
	}
	fail := func(hint string) error { return stages.Fail(stages.CodeEnvironment, hint, "%w", err) }
	switch {
	case transient(err):
		return stages.Lose(stages.CodeEnvironment, "check that the cluster of context "+a.context+" is reached: `kubectl version`", "%w", err)
	case errors.Is(err, context.Canceled):
		return err
	case e.err != nil:
		return fail("check the context " + a.context + " with `kubectl version`")
	case e.code == http.StatusUnauthorized:
		return fail("renew the credentials of context " + a.context + "; `kubectl auth whoami` tries them")
	case e.code == http.StatusForbidden && strings.Contains(e.message, "exceeded quota"):
		return fail("wait until others' work is done, ask for less in `resources`, or have the quota of namespace " + a.namespace + " raised: `kubectl describe quota -n " + a.namespace + "`")
	case e.code == http.StatusForbidden:
		return fail("have the role of examples/kubernetes/rbac.yaml bound in namespace " + a.namespace + "; `kubectl auth can-i --list -n " + a.namespace + "` tells what is allowed")
	case e.code == http.StatusNotFound && strings.Contains(e.message, "namespaces"):
		return fail("let `namespace` of the executor name one that is there; `kubectl get namespaces` lists them")
	}
	return fail("check the options of the executor against what the API says")
}
