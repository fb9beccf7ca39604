package train

import (
	"context"
	"math"
	"slices"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/device"
)

// Evaluation is the answer for all validation examples, in their order.
type Evaluation struct {
	Loss   float64
	Heads  []HeadLoss  // by output of the model: the categories, none last where it knows it
	Scores [][]float32 // as bert.Spec.Heads gives them
	Tags   [][]int32
}

// HeadLoss is the mean loss of a category's two heads over its targets that
// count, before their shares in the whole loss. In single models the score's is the
// cross entropy of the rows that are of the category.
type HeadLoss struct{ Score, Tag float64 }

// Validate evaluates the validation examples with the present weights.
func (t *Trainer) Validate(ctx context.Context) (*Evaluation, error) {
	k, outputs := len(t.model.Spec.Categories), t.model.Spec.Outputs()
	e := &Evaluation{Scores: make([][]float32, len(t.val)), Tags: make([][]int32, len(t.val)), Heads: make([]HeadLoss, outputs)}
	counted, tagged := make([]float64, outputs), make([]float64, outputs)
	src := t.collator(t.val, func(int) bool { return false }, true)
	for _, b := range t.packing.batches(lengths(t.val), t.shapes) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		s := t.shapes[b.bucket]
		a := src.collate(s, b.rows)
		err := device.Guard("validate", func() error {
			feed := t.feed(a, s, make([]float32, hypers), 0)
			defer finalize(feed)
			out, err := t.run(program{evalProgram, s}, nil, slices.Concat(t.state[:len(t.trainable)], t.constants(), feed))
			if err != nil {
				return err
			}
			defer finalize(out)
			scores, tags, losses := tensors.MustCopyFlatData[float32](out[0]), tensors.MustCopyFlatData[int32](out[1]), tensors.MustCopyFlatData[float32](out[2])
			for text, i := range slices.Concat(b.rows...) {
				at := text * k
				e.Scores[i], e.Tags[i] = slices.Clone(scores[text*outputs:(text+1)*outputs]), slices.Clone(tags[at:at+k])
				for c := range outputs {
					w, off := t.scoreLoss(t.val[i], c, e.Scores[i][c])
					e.Heads[c].Score += off
					counted[c] += w
				}
				for c := range k {
					tw := float64(t.val[i].tagWeight()[c])
					e.Heads[c].Tag += tw * float64(losses[at+c])
					tagged[c] += tw
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	for c := range e.Heads {
		h := &e.Heads[c]
		e.Loss += t.o.ScoreWeight*h.Score + t.o.TagWeight*h.Tag
		if counted[c] > 0 {
			h.Score /= counted[c]
		}
		if tagged[c] > 0 {
			h.Tag /= tagged[c]
		}
	}
	e.Loss /= float64(max(len(t.val), 1))
	return e, nil
}

// scoreLoss is how much an example's score counts, and its loss times that.
func (t *Trainer) scoreLoss(e Example, output int, score float32) (weight, loss float64) {
	w := float64(e.Weight[output])
	if t.model.Spec.Single {
		w *= float64(e.Score[output])
		return w, -w * float64(score)
	}
	target := float64(e.Score[output])
	if t.model.Spec.Linear {
		log := func(p float64) float64 { return math.Log(max(p/2, bert.LeastProbability)) }
		return w, -w * (target*log(1+float64(score)) + (1-target)*log(1-float64(score)))
	}
	d := float64(score) - target
	return w, w * d * d
}

func (t *Trainer) evalGraph(g *Graph, s Shape) []*Node {
	in := t.batchInputs(g, s, t.group(g, "w."))
	scores, logits := t.forward(in, nil)
	return []*Node{scores, ArgMax(logits, -1, dtypes.Int32), t.model.Spec.TagLoss(logits, in.tag, t.o.Smoothing)}
}
