package train

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"sort"
	"strings"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/keywords"
	"github.com/sprint-ml/sprint/ml/taxonomy"
	fit "github.com/sprint-ml/sprint/ml/train"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/rows"
)

// ReadRows reads one side of the split with its labels in the taxonomy's order.
func ReadRows(ctx context.Context, in stages.Inputs, name string, t *taxonomy.Taxonomy) ([]rows.Row, error) {
	r, err := in.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	out, columns, err := rows.DecodeParquet(r)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	place := map[string]int{}
	for i, c := range columns {
		place[c] = i
	}
	for _, c := range t.Categories {
		if _, ok := place[c.Name]; !ok {
			return nil, stages.Fail(stages.CodeStage, "run label and split again with this taxonomy", "%s has no labels of category %s", name, c.Name)
		}
	}
	for i := range out {
		labels := make([]rows.Label, len(t.Categories))
		for c, category := range t.Categories {
			if out[i].Labels == nil {
				labels[c].Abstain = true
				continue
			}
			labels[c] = out[i].Labels[place[category.Name]]
			if category.TagIndex(labels[c].Tag) < 0 {
				return nil, stages.Fail(stages.CodeStage, "add the tag to the taxonomy, or mend the rows", "%s: row %q has the tag %q, which category %s does not have", name, out[i].Title, labels[c].Tag, category.Name)
			}
		}
		out[i].Labels = labels
	}
	return out, nil
}

// weights of positives by category; negatives weigh 1.
func (o *Options) positiveWeights(sets []rows.Row, categories int) []float64 {
	out := make([]float64, categories)
	for c := range out {
		positive, negative := 0.0, 0.0
		for _, r := range sets {
			switch l := r.Labels[c]; {
			case l.Abstain && o.MaskAbstain:
			case l.Score > 0:
				positive++
			default:
				negative++
			}
		}
		out[c] = 1
		if positive == 0 || negative == 0 {
			continue
		}
		switch o.ClassWeights {
		case "sqrt":
			out[c] = math.Sqrt(negative / positive)
		case "balanced":
			out[c] = negative / positive
		}
		out[c] = math.Min(math.Max(out[c], 1), 20)
	}
	return out
}

// examples turns rows into what the trainer learns from; kept lists the rows
// that have at least one target that counts.
func (o *Options) examples(m *bert.Model, t *taxonomy.Taxonomy, set []rows.Row, weights []float64, masked bool) (out []fit.Example, kept []int) {
	var matcher *keywords.Matcher
	if masked && o.MaskRules > 0 {
		matcher = keywords.New(t)
	}
	var hits keywords.Result
	for i, r := range set {
		e := fit.Example{Score: make([]float32, len(t.Categories)), Tag: make([]int32, len(t.Categories)), Weight: make([]float32, len(t.Categories))}
		counts := false
		for c, l := range r.Labels {
			if l.Abstain && o.MaskAbstain {
				continue
			}
			counts = true
			e.Score[c], e.Weight[c] = float32(l.Score), 1
			e.Tag[c] = int32(t.Categories[c].TagIndex(l.Tag)) //nolint:gosec // taxonomies are small
			if l.Score > 0 {
				e.Weight[c] = float32(weights[c])
			}
		}
		if !counts {
			continue
		}
		e.IDs, e.Types = m.Encode(r.Title, r.Description)
		if matcher != nil {
			description := ""
			if o.has("description") {
				description = r.Description
			}
			if matcher.Match(&hits, r.Title, description); hits.Any() {
				e.Alt, e.AltTypes = m.Encode(Mask(r.Title, 0, hits.Fired), Mask(description, 1, hits.Fired))
			}
		}
		out, kept = append(out, e), append(kept, i)
	}
	return out, kept
}

// Rows of a category rarer than rare are repeated in an epoch, each as often
// as the root of rare/share, at most often times: repeat factor sampling (Gupta
// et al., arXiv 1908.03195).
const (
	rare  = 0.2
	often = 8
)

// balance repeats the examples of rare categories. A fraction of a repetition
// falls to a random part of them, the same in every epoch.
func balance(examples []fit.Example, texts []string, seed uint64) ([]fit.Example, []string) {
	share := make([]float64, len(examples[0].Score))
	for _, e := range examples {
		for c, s := range e.Score {
			if s > 0 && e.Weight[c] > 0 {
				share[c] += 1 / float64(len(examples))
			}
		}
	}
	rng := rand.New(rand.NewPCG(seed, 0xba1)) //nolint:gosec // reproducible on purpose
	var out []fit.Example
	var named []string
	for i, e := range examples {
		factor := 1.0
		for c, s := range e.Score {
			if s > 0 && e.Weight[c] > 0 {
				factor = max(factor, min(math.Sqrt(rare/share[c]), often))
			}
		}
		times := int(factor)
		if rng.Float64() < factor-float64(times) {
			times++
		}
		for range times {
			out, named = append(out, e), append(named, texts[i])
		}
	}
	return out, named
}

// Mask replaces the words of a field on which rules fired by [MASK].
func Mask(text string, field int, hits []keywords.Hit) string {
	var spans [][2]int
	for _, h := range hits {
		if h.Field == field {
			spans = append(spans, [2]int{h.Start, h.End})
		}
	}
	sort.Slice(spans, func(i, j int) bool { return spans[i][0] < spans[j][0] })
	var b strings.Builder
	at := 0
	for _, s := range spans {
		if s[0] < at {
			at = max(at, s[1])
			continue
		}
		b.WriteString(text[at:s[0]])
		b.WriteString("[MASK]")
		at = s[1]
	}
	if at < len(text) {
		b.WriteString(text[at:])
	}
	return b.String()
}

// checkClasses refuses data from which nothing can be told apart.
func checkClasses(t *taxonomy.Taxonomy, examples []fit.Example) error {
	if len(examples) == 0 {
		return stages.Fail(stages.CodeStage, "label more rows: see label_report", "no training row has a label that counts")
	}
	for c := range t.Categories {
		positive, negative := false, false
		for _, e := range examples {
			if e.Weight[c] == 0 {
				continue
			}
			positive = positive || e.Score[c] > 0
			negative = negative || e.Score[c] <= 0
		}
		if positive && negative {
			return nil
		}
	}
	return stages.Fail(stages.CodeStage, "training needs rows of at least two classes: widen the rules, or fetch other rows", "the %d training rows are all of one class", len(examples))
}
