package train

import (
	"math"
	"slices"

	"github.com/sprint-ml/sprint/ml/taxonomy"
	"github.com/sprint-ml/sprint/stages/rows"
)

// weights say how much targets count. The rare ones count more, or the network
// would do best by never answering with them.
type weights struct {
	positive []float64   // by category; negatives weigh 1
	tag      [][]float64 // by category and tag, on average 1 over the rows that teach one
	loss     []string    // Options.TagLoss by category
	choice   []float32   // by output of a single model
}

// Bounds of a weight: one row must not outweigh a batch.
const (
	maxWeight    = 20
	maxTagWeight = 5
)

// Values of Options.TagLoss.
const (
	lossTagged    = "tagged"
	lossPositives = "positives"
	lossAll       = "all"
)

// weights finds the weights for training rows.
func (o *Options) weights(t *taxonomy.Taxonomy, set []rows.Row) weights {
	k := len(t.Categories)
	w := weights{positive: make([]float64, k), tag: make([][]float64, k), loss: slices.Repeat([]string{o.TagLoss}, k)}
	for c, category := range t.Categories {
		positive, negative := 0.0, 0.0
		count := make([]float64, len(category.Tags))
		for _, r := range set {
			switch l := r.Labels[c]; {
			case l.Abstain && o.MaskAbstain:
			case l.Score > 0:
				positive++
				count[category.TagIndex(l.Tag)]++
			default:
				negative++
			}
		}
		w.positive[c] = 1
		if positive > 0 && negative > 0 {
			w.positive[c] = math.Min(math.Max(o.rarity(negative/positive), 1), maxWeight)
		}
		if o.TagLoss == lossTagged && count[0] < positive {
			count[0] = 0
		} else if o.TagLoss == lossTagged {
			w.loss[c] = lossPositives // no row carries a tag: that much can be learned
		}
		w.tag[c] = o.tagWeights(count)
	}
	return w
}

// rarity is the weight of what is that many times rarer than the rest.
func (o *Options) rarity(times float64) float64 {
	switch o.ClassWeights {
	case "sqrt":
		return math.Sqrt(times)
	case "balanced":
		return times
	}
	return 1
}

// tagWeights are those of a category's tags by how often each occurs.
func (o *Options) tagWeights(count []float64) []float64 {
	all, kinds := 0.0, 0.0
	for _, n := range count {
		all += n
		if n > 0 {
			kinds++
		}
	}
	out := make([]float64, len(count))
	sum := 0.0
	for i, n := range count {
		out[i] = 1
		if n > 0 {
			out[i] = math.Min(math.Max(o.rarity(all/kinds/n), 1.0/maxTagWeight), maxTagWeight)
		}
		sum += n * out[i]
	}
	for i := range out {
		if sum > 0 {
			out[i] *= all / sum
		}
	}
	return out
}

// of gives the weights of a label's score and tag. The empty tag is not taught
// where others are: most rules that name none cannot tell, and absent categories
// would drown all other tags.
func (w weights) of(category int, l rows.Label, tag int) (score, tagWeight float32) {
	if l.Score <= 0 {
		if w.loss[category] == lossAll {
			return 1, 1
		}
		return 1, 0
	}
	score = float32(w.positive[category])
	if tag > 0 || w.loss[category] != lossTagged {
		tagWeight = score * float32(w.tag[category][tag])
	}
	return score, tagWeight
}
