package frozen

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/stages/rows"
)

// Tune says how the encoder is tuned once heads are fitted: gently, towards what the heads
// answer for all training rows. Only the numbers that differ from a fine-tuning are here.
type Tune struct {
	Epochs       int     `yaml:"epochs" default:"2" min:"1" max:"1000" doc:"passes over all training rows"`
	LearningRate float64 `yaml:"learning_rate" default:"3.0e-5" above:"0" max:"1" doc:"peak learning rate of encoder and heads"`
	BatchSize    int     `yaml:"batch_size" default:"32" min:"1" max:"4096" doc:"texts of a batch at most"`
	MaskRandom   float64 `yaml:"mask_random" default:"0.2" min:"0" below:"1" doc:"probability of each word to be left out, drawn anew in every epoch"`
	MinRows      int     `yaml:"min_rows" default:"500" min:"0" doc:"training rows under which the heads stay as they are"`
	MinWords     float64 `yaml:"min_words" default:"20" min:"0" doc:"words of a text, on average, under which they stay so: titles gain nothing"`
}

// Skip is why a model whose heads are fitted on rows, with so many rounds of self-training,
// is not tuned; empty if it is.
func (o Tune) Skip(s *bert.Spec, rounds int, set []rows.Row) string {
	words := 0
	for _, r := range set {
		words += len(strings.Fields(r.Title))
		if slices.Contains(s.Text, "description") {
			words += len(strings.Fields(r.Description))
		}
	}
	mean := float64(words) / float64(max(len(set), 1))
	switch {
	case s.RulesAlone:
		return "the rules answer alone"
	case !s.Single:
		return "a row may have several categories, and tuning gains nothing there"
	case rounds == 0:
		return "there is no self-training: heads.rounds is 0"
	case len(set) < o.MinRows:
		return fmt.Sprintf("%d training rows are fewer than tune.min_rows, %d", len(set), o.MinRows)
	case mean < o.MinWords:
		return fmt.Sprintf("texts of %.1f words on average are shorter than tune.min_words, %g", mean, o.MinWords)
	}
	return ""
}
