// Package serve answers over HTTP: POST /v1/classify, and what an orchestrator
// asks a service for, /healthz, /readyz and /metrics.
//
//   - serve.go: the server and its answers
//   - request.go: a request read within the bounds of memory
//   - guard.go: who may ask
package serve

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sprint-ml/sprint/jobs/answers"
	"github.com/sprint-ml/sprint/ml/classify"
	"github.com/sprint-ml/sprint/stages/rows/titles"
)

// Server answers the paths of the API.
type Server struct {
	c                    *classify.Classifier
	options              Options
	slots                chan struct{} // of requests in flight
	held                 atomic.Int64  // bytes that they hold
	ready                atomic.Bool
	requests, bad, texts atomic.Int64
	decoded, read        atomic.Int64 // instances, and bytes of bodies
	busy                 atomic.Int64 // nanoseconds spent answering
}

// Handler serves the paths of the API. Whether it lives and is ready it tells
// everybody: an orchestrator asks by whatever name, without a token.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /v1/classify", s.guard(s.classify))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !s.ready.Load() {
			http.Error(w, "not ready", http.StatusServiceUnavailable)
			return
		}
		if s.options.Fallback != nil {
			if !s.options.AllowKeywords {
				http.Error(w, "degraded: keywords answer, the model cannot be loaded", http.StatusServiceUnavailable)
				return
			}
			fmt.Fprintln(w, "ok: keywords answer")
			return
		}
		fmt.Fprintln(w, "ok")
	})
	mux.Handle("GET /metrics", s.guard(s.metrics))
	return mux
}

func (s *Server) fail(w http.ResponseWriter, code int, message string) {
	s.bad.Add(1)
	if code == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": message})
}

// classify answers a request, if there is room for it.
func (s *Server) classify(w http.ResponseWriter, r *http.Request) {
	s.requests.Add(1)
	if !isJSON(r.Header) {
		s.fail(w, http.StatusUnsupportedMediaType, "send JSON as it is, with the header Content-Type: application/json")
		return
	}
	body := http.MaxBytesReader(w, r.Body, maxBody)
	asked := newRequest(body, &s.held)
	defer asked.release()
	err := asked.decode()
	s.read.Add(asked.read)
	s.decoded.Add(int64(len(asked.list)))
	if err != nil {
		asked.release()
		// A client that is still sending would not see the answer.
		_, _ = io.Copy(io.Discard, body)
		status, message := refusal(err)
		s.fail(w, status, message)
		return
	}
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	default:
		s.fail(w, http.StatusServiceUnavailable, fmt.Sprintf("%d requests are being answered; try again", maxInFlight))
		return
	}
	s.answer(w, r, asked.list, asked.single)
}

// answer answers about instances in their order.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, list []instance, single bool) {
	out := make([]any, len(list))
	var texts []classify.Text
	for i, in := range list {
		if strings.TrimSpace(in.Title) == "" {
			if single {
				s.fail(w, http.StatusUnprocessableEntity, "no title")
				return
			}
			out[i] = answers.BadRow{ID: in.ID, URL: in.URL, Error: "no title"}
			continue
		}
		texts = append(texts, classify.Text{Title: titles.Normalize(in.Title), Description: in.Description, Language: in.Language})
	}
	began := time.Now()
	found, err := s.c.Classify(r.Context(), texts, r.URL.Query().Get("all") == "true")
	s.busy.Add(int64(time.Since(began)))
	s.texts.Add(int64(len(texts)))
	if err != nil {
		s.fail(w, http.StatusInternalServerError, "the model failed: "+err.Error())
		return
	}
	for i, in := range list {
		if out[i] != nil {
			continue
		}
		answer := found[0]
		found = found[1:]
		if answer.Problem == "" {
			out[i] = answers.Answer{ID: in.ID, URL: in.URL, Answer: answer}
			continue
		}
		if single {
			s.fail(w, http.StatusInternalServerError, answer.Problem)
			return
		}
		out[i] = answers.BadRow{ID: in.ID, URL: in.URL, Error: answer.Problem}
	}
	var reply any = map[string]any{"predictions": out}
	if single {
		reply = out[0]
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(reply)
}

// metrics writes Prometheus' text format, version 0.0.4.
func (s *Server) metrics(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	source := classify.SourceKeywords
	if s.c.Model != nil {
		source = classify.SourceModel
	}
	fmt.Fprintf(w, "# TYPE sprint_requests_total counter\nsprint_requests_total %d\n", s.requests.Load())
	fmt.Fprintf(w, "# TYPE sprint_bad_requests_total counter\nsprint_bad_requests_total %d\n", s.bad.Load())
	fmt.Fprintf(w, "# TYPE sprint_read_bytes_total counter\nsprint_read_bytes_total %d\n", s.read.Load())
	fmt.Fprintf(w, "# TYPE sprint_decoded_instances_total counter\nsprint_decoded_instances_total %d\n", s.decoded.Load())
	fmt.Fprintf(w, "# TYPE sprint_requests_in_flight gauge\nsprint_requests_in_flight %d\n", len(s.slots))
	fmt.Fprintf(w, "# TYPE sprint_held_bytes gauge\nsprint_held_bytes %d\n", s.held.Load())
	fmt.Fprintf(w, "# TYPE sprint_texts_total counter\nsprint_texts_total{source=%q,model=%q} %d\n", source, s.c.Name, s.texts.Load())
	fmt.Fprintf(w, "# TYPE sprint_busy_seconds_total counter\nsprint_busy_seconds_total %g\n", time.Duration(s.busy.Load()).Seconds())
}

// New is a server of a classifier. It is not ready before Serve has asked it once.
func New(c *classify.Classifier, o Options) *Server {
	return &Server{c: c, options: o, slots: make(chan struct{}, maxInFlight)}
}

// shutdownTime is how long open requests may take when the server ends.
const shutdownTime = 10 * time.Second

// Serve answers on a listener until the context ends, then lets open requests end.
// Listening is told once the model has answered.
func (s *Server) Serve(ctx context.Context, l net.Listener, listening func()) error {
	if _, err := s.c.Classify(ctx, []classify.Text{{Title: "warm up"}}, true); err != nil {
		return err
	}
	s.ready.Store(true)
	h := &http.Server{Handler: s.Handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 60 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10}
	listening()
	end := make(chan error, 1)
	go func() { end <- h.Serve(l) }()
	select {
	case err := <-end:
		return err
	case <-ctx.Done():
	}
	s.ready.Store(false)
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
	defer cancel()
	return h.Shutdown(grace)
}
