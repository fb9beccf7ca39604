package bert

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/sprint-ml/sprint/ml/bert/rotary"
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
	return m.drop(s.scaledNorm(p, "emb.ln", Reshape(x, ids.Shape().Size(), s.Encoder.HiddenSize)))
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
			h = s.scaledNorm(p, name+"ln1", x)
		}
		qkv := in.split(product(p, name+"qkv", h, m), 3)
		see := &global
		if s.Encoder.Rotary.Local[l] {
			see = &local
		}
		if *see == nil {
			*see = s.sight(qkv[0], in, s.Encoder.Rotary.Local[l])
		}
		a := s.attention((*see).angles.Rotate(qkv[0]), (*see).angles.Rotate(qkv[1]), qkv[2], (*see).bias, m)
		x = Add(x, m.drop(product(p, name+"o", in.join(a), m)))
		h = product(p, name+"ff1", s.scaledNorm(p, name+"ln2", x), m) // [N,2F], GeGLU of Shazeer (arXiv 2002.05202)
		f := s.Encoder.IntermediateSize
		h = Mul(s.activation(Slice(h, AxisRange(), AxisRange(0, f))), Slice(h, AxisRange(), AxisRange(f, 2*f)))
		x = Add(x, m.drop(product(p, name+"ff2", h, m)))
	}
	if from < to && to == top {
		x = s.scaledNorm(p, "final", x)
	}
	return x
}

// sight is what all layers of one sort share: whom a token sees, and by which angles vectors are
// turned.
type sight struct {
	bias   *Node // [B,1,1 or S,S]
	angles rotary.Angles
}

// sight of queries q [B,S,NH,D].
func (s modernBody) sight(q *Node, in layout, local bool) *sight {
	g, n, r := q.Graph(), q.Shape().Dimensions[1], s.Encoder.Rotary
	theta, bias := r.GlobalTheta, in.bias
	if local {
		theta = r.LocalTheta
		if n-1 > r.Reach {
			at := func(axis int) *Node { return Iota(g, shapes.Make(dtypes.Int32, 1, 1, n, n), axis) }
			bias = Add(bias, attentionBias(LessOrEqual(Abs(Sub(at(2), at(3))), Const(g, int32(r.Reach))))) //nolint:gosec // capped
		}
	}
	positions := Iota(g, shapes.Make(dtypes.Float32, 1, n), 1)
	if in.positions != nil {
		positions = toFloat32(in.positions())
	}
	return &sight{bias, rotary.New(positions, theta, q.Shape().Dimensions[3])}
}
