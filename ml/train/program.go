package train

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	gshapes "github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/device"
)

// program is a compiled graph by what it does and the shape of its batch.
type program struct {
	does  string
	shape Shape
}

// What programs do. Inputs that are donated come first, and the outputs that
// take their place too.
const (
	stepProgram     = "step"     // state, batch -> state, loss
	gradientProgram = "gradient" // gradients, weights, batch -> gradients, loss
	updateProgram   = "update"   // state, gradients -> state
	evalProgram     = "eval"     // weights, batch -> scores, tags, tag losses
	frozenProgram   = "frozen"   // frozen weights, batch -> output of the frozen layers
)

func (p program) String() string {
	return fmt.Sprintf("%s_%dx%dx%d", p.does, p.shape.Rows, p.shape.Length, p.shape.Texts)
}

// requiredPrograms lists the programs of the fit, the largest first: if memory is short
// it is found out before any step.
func (t *Trainer) requiredPrograms() []program {
	var out []program
	validated := map[int]bool{}
	for _, b := range t.packing.batches(lengths(t.val), t.shapes) {
		validated[b.bucket] = true
	}
	for i, c := range slices.Backward(t.packing.buckets) {
		switch {
		case c.batches > 0 && t.accumulation > 1:
			out = append(out, program{gradientProgram, t.shapes[i]})
		case c.batches > 0:
			out = append(out, program{stepProgram, t.shapes[i]})
		}
		if validated[i] {
			out = append(out, program{evalProgram, t.shapes[i]})
		}
	}
	if t.accumulation > 1 {
		out = append(out, program{updateProgram, Shape{}})
	}
	return out
}

// Compile builds the programs that are missing. report is told after each.
func (t *Trainer) Compile(ctx context.Context, report func(done, total int)) error {
	if err := t.fillFrozenCache(ctx); err != nil {
		return err
	}
	wanted := t.requiredPrograms()
	for i, p := range wanted {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := t.build(p); err != nil {
			return err
		}
		report(i+1, len(wanted))
	}
	return nil
}

func (t *Trainer) build(p program) error {
	if t.programs[p] != nil {
		return nil
	}
	began := time.Now()
	defer func() { t.CompileTime += time.Since(began) }()
	t.built++
	return device.Guard(fmt.Sprintf("compile for %d rows of %d tokens", p.shape.Rows, p.shape.Length), func() error {
		n := len(t.trainable)
		donated := map[string]int{stepProgram: 3 * n, gradientProgram: n, updateProgram: 3 * n}[p.does]
		g := NewGraph(t.dev.Donating(donated), p.String())
		out := map[string]func(*Graph, Shape) []*Node{stepProgram: t.stepGraph, gradientProgram: t.gradientGraph, updateProgram: t.updateGraph, evalProgram: t.evalGraph, frozenProgram: t.frozenGraph}[p.does](g, p.shape)
		t.programs[p] = g
		return g.Compile(out...)
	})
}

// run executes a program. The donated tensors are gone afterwards.
func (t *Trainer) run(p program, donated, kept []*tensors.Tensor) ([]*tensors.Tensor, error) {
	if t.fail != nil {
		if err := t.fail(p); err != nil {
			return nil, err
		}
	}
	if err := t.build(p); err != nil {
		return nil, err
	}
	buffers, given := make([]compute.Buffer, 0, len(donated)+len(kept)), make([]bool, len(donated)+len(kept))
	for i, x := range donated {
		b, err := x.DonateBuffer(t.dev.Backend, 0)
		if err != nil {
			return nil, err
		}
		buffers, given[i] = append(buffers, b), true
	}
	for _, x := range kept {
		b, err := x.Buffer(t.dev.Backend, 0)
		if err != nil {
			return nil, err
		}
		buffers = append(buffers, b)
	}
	return t.programs[p].RunWithBuffers(buffers, given, 0), nil
}

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
	if t.cache == nil {
		for _, p := range t.frozen {
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
	in.score, in.weight, in.tag = floats("score", s.Texts, k), floats("weight", s.Texts, k), ints("tag", s.Texts, k)
	in.tagWeight = floats("tag_weight", s.Texts, k)
	in.hyper = floats("hyper", hypers)
	in.seed = Parameter(g, "seed", gshapes.Make(dtypes.Uint32, 1))
	return in
}

// feed makes the tensors of a batch in the order of its inputs.
func (t *Trainer) feed(a collated, s Shape, hyper []float32, seed uint32) []*tensors.Tensor {
	k := len(t.model.Spec.Categories)
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
		tensors.FromFlatDataAndDimensions(a.score, s.Texts, k),
		tensors.FromFlatDataAndDimensions(a.weight, s.Texts, k),
		tensors.FromFlatDataAndDimensions(a.tag, s.Texts, k),
		tensors.FromFlatDataAndDimensions(a.tagWeight, s.Texts, k),
		numbers(hyper),
		tensors.FromFlatDataAndDimensions([]uint32{seed}, 1),
	)
}

func numbers(hyper []float32) *tensors.Tensor {
	return tensors.FromFlatDataAndDimensions(slices.Clone(hyper), hypers)
}

// constants are the frozen weights that programs still need.
func (t *Trainer) constants() []*tensors.Tensor {
	if t.cache != nil {
		return nil
	}
	return t.frozenDev
}

// forward computes the network; what is frozen runs as in inference.
func (t *Trainer) forward(in inputs, drop *bert.Dropout) (scores, logits *Node) {
	s, m := t.model.Spec, &bert.Mode{Drop: drop, Half: t.o.Half}
	if in.states == nil {
		lower := m
		if t.frozenBelow() {
			lower = &bert.Mode{Half: t.o.Half}
		}
		in.states = s.Embed(in.params, in.packed.IDs, in.packed.Types, in.packed.Positions, lower)
		in.states = s.Layers(in.params, in.states, bert.OwnerBias(in.packed.Owner), 0, t.o.FreezeLayers, lower)
	}
	return s.Top(in.params, in.states, in.packed, t.o.FreezeLayers, m)
}

func (t *Trainer) frozenBelow() bool { return t.o.FreezeEmbed || t.o.FreezeLayers > 0 }

// lossGradients returns those of the loss, and the loss.
func (t *Trainer) lossGradients(in inputs, weights []*Node) ([]*Node, *Node) {
	var drop *bert.Dropout
	if t.o.Dropout > 0 {
		drop = &bert.Dropout{Seed: Reshape(in.seed), Rate: t.o.Dropout}
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

func (t *Trainer) gradientGraph(g *Graph, s Shape) []*Node {
	sums, w := t.group(g, "s."), t.group(g, "w.")
	in := t.batchInputs(g, s, w)
	grads, loss := t.lossGradients(in, w)
	more := GreaterThan(scalar(in.hyper, hyperAccumulate), ScalarZero(g, dtypes.Float32))
	for i := range grads {
		grads[i] = Add(Where(more, sums[i], ZerosLike(sums[i])), grads[i])
	}
	return append(grads, loss)
}

func (t *Trainer) updateGraph(g *Graph, _ Shape) []*Node {
	w, m, v := t.group(g, "w."), t.group(g, "m."), t.group(g, "v.")
	sums := t.group(g, "s.")
	return t.adamW(w, m, v, sums, Parameter(g, "hyper", gshapes.Make(dtypes.Float32, hypers)))
}

// adamW is torch.optim.AdamW, single tensor, with decoupled decay, after
// torch.nn.utils.clip_grad_norm_.
func (t *Trainer) adamW(w, m, v, grads []*Node, hyper *Node) []*Node {
	g, n := hyper.Graph(), len(w)
	if t.o.Clip > 0 {
		squares := ScalarZero(g, dtypes.Float32)
		for _, x := range grads {
			squares = Add(squares, ReduceAllSum(Square(x)))
		}
		scale := MinScalar(Div(ConstAsDType(g, dtypes.Float32, t.o.Clip), AddScalar(Sqrt(squares), 1e-6)), 1)
		for i := range grads {
			grads[i] = Mul(grads[i], scale)
		}
	}
	rate, bias1, bias2 := scalar(hyper, hyperRate), scalar(hyper, hyperBias1), scalar(hyper, hyperBias2)
	out := make([]*Node, 3*n)
	for i, p := range t.trainable {
		x, rate := w[i], MulScalar(rate, t.learningRateScale(p))
		if p.Decay && t.o.WeightDecay > 0 {
			x = Mul(x, OneMinus(MulScalar(rate, t.o.WeightDecay)))
		}
		m := Add(m[i], MulScalar(Sub(grads[i], m[i]), 1-beta1))
		v := Add(MulScalar(v[i], beta2), MulScalar(Square(grads[i]), 1-beta2))
		out[i] = Sub(x, Mul(Mul(rate, bias1), Div(m, AddScalar(Mul(Sqrt(v), bias2), epsilon))))
		out[n+i], out[2*n+i] = m, v
	}
	return out
}

// learningRateScale is a parameter's share of the learning rate.
func (t *Trainer) learningRateScale(p bert.Param) float64 {
	top := t.model.Spec.Encoder.NumHiddenLayers
	if p.Layer >= top {
		return t.o.HeadScale
	}
	return math.Pow(t.o.LayerDecay, float64(top-1-p.Layer))
}

func (t *Trainer) evalGraph(g *Graph, s Shape) []*Node {
	in := t.batchInputs(g, s, t.group(g, "w."))
	scores, logits := t.forward(in, nil)
	return []*Node{scores, ArgMax(logits, -1, dtypes.Int32), t.model.Spec.TagLoss(logits, in.tag, t.o.Smoothing)}
}
