package bert

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// Mode is how the network is computed. A nil *Mode is inference in float32.
type Mode struct {
	Drop *Dropout
	// Half multiplies matrices in bfloat16; sums, normalisation, softmax and
	// loss stay in float32, and so do the weights that are trained (Micikevicius
	// et al., arXiv 1710.03740; bfloat16 needs no loss scaling).
	Half bool
}

func (m *Mode) drop(x *Node) *Node {
	if m == nil {
		return x
	}
	return m.Drop.apply(x)
}

// operand is an operand of a matrix product.
func (m *Mode) operand(x *Node) *Node {
	if m != nil && m.Half {
		return ConvertDType(x, dtypes.BFloat16)
	}
	return x
}

func toFloat32(x *Node) *Node { return ConvertDType(x, dtypes.Float32) }

// Dropout zeroes values at random while training. A nil *Dropout changes
// nothing. What is zeroed is a function of Seed, the place in the graph and the
// position in the tensor: there is no state to keep, and both passes compute the
// mask where they need it instead of storing it.
type Dropout struct {
	Seed *Node // uint32 scalar, another one for every step
	Rate float64

	places uint32
}

func (d *Dropout) apply(x *Node) *Node {
	if d == nil || d.Rate == 0 {
		return x
	}
	g := x.Graph()
	d.places++
	u := Iota(g, shapes.Make(dtypes.Uint32, x.Shape().Size()), 0)
	u = Add(u, mix(Add(d.Seed, Const(g, d.places*0x9e3779b9))))
	u = Reshape(mix(u), x.Shape().Dimensions...)
	keep := 1 - d.Rate
	return Where(LessThan(u, Const(g, uint32(keep*math.MaxUint32))), MulScalar(x, 1/keep), ZerosLike(x))
}

// mix is a bijection of 32 bits in which every input bit moves every output
// bit: Wellons, "Prospecting for Hash Functions" (2018), constants of lowbias32.
func mix(x *Node) *Node {
	g := x.Graph()
	for _, step := range []struct{ shift, factor uint32 }{{16, 0x7feb352d}, {15, 0x846ca68b}, {16, 0}} {
		x = BitwiseXor(x, BitwiseShiftRightLogicalScalar(x, step.shift))
		if step.factor != 0 {
			x = Mul(x, Const(g, step.factor))
		}
	}
	return x
}
