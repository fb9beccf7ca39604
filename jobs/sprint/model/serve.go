package model

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

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/ml/classify"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/rows"
)

// Caps of a request.
const (
	maxBody      = 8 << 20
	maxInstances = 1024
)

func serveCommand(a *app.App) *cobra.Command {
	var m modelFlags
	var listen string
	cmd := &cobra.Command{
		Use: "serve --model REF", Short: "Answer over HTTP", Args: cobra.NoArgs,
		Long: `Serve a model over HTTP:
  POST /v1/classify   {"title": "...", "description": "..."} or {"instances": [...]}
  GET  /healthz       200 while the process lives
  GET  /readyz        200 when it can answer
  GET  /metrics       counters in Prometheus' text format`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			c, done, err := openModel(ctx, a, cmd, &m)
			if err != nil {
				return err
			}
			defer done()
			l, err := net.Listen("tcp", listen)
			if err != nil {
				return stages.Fail(stages.CodeEnvironment, "choose another address with --listen", "cannot listen: %w", err)
			}
			s := &server{c: c}
			if _, err := c.Classify(ctx, []classify.Text{{Title: "warm up"}}, true); err != nil {
				return err
			}
			s.ready.Store(true)
			h := &http.Server{Handler: s.handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 60 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10}
			fmt.Fprintf(a.Stdout, "listening on http://%s\n", l.Addr())
			end := make(chan error, 1)
			go func() { end <- h.Serve(l) }()
			select {
			case err := <-end:
				return err
			case <-ctx.Done():
			}
			s.ready.Store(false)
			grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
			defer cancel()
			return h.Shutdown(grace)
		},
	}
	m.add(cmd, a)
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:8080", "address")
	return cmd
}

// server answers the four paths.
type server struct {
	c                    *classify.Classifier
	ready                atomic.Bool
	requests, bad, texts atomic.Int64
	busy                 atomic.Int64 // nanoseconds spent answering
}

func (s *server) handler() http.Handler {
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

func (s *server) fail(w http.ResponseWriter, code int, message string) {
	s.bad.Add(1)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": message})
}

func (s *server) classify(w http.ResponseWriter, r *http.Request) {
	s.requests.Add(1)
	var body struct {
		instance
		Instances *[]instance `json:"instances"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&body); err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			s.fail(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("the request is over %d bytes", maxBody))
			return
		}
		s.fail(w, http.StatusBadRequest, "the request is not the JSON that is wanted: "+err.Error())
		return
	}
	list := []instance{body.instance}
	if body.Instances != nil {
		list = *body.Instances
	}
	if len(list) > maxInstances {
		s.fail(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("%d instances; at most %d go into one request", len(list), maxInstances))
		return
	}
	out := make([]any, len(list))
	var texts []classify.Text
	for i, in := range list {
		if strings.TrimSpace(in.Title) == "" {
			if body.Instances == nil {
				s.fail(w, http.StatusUnprocessableEntity, "no title")
				return
			}
			out[i] = badRow{in.ID, in.URL, "no title"}
			continue
		}
		texts = append(texts, classify.Text{Title: rows.NormalizeTitle(in.Title), Description: in.Description})
	}
	began := time.Now()
	answers, err := s.c.Classify(r.Context(), texts, r.URL.Query().Get("all") == "true")
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
		found := answers[0]
		answers = answers[1:]
		if found.Problem == "" {
			out[i] = answer{in.ID, in.URL, found}
			continue
		}
		if body.Instances == nil {
			s.fail(w, http.StatusInternalServerError, found.Problem)
			return
		}
		out[i] = badRow{in.ID, in.URL, found.Problem}
	}
	w.Header().Set("Content-Type", "application/json")
	if body.Instances == nil {
		_ = json.NewEncoder(w).Encode(out[0])
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"predictions": out})
}

// metrics writes Prometheus' text format, version 0.0.4.
func (s *server) metrics(w http.ResponseWriter, _ *http.Request) {
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
