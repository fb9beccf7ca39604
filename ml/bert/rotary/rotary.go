// Package rotary turns queries and keys by angles that grow with their positions, so that their
// products depend on how far they stand apart (Su et al., arXiv 2104.09864). It imports nothing
// of this module.
package rotary

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph"
)

// Angles are those of positions, one for each pair of a vector's elements.
type Angles struct{ cos, sin *Node } // [B or 1,S,1,D/2]

// New makes the angles of positions float32 [B or 1,S] for vectors of width elements, an even
// number. theta is the base of their frequencies.
func New(positions *Node, theta float64, width int) Angles {
	frequencies := make([]float32, width/2)
	for i := range frequencies {
		frequencies[i] = 1 / float32(math.Pow(theta, float64(2*i)/float64(width)))
	}
	angles := Mul(ExpandDims(ExpandDims(positions, -1), -1), Reshape(Const(positions.Graph(), frequencies), 1, 1, 1, width/2))
	return Angles{Cos(angles), Sin(angles)}
}

// Rotate turns the vectors x [B,S,NH,D], of which elements i and i+D/2 are a pair.
func (t Angles) Rotate(x *Node) *Node {
	half := x.Shape().Dimensions[3] / 2
	part := func(from int) *Node {
		return Slice(x, AxisRange(), AxisRange(), AxisRange(), AxisRange(from, from+half))
	}
	a, b := part(0), part(half)
	return Concatenate([]*Node{Sub(Mul(a, t.cos), Mul(b, t.sin)), Add(Mul(b, t.cos), Mul(a, t.sin))}, -1)
}
