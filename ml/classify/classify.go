// Package classify answers which categories a text belongs to. Its chain is
// explicit: the model if there is one, else the taxonomy's rules, and every
// answer says which of the two gave it. With a model, rules may still answer for some
// categories (rules_beside.go). model.go loads a model.
package classify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/keywords"
	"github.com/sprint-ml/sprint/ml/plainfile"
	"github.com/sprint-ml/sprint/ml/taxonomy"
)

// Text is what is classified.
type Text struct {
	Title, Description string
	// Language is what its source calls its language, empty if it does not. Rules of
	// languages ask for it.
	Language string
}

// Prediction is a model's answer: a score in [-1,1] and a tag's index per
// category of the taxonomy.
type Prediction = bert.Prediction

// Model predicts. Predict answers for all texts in their order.
type Model interface {
	Predict(ctx context.Context, texts []Text) ([]Prediction, error)
}

// Sources of an answer.
const (
	SourceModel    = "model"
	SourceKeywords = "keywords"
)

// Values of Score.By.
const (
	ByModel = "model"
	ByRules = "rules"
	ByBoth  = "both"
)

// Score is the answer for one category.
type Score struct {
	Score float64 `json:"score"`
	Tag   string  `json:"tag"`
	// By says, of a model beside which rules answer, whose answer a category is that is over
	// its threshold: the model's, the rules', or that of both alike. Else it is empty.
	By string `json:"by,omitempty"`
	// Probability is that of a model of one label per row, or of one with linear heads: its
	// score is twice that less 1.
	Probability *float64 `json:"probability,omitempty"`
}

// Answer is the result for one text, in the shape that outside programs read.
type Answer struct {
	Categories map[string]Score `json:"categories"`
	Top        *string          `json:"top"` // the strongest category over its threshold; of one label per row, that label
	Source     string           `json:"source"`
	Model      *string          `json:"model"` // null if keywords answered
	// Problem says why there is no answer for the text; the other fields are empty then.
	Problem string `json:"-"`
}

// Classifier is the chain. Model may be nil: then keywords answer.
type Classifier struct {
	Taxonomy   *taxonomy.Taxonomy
	Model      Model
	Name       string // of the model, "swedish-news@3"
	Thresholds []float64
	Matcher    *keywords.Matcher
}

// New makes the classifier of a taxonomy with keywords alone.
func New(t *taxonomy.Taxonomy) *Classifier {
	return &Classifier{Taxonomy: t, Matcher: keywords.New(t)}
}

// View says which categories of an answer are shown.
type View struct {
	All bool // those below their threshold too
	// Threshold, if not nil, stands in for every category's own: the least score, and the
	// least probability where a text has one label.
	Threshold *float64
}

// or is the threshold that counts in the place of a category's own.
func (v View) or(own float64) float64 {
	if v.Threshold != nil {
		return *v.Threshold
	}
	return own
}

// Classify answers for every text in order. all keeps the categories below
// their threshold too. A text for which the model gives no finite score is refused
// alone: its answer has a Problem.
func (c *Classifier) Classify(ctx context.Context, texts []Text, all bool) ([]Answer, error) {
	if c.Model == nil {
		return c.Keywords(texts, View{All: all}), nil
	}
	predictions, err := c.Model.Predict(ctx, texts)
	if err != nil {
		return nil, err
	}
	return c.Answers(predictions, View{All: all}), nil
}

// Keywords answers for every text in order by the taxonomy's rules alone.
func (c *Classifier) Keywords(texts []Text, v View) []Answer {
	out := make([]Answer, len(texts))
	var res keywords.Result
	for i, t := range texts {
		c.Matcher.MatchIn(&res, t.Language, t.Title, t.Description)
		if c.Taxonomy.Single {
			out[i] = c.choice(c.Matcher.Choose(&res), func(k int) Score {
				return Score{Score: res.Scores[k], Tag: c.Taxonomy.Categories[k].Tags[res.Tags[k]]}
			}, v)
		} else {
			out[i] = c.answer(func(k int) (float64, int, string) { return res.Scores[k], res.Tags[k], "" }, func(int) float64 { return v.or(keywordThreshold) }, v.All)
		}
		out[i].Source = SourceKeywords
	}
	return out
}

// Answers makes answers of the model's predictions, in their order. One without a finite
// score has a Problem in its answer.
func (c *Classifier) Answers(predictions []Prediction, v View) []Answer {
	out := make([]Answer, len(predictions))
	for i, p := range predictions {
		if k := slices.IndexFunc(p.Scores, func(x float32) bool { return x-x != 0 }); k >= 0 {
			out[i].Problem = fmt.Sprintf("the model's score for %s is %v, which is no finite number", c.Taxonomy.Categories[k].Name, p.Scores[k])
			continue
		}
		if c.Taxonomy.Single {
			top, _ := p.Top()
			out[i] = c.choice(top, func(k int) Score {
				s := probable(p.Scores[k], c.Taxonomy.Categories[k].Tags[p.Tags[k]])
				s.By = by(&p, k, func(own *Prediction) bool { top, _ := own.Top(); return top == k })
				return s
			}, v)
		} else {
			out[i] = c.answer(func(k int) (float64, int, string) {
				return round(p.Scores[k]), int(p.Tags[k]), by(&p, k, func(own *Prediction) bool { return round(own.Scores[k]) >= v.or(c.Thresholds[k]) })
			}, func(k int) float64 { return v.or(c.Thresholds[k]) }, v.All)
			if p.Logistic {
				out[i].probable(c.Taxonomy, p.Scores)
			}
		}
		out[i].Source = SourceModel
		if c.Name != "" {
			name := c.Name
			out[i].Model = &name
		}
	}
	return out
}

// keywordThreshold lets every rule that fires count, whatever its weight.
const keywordThreshold = 1e-9

// round keeps four digits, since more is noise that differs between devices, and the
// range of a score. It never gives -0, which JSON would show.
func round(x float32) float64 {
	return min(max(math.Round(float64(x)*1e4)/1e4+0, -1), 1)
}

// by says whose answer a category is: passes tells whether the model alone says so too.
func by(p *Prediction, category int, passes func(own *Prediction) bool) string {
	switch {
	case p.Model == nil: // no rule may answer
		return ""
	case !p.Named[category]:
		return ByModel
	case passes(p.Model):
		return ByBoth
	}
	return ByRules
}

func (c *Classifier) answer(get func(k int) (score float64, tag int, by string), threshold func(k int) float64, all bool) Answer {
	a := Answer{Categories: map[string]Score{}}
	best := 0.0
	for k, category := range c.Taxonomy.Categories {
		score, tag, by := get(k)
		passes := score >= threshold(k)
		if !passes {
			by = ""
		}
		if passes || all {
			a.Categories[category.Name] = Score{Score: score, Tag: category.Tags[tag], By: by}
		}
		if passes && (a.Top == nil || score > best) {
			name := category.Name
			a.Top, best = &name, score
		}
	}
	return a
}

// choice is the answer where a text has one category: top, or none for -1 and for one that
// is less sure than the view asks.
func (c *Classifier) choice(top int, get func(k int) Score, v View) Answer {
	if top >= 0 && v.Threshold != nil {
		s := get(top)
		sure := s.Score
		if s.Probability != nil {
			sure = *s.Probability
		}
		if sure < *v.Threshold {
			top = -1
		}
	}
	a := Answer{Categories: map[string]Score{}}
	for k, category := range c.Taxonomy.Categories {
		if k == top {
			a.Top = new(category.Name)
		}
		if k == top || v.All {
			s := get(k)
			if k != top {
				s.By = ""
			}
			a.Categories[category.Name] = s
		}
	}
	return a
}

// probable is the answer for a category by its score and the probability behind it.
func probable(score float32, tag string) Score {
	return Score{Score: round(score), Tag: tag, Probability: probability(score)}
}

// probability is the one behind a score, in four digits.
func probability(score float32) *float64 { return new(math.Round((float64(score)+1)/2*1e4) / 1e4) }

// probable adds the probabilities behind scores.
func (a *Answer) probable(t *taxonomy.Taxonomy, scores []float32) {
	for k, c := range t.Categories {
		if s, ok := a.Categories[c.Name]; ok {
			s.Probability = probability(scores[k])
			a.Categories[c.Name] = s
		}
	}
}

// Thresholds puts the thresholds of thresholds.json into the taxonomy's order;
// a category without one gets 0.5. A null is none: whoever lost a number would have every
// text pass.
func Thresholds(data []byte, t *taxonomy.Taxonomy) ([]float64, error) {
	var by map[string]*float64
	if err := json.Unmarshal(data, &by); err != nil {
		return nil, fmt.Errorf("thresholds.json: %w", err)
	}
	if by == nil {
		return nil, errors.New("thresholds.json: it is null, and an object of numbers is needed")
	}
	out := make([]float64, len(t.Categories))
	for i, c := range t.Categories {
		out[i] = 0.5
		x, ok := by[c.Name]
		if ok && x == nil {
			return nil, fmt.Errorf("thresholds.json: that of %s is null, and a number is needed", c.Name)
		}
		if ok {
			out[i] = *x
		}
	}
	return out, nil
}

// maxText is the most bytes of taxonomy.yaml and of thresholds.json.
const maxText = 4 << 20

// OpenFolder reads the taxonomy and thresholds of a release folder: a
// classifier that answers by keywords until its Model is set.
func OpenFolder(dir string) (*Classifier, error) {
	data, err := plainfile.Read(filepath.Join(dir, "taxonomy.yaml"), maxText)
	if err != nil {
		return nil, fmt.Errorf("open the release: %w", err)
	}
	t, problems := taxonomy.Parse(data)
	if len(problems) > 0 {
		return nil, fmt.Errorf("open the release: taxonomy.yaml:%s", problems[0])
	}
	c := New(t)
	if data, err = plainfile.Read(filepath.Join(dir, "thresholds.json"), maxText); err != nil {
		return nil, fmt.Errorf("open the release: %w", err)
	}
	c.Thresholds, err = Thresholds(data, t)
	return c, err
}
