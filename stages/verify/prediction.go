package verify

import (
	"bufio"
	"context"
	"encoding/json"

	"github.com/sprint-ml/sprint/stages"
)

// maxPredictions caps what is stored of a large test split.
const maxPredictions = 10_000

func (m *measurer) predictions(ctx context.Context, out stages.Outputs, s *evaluationSet) error {
	w, err := out.Create(ctx, "predictions", "application/jsonl")
	if err != nil {
		return err
	}
	defer w.Abort()
	b := bufio.NewWriter(w)
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	for i, r := range s.rows[:min(maxPredictions, len(s.rows))] {
		p := Prediction{On: s.name, ID: r.ID, URL: r.URL, Title: r.Title, Host: s.hosts[i], Rules: s.fired[i], Categories: map[string]CategoryPrediction{}}
		for k, c := range m.t.Categories {
			t, a := s.truth[i], s.answers[byModel][i]
			p.Categories[c.Name] = CategoryPrediction{
				Truth: t.Positive[k], Unknown: !t.Known[k], Score: s.scores[i][k], Answer: a.Positive[k],
				Masked: s.answers[byMasked][i].Positive[k], Keywords: s.answers[byKeywords][i].Positive[k], TagTruth: t.Tags[k], Tag: a.Tags[k],
			}
		}
		if err := e.Encode(p); err != nil {
			return err
		}
	}
	if err := b.Flush(); err != nil {
		return err
	}
	return w.Commit()
}
