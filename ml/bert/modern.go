package bert

import (
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// modernBody is ModernBERT (Warner et al., arXiv 2412.13663): norms before attention and
// feed-forward, no biases, rotary positions, and layers in which a token sees only those near it.
type modernBody struct{ Spec }

func (s modernBody) sources(bool) []tensorSource {
	c := s.Encoder
	out := []tensorSource{
		{WordEmbeddings, []string{c.WordEmbeddings()}, false, true, -1},
		{"emb.ln.g", []string{"embeddings.norm.weight"}, false, false, -1},
	}
	for l := range c.NumHiddenLayers {
		f, n := fmt.Sprintf("layers.%d.", l), fmt.Sprintf("L%d.", l)
		if l > 0 {
			out = append(out, tensorSource{n + "ln1.g", []string{f + "attn_norm.weight"}, false, false, l})
		}
		out = append(out,
			tensorSource{n + "qkv.w", []string{f + "attn.Wqkv.weight"}, true, true, l},
			tensorSource{n + "o.w", []string{f + "attn.Wo.weight"}, true, true, l},
			tensorSource{n + "ln2.g", []string{f + "mlp_norm.weight"}, false, false, l},
			tensorSource{n + "ff1.w", []string{f + "mlp.Wi.weight"}, true, true, l},
			tensorSource{n + "ff2.w", []string{f + "mlp.Wo.weight"}, true, true, l},
		)
	}
	return append(out, tensorSource{"final.g", []string{"final_norm.weight"}, false, false, c.NumHiddenLayers - 1})
}

// embed is the word embeddings, normalised: positions come into play in attention alone.
func (s modernBody) embed(p Params, ids, _, _ *Node, m *Mode) *Node {
	x := Gather(p(WordEmbeddings), ExpandDims(ids, -1))
	return m.drop(s.norm(p, "emb.ln", Reshape(x, ids.Shape().Size(), s.Encoder.HiddenSize)))
}

// norm is layerNorm without a bias.
func (s modernBody) norm(p Params, name string, x *Node) *Node {
	d := Sub(x, ReduceAndKeep(x, ReduceMean, -1))
	v := ReduceAndKeep(Square(d), ReduceMean, -1)
	return Mul(Div(d, Sqrt(AddScalar(v, s.Encoder.LayerNormEps))), ExpandLeftToRank(p(name+".g"), x.Rank()))
}

// product is x·W for x [N,in] and W [in,out].
func product(p Params, name string, x *Node, m *Mode) *Node {
	return toFloat32(DotGeneral(m.operand(x), []int{1}, nil, m.operand(p(name+".w")), []int{0}, nil))
}

func (s modernBody) layers(p Params, x *Node, in layout, from, to int, m *Mode) *Node {
	top := s.Encoder.NumHiddenLayers
	var global, local *sight
	for l := from; l < to; l++ {
		name, h := fmt.Sprintf("L%d.", l), x
		if l > 0 {
			h = s.norm(p, name+"ln1", x)
		}
		qkv := in.split(product(p, name+"qkv", h, m), 3)
		see := &global
		if s.Encoder.Rotary.Local[l] {
			see = &local
		}
		if *see == nil {
			*see = s.sight(qkv[0], in, s.Encoder.Rotary.Local[l])
		}
		a := s.attention((*see).rotate(qkv[0]), (*see).rotate(qkv[1]), qkv[2], (*see).bias, m)
		x = Add(x, m.drop(product(p, name+"o", in.join(a), m)))
		h = product(p, name+"ff1", s.norm(p, name+"ln2", x), m) // [N,2F], GeGLU of Shazeer (arXiv 2002.05202)
		f := s.Encoder.IntermediateSize
		h = Mul(s.activation(Slice(h, AxisRange(), AxisRange(0, f))), Slice(h, AxisRange(), AxisRange(f, 2*f)))
		x = Add(x, m.drop(product(p, name+"ff2", h, m)))
	}
	if from < to && to == top {
		x = s.norm(p, "final", x)
	}
	return x
}

// sight is what all layers of one sort share: whom a token sees, and by which angles vectors are
// turned.
type sight struct {
	bias     *Node // [B,1,1 or S,S]
	cos, sin *Node // [B or 1,S,1,D/2]
}

// sight of queries q [B,S,NH,D].
func (s modernBody) sight(q *Node, in layout, local bool) *sight {
	g, n, half := q.Graph(), q.Shape().Dimensions[1], q.Shape().Dimensions[3]/2
	theta, bias := s.Encoder.Rotary.GlobalTheta, in.bias
	if local {
		theta = s.Encoder.Rotary.LocalTheta
		if n-1 > s.Encoder.Rotary.Reach {
			at := func(axis int) *Node { return Iota(g, shapes.Make(dtypes.Int32, 1, 1, n, n), axis) }
			near := LessOrEqual(Abs(Sub(at(2), at(3))), Const(g, int32(s.Encoder.Rotary.Reach))) //nolint:gosec // capped
			bias = Add(bias, attentionBias(near))
		}
	}
	frequencies := make([]float32, half)
	for i := range frequencies {
		frequencies[i] = 1 / float32(math.Pow(theta, float64(i)/float64(half)))
	}
	positions := Iota(g, shapes.Make(dtypes.Float32, 1, n), 1)
	if in.positions != nil {
		positions = toFloat32(in.positions())
	}
	angles := Mul(ExpandDims(ExpandDims(positions, -1), -1), Reshape(Const(g, frequencies), 1, 1, 1, half))
	return &sight{bias, Cos(angles), Sin(angles)}
}

// rotate turns the vectors x [B,S,NH,D], of which elements i and i+D/2 are a pair.
func (t *sight) rotate(x *Node) *Node {
	half := x.Shape().Dimensions[3] / 2
	part := func(from int) *Node {
		return Slice(x, AxisRange(), AxisRange(), AxisRange(), AxisRange(from, from+half))
	}
	a, b := part(0), part(half)
	return Concatenate([]*Node{Sub(Mul(a, t.cos), Mul(b, t.sin)), Add(Mul(b, t.cos), Mul(a, t.sin))}, -1)
}
