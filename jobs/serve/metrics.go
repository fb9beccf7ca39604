package serve

import (
	"net/http"
	"strconv"
	"time"

	"github.com/sprint-ml/sprint/jobs/serve/access"
	"github.com/sprint-ml/sprint/jobs/serve/batch"
	"github.com/sprint-ml/sprint/jobs/serve/metrics"
	"github.com/sprint-ml/sprint/jobs/serve/reload"
)

// Upper bounds of the ranges that are counted: seconds, and texts of a batch.
var (
	seconds = []float64{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30}
	sizes   = []float64{1, 2, 4, 8, 16, 32, 64, 128, 256}
)

// counts is what a server counts. Labels come from the server alone, never from clients.
type counts struct {
	set      metrics.Set
	requests metrics.Counter   // by route and status
	latency  metrics.Histogram // by route
	read     metrics.Counter
	texts    metrics.Counter   // by source and model
	waited   metrics.Histogram // by source and model
	size     metrics.Histogram
	tokens   metrics.Counter
	busy     metrics.Histogram
}

func (s *Server) newCounts() *counts {
	c := &counts{}
	by := []string{"source", "model"}
	c.requests = c.set.Counter("sprint_requests_total", "Requests that were answered.", "route", "status")
	c.latency = c.set.Histogram("sprint_request_seconds", "From a request's header to the end of its answer.", seconds, "route")
	c.read = c.set.Counter("sprint_read_bytes_total", "Bytes of bodies that were read.")
	c.texts = c.set.Counter("sprint_texts_total", "Texts that were answered.", by...)
	c.waited = c.set.Histogram("sprint_queue_seconds", "How long requests waited before the model had all their texts.", seconds, by...)
	c.size = c.set.Histogram("sprint_batch_texts", "Texts of a batch that the model was asked at once.", sizes, by...)
	c.tokens = c.set.Counter("sprint_tokens_total", "Tokens that the model was asked.", by...)
	c.busy = c.set.Histogram("sprint_batch_seconds", "How long the model took for a batch.", seconds, by...)
	c.set.Gauge("sprint_requests_in_flight", "Requests that are being read or answered.", nil, func(set func(float64, ...string)) { set(float64(s.open.Load())) })
	c.set.Gauge("sprint_held_bytes", "Bytes that open requests hold.", nil, func(set func(float64, ...string)) { set(float64(s.budget.Held())) })
	c.set.Gauge("sprint_queue_texts", "Texts that wait for the model.", nil, func(set func(float64, ...string)) {
		m, done := s.keeper.Use()
		defer done()
		set(float64(m.Waiting()))
	})
	c.set.Gauge("sprint_ready", "1 if the server is ready.", nil, func(set func(float64, ...string)) {
		_, ready := s.readiness()
		set(float(ready))
	})
	c.set.Gauge("sprint_model_info", "The model that answers.", []string{"model", "digest", "source"}, func(set func(float64, ...string)) {
		m, done := s.keeper.Use()
		defer done()
		set(1, m.String(), m.Digest, m.Source())
	})
	c.set.Gauge("sprint_model_swaps", "How often another release was put in its place.", nil, func(set func(float64, ...string)) {
		set(float64(s.keeper.Status().Swaps))
	})
	c.set.Gauge("sprint_model_refused", "1 under the release that is named and cannot answer.", []string{"model", "digest"}, func(set func(float64, ...string)) {
		if f := s.keeper.Status().Refused; f != nil {
			set(1, f.Release.String(), f.Release.Digest)
		}
	})
	c.set.Gauge("sprint_store_reachable", "1 if the store said last time which release to serve.", nil, func(set func(float64, ...string)) {
		set(float(s.keeper.Status().Unreachable == ""))
	})
	return c
}

func float(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// request counts a request that was answered. What no path is for has no route.
func (c *counts) request(r *http.Request, a *access.Answer, took time.Duration) {
	c.requests.Add(1, r.Pattern, strconv.Itoa(a.Status))
	c.latency.Observe(took.Seconds(), 1, r.Pattern)
}

// batch counts a batch that was answered.
func (c *counts) batch(m *reload.Model, b batch.Batch) {
	c.size.Observe(float64(b.Texts), 1, m.Source(), m.String())
	c.tokens.Add(float64(b.Tokens), m.Source(), m.String())
	c.busy.Observe(b.Took.Seconds(), 1, m.Source(), m.String())
}

// metrics answers GET /metrics.
func (s *Server) metrics(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	_ = s.m.set.Write(w) // a client that left
}
