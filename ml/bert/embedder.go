package bert

import (
	"context"
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/sprint-ml/sprint/ml/device"
)

// Embedder turns texts into vectors with a model's encoder and pooling, on a
// device. It is for one goroutine.
type Embedder struct {
	model   *Model
	dev     *device.Device
	names   []string
	weights []*tensors.Tensor
	graphs  map[[2]int]*Graph
}

// NewEmbedder puts the encoder of a model on a device; the heads stay behind.
func NewEmbedder(m *Model, dev *device.Device) (*Embedder, error) {
	e := &Embedder{model: m, dev: dev, graphs: map[[2]int]*Graph{}}
	err := device.Guard("put the encoder on the device", func() error {
		for _, w := range m.Params {
			if w.Layer >= m.Spec.Encoder.NumHiddenLayers && w.Name != "pool.w" && w.Name != "pool.b" {
				continue
			}
			t := tensors.FromFlatDataAndDimensions(w.Data, w.Shape...)
			e.names, e.weights = append(e.names, w.Name), append(e.weights, t)
			if err := t.ToDevice(dev.Backend, 0); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		e.Close()
		return nil, err
	}
	return e, nil
}

// Close frees the device's memory.
func (e *Embedder) Close() {
	_ = device.Guard("free the encoder", func() error {
		for _, g := range e.graphs {
			g.Finalize()
		}
		for _, w := range e.weights {
			w.MustFinalizeAll()
		}
		return nil
	})
	e.graphs, e.weights = nil, nil
}

// Embed returns the vector of each text, [hidden], scaled to length 1, in their
// order; a vector of zeros stays one.
func (e *Embedder) Embed(ctx context.Context, texts []Text) ([][]float32, error) {
	out := make([][]float32, len(texts))
	err := eachBatch(ctx, texts, e.model.Spec.MaxLength, func(at []int, rows, length int) error {
		return device.Guard(fmt.Sprintf("encode %d texts of up to %d tokens", rows, length), func() error {
			g, err := e.graph(rows, length)
			if err != nil {
				return err
			}
			var args []any
			for _, w := range e.weights {
				args = append(args, w)
			}
			small := inputs(texts, at, rows, length)
			for _, t := range small {
				args = append(args, t)
			}
			result := g.Run(args...)[0]
			flat := tensors.MustCopyFlatData[float32](result)
			for _, t := range append(small, result) {
				t.MustFinalizeAll()
			}
			hidden := e.model.Spec.Encoder.HiddenSize
			for r, i := range at {
				out[i] = unit(flat[r*hidden : (r+1)*hidden : (r+1)*hidden])
			}
			return nil
		})
	})
	return out, err
}

func unit(v []float32) []float32 {
	sum := 0.0
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	if sum > 0 {
		scale := float32(1 / math.Sqrt(sum))
		for i := range v {
			v[i] *= scale
		}
	}
	return v
}

func (e *Embedder) graph(rows, length int) (*Graph, error) {
	if g := e.graphs[[2]int{rows, length}]; g != nil {
		return g, nil
	}
	g := NewGraph(e.dev.Backend, fmt.Sprintf("embed_%dx%d", rows, length))
	nodes := map[string]*Node{}
	for _, w := range e.model.Params {
		for _, name := range e.names {
			if name == w.Name {
				nodes[name] = Parameter(g, name, w.ParamShape())
			}
		}
	}
	input := func(name string) *Node { return Parameter(g, name, shapes.Make(dtypes.Int32, rows, length)) }
	ids, types, mask := input("ids"), input("types"), input("mask")
	s := e.model.Spec
	params := func(n string) *Node { return nodes[n] }
	if err := g.Compile(s.Pool(params, s.Embed(params, ids, types, nil, nil), mask, 0, nil)); err != nil {
		return nil, err
	}
	e.graphs[[2]int{rows, length}] = g
	return g, nil
}
