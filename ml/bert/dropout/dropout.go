// Package dropout zeroes values of a network while it is trained (Srivastava et al. 2014), without
// keeping what it drew. It imports nothing of this module.
package dropout

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// Dropout zeroes values at random while training. A nil *Dropout changes
// nothing. What is zeroed is a function of Seed, the place in the graph and the
// position in the tensor: there is no state to keep, and both passes compute the
// mask where they need it instead of storing it.
type Dropout struct {
	Seed *Node // uint32 scalar, another one for every step
	Rate float64

	places uint32
}

// Apply is x [...] with some of its values zeroed and the others scaled, so that their mean stays.
func (d *Dropout) Apply(x *Node) *Node {
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
