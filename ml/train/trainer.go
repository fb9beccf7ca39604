package train

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/gomlx/compute/dtypes"
	gshapes "github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/device"
)

// Trainer holds the state of a fit: weights, moments and the generator's state
// as tensors of the device, and where in the data it stands.
type Trainer struct {
	o     Options
	dev   *device.Device
	model *bert.Model
	train []Example
	val   []Example

	vocab      *vocabulary
	trainable  []bert.Param // host copies of the start; the live ones are in state
	frozen     []bert.Param
	state      []*tensors.Tensor // weights, first moments, second moments, generator
	frozenDev  []*tensors.Tensor
	shapes     []Shape
	trainLens  []int
	valBatches []batch
	steps      map[Shape]*Graph
	evals      map[Shape]*Graph

	perEpoch int
	total    int
	step     int // done
	epoch    int // running, from 0
	order    []batch
	cursor   int // next batch of order
	sum      float64
	seen     int
	// Tokens counts real and padded tokens of all steps.
	Tokens, Padded int64
	// CompileTime is the time spent on building programs.
	CompileTime time.Duration
}

// shapeCost is the padded tokens per pass that a further program must save to
// be worth its compilation (about 2 s, some 4,000 tokens of training).
const shapeCost = 4000

// New prepares a fit of model, which it changes only in Export.
func New(model *bert.Model, dev *device.Device, train, val []Example, o Options) (*Trainer, error) {
	t := &Trainer{o: o, dev: dev, model: model, train: train, val: val, steps: map[Shape]*Graph{}, evals: map[Shape]*Graph{}}
	lengths := func(examples []Example) []int {
		out := make([]int, len(examples))
		for i, e := range examples {
			out[i] = max(len(e.IDs), len(e.Alt))
		}
		return out
	}
	t.trainLens = lengths(train)
	valLens := lengths(val)
	padded := chooseLengths(slices.Concat(t.trainLens, valLens), o.MaxShapes, shapeCost/max(o.Epochs, 1))
	t.shapes = shapes(padded, o, len(train))
	t.valBatches = plan(valLens, t.shapes, nil)
	t.perEpoch = len(plan(t.trainLens, t.shapes, t.rng(0)))
	t.total = t.perEpoch * o.Epochs
	t.vocab = newVocabulary(model, train, val)
	for _, p := range model.Params {
		if p.Name == bert.WordEmbeddings {
			p = t.vocab.compact(p)
		}
		if o.FreezeEmbed && p.Layer < 0 || o.FreezeLayers > 0 && p.Layer < o.FreezeLayers {
			t.frozen = append(t.frozen, p)
		} else {
			t.trainable = append(t.trainable, p)
		}
	}
	t.shuffle()
	return t, guard("put the training state on the device", t.load)
}

func (t *Trainer) load() error {
	zero := func(p bert.Param) *tensors.Tensor {
		return tensors.FromFlatDataAndDimensions(make([]float32, p.Size()), p.Shape...)
	}
	n := len(t.trainable)
	t.state = make([]*tensors.Tensor, 3*n+1)
	for i, p := range t.trainable {
		t.state[i] = tensors.FromFlatDataAndDimensions(slices.Clone(p.Data), p.Shape...)
		t.state[n+i], t.state[2*n+i] = zero(p), zero(p)
	}
	rng, err := RNGStateFromSeed(int64(t.o.Seed)) //nolint:gosec // any 64 bits will do
	if err != nil {
		return err
	}
	t.state[3*n] = rng
	for _, p := range t.frozen {
		x := tensors.FromFlatDataAndDimensions(p.Data, p.Shape...)
		if err := x.ToDevice(t.dev.Backend, 0); err != nil {
			return err
		}
		t.frozenDev = append(t.frozenDev, x)
	}
	return nil
}

// guard turns GoMLX's panics into errors.
func guard(what string, f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%s: %v", what, r)
		}
	}()
	return f()
}

// rng is the generator of an epoch: the order of an epoch needs no history.
func (t *Trainer) rng(epoch int) *rand.Rand {
	return rand.New(rand.NewPCG(t.o.Seed, uint64(epoch)+1)) //nolint:gosec // reproducible on purpose
}

func (t *Trainer) shuffle() {
	t.order = plan(t.trainLens, t.shapes, t.rng(t.epoch))
	t.cursor, t.sum, t.seen = 0, 0, 0
}

// Step counts the done steps, Total all, Epoch the running epoch from 0.
func (t *Trainer) Step() int { return t.step }

// Total is the number of steps of the whole fit.
func (t *Trainer) Total() int { return t.total }

// Epoch is the running epoch, from 0.
func (t *Trainer) Epoch() int { return t.epoch }

// Done reports whether all epochs are over.
func (t *Trainer) Done() bool { return t.epoch >= t.o.Epochs }

// EpochOver reports whether the running epoch has no batch left.
func (t *Trainer) EpochOver() bool { return t.cursor >= len(t.order) }

// Shapes are the programs' shapes, the largest last.
func (t *Trainer) Shapes() []Shape { return t.shapes }

// Compile builds the programs that are missing, the largest first: if memory
// is short it is found out before any step. report is told after each.
func (t *Trainer) Compile(ctx context.Context, report func(done, total int)) error {
	used := map[Shape]bool{}
	for _, b := range t.order {
		used[b.shape] = true
	}
	valUsed := map[Shape]bool{}
	for _, b := range t.valBatches {
		valUsed[b.shape] = true
	}
	done, total := 0, len(used)+len(valUsed)
	for _, s := range slices.Backward(t.shapes) {
		for _, job := range []struct {
			wanted bool
			into   map[Shape]*Graph
			build  func(Shape) (*Graph, error)
		}{{used[s], t.steps, t.buildStep}, {valUsed[s], t.evals, t.buildEval}} {
			if !job.wanted || job.into[s] != nil {
				continue
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			began := time.Now()
			err := guard(fmt.Sprintf("compile for %d rows of %d tokens", s.Rows, s.Length), func() error {
				g, err := job.build(s)
				job.into[s] = g
				return err
			})
			t.CompileTime += time.Since(began)
			if err != nil {
				return err
			}
			done++
			report(done, total)
		}
	}
	return nil
}

// inputs declares a program's inputs and returns the network's parameters.
type inputs struct {
	state              []*Node
	params             bert.Params
	ids, types, mask   *Node
	score, weight, tag *Node
	hyper              *Node
}

func (t *Trainer) inputs(g *Graph, s Shape, moments bool) inputs {
	var in inputs
	nodes := map[string]*Node{}
	n := len(t.trainable)
	groups := []string{"w."}
	if moments {
		groups = []string{"w.", "m.", "v."}
	}
	for k, group := range groups {
		for _, p := range t.trainable {
			x := Parameter(g, group+p.Name, p.ParamShape())
			in.state = append(in.state, x)
			if k == 0 {
				nodes[p.Name] = x
			}
		}
	}
	if moments {
		in.state = append(in.state, Parameter(g, "rng", RNGStateShape))
	}
	_ = n
	for _, p := range t.frozen {
		nodes[p.Name] = Parameter(g, "f."+p.Name, p.ParamShape())
	}
	in.params = func(name string) *Node { return nodes[name] }
	k := len(t.model.Spec.Categories)
	ints := func(name string, d ...int) *Node { return Parameter(g, name, gshapes.Make(dtypes.Int32, d...)) }
	floats := func(name string, d ...int) *Node { return Parameter(g, name, gshapes.Make(dtypes.Float32, d...)) }
	in.ids, in.types, in.mask = ints("ids", s.Rows, s.Length), ints("types", s.Rows, s.Length), ints("mask", s.Rows, s.Length)
	in.score, in.weight, in.tag = floats("score", s.Rows, k), floats("weight", s.Rows, k), ints("tag", s.Rows, k)
	in.hyper = floats("hyper", 4) // rows, learning rate, 1/(1-b1^t), 1/sqrt(1-b2^t)
	return in
}

func scalar(hyper *Node, i int) *Node { return Reshape(Slice(hyper, AxisRange(i, i+1))) }

func (t *Trainer) loss(in inputs, drop *bert.Dropout) (loss, scores, logits *Node) {
	s := t.model.Spec
	scores, logits = s.Forward(in.params, in.ids, in.types, in.mask, drop)
	loss = s.Loss(scores, logits, in.score, in.tag, in.weight, scalar(in.hyper, 0), t.o.ScoreWeight, t.o.TagWeight, t.o.Smoothing)
	return loss, scores, logits
}

// buildStep compiles one step: state and batch in, new state and loss out.
func (t *Trainer) buildStep(s Shape) (*Graph, error) {
	g := NewGraph(t.dev.Backend, fmt.Sprintf("step_%dx%d", s.Rows, s.Length))
	in := t.inputs(g, s, true)
	n := len(t.trainable)
	rng := in.state[3*n]
	var drop *bert.Dropout
	if t.o.Dropout > 0 {
		drop = &bert.Dropout{State: rng, Rate: t.o.Dropout}
	}
	loss, _, _ := t.loss(in, drop)
	if drop != nil {
		rng = drop.State
	}
	grads := Gradient(loss, in.state[:n]...)
	if t.o.Clip > 0 {
		var squares *Node
		for _, gr := range grads {
			x := ReduceAllSum(Square(gr))
			if squares == nil {
				squares = x
			} else {
				squares = Add(squares, x)
			}
		}
		// As torch.nn.utils.clip_grad_norm_.
		scale := MinScalar(Div(ConstAsDType(g, dtypes.Float32, t.o.Clip), AddScalar(Sqrt(squares), 1e-6)), 1)
		for i := range grads {
			grads[i] = Mul(grads[i], scale)
		}
	}
	lr, bias1, bias2 := scalar(in.hyper, 1), scalar(in.hyper, 2), scalar(in.hyper, 3)
	out := make([]*Node, 3*n+2)
	for i, p := range t.trainable {
		w, m, v, gr := in.state[i], in.state[n+i], in.state[2*n+i], grads[i]
		rate := MulScalar(lr, t.scale(p))
		// torch.optim.AdamW, single tensor, decoupled decay.
		if p.Decay && t.o.WeightDecay > 0 {
			w = Mul(w, OneMinus(MulScalar(rate, t.o.WeightDecay)))
		}
		m = Add(m, MulScalar(Sub(gr, m), 1-beta1))
		v = Add(MulScalar(v, beta2), MulScalar(Square(gr), 1-beta2))
		out[i] = Sub(w, Mul(Mul(rate, bias1), Div(m, AddScalar(Mul(Sqrt(v), bias2), epsilon))))
		out[n+i], out[2*n+i] = m, v
	}
	out[3*n], out[3*n+1] = rng, loss
	return g, g.Compile(out...)
}

// scale is a parameter's share of the learning rate.
func (t *Trainer) scale(p bert.Param) float64 {
	top := t.model.Spec.Encoder.NumHiddenLayers
	if p.Layer >= top {
		return t.o.HeadScale
	}
	return math.Pow(t.o.LayerDecay, float64(top-1-p.Layer))
}

func (t *Trainer) buildEval(s Shape) (*Graph, error) {
	g := NewGraph(t.dev.Backend, fmt.Sprintf("eval_%dx%d", s.Rows, s.Length))
	in := t.inputs(g, s, false)
	loss, scores, logits := t.loss(in, nil)
	return g, g.Compile(loss, scores, ArgMax(logits, -1, dtypes.Int32))
}

// feed makes the tensors of a batch in the order of the inputs.
func (t *Trainer) feed(a arrays, s Shape, hyper []float32) []*tensors.Tensor {
	k := len(t.model.Spec.Categories)
	return []*tensors.Tensor{
		tensors.FromFlatDataAndDimensions(a.ids, s.Rows, s.Length),
		tensors.FromFlatDataAndDimensions(a.types, s.Rows, s.Length),
		tensors.FromFlatDataAndDimensions(a.mask, s.Rows, s.Length),
		tensors.FromFlatDataAndDimensions(a.score, s.Rows, k),
		tensors.FromFlatDataAndDimensions(a.weight, s.Rows, k),
		tensors.FromFlatDataAndDimensions(a.tag, s.Rows, k),
		tensors.FromFlatDataAndDimensions(hyper, 4),
	}
}

// Next makes one step and returns its loss and the number of rows.
func (t *Trainer) Next() (loss float64, rows int, err error) {
	b := t.order[t.cursor]
	// The choice of readings depends on epoch and batch alone, so a resumed
	// fit makes the same one.
	pick := rand.New(rand.NewPCG(t.o.Seed^0xa17, uint64(t.epoch)<<32|uint64(t.cursor))) //nolint:gosec // reproducible on purpose
	a := layOut(t.train, b, len(t.model.Spec.Categories), t.vocab.index, func(int) bool { return pick.Float64() < t.o.AltProb })
	n := float64(t.step + 1)
	hyper := []float32{a.rows, float32(t.o.lr(t.step, t.total)), float32(1 / (1 - math.Pow(beta1, n))), float32(1 / math.Sqrt(1-math.Pow(beta2, n)))}
	err = guard(fmt.Sprintf("step %d of %d rows by %d tokens", t.step+1, b.shape.Rows, b.shape.Length), func() error {
		args := make([]any, 0, len(t.state)+len(t.frozenDev)+8)
		for _, s := range t.state {
			d, err := DonateTensorBuffer(s, t.dev.Backend, 0)
			if err != nil {
				return err
			}
			args = append(args, d)
		}
		for _, f := range t.frozenDev {
			args = append(args, f)
		}
		small := t.feed(a, b.shape, hyper)
		for _, s := range small {
			args = append(args, s)
		}
		out := t.steps[b.shape].Run(args...)
		for _, s := range small {
			s.MustFinalizeAll()
		}
		last := out[len(out)-1]
		loss = float64(last.Value().(float32))
		last.MustFinalizeAll()
		t.state = out[:len(out)-1]
		return nil
	})
	if err != nil {
		return 0, 0, err
	}
	if math.IsNaN(loss) || math.IsInf(loss, 0) {
		return loss, 0, &NonFinite{Step: t.step + 1, Epoch: t.epoch + 1, Batch: t.cursor + 1, Loss: loss}
	}
	t.step++
	t.cursor++
	t.sum += loss * float64(len(b.rows))
	t.seen += len(b.rows)
	t.Tokens += int64(a.tokens)
	t.Padded += int64(b.shape.Rows * b.shape.Length)
	return loss, len(b.rows), nil
}

// TrainLoss is the mean loss of the running epoch so far.
func (t *Trainer) TrainLoss() float64 { return t.sum / float64(max(t.seen, 1)) }

// NextEpoch begins the epoch after the one that is over.
func (t *Trainer) NextEpoch() {
	t.epoch++
	t.shuffle()
}

// Evaluation is the answer for all validation examples, in their order.
type Evaluation struct {
	Loss   float64
	Scores [][]float32
	Tags   [][]int32
}

// Validate evaluates the validation examples with the present weights.
func (t *Trainer) Validate(ctx context.Context) (*Evaluation, error) {
	e := &Evaluation{Scores: make([][]float32, len(t.val)), Tags: make([][]int32, len(t.val))}
	k := len(t.model.Spec.Categories)
	for _, b := range t.valBatches {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		a := layOut(t.val, b, k, t.vocab.index, func(int) bool { return false })
		err := guard("validate", func() error {
			args := make([]any, 0, len(t.trainable)+len(t.frozenDev)+8)
			for _, s := range t.state[:len(t.trainable)] {
				args = append(args, s)
			}
			for _, f := range t.frozenDev {
				args = append(args, f)
			}
			small := t.feed(a, b.shape, []float32{a.rows, 0, 0, 0})
			for _, s := range small {
				args = append(args, s)
			}
			out := t.evals[b.shape].Run(args...)
			e.Loss += float64(out[0].Value().(float32)) * float64(len(b.rows))
			scores, tags := tensors.MustCopyFlatData[float32](out[1]), tensors.MustCopyFlatData[int32](out[2])
			for r, i := range b.rows {
				e.Scores[i], e.Tags[i] = slices.Clone(scores[r*k:(r+1)*k]), slices.Clone(tags[r*k:(r+1)*k])
			}
			for _, x := range append(small, out...) {
				x.MustFinalizeAll()
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	e.Loss /= float64(max(len(t.val), 1))
	return e, nil
}

// Close frees the device's memory.
func (t *Trainer) Close() {
	_ = guard("free the training state", func() error {
		for _, g := range t.steps {
			g.Finalize()
		}
		for _, g := range t.evals {
			g.Finalize()
		}
		for _, x := range append(t.state, t.frozenDev...) {
			x.MustFinalizeAll()
		}
		return nil
	})
}
