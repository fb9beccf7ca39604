package classify

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/encoder"
	"github.com/sprint-ml/sprint/ml/taxonomy"
)

// Network computes what a model says of encoded texts, without rules.
type Network interface {
	Model() *bert.Model
	Predict(ctx context.Context, texts []bert.Text) ([]Prediction, error)
	Close()
}

// LoadedModel is a model on a device.
type LoadedModel struct {
	*bert.Predictor
	rules []ruler // none if the model answers alone
}

// withRules is a network beside which rules may answer.
type withRules struct {
	Network
	rules []ruler
}

// ruler lets rules change a model's answers, in place.
type ruler interface {
	answer(texts []Text, predictions []Prediction)
}

// rulers are those of a model, in their order.
func rulers(s bert.Spec, t *taxonomy.Taxonomy) []ruler {
	if s.RulesAlone {
		return []ruler{newRulesAlone(s, t)}
	}
	var out []ruler
	if s.RulesBonus > 0 {
		out = append(out, newRulesBonus(s, t))
	}
	if w := newRulesBeside(s, t); w != nil {
		out = append(out, w)
	}
	return out
}

// Predict encodes the texts, runs the network, and lets the rules answer for
// the categories that the model leaves to them.
func (l LoadedModel) Predict(ctx context.Context, texts []Text) ([]Prediction, error) {
	return withRules{l.Predictor, l.rules}.Predict(ctx, texts)
}

// Predict is LoadedModel's.
func (l withRules) Predict(ctx context.Context, texts []Text) ([]Prediction, error) {
	in := bert.EncodeTexts(l.Model(), texts, func(t Text) (title, description string) { return t.Title, t.Description })
	out, err := l.Network.Predict(ctx, in)
	if err != nil {
		return nil, err
	}
	for _, r := range l.rules {
		r.answer(texts, out)
	}
	return out, nil
}

// With is the model with another network in the place of its own, and its rules. Either
// stays its owner's to close.
func (l LoadedModel) With(n Network) Model { return withRules{n, l.rules} }

// Tokens is how many tokens of a text the network sees.
func (l LoadedModel) Tokens(t Text) int { return withRules{l.Predictor, l.rules}.Tokens(t) }

// MaxTokens is how many it sees of the longest.
func (l LoadedModel) MaxTokens() int { return l.Model().Spec.MaxLength }

// Tokens is LoadedModel's.
func (l withRules) Tokens(t Text) int {
	ids, _ := l.Model().Encode(t.Title, t.Description)
	return len(ids)
}

// MaxTokens is LoadedModel's.
func (l withRules) MaxTokens() int { return l.Model().Spec.MaxLength }

// LoadModel puts the model of a folder on a device. Its categories must be
// those of the taxonomy, in the same order.
func LoadModel(dir string, t *taxonomy.Taxonomy, dev *device.Device) (LoadedModel, error) {
	m, err := readModel(dir, t)
	if err != nil {
		return LoadedModel{}, err
	}
	p, err := bert.NewPredictor(m, dev)
	if err != nil {
		return LoadedModel{}, err
	}
	return LoadedModel{p, rulers(m.Spec, t)}, nil
}

// UnreadableError is that of files which make no model on any machine: one is missing,
// damaged, of another model, or of a later sprint.
type UnreadableError struct{ Err error }

func (e *UnreadableError) Error() string { return e.Err.Error() }

// Unwrap is what is wrong with them.
func (e *UnreadableError) Unwrap() error { return e.Err }

// readModel reads the model of a folder, which must be one of the taxonomy. An error is an
// *UnreadableError, unless there is no file of a model.
func readModel(dir string, t *taxonomy.Taxonomy) (*bert.Model, error) {
	m, err := readFitting(dir, t)
	switch {
	case err == nil:
		return m, nil
	case !slices.ContainsFunc(encoder.FileNames(), func(name string) bool {
		_, err := os.Lstat(filepath.Join(dir, name))
		return err == nil
	}):
		return nil, fmt.Errorf("load the model in %s: it has none, only the rules of a taxonomy", dir)
	}
	return nil, &UnreadableError{err}
}

// readFitting reads a model whose categories and labels are those of the taxonomy.
func readFitting(dir string, t *taxonomy.Taxonomy) (*bert.Model, error) {
	m, err := bert.Load(dir)
	if err != nil {
		return nil, err
	}
	if err := sameCategories(m.Spec.Categories, t); err != nil {
		return nil, fmt.Errorf("load the model in %s: %w", dir, err)
	}
	if m.Spec.Single != t.Single {
		return nil, fmt.Errorf("load the model in %s: model and taxonomy do not agree whether a row has one label: labels of config.json and of taxonomy.yaml", dir)
	}
	return m, nil
}

func sameCategories(have []bert.Category, t *taxonomy.Taxonomy) error {
	if len(have) != len(t.Categories) {
		return fmt.Errorf("it knows %d categories, the taxonomy %d", len(have), len(t.Categories))
	}
	for i, c := range t.Categories {
		if have[i].Name != c.Name || !slices.Equal(have[i].Tags, c.Tags) {
			return fmt.Errorf("its category %d is %s %q, the taxonomy's is %s %q", i+1, have[i].Name, have[i].Tags, c.Name, c.Tags)
		}
	}
	return nil
}

// Load lets the model of a release folder answer. An error says why it cannot:
// the classifier is as it was, so keywords go on answering. The device stays the
// caller's to close, after Close.
func (c *Classifier) Load(dir string, dev *device.Device) error {
	m, err := LoadModel(dir, c.Taxonomy, dev)
	if err != nil {
		return err
	}
	c.Model = m
	return nil
}

// LoadInto is Load where put makes a network of the folder's model, which is its own.
func (c *Classifier) LoadInto(dir string, put func(*bert.Model) (Network, error)) error {
	m, err := readModel(dir, c.Taxonomy)
	if err != nil {
		return err
	}
	n, err := put(m)
	if err != nil {
		return err
	}
	c.Model = withRules{n, rulers(m.Spec, c.Taxonomy)}
	return nil
}

// Close frees the model.
func (c *Classifier) Close() {
	if m, ok := c.Model.(interface{ Close() }); ok {
		m.Close()
		c.Model = nil
	}
}
