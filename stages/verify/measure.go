package verify

import (
	"context"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/ml/classify"
	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/keywords"
	"github.com/sprint-ml/sprint/ml/metrics"
	"github.com/sprint-ml/sprint/ml/taxonomy"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/dataset"
	"github.com/sprint-ml/sprint/stages/resources"
	"github.com/sprint-ml/sprint/stages/rows"
)

// Classifiers that answer on every set, byHeads only where the model was tuned from heads.
const (
	byModel = iota
	byMasked
	byKeywords
	byMajority
	byHeads
	classifiers
)

// evaluationSet is rows with their truth and what each classifier answers.
type evaluationSet struct {
	name    string // test or gold
	rows    []rows.Row
	hosts   []string
	texts   []classify.Text
	truth   []metrics.Truth
	scores  [][]float64 // of the model, by row and category, four digits
	sure    []float64   // its probability of what it answers, where a row has one label
	fired   [][]string  // rules, as category:rule
	answers [classifiers][]metrics.Answer
}

// answered are the answers by classifier, of all that answered.
func (s *evaluationSet) answered() [][]metrics.Answer {
	if s.answers[byHeads] == nil {
		return s.answers[:byHeads]
	}
	return s.answers[:]
}

func newEvaluationSet(t *taxonomy.Taxonomy, name string, in []rows.Row) *evaluationSet {
	s := &evaluationSet{name: name, rows: in}
	for _, r := range in {
		truth := metrics.Truth{Positive: make([]bool, len(t.Categories)), Tags: make([]string, len(t.Categories)), Known: make([]bool, len(t.Categories))}
		for c, l := range r.Labels {
			truth.Positive[c], truth.Tags[c], truth.Known[c] = l.Score > 0, l.Tag, !l.Abstain
		}
		if t.Single {
			at, known := rows.Choice(r.Labels)
			for c := range r.Labels {
				truth.Positive[c], truth.Known[c] = c == at, known
			}
		}
		s.texts = append(s.texts, classify.Text{Title: r.Title, Description: r.Description, Language: r.Language})
		s.truth = append(s.truth, truth)
		s.hosts = append(s.hosts, host(r))
	}
	return s
}

// host is where a row was published: the host of its url, else its source.
func host(r rows.Row) string {
	if u, err := url.Parse(r.URL); err == nil && u.Hostname() != "" {
		return strings.TrimPrefix(strings.ToLower(u.Hostname()), "www.")
	}
	return r.Source
}

// measurer holds what all measurements share.
type measurer struct {
	t     *taxonomy.Taxonomy
	model classify.Model
	hides string // what stands for a hidden word
	// byVectors is the model where it answers from the vectors of texts that the store
	// keeps, nil where it does not.
	byVectors  classify.Model
	thresholds []float64
	// headThresholds are those of the heads that the model was tuned from.
	headThresholds []float64
	matcher        *keywords.Matcher
	majority       metrics.Answer
	// progress is told how many rows the model has answered, answering which and how many.
	progress  func(stages.Progress)
	answering stages.Progress
}

// begin says what the model answers next.
func (m *measurer) begin(set string, rows int) {
	m.answering = stages.Progress{Text: set, Unit: "rows", Total: int64(rows)}
	m.progress(m.answering)
}

// answered counts rows that the model has answered.
func (m *measurer) answered(rows int) {
	m.answering.Done += int64(rows)
	if m.answering.Done <= m.answering.Total { // what is asked after that is a few rows again
		m.progress(m.answering)
	}
}

// answerSets lets every classifier answer on all sets.
func (s *stage) answerSets(ctx context.Context, m *measurer, model classify.LoadedModel, dev *device.Device, sets []*evaluationSet) error {
	done, err := m.answerByVectors(s.env, model, dev)
	if err != nil {
		return err
	}
	defer done()
	for _, x := range sets {
		if err := m.answerAll(ctx, x); err != nil {
			return err
		}
	}
	return nil
}

// answerAll lets every classifier answer on a set.
func (m *measurer) answerAll(ctx context.Context, s *evaluationSet) error {
	hidden := slices.Clone(s.texts)
	var res keywords.Result
	for i, x := range s.texts {
		m.matcher.MatchIn(&res, x.Language, x.Title, x.Description)
		a := m.blank()
		for c, category := range m.t.Categories {
			a.Positive[c], a.Tags[c] = res.Scores[c] > 0, category.Tags[res.Tags[c]]
		}
		if m.t.Single {
			m.choose(a, m.matcher.Choose(&res))
		}
		s.answers[byKeywords] = append(s.answers[byKeywords], a)
		s.answers[byMajority] = append(s.answers[byMajority], m.majority)
		fired := []string{}
		for _, h := range res.Fired {
			if id := dataset.RuleID(m.t, h.Rule); !slices.Contains(fired, id) {
				fired = append(fired, id)
			}
		}
		s.fired = append(s.fired, fired)
		if res.Any() {
			hidden[i] = classify.Text{Title: dataset.Replace(x.Title, 0, res.Fired, m.hides), Description: dataset.Replace(x.Description, 1, res.Fired, m.hides), Language: res.Language}
		}
	}
	m.begin(s.name, len(s.texts))
	var err error
	if s.scores, s.sure, s.answers[byModel], err = m.predict(ctx, s.texts); err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	m.begin(s.name+" with the rules' words hidden", len(hidden))
	_, _, s.answers[byMasked], err = m.predict(ctx, hidden)
	return err
}

// thresholdsOf are those that a classifier answered by; nil of one that has none.
func (m *measurer) thresholdsOf(classifier int) []float64 {
	switch classifier {
	case byModel, byMasked:
		return m.thresholds
	case byHeads:
		return m.headThresholds
	}
	return nil
}

func (m *measurer) blank() metrics.Answer {
	return metrics.Answer{Positive: make([]bool, len(m.t.Categories)), Tags: make([]string, len(m.t.Categories))}
}

// choose makes a category, or none for -1, the only one of an answer.
func (m *measurer) choose(a metrics.Answer, category int) {
	for c := range a.Positive {
		a.Positive[c] = c == category
	}
}

// predict gives the model's scores, rounded as classify rounds them, and its
// answers by the thresholds; where a row has one label, the likeliest and its probability.
func (m *measurer) predict(ctx context.Context, texts []classify.Text) (scores [][]float64, sure []float64, answers []metrics.Answer, err error) {
	model := m.model
	if m.byVectors != nil {
		model = m.byVectors
	}
	predictions, err := model.Predict(ctx, texts)
	if err != nil {
		return nil, nil, nil, resources.Computed(err)
	}
	scores, sure, answers = make([][]float64, len(texts)), make([]float64, len(texts)), make([]metrics.Answer, len(texts))
	for i, p := range predictions {
		a := m.blank()
		scores[i] = make([]float64, len(m.t.Categories))
		for c, category := range m.t.Categories {
			x := float64(p.Scores[c])
			if math.IsNaN(x) || math.IsInf(x, 0) {
				return nil, nil, nil, stages.Fail(stages.CodeStage, "train again with a lower learning rate; the losses are in the artifact history",
					"the model's score of %s is no number for %q", category.Name, shorten(texts[i].Title))
			}
			scores[i][c] = metrics.Round(x)
			a.Positive[c] = scores[i][c] >= m.thresholds[c]
			a.Tags[c] = category.Tags[p.Tags[c]]
		}
		if m.t.Single {
			top, p := p.Top()
			m.choose(a, top)
			sure[i] = p
		}
		answers[i] = a
	}
	return scores, sure, answers, nil
}
