package bert

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"slices"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/sprint-ml/sprint/ml/device"
)

// Embedder turns texts into vectors with a model's encoder and pooling, on a
// device. It is for one goroutine.
type Embedder struct {
	model  *Model
	direct *direct // nil where the device computes
	net    *network
}

// NewEmbedder puts the encoder of a model on a device; the heads stay behind.
func NewEmbedder(m *Model, dev *device.Device) (*Embedder, error) {
	if runsDirectly(m.Spec.Encoder, dev) {
		return &Embedder{model: m, direct: newDirect(m)}, nil
	}
	return newEmbedder(m, dev, "embed", nil)
}

// Embedder makes one of the predictor's model and device. Where the cores of this machine
// compute, both use one copy of the weights, and only one of them at a time.
func (p *Predictor) Embedder(dev *device.Device) (*Embedder, error) {
	if p.direct != nil {
		return &Embedder{model: p.model, direct: p.direct}, nil
	}
	return NewEmbedder(p.model, dev)
}

func newEmbedder(m *Model, dev *device.Device, name string, mode *Mode) (*Embedder, error) {
	n := &network{model: m, dev: dev, name: name, task: "encode", params: embedderParams(m)}
	n.outputs = func(p Params, ids, types, mask *Node) []*Node {
		return []*Node{m.Spec.Pool(p, m.Spec.body().embed(p, ids, types, nil, mode), mask, 0, mode)}
	}
	n.flat = func(p Params, in Flat) []*Node { return []*Node{m.Spec.PoolFlat(p, in, mode)} }
	if err := n.load("the encoder"); err != nil {
		return nil, err
	}
	return &Embedder{model: m, net: n}, nil
}

// Close frees the device's memory.
func (e *Embedder) Close() {
	if e.net != nil {
		e.net.close()
	}
	e.direct = nil
}

// Embed returns the vector of each text, [hidden], scaled to length 1, in their
// order; a vector of zeros stays one. They share one array.
func (e *Embedder) Embed(ctx context.Context, texts []Text) ([][]float32, error) {
	hidden := e.Hidden()
	flat, out := make([]float32, len(texts)*hidden), make([][]float32, len(texts))
	for i := range out {
		out[i] = flat[i*hidden : (i+1)*hidden : (i+1)*hidden]
	}
	return out, e.Each(ctx, texts, func(i int, v []float32) error { copy(out[i], v); return nil })
}

// Hidden is the number of elements of a vector.
func (e *Embedder) Hidden() int { return e.model.Spec.Encoder.HiddenSize }

// Each calls visit with the vector of each text, as Embed gives it, in an order that
// suits the device. The vector is visit's own until it returns.
//
// A vector is a function of its text alone, to the byte on one device, plugin and number
// of cores: it is the same whatever else is embedded with it.
func (e *Embedder) Each(ctx context.Context, texts []Text, visit func(i int, v []float32) error) error {
	hidden, longest := e.Hidden(), e.model.Spec.Encoder.MaxTokens()
	if e.direct != nil {
		return e.direct.each(ctx, texts, longest, func(from int, all []float32) error {
			for i := range len(all) / hidden {
				v := all[i*hidden : (i+1)*hidden : (i+1)*hidden]
				scaleToUnit(v)
				if err := visit(from+i, v); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return eachFlat(ctx, texts, longest, func(at []int, s flatShape) error {
		var all []float32
		if err := e.net.runFlat(texts, at, s, func(result []*tensors.Tensor) { all = tensors.MustCopyFlatData[float32](result[0]) }); err != nil {
			return err
		}
		for w, i := range at {
			v := all[w*hidden : (w+1)*hidden : (w+1)*hidden]
			scaleToUnit(v)
			if err := visit(i, v); err != nil {
				return err
			}
		}
		return nil
	})
}

// vectors puts those of the texts at some places into out.
func (e *Embedder) vectors(texts []Text, at []int, rows, length int, out [][]float32) error {
	return e.net.run(texts, at, rows, length, func(result []*tensors.Tensor) {
		flat, hidden := tensors.MustCopyFlatData[float32](result[0]), e.Hidden()
		for r, i := range at {
			out[i] = flat[r*hidden : (r+1)*hidden : (r+1)*hidden]
		}
	})
}

func scaleToUnit(v []float32) {
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
}

// embedVersion counts changes of the arithmetic of an embedder.
const embedVersion = 2

// EmbedderDigest names all that the vectors of a model's Embedder depend on beside the
// device and the texts' ids: the weights and the shape of its encoder, and its pooling.
// Equal encoders have equal ones, whatever heads stand on them and where they were read.
func (m *Model) EmbedderDigest() (string, error) {
	h := sha256.New()
	shape, err := json.Marshal(m.Spec.Encoder)
	if err != nil {
		return "", err
	}
	fmt.Fprintf(h, "%d %s %s\n", embedVersion, m.Spec.Pooling, shape)
	buffer := make([]byte, 0, 1<<16)
	for _, p := range embedderParams(m) {
		fmt.Fprintf(h, "%s %v\n", p.Name, p.Shape)
		for part := range slices.Chunk(p.Data, cap(buffer)/4) {
			buffer = buffer[:0]
			for _, x := range part {
				buffer = binary.LittleEndian.AppendUint32(buffer, math.Float32bits(x))
			}
			h.Write(buffer)
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// embedderParams are the parameters of the encoder, and of the pooling.
func embedderParams(m *Model) []Param {
	return slices.DeleteFunc(slices.Clone(m.Params), func(p Param) bool {
		return p.Layer >= m.Spec.Encoder.NumHiddenLayers && p.Name != "pool.w" && p.Name != "pool.b"
	})
}

// Pooled gives the vector, [hidden], that the heads see for each text. All
// texts go through one program, padded to the longest.
func Pooled(m *Model, dev *device.Device, texts []Text, half bool) ([][]float32, error) {
	e, err := newEmbedder(m, dev, "pooled", &Mode{Half: half})
	if err != nil {
		return nil, err
	}
	defer e.Close()
	all, length := make([]int, len(texts)), 1
	for i, t := range texts {
		all[i], length = i, max(length, len(t.IDs))
	}
	out := make([][]float32, len(texts))
	return out, e.vectors(texts, all, len(texts), length, out)
}
