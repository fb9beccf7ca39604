package mirrortest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// downTransport is the way to a registry that does not answer.
type downTransport struct{}

func (downTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	closeBody(r)
	return nil, errors.New("connection refused")
}

// slowTransport is the way to a registry that takes a request and says nothing.
type slowTransport struct{}

func (slowTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	defer closeBody(r)
	<-r.Context().Done()
	return nil, context.Cause(r.Context())
}

// refusing answers every request with a status.
type refusing struct{ status int }

func (f refusing) RoundTrip(r *http.Request) (*http.Response, error) {
	closeBody(r)
	return &http.Response{StatusCode: f.status, Status: fmt.Sprint(f.status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader("{}")), Request: r}, nil
}

// killer ends the work on a mirror at a request, as a kill does: what is on its way when it
// comes may be done there or not.
type killer struct {
	at        int // the request, from 1; 0 is none
	delivered bool
	kill      context.CancelFunc

	mu sync.Mutex
	n  int
}

func (k *killer) RoundTrip(r *http.Request) (*http.Response, error) {
	k.mu.Lock()
	k.n++
	now := k.n
	k.mu.Unlock()
	if k.at == 0 || now < k.at {
		return http.DefaultTransport.RoundTrip(r)
	}
	if now == k.at && k.delivered {
		if resp, err := http.DefaultTransport.RoundTrip(r); err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
	} else {
		closeBody(r)
	}
	k.kill()
	return nil, context.Canceled
}

func (k *killer) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.n
}

// closeBody is what a transport owes a request.
func closeBody(r *http.Request) {
	if r.Body != nil {
		r.Body.Close()
	}
}

func digits(status int) string { return strconv.Itoa(status) }
