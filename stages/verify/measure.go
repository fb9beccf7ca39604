package verify

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/sprint-ml/sprint/ml/classify"
	"github.com/sprint-ml/sprint/ml/keywords"
	"github.com/sprint-ml/sprint/ml/metrics"
	"github.com/sprint-ml/sprint/ml/taxonomy"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/train"
)

// Metrics is the content of metrics.json. Outside programs rely on its names.
type Metrics struct {
	Test metrics.Report  `json:"test"`
	Gold *metrics.Report `json:"gold"` // null without a gold set
	// Baselines and Masked are on gold if there is one, else on test.
	Baselines map[string]metrics.Report `json:"baselines"`
	Masked    metrics.Report            `json:"masked"`
	// Leaked are gold rows that were in train.
	Leaked int `json:"leaked"`
}

// set is rows with their truth.
type set struct {
	rows  []rows.Row
	texts []classify.Text
	truth []metrics.Truth
}

func newSet(t *taxonomy.Taxonomy, in []rows.Row) set {
	s := set{rows: in}
	for _, r := range in {
		truth := metrics.Truth{Positive: make([]bool, len(t.Categories)), Tags: make([]string, len(t.Categories)), Known: make([]bool, len(t.Categories))}
		for c, l := range r.Labels {
			truth.Positive[c], truth.Tags[c], truth.Known[c] = l.Score > 0, l.Tag, !l.Abstain
		}
		s.texts = append(s.texts, classify.Text{Title: r.Title, Description: r.Description})
		s.truth = append(s.truth, truth)
	}
	return s
}

// answers turns predictions into yes and no by the thresholds.
func answers(t *taxonomy.Taxonomy, predictions []classify.Prediction, thresholds []float64) []metrics.Answer {
	out := make([]metrics.Answer, len(predictions))
	for i, p := range predictions {
		a := metrics.Answer{Positive: make([]bool, len(t.Categories)), Tags: make([]string, len(t.Categories))}
		for c, category := range t.Categories {
			a.Positive[c] = float64(p.Scores[c]) >= thresholds[c]
			a.Tags[c] = category.Tags[p.Tags[c]]
		}
		out[i] = a
	}
	return out
}

// measurer holds what all measurements share.
type measurer struct {
	t          *taxonomy.Taxonomy
	model      classify.Model
	thresholds []float64
	matcher    *keywords.Matcher
	majority   metrics.Answer
}

func (m *measurer) ofModel(ctx context.Context, s set) (metrics.Report, error) {
	p, err := m.model.Predict(ctx, s.texts)
	if err != nil {
		return metrics.Report{}, err
	}
	return metrics.Score(m.t.Names(), s.truth, answers(m.t, p, m.thresholds), m.thresholds), nil
}

// masked is the model on texts whose rule words are hidden.
func (m *measurer) masked(ctx context.Context, s set) (metrics.Report, error) {
	hidden := s
	hidden.texts = slices.Clone(s.texts)
	var res keywords.Result
	for i, x := range s.texts {
		if m.matcher.Match(&res, x.Title, x.Description); res.Any() {
			hidden.texts[i] = classify.Text{Title: train.Mask(x.Title, 0, res.Fired), Description: train.Mask(x.Description, 1, res.Fired)}
		}
	}
	return m.ofModel(ctx, hidden)
}

func (m *measurer) keywords(s set) metrics.Report {
	out := make([]metrics.Answer, len(s.texts))
	var res keywords.Result
	for i, x := range s.texts {
		m.matcher.Match(&res, x.Title, x.Description)
		a := metrics.Answer{Positive: make([]bool, len(m.t.Categories)), Tags: make([]string, len(m.t.Categories))}
		for c, category := range m.t.Categories {
			a.Positive[c], a.Tags[c] = res.Scores[c] > 0, category.Tags[res.Tags[c]]
		}
		out[i] = a
	}
	return metrics.Score(m.t.Names(), s.truth, out, nil)
}

func (m *measurer) ofMajority(s set) metrics.Report {
	out := make([]metrics.Answer, len(s.texts))
	for i := range out {
		out[i] = m.majority
	}
	return metrics.Score(m.t.Names(), s.truth, out, nil)
}

// Timings is the content of timings.json, in milliseconds.
type Timings struct {
	Device string  `json:"device"`
	Texts  int     `json:"texts"`
	P50    float64 `json:"latency_p50_ms"` // of one text
	P99    float64 `json:"latency_p99_ms"`
	Rate   float64 `json:"rows_per_second"` // in batches
}

// timedTexts is how many single texts are timed.
const timedTexts = 50

func (m *measurer) time(ctx context.Context, device string, s set) (Timings, error) {
	out := Timings{Device: device}
	texts := s.texts[:min(timedTexts, len(s.texts))]
	if len(texts) == 0 {
		return out, nil
	}
	for range 2 { // programs are compiled by the first pass
		var each []float64
		for _, t := range texts {
			began := time.Now()
			if _, err := m.model.Predict(ctx, []classify.Text{t}); err != nil {
				return out, err
			}
			each = append(each, float64(time.Since(began).Microseconds())/1e3)
		}
		slices.Sort(each)
		out.Texts, out.P50, out.P99 = len(each), each[len(each)/2], each[len(each)*99/100]
	}
	began := time.Now()
	if _, err := m.model.Predict(ctx, s.texts); err != nil {
		return out, err
	}
	out.Rate = float64(len(s.texts)) / time.Since(began).Seconds()
	return out, nil
}

// leaked counts gold rows that train holds, by identity or title.
func leaked(trainRows, gold []rows.Row) (n int, example string) {
	seen := map[string]bool{}
	for _, r := range trainRows {
		seen[rows.Identity(r)], seen["title "+rows.TitleKey(r.Title)] = true, true
	}
	delete(seen, "")
	for _, g := range gold {
		if seen[rows.Identity(g)] || seen["title "+rows.TitleKey(g.Title)] {
			n++
			example = fmt.Sprintf("%q", g.Title)
		}
	}
	return n, example
}
