package train

import (
	"slices"

	"github.com/gomlx/compute/dtypes"
	gshapes "github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/bert/dropout"
)

// inputs of a program that computes the network.
type inputs struct {
	params         bert.Params
	packed         bert.Packed
	states         *Node
	score, weight  *Node
	tag, tagWeight *Node
	hyper, seed    *Node
}

// Places in hyper.
const (
	hyperTexts = iota // of the whole batch
	hyperRate
	hyperBias1      // 1/(1-beta1^t)
	hyperBias2      // 1/sqrt(1-beta2^t)
	hyperAccumulate // 0 begins a new sum of gradients
	hypers
)

func scalar(hyper *Node, i int) *Node { return Reshape(Slice(hyper, AxisRange(i, i+1))) }

// group declares one input per trainable parameter.
func (t *Trainer) group(g *Graph, prefix string) []*Node {
	out := make([]*Node, len(t.trainable))
	for i, p := range t.trainable {
		out[i] = Parameter(g, prefix+p.Name, p.ParamShape())
	}
	return out
}

// batchInputs declares the frozen weights and the batch; feed and constants give
// them in the same order.
func (t *Trainer) batchInputs(g *Graph, s Shape, weights []*Node) inputs {
	var in inputs
	nodes := map[string]*Node{}
	for i, x := range weights {
		nodes[t.trainable[i].Name] = x
	}
	for _, p := range t.frozen {
		if t.cache == nil || p.Constant {
			nodes[p.Name] = Parameter(g, "f."+p.Name, p.ParamShape())
		}
	}
	in.params = func(name string) *Node { return nodes[name] }
	k := len(t.model.Spec.Categories)
	ints := func(name string, d ...int) *Node { return Parameter(g, name, gshapes.Make(dtypes.Int32, d...)) }
	floats := func(name string, d ...int) *Node { return Parameter(g, name, gshapes.Make(dtypes.Float32, d...)) }
	if t.cache != nil {
		in.states = floats("states", s.tokens(), t.model.Spec.Encoder.HiddenSize)
	} else {
		in.packed.IDs, in.packed.Types, in.packed.Positions = ints("ids", s.Rows, s.Length), ints("types", s.Rows, s.Length), ints("positions", s.Rows, s.Length)
	}
	in.packed.Owner, in.packed.First = ints("owner", s.Rows, s.Length), ints("first", s.Texts)
	outputs := t.model.Spec.Outputs()
	in.score, in.weight, in.tag = floats("score", s.Texts, outputs), floats("weight", s.Texts, outputs), ints("tag", s.Texts, k)
	in.tagWeight = floats("tag_weight", s.Texts, k)
	in.hyper = floats("hyper", hypers)
	in.seed = Parameter(g, "seed", gshapes.Make(dtypes.Uint32, 1))
	return in
}

// feed makes the tensors of a batch in the order of its inputs.
func (t *Trainer) feed(a collated, s Shape, hyper []float32, seed uint32) []*tensors.Tensor {
	k, outputs := len(t.model.Spec.Categories), t.model.Spec.Outputs()
	var out []*tensors.Tensor
	if t.cache != nil {
		out = append(out, tensors.FromFlatDataAndDimensions(a.states, s.tokens(), t.model.Spec.Encoder.HiddenSize))
	} else {
		for _, v := range [][]int32{a.ids, a.types, a.positions} {
			out = append(out, tensors.FromFlatDataAndDimensions(v, s.Rows, s.Length))
		}
	}
	return append(out,
		tensors.FromFlatDataAndDimensions(a.owner, s.Rows, s.Length),
		tensors.FromFlatDataAndDimensions(a.first, s.Texts),
		tensors.FromFlatDataAndDimensions(a.score, s.Texts, outputs),
		tensors.FromFlatDataAndDimensions(a.weight, s.Texts, outputs),
		tensors.FromFlatDataAndDimensions(a.tag, s.Texts, k),
		tensors.FromFlatDataAndDimensions(a.tagWeight, s.Texts, k),
		numbers(hyper),
		tensors.FromFlatDataAndDimensions([]uint32{seed}, 1),
	)
}

func numbers(hyper []float32) *tensors.Tensor {
	return tensors.FromFlatDataAndDimensions(slices.Clone(hyper), hypers)
}

// constants are the frozen weights that programs still need: once the output of frozen
// layers is kept, only those of the heads.
func (t *Trainer) constants() []*tensors.Tensor { return t.frozenDev }

// forward computes the network; what is frozen runs as in inference.
func (t *Trainer) forward(in inputs, drop *dropout.Dropout) (scores, logits *Node) {
	s, m := t.model.Spec, &bert.Mode{Drop: drop, Half: t.o.Half}
	if in.states == nil {
		lower := m
		if t.frozenBelow() {
			lower = &bert.Mode{Half: t.o.Half}
		}
		in.states = s.Bottom(in.params, in.packed, t.o.FreezeLayers, lower)
	}
	return s.Top(in.params, in.states, in.packed, t.o.FreezeLayers, m)
}

func (t *Trainer) frozenBelow() bool { return t.o.FreezeEmbed || t.o.FreezeLayers > 0 }

// lossGradients returns those of the loss, and the loss.
func (t *Trainer) lossGradients(in inputs, weights []*Node) ([]*Node, *Node) {
	var drop *dropout.Dropout
	if t.o.Dropout > 0 {
		drop = &dropout.Dropout{Seed: Reshape(in.seed), Rate: t.o.Dropout}
	}
	scores, logits := t.forward(in, drop)
	loss := t.model.Spec.Loss(scores, logits, in.score, in.tag, in.weight, in.tagWeight, scalar(in.hyper, hyperTexts), t.o.ScoreWeight, t.o.TagWeight, t.o.Smoothing)
	return Gradient(loss, weights...), loss
}

func (t *Trainer) stepGraph(g *Graph, s Shape) []*Node {
	w, m, v := t.group(g, "w."), t.group(g, "m."), t.group(g, "v.")
	in := t.batchInputs(g, s, w)
	grads, loss := t.lossGradients(in, w)
	return append(t.adamW(w, m, v, grads, in.hyper), loss)
}
