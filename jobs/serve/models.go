package serve

import (
	"net/http"
	"time"

	"github.com/sprint-ml/sprint/jobs/serve/reload"
)

// category is one that a model answers.
type category struct {
	Name      string   `json:"name"`
	Tags      []string `json:"tags"`
	Threshold *float64 `json:"threshold"` // null where a text has one label, and where keywords answer
}

// model is what GET /v1/models says of one.
type model struct {
	Name       string     `json:"name"`
	Version    int        `json:"version"` // 0 of a folder
	Digest     string     `json:"digest,omitempty"`
	Source     string     `json:"source"`
	Labels     string     `json:"labels"` // multi or single
	Categories []category `json:"categories"`
	Loaded     time.Time  `json:"loaded"`
}

func describe(m *reload.Model) model {
	t := m.Classifier.Taxonomy
	out := model{Name: m.Name, Version: m.Version, Digest: m.Digest, Source: m.Source(), Labels: "multi", Loaded: m.Loaded.UTC()}
	if t.Single {
		out.Labels = "single"
	}
	for i, c := range t.Categories {
		about := category{Name: c.Name, Tags: c.Tags}
		if !t.Single && m.Classifier.Model != nil {
			about.Threshold = &m.Classifier.Thresholds[i]
		}
		out.Categories = append(out.Categories, about)
	}
	return out
}

// models answers GET /v1/models: the one that answers, and one that is named and cannot.
func (s *Server) models(w http.ResponseWriter, _ *http.Request) {
	m, done := s.keeper.Use()
	defer done()
	out := map[string]any{"models": []model{describe(m)}}
	if now, _ := s.readiness(); now.Refused != nil {
		out["refused"] = now.Refused
	}
	s.reply(w, out)
}
