package bert

import (
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// Params gives the node of a parameter by its name.
type Params func(name string) *Node

// Dropout zeroes values at random while training and threads the generator's
// state through the graph. A nil *Dropout changes nothing.
type Dropout struct {
	State *Node // of shape RNGStateShape
	Rate  float64
}

func (d *Dropout) apply(x *Node) *Node {
	if d == nil || d.Rate == 0 {
		return x
	}
	var u *Node
	d.State, u = RandomUniform(d.State, x.Shape())
	keep := 1 - d.Rate
	return Where(LessThan(u, ConstAsDType(x.Graph(), x.DType(), keep)), MulScalar(x, 1/keep), ZerosLike(x))
}

// dense is x·W+b for x [N,in] and W [in,out].
func dense(p Params, name string, x *Node) *Node {
	y := DotGeneral(x, []int{1}, nil, p(name+".w"), []int{0}, nil)
	return Add(y, ExpandLeftToRank(p(name+".b"), 2))
}

// layerNorm normalises the last axis. It divides by a square root because
// GoMLX's Rsqrt has no gradient.
func (s Spec) layerNorm(p Params, name string, x *Node) *Node {
	d := Sub(x, ReduceAndKeep(x, ReduceMean, -1))
	v := ReduceAndKeep(Square(d), ReduceMean, -1)
	y := Div(d, Sqrt(AddScalar(v, s.Encoder.LayerNormEps)))
	return Add(Mul(y, ExpandLeftToRank(p(name+".g"), x.Rank())), ExpandLeftToRank(p(name+".b"), x.Rank()))
}

// gelu is the exact one (Hendrycks and Gimpel 2016), as BERT uses it.
func gelu(x *Node) *Node {
	return Mul(x, MulScalar(AddScalar(Erf(MulScalar(x, 1/math.Sqrt2)), 1), 0.5))
}

// Embed is the sum of word, position and type embeddings, normalised:
// ids, types int32 [B,S] -> [B*S,H].
func (s Spec) Embed(p Params, ids, types *Node, drop *Dropout) *Node {
	b, n := ids.Shape().Dimensions[0], ids.Shape().Dimensions[1]
	x := Gather(p(WordEmbeddings), ExpandDims(ids, -1))
	x = Add(x, ExpandDims(Slice(p("emb.pos"), AxisRange(0, n)), 0))
	x = Add(x, Gather(p("emb.type"), ExpandDims(types, -1)))
	x = Reshape(x, b*n, s.Encoder.HiddenSize)
	return drop.apply(s.layerNorm(p, "emb.ln", x))
}

// Layers applies encoder layers from to to (exclusive): x [B*S,H], mask int32
// [B,S] -> [B*S,H].
func (s Spec) Layers(p Params, x, mask *Node, from, to int, drop *Dropout) *Node {
	g := x.Graph()
	b, n := mask.Shape().Dimensions[0], mask.Shape().Dimensions[1]
	h, heads := s.Encoder.HiddenSize, s.Encoder.NumAttentionHeads
	width := h / heads
	bias := MulScalar(Sub(ScalarOne(g, dtypes.Float32), ConvertDType(mask, dtypes.Float32)), -1e9)
	bias = Reshape(bias, b, 1, 1, n)
	split := func(x *Node) *Node { return TransposeAllDims(x, 0, 2, 1, 3) } // [B,S,NH,D] -> [B,NH,S,D]
	for l := from; l < to; l++ {
		name := fmt.Sprintf("L%d.", l)
		qkv := Reshape(dense(p, name+"qkv", x), b, n, 3, heads, width)
		pick := func(i int) *Node { return split(Squeeze(Slice(qkv, AxisRange(), AxisRange(), AxisElem(i)), 2)) }
		q, k, v := MulScalar(pick(0), 1/math.Sqrt(float64(width))), pick(1), pick(2)
		scores := Add(Einsum("bhqd,bhkd->bhqk", q, k), bias)
		a := Einsum("bhqk,bhkd->bhqd", drop.apply(Softmax(scores, -1)), v)
		a = Reshape(split(a), b*n, h)
		x = s.layerNorm(p, name+"ln1", Add(x, drop.apply(dense(p, name+"o", a))))
		f := dense(p, name+"ff2", gelu(dense(p, name+"ff1", x)))
		x = s.layerNorm(p, name+"ln2", Add(x, drop.apply(f)))
	}
	return x
}

// Pool makes one vector of each text: x [B*S,H], mask int32 [B,S] -> [B,H].
func (s Spec) Pool(p Params, x, mask *Node) *Node {
	b, n, h := mask.Shape().Dimensions[0], mask.Shape().Dimensions[1], s.Encoder.HiddenSize
	x = Reshape(x, b, n, h)
	if s.Pooling == Mean {
		m := ExpandDims(ConvertDType(mask, dtypes.Float32), -1)
		count := MaxScalar(ReduceSum(m, 1), 1)
		return Div(ReduceSum(Mul(x, m), 1), count)
	}
	first := Reshape(Slice(x, AxisRange(), AxisRange(0, 1)), b, h)
	if s.Pooling == CLS {
		return first
	}
	return Tanh(dense(p, "pool", first))
}

// Heads makes the outputs: pooled [B,H] -> scores [B,K] in [-1,1] and tag logits
// [B,K,maxTags], where tags that a category does not have are at -1e9.
func (s Spec) Heads(p Params, pooled *Node, drop *Dropout) (scores, logits *Node) {
	g := pooled.Graph()
	b, k, hh, mt := pooled.Shape().Dimensions[0], len(s.Categories), s.HeadHidden, s.maxTags()
	h := MaxScalar(dense(p, "head.in", pooled), 0)
	h = Reshape(drop.apply(h), b, k, 2, hh)
	part := func(i int) *Node { return Squeeze(Slice(h, AxisRange(), AxisRange(), AxisElem(i)), 2) } // [B,K,HH]
	scores = ReduceSum(Mul(part(0), ExpandDims(p(headScoreW), 0)), -1)
	scores = Tanh(Add(scores, ExpandDims(p("head.score.b"), 0)))
	logits = Einsum("bkh,khn->bkn", part(1), p(headTagW))
	logits = Add(logits, ExpandDims(p("head.tag.b"), 0))
	dead := make([]float32, k*mt)
	for i, c := range s.Categories {
		for j := len(c.Tags); j < mt; j++ {
			dead[i*mt+j] = -1e9
		}
	}
	return scores, Add(logits, Reshape(Const(g, dead), 1, k, mt))
}

// Forward is the whole network: ids, types, mask int32 [B,S].
func (s Spec) Forward(p Params, ids, types, mask *Node, drop *Dropout) (scores, logits *Node) {
	x := s.Embed(p, ids, types, drop)
	x = s.Layers(p, x, mask, 0, s.Encoder.NumHiddenLayers, drop)
	return s.Heads(p, s.Pool(p, x, mask), drop)
}

// Loss is 0.5·(score error)² + 0.5·cross entropy of the tag, summed over
// categories and averaged over rows. score float32 [B,K]; tag int32 [B,K];
// weight float32 [B,K], 0 where a target is masked; rows is the scalar number
// of real rows.
func (s Spec) Loss(scores, logits, score, tag, weight, rows *Node, scoreWeight, tagWeight, smoothing float64) *Node {
	mt := s.maxTags()
	mse := Mul(Square(Sub(scores, score)), weight)
	hot := OneHot(tag, mt, dtypes.Float32)
	if smoothing > 0 {
		counts := make([]float32, len(s.Categories)*mt)
		for i, c := range s.Categories {
			for j := range c.Tags {
				counts[i*mt+j] = float32(smoothing / float64(len(c.Tags)))
			}
		}
		hot = Add(MulScalar(hot, 1-smoothing), Reshape(Const(scores.Graph(), counts), 1, len(s.Categories), mt))
	}
	ce := Mul(Neg(ReduceSum(Mul(hot, LogSoftmax(logits, -1)), -1)), weight)
	total := Add(MulScalar(ReduceAllSum(mse), scoreWeight), MulScalar(ReduceAllSum(ce), tagWeight))
	return Div(total, rows)
}

// ParamShape is the shape of a parameter as a graph input.
func (p Param) ParamShape() shapes.Shape { return shapes.Make(dtypes.Float32, p.Shape...) }
