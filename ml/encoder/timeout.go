package encoder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Limits of Options that are zero.
const (
	defaultAnswerTimeout = 30 * time.Second
	defaultStallTimeout  = 30 * time.Second
)

// timeoutError is a server that keeps a connection open and sends nothing.
type timeoutError struct {
	what  string
	after time.Duration
}

func (e *timeoutError) Error() string { return fmt.Sprintf("%s for %v", e.what, e.after) }

// timeoutTransport is a transport that gives a server up which does not begin to answer, or
// stops in the middle of an answer. The time of the whole answer has no limit.
type timeoutTransport struct {
	next          http.RoundTripper
	answer, stall time.Duration
}

// RoundTrip ends with a *timeoutError when the answer's header does not come in time;
// connecting counts.
func (p *timeoutTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	timer := time.AfterFunc(p.answer, func() { cancel(&timeoutError{"the server does not answer", p.answer}) })
	resp, err := p.next.RoundTrip(req.WithContext(ctx))
	if !timer.Stop() && err == nil { // the timer ran while the header came
		resp.Body.Close()
		err = context.Cause(ctx)
	}
	if err != nil {
		err = timedOut(ctx, err)
		cancel(nil)
		return nil, err
	}
	body := &timeoutBody{ReadCloser: resp.Body, stall: p.stall, ctx: ctx, cancel: cancel}
	body.timer = time.AfterFunc(p.stall, func() {
		cancel(&timeoutError{"the server stopped in the middle of its answer and was silent", p.stall})
	})
	body.timer.Stop() // it runs only while somebody reads
	resp.Body = body
	return resp, nil
}

// timedOut is the reason for which ctx was cancelled, if that was a silent server.
func timedOut(ctx context.Context, err error) error {
	if e, ok := context.Cause(ctx).(*timeoutError); ok { //nolint:errorlint // given to cancel as it is
		return e
	}
	return err
}

// timeoutBody is an answer's body whose reads wait for a bounded time.
type timeoutBody struct {
	io.ReadCloser
	stall  time.Duration
	ctx    context.Context //nolint:containedctx // that of the request which the body belongs to
	cancel context.CancelCauseFunc
	timer  *time.Timer
}

// Read ends with a *timeoutError when no byte comes in time.
func (b *timeoutBody) Read(p []byte) (int, error) {
	b.timer.Reset(b.stall)
	n, err := b.ReadCloser.Read(p)
	b.timer.Stop()
	if err != nil && !errors.Is(err, io.EOF) {
		err = timedOut(b.ctx, err)
	}
	return n, err
}

// Close frees the connection.
func (b *timeoutBody) Close() error {
	b.timer.Stop()
	err := b.ReadCloser.Close()
	b.cancel(nil)
	return err
}
