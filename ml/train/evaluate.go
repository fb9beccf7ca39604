package train

import (
	"context"
	"slices"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/sprint-ml/sprint/ml/device"
)

// Evaluation is the answer for all validation examples, in their order.
type Evaluation struct {
	Loss   float64
	Heads  []HeadLoss // by category
	Scores [][]float32
	Tags   [][]int32
}

// HeadLoss is the mean loss of a category's two heads over its targets that
// count, before their shares in the whole loss.
type HeadLoss struct{ Score, Tag float64 }

// Validate evaluates the validation examples with the present weights.
func (t *Trainer) Validate(ctx context.Context) (*Evaluation, error) {
	k := len(t.model.Spec.Categories)
	e := &Evaluation{Scores: make([][]float32, len(t.val)), Tags: make([][]int32, len(t.val)), Heads: make([]HeadLoss, k)}
	counted, tagged := make([]float64, k), make([]float64, k)
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
				e.Scores[i], e.Tags[i] = slices.Clone(scores[at:at+k]), slices.Clone(tags[at:at+k])
				for c := range k {
					w, tw := float64(t.val[i].Weight[c]), float64(t.val[i].tagWeight()[c])
					d := float64(scores[at+c] - t.val[i].Score[c])
					e.Heads[c].Score += w * d * d
					e.Heads[c].Tag += tw * float64(losses[at+c])
					counted[c] += w
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

func (t *Trainer) evalGraph(g *Graph, s Shape) []*Node {
	in := t.batchInputs(g, s, t.group(g, "w."))
	scores, logits := t.forward(in, nil)
	return []*Node{scores, ArgMax(logits, -1, dtypes.Int32), t.model.Spec.TagLoss(logits, in.tag, t.o.Smoothing)}
}
