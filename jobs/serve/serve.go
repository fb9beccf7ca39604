// Package serve answers over HTTP: POST /v1/classify, and what an orchestrator
// asks a service for, /healthz, /readyz and /metrics.
package serve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sprint-ml/sprint/jobs/answers"
	"github.com/sprint-ml/sprint/ml/classify"
	"github.com/sprint-ml/sprint/stages/rows"
)

// Caps of a request.
const (
	maxBody      = 8 << 20
	maxInstances = 1024
)

// Server answers the paths of the API.
type Server struct {
	c                    *classify.Classifier
	ready                atomic.Bool
	requests, bad, texts atomic.Int64
	busy                 atomic.Int64 // nanoseconds spent answering
}

// Handler serves the paths of the API.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/classify", s.classify)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !s.ready.Load() {
			http.Error(w, "not ready", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("GET /metrics", s.metrics)
	return mux
}

// instance is one text of a request; further fields are ignored.
type instance struct {
	ID          string `json:"id"`
	URL         string `json:"url"`
	Title       string `json:"title"`
	Description string `json:"description"`
}

func (s *Server) fail(w http.ResponseWriter, code int, message string) {
	s.bad.Add(1)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": message})
}

// request reads what is asked: the instances of a request, or the one that the
// request itself is. What it refuses it has answered.
func (s *Server) request(w http.ResponseWriter, r *http.Request) (list []instance, single, ok bool) {
	var body struct {
		instance
		Instances *[]instance `json:"instances"`
	}
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&body)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		s.fail(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("the request is over %d bytes", maxBody))
	case err != nil:
		s.fail(w, http.StatusBadRequest, "the request is not the JSON that is wanted: "+err.Error())
	case body.Instances == nil:
		return []instance{body.instance}, true, true
	case len(*body.Instances) > maxInstances:
		s.fail(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("%d instances; at most %d go into one request", len(*body.Instances), maxInstances))
	default:
		return *body.Instances, false, true
	}
	return nil, false, false
}

func (s *Server) classify(w http.ResponseWriter, r *http.Request) {
	s.requests.Add(1)
	list, single, ok := s.request(w, r)
	if !ok {
		return
	}
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
		texts = append(texts, classify.Text{Title: rows.NormalizeTitle(in.Title), Description: in.Description})
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
	fmt.Fprintf(w, "# TYPE sprint_texts_total counter\nsprint_texts_total{source=%q,model=%q} %d\n", source, s.c.Name, s.texts.Load())
	fmt.Fprintf(w, "# TYPE sprint_busy_seconds_total counter\nsprint_busy_seconds_total %g\n", time.Duration(s.busy.Load()).Seconds())
}

// New is a server of a classifier. It is not ready before Serve has asked it once.
func New(c *classify.Classifier) *Server { return &Server{c: c} }

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
