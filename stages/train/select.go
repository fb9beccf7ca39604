package train

import (
	"context"
	"fmt"
	"log/slog"
	"math"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/labelnoise"
	"github.com/sprint-ml/sprint/ml/taxonomy"
	"github.com/sprint-ml/sprint/stages/dataset"
	"github.com/sprint-ml/sprint/stages/dedup"
	"github.com/sprint-ml/sprint/stages/embeddings"
	"github.com/sprint-ml/sprint/stages/rows"
)

// Select says which weak labels are believed. An out-of-fold model that has not seen a row
// answers for it from the encoder's vector of the text without the rules' words,
// so that it cannot repeat the rules.
type Select struct {
	Rounds     int     `yaml:"rounds" default:"0" min:"0" max:"10" doc:"times that held-out folds judge the training labels before the fit, each with the labels of the round before; 0 believes all labels"`
	Folds      int     `yaml:"folds" default:"5" min:"2" max:"20" doc:"parts of the training rows, whole stories, each judged by what the others teach"`
	Confidence float64 `yaml:"confidence" default:"0.9" above:"0.5" below:"1" doc:"probability from which the judge labels a row that no labeller decided, and from which it overrules a label; what it doubts less is left out of that category's loss"`
}

// unused reports whether something is set that only counts with rounds. No plan
// leaves folds and confidence at zero.
func (o Select) unused() bool {
	return o.Rounds == 0 && o != Select{} && o != Select{Folds: 5, Confidence: 0.9}
}

// selectLabels checks the labels of the training rows over rounds and returns the
// rows with the labels to learn from. Labels of the given rows stay.
func (s *stage) selectLabels(ctx context.Context, t *taxonomy.Taxonomy, m *bert.Model, dev *device.Device, set []rows.Row) ([]rows.Row, error) {
	o := s.o.Select
	if o.Rounds == 0 {
		return set, nil
	}
	vectors, err := s.vectors(ctx, t, m, dev, set)
	if err != nil {
		return nil, err
	}
	groups := dedup.Groups(rows.Titles(set))
	given := targets(t, set)
	now := given
	for round := range o.Rounds {
		p, ok, err := labelnoise.OutOfFoldVectors(ctx, vectors, groups, now, labelnoise.Options{Folds: o.Folds, Seed: uint64(s.o.Seed)}) //nolint:gosec // any 64 bits will do
		if err != nil {
			return nil, fmt.Errorf("judge the labels: %w", err)
		}
		next := make([][]int8, len(now))
		counts := map[string]Selected{}
		changed := 0
		for c, category := range t.Categories {
			if next[c] = given[c]; !ok[c] {
				counts[category.Name] = Selected{Unjudged: true}
				continue
			}
			var n Selected
			next[c], n = o.decide(given[c], now[c], p[c])
			counts[category.Name] = n
			for i := range next[c] {
				if next[c][i] != now[c][i] {
					changed++
				}
			}
			s.env.Log.Info("judged labels", slog.Int("round", round+1), slog.String("category", category.Name), slog.Int("agreed", n.Agreed), slog.Int("doubted", n.Doubted), slog.Int("overruled", n.Overruled), slog.Int("decided", n.Imputed))
		}
		now = next
		s.env.Note(fmt.Sprintf("select_round_%d", round+1), counts)
		if changed == 0 {
			break
		}
	}
	return applySelection(set, given, now), nil
}

// decide decides on the labels of one category: given are the labeller's, now
// those that the out-of-fold model learned from, p its probabilities.
func (o Select) decide(given, now []int8, p []float64) (next []int8, n Selected) {
	next = make([]int8, len(given))
	doubted := map[int]bool{}
	for _, s := range labelnoise.Issues(p, now) {
		doubted[s.Row] = true
	}
	for i, l := range given {
		sure, answer := math.Max(p[i], 1-p[i]) >= o.Confidence, labelnoise.Absent
		if p[i] >= 0.5 {
			answer = labelnoise.Present
		}
		switch {
		case l == labelnoise.Undecided && sure:
			next[i] = answer
			n.Imputed++
		case l == labelnoise.Undecided || l == answer || !sure && !doubted[i]:
			if next[i] = l; l != labelnoise.Undecided {
				n.Agreed++
			}
		case sure:
			next[i] = answer
			n.Overruled++
		default:
			next[i] = labelnoise.Undecided
			n.Doubted++
		}
	}
	return next, n
}

// targets are the labels of each category.
func targets(t *taxonomy.Taxonomy, set []rows.Row) [][]int8 {
	out := make([][]int8, len(t.Categories))
	for c := range out {
		out[c] = make([]int8, len(set))
		for i, r := range set {
			switch l := r.Labels[c]; {
			case l.Abstain:
				out[c][i] = labelnoise.Undecided
			case l.Score > 0:
				out[c][i] = labelnoise.Present
			}
		}
	}
	return out
}

// applySelection changes the labels that differ from the given ones. A label that was
// made has no tag: the out-of-fold model knows none.
func applySelection(set []rows.Row, given, now [][]int8) []rows.Row {
	out := make([]rows.Row, len(set))
	for i, r := range set {
		labels := make([]rows.Label, len(r.Labels))
		for c, l := range r.Labels {
			switch {
			case given[c][i] == now[c][i]:
			case now[c][i] == labelnoise.Present:
				l = rows.Label{Score: 1}
			default:
				l = rows.Label{Abstain: now[c][i] == labelnoise.Undecided}
			}
			labels[c] = l
		}
		r.Labels = labels
		out[i] = r
	}
	return out
}

// vectors are the encoder's of the rows' texts without the rules' words.
func (s *stage) vectors(ctx context.Context, t *taxonomy.Taxonomy, m *bert.Model, dev *device.Device, set []rows.Row) ([][]float32, error) {
	e, err := embeddings.Open(s.env, m, dev)
	if err != nil {
		return nil, err
	}
	defer e.Close()
	return e.Embed(ctx, dataset.EncodeWithoutRules(t, m, set, ""))
}
