// Package bert builds BERT, RoBERTa and ModernBERT encoders with classification heads as GoMLX graphs:
// per category a score in [-1,1] and a tag. It holds the weights on the host,
// reads them from an encoder or a release, and predicts.
//
// spec.go says what shapes a network, graph.go computes it and its loss, linear.go its heads
// where these have no hidden layer; body.go is what encoders differ in, modern.go
// ModernBERT's. param.go maps its weights to the tensors of a file; model.go loads and saves.
// predictor.go runs a model for its answers, embedder.go for the texts' vectors, vectors.go
// answers from those: on the cores of this machine where package forward can (direct.go),
// else by programs of a device (network.go, flat.go). prune.go and half.go make a model
// smaller. It imports its folders dropout and rotary, ml/encoder, ml/tokenize, ml/metrics,
// ml/device, ml/forward and ml/kernel.
package bert

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/sprint-ml/sprint/ml/encoder"
)

// Poolings are the ways from token vectors to one vector of a text.
const (
	Pooler = "pooler" // tanh(W·[CLS]+b), as BERT was pretrained with
	CLS    = "cls"    // the vector of [CLS]
	Mean   = "mean"   // the mean over the text's tokens
)

// Category is one output of the model: a score, and one of Tags. Tags[0] is the
// empty tag.
type Category struct {
	Name string   `json:"name"`
	Tags []string `json:"tags"`
}

// Spec is everything that shapes the network.
type Spec struct {
	Encoder    encoder.Config
	Categories []Category
	Pooling    string
	// Linear heads have no hidden layer: they are weights of the text's vector, scaled to
	// length 1, centred and scaled. See Model.SetLinear.
	Linear     bool
	HeadHidden int      // width of the hidden layer of each head; 0 of linear ones
	MaxLength  int      // tokens of a text, special ones included
	Text       []string // fields of a row that make the text: title, description
	Prompt     string   // stands before every text
	// Single models choose one of the categories, or none of them where None says
	// that they were taught what no category looks like: one softmax over the scores
	// of the categories and, last, that of none.
	Single, None bool
	// Temperature divides the logits of a Predictor of a single model; 0 is 1.
	Temperature float64
	// RulesBonus is what the logit of a category gains where the taxonomy's rules name
	// it. In a single model that is the share that it has of them, times this; in
	// another, which must have linear heads, categories that they do not name lose as much
	// where they name any. It says nothing to the graph.
	RulesBonus float64
	// RulesAlone says that the model's answers do not count: the taxonomy's rules
	// answer. It says nothing to the graph.
	RulesAlone bool
	// RulesBeside names the categories for which the taxonomy's rules answer too,
	// with the score from which on the model's answer counts beside them; above
	// 1 it never does. It says nothing to the graph.
	RulesBeside map[string]float64
	// Temperatures rescale the scores of a Predictor, by category; nil leaves
	// them as the network gives them. See metrics.Temper.
	Temperatures []float64
}

func (s Spec) check() error {
	switch {
	case len(s.Categories) == 0:
		return errors.New("a model needs at least one category")
	case s.HeadHidden < 1 && !s.Linear || s.HeadHidden != 0 && s.Linear:
		return fmt.Errorf("head width %d", s.HeadHidden)
	case !slices.Contains([]string{Pooler, CLS, Mean}, s.Pooling):
		return fmt.Errorf("unknown pooling %q; known are pooler, cls and mean", s.Pooling)
	case s.Pooling == Pooler && s.Encoder.Rotary != nil:
		return errNoPooler
	case s.MaxLength < 4 || s.MaxLength > s.Encoder.MaxTokens():
		return fmt.Errorf("length %d: the encoder takes 4 to %d tokens", s.MaxLength, s.Encoder.MaxTokens())
	}
	if s.Temperatures != nil && (len(s.Temperatures) != len(s.Categories) || slices.ContainsFunc(s.Temperatures, func(t float64) bool { return !(t > 0) })) {
		return fmt.Errorf("the temperatures %v are not one above 0 for each of %d categories", s.Temperatures, len(s.Categories))
	}
	switch {
	case !s.Single && (s.None || s.Temperature != 0):
		return errors.New("none and one temperature are of models of one label per row")
	case !s.Single && !s.Linear && s.RulesBonus != 0:
		return errors.New("a bonus of rules is of models of one label per row, and of linear heads")
	case s.Single && (s.Temperatures != nil || s.RulesBeside != nil):
		return errors.New("a model of one label per row has one temperature, and no rules beside it")
	case !(s.RulesBonus >= 0 && s.RulesBonus <= maxBonus):
		return fmt.Errorf("the bonus of rules is %v, not a number from 0 to %d", s.RulesBonus, maxBonus)
	case !(s.Temperature >= 0 && s.Temperature <= math.MaxFloat32):
		return fmt.Errorf("the temperature is %v, not a number above 0", s.Temperature)
	}
	// Heads are as wide as the widest: a file may have few weights and stand for many.
	width := s.HeadHidden
	if s.Linear {
		width = s.Encoder.HiddenSize
	}
	if k, mt := len(s.Categories), s.maxTags(); max(k, width, mt) > maxHead || k*width*mt > maxTagWeights {
		return fmt.Errorf("heads of %d categories, %d wide, with up to %d tags are too large", k, width, mt)
	}
	for _, c := range s.Categories {
		if len(c.Tags) == 0 || c.Tags[0] != "" {
			return fmt.Errorf("category %s: the first tag must be the empty one", c.Name)
		}
	}
	for name, from := range s.RulesBeside {
		if !slices.ContainsFunc(s.Categories, func(c Category) bool { return c.Name == name }) {
			return fmt.Errorf("with_rules: there is no category %q", name)
		}
		if !(from > -1) {
			return fmt.Errorf("with_rules: category %s counts from the score %v, which is not above -1", name, from)
		}
	}
	return nil
}

// Logistic reports whether each score of the model's answers is 2p-1 of the probability p
// of its category, where a row may have several: not where rules answer alone.
func (s Spec) Logistic() bool { return s.Linear && !s.Single && !s.RulesAlone }

// Outputs is the number of scores that the network gives for a text: one of each
// category, and one more of none in a model that knows it.
func (s Spec) Outputs() int {
	if s.None {
		return len(s.Categories) + 1
	}
	return len(s.Categories)
}

// maxBonus is more than any answer leaves to doubt.
const maxBonus = 100

// Caps of the heads: each number, and their product.
const (
	maxHead       = 1 << 16
	maxTagWeights = 1 << 25
)

// maxTags is the widest tag head.
func (s Spec) maxTags() int {
	n := 0
	for _, c := range s.Categories {
		n = max(n, len(c.Tags))
	}
	return n
}
