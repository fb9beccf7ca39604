package bert

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/metrics"
)

// Prediction is the answer for one text: a score in [-1,1] and the index of a
// tag per category.
type Prediction struct {
	Scores []float32
	Tags   []int32
}

// Text is an encoded text.
type Text struct{ IDs, Types []int32 }

// Predictor answers for a model on a device. The weights are put on the device
// once; a program is compiled for each of a few shapes when it is first needed.
// It is safe for concurrent use; calls run one after the other.
type Predictor struct {
	model *Model
	dev   *device.Device

	mu      sync.Mutex
	weights []*tensors.Tensor
	graphs  map[[2]int]*Graph
}

// NewPredictor puts a model on a device.
func NewPredictor(m *Model, dev *device.Device) (*Predictor, error) {
	p := &Predictor{model: m, dev: dev, graphs: map[[2]int]*Graph{}}
	err := device.Guard("put the model on the device", func() error {
		for _, w := range m.Params {
			t := tensors.FromFlatDataAndDimensions(w.Data, w.Shape...)
			if err := t.ToDevice(dev.Backend, 0); err != nil {
				return err
			}
			p.weights = append(p.weights, t)
		}
		return nil
	})
	return p, err
}

// Close frees the device's memory.
func (p *Predictor) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = device.Guard("free the model", func() error {
		for _, g := range p.graphs {
			g.Finalize()
		}
		for _, w := range p.weights {
			w.MustFinalizeAll()
		}
		return nil
	})
	p.graphs, p.weights = map[[2]int]*Graph{}, nil
}

// Model is the model that the predictor answers for.
func (p *Predictor) Model() *Model { return p.model }

// PaddedLengths are the padded lengths that programs are compiled for.
func PaddedLengths(most int) []int {
	var out []int
	for _, n := range []int{16, 32, 64, 128, 256, 512} {
		if n >= most {
			break
		}
		out = append(out, n)
	}
	return append(out, most)
}

// batchRows is the number of rows of a program for many texts; one text alone
// has a program of its own.
const batchRows = 32

// Predict answers for texts, in their order. It sorts them by length, so a
// long one does not pad all others.
func (p *Predictor) Predict(ctx context.Context, texts []Text) ([]Prediction, error) {
	out := make([]Prediction, len(texts))
	return out, eachBatch(ctx, texts, p.model.Spec.MaxLength, func(at []int, rows, length int) error {
		return p.batch(texts, at, rows, length, out)
	})
}

// eachBatch hands out texts in batches of few shapes, at most rows texts of at
// most length tokens each.
func eachBatch(ctx context.Context, texts []Text, longest int, run func(at []int, rows, length int) error) error {
	order := make([]int, len(texts))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return len(texts[a].IDs) - len(texts[b].IDs) })
	lengths := PaddedLengths(longest)
	for len(order) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		// Rows of one batch share the padded length of its longest.
		rows := batchRows
		if len(order) == 1 {
			rows = 1
		}
		n := min(rows, len(order))
		length := paddedLength(lengths, len(texts[order[0]].IDs))
		for i := 1; i < n; i++ {
			if paddedLength(lengths, len(texts[order[i]].IDs)) != length {
				n = i
				break
			}
		}
		if n == 1 {
			rows = 1
		}
		if err := run(order[:n], rows, length); err != nil {
			return err
		}
		order = order[n:]
	}
	return nil
}

func paddedLength(lengths []int, n int) int {
	for _, l := range lengths {
		if n <= l {
			return l
		}
	}
	return lengths[len(lengths)-1]
}

// temper is a copy of a text's scores, rescaled by the model's temperatures.
func (p *Predictor) temper(scores []float32) []float32 {
	out := slices.Clone(scores)
	for c, t := range p.model.Spec.Temperatures {
		out[c] = float32(metrics.Temper(float64(out[c]), t))
	}
	return out
}

// graph compiles the program of a shape.
func (p *Predictor) graph(rows, length int) (*Graph, error) {
	if g := p.graphs[[2]int{rows, length}]; g != nil {
		return g, nil
	}
	g := NewGraph(p.dev.Backend, fmt.Sprintf("predict_%dx%d", rows, length))
	nodes := map[string]*Node{}
	for _, w := range p.model.Params {
		nodes[w.Name] = Parameter(g, w.Name, w.ParamShape())
	}
	input := func(name string) *Node { return Parameter(g, name, shapes.Make(dtypes.Int32, rows, length)) }
	ids, types, mask := input("ids"), input("types"), input("mask")
	s := p.model.Spec
	scores, logits := s.Forward(func(n string) *Node { return nodes[n] }, ids, types, mask, nil)
	if err := g.Compile(scores, ArgMax(logits, -1, dtypes.Int32)); err != nil {
		return nil, err
	}
	p.graphs[[2]int{rows, length}] = g
	return g, nil
}

// inputs are the ids, types and mask, int32 [rows,length], of the texts at some
// places.
func inputs(texts []Text, at []int, rows, length int) []*tensors.Tensor {
	ids, types, mask := make([]int32, rows*length), make([]int32, rows*length), make([]int32, rows*length)
	for r, i := range at {
		t := texts[i]
		n := min(len(t.IDs), length)
		copy(ids[r*length:], t.IDs[:n])
		copy(types[r*length:], t.Types[:min(len(t.Types), n)])
		for j := range n {
			mask[r*length+j] = 1
		}
	}
	for r := len(at); r < rows; r++ {
		mask[r*length] = 1 // a padded row attends to one token: no empty softmax
	}
	return []*tensors.Tensor{
		tensors.FromFlatDataAndDimensions(ids, rows, length),
		tensors.FromFlatDataAndDimensions(types, rows, length),
		tensors.FromFlatDataAndDimensions(mask, rows, length),
	}
}

func (p *Predictor) batch(texts []Text, at []int, rows, length int, out []Prediction) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := len(p.model.Spec.Categories)
	return device.Guard(fmt.Sprintf("predict %d texts of up to %d tokens", rows, length), func() error {
		g, err := p.graph(rows, length)
		if err != nil {
			return err
		}
		args := make([]any, 0, len(p.weights)+3)
		for _, w := range p.weights {
			args = append(args, w)
		}
		small := inputs(texts, at, rows, length)
		for _, t := range small {
			args = append(args, t)
		}
		result := g.Run(args...)
		scores := tensors.MustCopyFlatData[float32](result[0])
		tags := tensors.MustCopyFlatData[int32](result[1])
		for _, t := range append(small, result...) {
			t.MustFinalizeAll()
		}
		for r, i := range at {
			out[i] = Prediction{Scores: p.temper(scores[r*k : (r+1)*k]), Tags: slices.Clone(tags[r*k : (r+1)*k])}
		}
		return nil
	})
}
