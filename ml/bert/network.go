package bert

import (
	"context"
	"fmt"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/sprint-ml/sprint/ml/device"
)

// network is a model, or a part of one, on a device. The weights are put there once; a
// program is compiled for each of a few shapes when it is first needed.
type network struct {
	model   *Model
	dev     *device.Device
	name    string  // of the programs
	task    string  // what is done with texts, in errors
	params  []Param // the part of the model
	outputs func(p Params, ids, types, mask *Node) []*Node
	flat    func(p Params, in Flat) []*Node // the same of flat batches; nil of a network that has none

	weights []*tensors.Tensor
	graphs  map[flatShape]*Graph // those of rows of one length have no tokens
}

// load puts the weights, what is theirs in errors, on the device.
func (n *network) load(what string) error {
	n.graphs = map[flatShape]*Graph{}
	err := device.Guard("put "+what+" on the device", func() error {
		for _, w := range n.params {
			t := tensors.FromFlatDataAndDimensions(w.Data, w.Shape...)
			n.weights = append(n.weights, t)
			if err := t.ToDevice(n.dev.Backend, 0); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		n.close()
	}
	return err
}

// close frees the device's memory.
func (n *network) close() {
	_ = device.Guard("", func() error {
		for _, g := range n.graphs {
			g.Finalize()
		}
		finalize(n.weights)
		return nil
	})
	clear(n.graphs)
	n.weights = nil
}

func finalize(all []*tensors.Tensor) {
	for _, t := range all {
		t.MustFinalizeAll()
	}
}

// run computes the outputs for the texts at some places, as the first of so many rows of
// one length. They are gone when read returns.
func (n *network) run(texts []Text, at []int, rows, length int, read func(outputs []*tensors.Tensor)) error {
	return n.compute(flatShape{windows: rows, length: length}, func() []*tensors.Tensor { return inputs(texts, at, rows, length) }, read)
}

// runFlat computes the outputs for the texts at some places, in a flat batch. They are
// gone when read returns.
func (n *network) runFlat(texts []Text, at []int, s flatShape, read func(outputs []*tensors.Tensor)) error {
	return n.compute(s, func() []*tensors.Tensor { return flatInputs(texts, at, s) }, read)
}

// compute runs the program of a shape.
func (n *network) compute(s flatShape, batch func() []*tensors.Tensor, read func(outputs []*tensors.Tensor)) error {
	return device.Guard(fmt.Sprintf("%s %d texts of up to %d tokens", n.task, s.windows, s.length), func() error {
		g, err := n.graph(s)
		if err != nil {
			return err
		}
		in := batch()
		var args []any
		for _, t := range slices.Concat(n.weights, in) {
			args = append(args, t)
		}
		outputs := g.Run(args...)
		read(outputs)
		finalize(slices.Concat(in, outputs))
		return nil
	})
}

// graph compiles the program of a shape.
func (n *network) graph(s flatShape) (*Graph, error) {
	if g := n.graphs[s]; g != nil {
		return g, nil
	}
	name := fmt.Sprintf("%s_%dx%d", n.name, s.windows, s.length)
	if s.tokens > 0 {
		name += fmt.Sprintf("_flat_%d", s.tokens)
	}
	g := NewGraph(n.dev.Backend, name)
	nodes := map[string]*Node{}
	for _, w := range n.params {
		nodes[w.Name] = Parameter(g, w.Name, w.ParamShape())
	}
	p := func(name string) *Node { return nodes[name] }
	input := func(name string, d ...int) *Node { return Parameter(g, name, shapes.Make(dtypes.Int32, d...)) }
	var outputs []*Node
	if s.tokens == 0 {
		outputs = n.outputs(p, input("ids", s.windows, s.length), input("types", s.windows, s.length), input("mask", s.windows, s.length))
	} else {
		outputs = n.flat(p, Flat{
			IDs: input("ids", 1, s.tokens), Types: input("types", 1, s.tokens), Positions: input("positions", 1, s.tokens),
			Token: input("token", s.windows, s.length), Mask: input("mask", s.windows, s.length), Place: input("place", s.tokens),
		})
	}
	if err := g.Compile(outputs...); err != nil {
		return nil, err
	}
	n.graphs[s] = g
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

// batchRows is the number of rows of a program for many texts; one text alone
// has a program of its own.
const batchRows = 32

// eachBatch hands out texts in batches of few shapes, at most rows texts of at
// most length tokens each.
func eachBatch(ctx context.Context, texts []Text, longest int, run func(at []int, rows, length int) error) error {
	order := make([]int, len(texts))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return len(texts[a].IDs) - len(texts[b].IDs) })
	for len(order) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		// Rows of one batch share the padded length of its longest.
		rows, n := batchRows, min(batchRows, len(order))
		length := paddedLength(len(texts[order[0]].IDs), longest)
		if i := slices.IndexFunc(order[:n], func(i int) bool { return paddedLength(len(texts[i].IDs), longest) != length }); i > 0 {
			n = i
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

// paddedLength is the least of the lengths that programs are compiled for which holds n
// tokens, longest if none does.
func paddedLength(n, longest int) int {
	for _, length := range []int{16, 32, 64, 128, 256, 512} {
		if n <= length && length < longest {
			return length
		}
	}
	return longest
}
