package bert

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/sprint-ml/sprint/ml/device"
)

// Pooled gives the vector, [hidden], that the heads see for each text. All
// texts go through one program, padded to the longest.
func Pooled(m *Model, dev *device.Device, texts []Text, half bool) ([][]float32, error) {
	length := 1
	for _, t := range texts {
		length = max(length, len(t.IDs))
	}
	rows, hidden := len(texts), m.Spec.Encoder.HiddenSize
	ids, types, mask := make([]int32, rows*length), make([]int32, rows*length), make([]int32, rows*length)
	for r, t := range texts {
		copy(ids[r*length:], t.IDs)
		copy(types[r*length:], t.Types)
		for j := range t.IDs {
			mask[r*length+j] = 1
		}
	}
	var out [][]float32
	err := device.Guard(fmt.Sprintf("encode %d texts of up to %d tokens", rows, length), func() error {
		g := NewGraph(dev.Backend, fmt.Sprintf("pooled_%dx%d", rows, length))
		defer g.Finalize()
		nodes := map[string]*Node{}
		var args []any
		for _, w := range m.Params {
			if w.Layer < m.Spec.Encoder.NumHiddenLayers || w.Name == "pool.w" || w.Name == "pool.b" {
				nodes[w.Name] = Parameter(g, w.Name, w.ParamShape())
				args = append(args, tensors.FromFlatDataAndDimensions(w.Data, w.Shape...))
			}
		}
		input := func(name string, v []int32) *Node {
			args = append(args, tensors.FromFlatDataAndDimensions(v, rows, length))
			return Parameter(g, name, shapes.Make(dtypes.Int32, rows, length))
		}
		s, mode := m.Spec, &Mode{Half: half}
		params := func(n string) *Node { return nodes[n] }
		idsNode, typesNode, maskNode := input("ids", ids), input("types", types), input("mask", mask)
		x := s.Embed(params, idsNode, typesNode, nil, mode)
		if err := g.Compile(s.Pool(params, x, maskNode, 0, mode)); err != nil {
			return err
		}
		result := g.Run(args...)[0]
		flat := tensors.MustCopyFlatData[float32](result)
		for r := range rows {
			out = append(out, flat[r*hidden:(r+1)*hidden])
		}
		result.MustFinalizeAll()
		for _, a := range args {
			a.(*tensors.Tensor).MustFinalizeAll()
		}
		return nil
	})
	return out, err
}
