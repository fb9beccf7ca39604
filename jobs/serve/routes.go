package serve

import (
	"net/http"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/jobs/serve/access"
)

// routes are who answers which path.
func (s *Server) routes() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"GET /healthz":                           s.healthz,
		"GET /readyz":                            s.readyz,
		"GET /v2/health/live":                    s.live,
		"GET /v2/health/ready":                   s.liveReady,
		"POST /v1/classify":                      s.classify,
		"GET /v1/models":                         s.models,
		"GET /metrics":                           s.metrics,
		"GET /openapi.json":                      s.openapi,
		"POST /predict":                          s.predict,
		"GET /info":                              s.info,
		"GET /v2":                                s.v2Server,
		"GET /v2/{$}":                            s.v2Server,
		"GET /{$}":                               s.page,
		"GET /v2/models/{m}":                     s.v2Model,
		"GET /v2/models/{m}/versions/{v}":        s.v2Model,
		"GET /v2/models/{m}/ready":               s.v2Ready,
		"GET /v2/models/{m}/versions/{v}/ready":  s.v2Ready,
		"POST /v2/models/{m}/infer":              s.infer,
		"POST /v2/models/{m}/versions/{v}/infer": s.infer,
	}
}

// Handler serves the paths of the API. Whether it lives and is ready it tells
// everybody: an orchestrator asks by whatever name, without a token.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	for pattern, h := range s.routes() {
		switch pattern {
		case "GET /healthz", "GET /readyz", "GET /v2/health/live", "GET /v2/health/ready":
			mux.HandleFunc(pattern, h)
		default:
			mux.Handle(pattern, s.guard(h))
		}
	}
	l := &access.Log{
		To: s.o.AccessLog, Texts: s.o.LogTexts, Done: s.m.request,
		Quiet: map[string]bool{"/healthz": true, "/readyz": true, "/metrics": true, "/v2/health/live": true, "/v2/health/ready": true},
	}
	return l.Around(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.open.Add(1)
		defer s.open.Add(-1)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if s.draining.Load() {
			w.Header().Set("Connection", "close")
		}
		if h, pattern := mux.Handler(r); pattern == "" {
			s.nowhere(w, r, h)
			return
		}
		mux.ServeHTTP(w, r)
	}))
}

// nowhere tells a request that no path is for it in the words of all refusals. h is what
// the mux would answer.
func (s *Server) nowhere(w http.ResponseWriter, r *http.Request, h http.Handler) {
	would := answerOf{}
	h.ServeHTTP(would, r)
	switch allow := http.Header(would).Get("Allow"); {
	case allow != "":
		w.Header().Set("Allow", allow)
		s.fail(w, r, refuse(http.StatusMethodNotAllowed, "this path is asked by %s", allow))
	default:
		s.fail(w, r, refuse(http.StatusNotFound, "there is no such path; /openapi.json says which there are"))
	}
}

// answerOf is the header of an answer that is not sent.
type answerOf http.Header

func (a answerOf) Header() http.Header         { return http.Header(a) }
func (a answerOf) Write(p []byte) (int, error) { return len(p), nil }
func (a answerOf) WriteHeader(int)             {}

// guard refuses who may not ask before anything is read of the request.
func (s *Server) guard(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := s.admit(r); err != nil {
			if err.status == http.StatusUnauthorized {
				w.Header().Set("WWW-Authenticate", "Bearer")
			}
			s.fail(w, r, err)
			return
		}
		next(w, r)
	})
}

// admit is why a request is not let in; nil if it is.
func (s *Server) admit(r *http.Request) *refusal {
	switch {
	case !access.KnownHost(r, s.o.Hosts):
		return &refusal{status: http.StatusMisdirectedRequest, message: "this server is not known by the name that was asked; `sprint serve --host NAME` adds one"}
	case access.CrossSite(r):
		return &refusal{status: http.StatusForbidden, message: "pages of other sites may not ask"}
	case s.o.Tokens != nil && !s.o.Tokens.Admits(r):
		if r.Header.Get("Authorization") != "" {
			return &refusal{status: http.StatusUnauthorized, message: "that is none of the server's tokens, or not sent as Authorization: Bearer TOKEN"}
		}
		return &refusal{status: http.StatusUnauthorized, message: "send the server's token: Authorization: Bearer TOKEN"}
	}
	return nil
}

// readiness says whether the model can answer.
type readiness struct {
	Status string `json:"status"` // ready, degraded, draining or starting
	// The rest is told to those who may ask the model.
	Model       string     `json:"model,omitempty"`
	Digest      string     `json:"digest,omitempty"`
	Source      string     `json:"source,omitempty"`
	Reason      string     `json:"reason,omitempty"`      // why keywords answer
	NextTry     *time.Time `json:"next_try,omitempty"`    // when the model is tried again
	Refused     *refused   `json:"refused,omitempty"`     // a release that is named and cannot answer
	Unreachable string     `json:"unreachable,omitempty"` // why the store does not say what is named
}

// refused is a release that is named and cannot answer.
type refused struct {
	Model  string    `json:"model"`
	Digest string    `json:"digest"`
	Reason string    `json:"reason"`
	Since  time.Time `json:"since"`
}

// readiness is that of now; ok says whether clients should ask.
func (s *Server) readiness() (out readiness, ok bool) {
	if !s.ready.Load() {
		return readiness{Status: "starting"}, false
	}
	m, done := s.keeper.Use()
	defer done()
	out = readiness{Status: "ready", Model: m.String(), Digest: m.Digest, Source: m.Source()}
	ok = true
	status := s.keeper.Status()
	if m.Fallback != nil {
		out.Reason = m.Fallback.Error()
		if d := status.Degraded; d != nil {
			next := d.Next.UTC()
			out.Reason, out.NextTry = d.Reason, &next
		}
		if !s.o.AllowKeywords {
			out.Status, ok = "degraded", false
		}
	}
	if s.draining.Load() {
		out.Status, ok = "draining", false
	}
	out.Unreachable = status.Unreachable
	if f := status.Refused; f != nil {
		out.Refused = &refused{f.Release.String(), f.Release.Digest, f.Reason, f.Since}
	}
	return out, ok
}

func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) {
	s.reply(w, map[string]string{"status": "ok"})
}

func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	out, ok := s.readiness()
	if s.admit(r) != nil {
		out = readiness{Status: out.Status}
	}
	if !ok {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	s.reply(w, out)
}

// version is what a path says after /versions/, without a leading v that some send.
func version(r *http.Request) string { return strings.TrimPrefix(r.PathValue("v"), "v") }
