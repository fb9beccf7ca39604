// Package serve answers over HTTP: POST /v1/classify, the protocols of others, and what an
// orchestrator asks a service for, /healthz, /readyz and /metrics.
//
//   - serve.go: the server, its life and its end
//   - routes.go: which path is whose, and who may ask
//   - classify.go, infer.go, predict.go: sprint's own requests, KServe's, and those of Text
//     Embeddings Inference
//   - models.go: what is known of the model; page.go: a page to try it
//   - refusal.go: limits, and what those are told that are not answered
//   - metrics.go: what is counted
//
// Below it: access (who may ask), body (requests read within bounds), batch (requests
// gathered for the model), reload (the model that answers, and the next one), kserve and
// tei (shapes of the protocols), metrics (Prometheus' text).
package serve

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/sprint-ml/sprint/jobs/serve/access"
	"github.com/sprint-ml/sprint/jobs/serve/batch"
	"github.com/sprint-ml/sprint/jobs/serve/body"
	"github.com/sprint-ml/sprint/jobs/serve/reload"
)

// Options say who may ask, what, and for how long.
type Options struct {
	// Hosts are names by which clients reach the server, beside the loopback's and
	// the address that a client is connected to.
	Hosts []string
	// Tokens are demanded as bearer tokens; nil demands none.
	Tokens *access.Tokens
	// AllowKeywords lets /readyz be 200 while keywords answer in the place of the model.
	AllowKeywords bool
	Limits        Limits
	// Timeout is how long a request may wait for its answer once it was read, 30 s if 0.
	Timeout time.Duration
	// Delay is how long the server still takes requests when it is asked to end, not ready
	// any more, so that those who ask /readyz leave first.
	Delay time.Duration
	// Drain is how long open requests may take after that, 10 s if 0.
	Drain time.Duration
	// TLS is nil for plain HTTP.
	TLS *tls.Config
	// AccessLog has a line for each request; nil: none. LogTexts shows the texts too.
	AccessLog *slog.Logger
	LogTexts  bool
	// Version of the program, for those who ask /info.
	Version string
}

// Server answers the paths of the API.
type Server struct {
	o        Options
	keeper   *reload.Keeper
	batches  batch.Options
	m        *counts
	budget   body.Budget
	ready    atomic.Bool
	draining atomic.Bool
	open     atomic.Int64 // requests that are being read or answered
}

// Open opens the model and makes its server. The caller calls Serve, then Close.
func Open(ctx context.Context, o Options, model reload.Options) (*Server, error) {
	o.Limits.fill()
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	if o.Drain == 0 {
		o.Drain = 10 * time.Second
	}
	s := &Server{o: o, budget: body.Budget{Max: maxHeld}, batches: model.Batch.Filled()}
	s.m = s.newCounts()
	model.Answered = func(m *reload.Model, b batch.Batch) { s.m.batch(m, b) }
	var err error
	s.keeper, err = reload.Open(ctx, model)
	return s, err
}

// Close frees the model when its last request is answered.
func (s *Server) Close() { s.keeper.Close() }

// Time limits of a connection. A client that is slow to send is cut; one that is slow to
// read is, too, when its answer was due.
const (
	headerTime = 5 * time.Second
	bodyTime   = 30 * time.Second
	idleTime   = 2 * time.Minute
	maxHeader  = 16 << 10
)

// Serve answers on a listener until the context ends, then lets open requests end.
// Listening is told once requests are taken.
func (s *Server) Serve(ctx context.Context, l net.Listener, listening func()) error {
	h := &http.Server{
		Handler: s.Handler(), TLSConfig: s.o.TLS, ReadHeaderTimeout: headerTime, ReadTimeout: bodyTime, WriteTimeout: bodyTime + s.o.Timeout + headerTime,
		IdleTimeout: idleTime, MaxHeaderBytes: maxHeader,
		// What clients do wrong below HTTP is told to nobody: anyone could fill the log.
		ErrorLog: log.New(io.Discard, "", 0),
	}
	watching, stop := context.WithCancel(ctx)
	watched := make(chan struct{})
	go func() { defer close(watched); s.keeper.Watch(watching) }()
	defer func() { stop(); <-watched }()
	s.ready.Store(true)
	listening()
	end := make(chan error, 1)
	go func() {
		if s.o.TLS != nil {
			end <- h.ServeTLS(l, "", "")
			return
		}
		end <- h.Serve(l)
	}()
	select {
	case err := <-end:
		return err
	case <-ctx.Done():
	}
	// Answers tell clients from now on to come by another connection. Idle ones stay until no
	// requests are taken: one that is closed while a request is under way fails it.
	s.draining.Store(true)
	time.Sleep(s.o.Delay)
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.o.Drain)
	defer cancel()
	err := h.Shutdown(grace)
	if errors.Is(err, context.DeadlineExceeded) {
		_ = h.Close()
		return fmt.Errorf("requests were still open after %v and were cut: %w", s.o.Drain, err)
	}
	return err
}
