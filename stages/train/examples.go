package train

import (
	"strings"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/keywords"
	"github.com/sprint-ml/sprint/ml/taxonomy"
	"github.com/sprint-ml/sprint/ml/tokenize"
	fit "github.com/sprint-ml/sprint/ml/train"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/dataset"
	"github.com/sprint-ml/sprint/stages/rows"
)

// examples turns rows into what the trainer learns from; kept lists the rows
// that have at least one target that counts. All ids lie in one arena.
func (o *Options) examples(m *bert.Model, t *taxonomy.Taxonomy, set []rows.Row, w weights, masked bool) (out []fit.Example, kept []int) {
	k := len(t.Categories)
	var texts []tokenize.Text
	for i, r := range set {
		e := fit.Example{Score: make([]float32, k), Tag: make([]int32, k), Weight: make([]float32, k), TagWeight: make([]float32, k)}
		counts := false
		if m.Spec.Single {
			if e.Score = o.targets(r, m.Spec.Outputs()); e.Score == nil {
				continue
			}
			e.Weight = w.choice
		}
		for c, l := range r.Labels {
			if l.Abstain && o.MaskAbstain {
				continue
			}
			counts = true
			tag := t.Categories[c].TagIndex(l.Tag)
			e.Tag[c] = int32(tag) //nolint:gosec // taxonomies are small
			score, tagWeight := w.of(c, l, tag)
			hand := o.handWeight(r.DecidedBy(t.Categories[c].Name))
			if e.TagWeight[c] = tagWeight * hand; !m.Spec.Single {
				e.Score[c], e.Weight[c] = float32(l.Score), score*hand
			} else if hand != 1 {
				e.Weight = scaled(w.choice, hand) // the row is one choice
			}
		}
		if counts {
			out, kept, texts = append(out, e), append(kept, i), append(texts, tokenize.Text{First: r.Title, Second: r.Description})
		}
	}
	ids := m.EncodeAll(texts)
	for i := range out {
		out[i].IDs, out[i].Types = ids.At(i)
	}
	if masked && o.MaskRules > 0 {
		o.mask(m, t, set, kept, out)
	}
	return out, kept
}

// handWeight is the weight of a label by who decided it, as rows.Row.DecidedBy says: what
// people said counts hand_weight times, alone or in a vote with others.
func (o *Options) handWeight(source string) float32 {
	for one := range strings.SplitSeq(source, "+") {
		if o.HandWeight > 0 && (one == "columns" || one == "overlay") {
			return float32(o.HandWeight)
		}
	}
	return 1
}

func scaled(weights []float32, by float32) []float32 {
	out := make([]float32, len(weights))
	for i, w := range weights {
		out[i] = w * by
	}
	return out
}

// mask gives the examples on whose text a rule fires their other reading.
func (o *Options) mask(m *bert.Model, t *taxonomy.Taxonomy, set []rows.Row, kept []int, out []fit.Example) {
	with := m.Tokenizer.Mask()
	if o.MaskHow == "delete" {
		with = ""
	}
	matcher := keywords.New(t)
	var hits keywords.Result
	var masked []tokenize.Text
	var of []int
	for i, at := range kept {
		r := set[at]
		if !o.has("description") {
			r.Description = ""
		}
		if matcher.MatchIn(&hits, r.Language, r.Title, r.Description); hits.Any() {
			of, masked = append(of, i), append(masked, tokenize.Text{First: dataset.Replace(r.Title, 0, hits.Fired, with), Second: dataset.Replace(r.Description, 1, hits.Fired, with)})
		}
	}
	ids := m.EncodeAll(masked)
	for j, i := range of {
		out[i].Alt, out[i].AltTypes = ids.At(j)
	}
}

// checkClasses refuses data from which nothing can be told apart.
func checkClasses(examples []fit.Example) error {
	if len(examples) == 0 {
		return noLabels()
	}
	for c := range examples[0].Score {
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
	return oneClass(len(examples))
}

func noLabels() error {
	return stages.Fail(stages.CodeStage, "label more rows: see label_report", "no training row has a label that counts")
}

func oneClass(n int) error {
	return stages.Fail(stages.CodeStage, "training needs rows of at least two classes: widen the rules, or fetch other rows", "the %d training rows are all of one class", n)
}
