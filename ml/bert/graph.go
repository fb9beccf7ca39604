package bert

import (
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/sprint-ml/sprint/ml/bert/dropout"
)

// Params gives the node of a parameter by its name.
type Params func(name string) *Node

// Packed is a batch in which a row holds several texts one after the other, so
// that little of it is padding; attention stays inside each text (Krell et al.,
// arXiv 2107.02027). Every text is computed exactly as if it were alone.
type Packed struct {
	// IDs, Types and Positions (from 0 in each text) are int32 [R,L].
	IDs, Types, Positions *Node
	// Owner is the number of the text that a token belongs to, int32 [R,L];
	// padding has one that no text has.
	Owner *Node
	// First is where each text begins in the flattened rows, int32 [N].
	First *Node
}

// positions are those of each token in its text, int32 [R,L]: without Positions they are what
// First says. Those of padding mean nothing.
func (in Packed) positions() *Node {
	if in.Positions != nil {
		return in.Positions
	}
	d, last := in.Owner.Shape().Dimensions, in.First.Shape().Dimensions[0]-1
	place := Reshape(Iota(in.Owner.Graph(), shapes.Make(dtypes.Int32, d[0]*d[1]), 0), d...)
	return Sub(place, Gather(in.First, ExpandDims(MinScalar(in.Owner, last), -1)))
}

// dense is x·W+b for x [N,in] and W [in,out].
func dense(p Params, name string, x *Node, m *Mode) *Node {
	return affine(x, p(name+".w"), p(name+".b"), m)
}

func affine(x, w, b *Node, m *Mode) *Node {
	y := toFloat32(DotGeneral(m.operand(x), []int{1}, nil, m.operand(w), []int{0}, nil))
	return Add(y, ExpandLeftToRank(b, 2))
}

// layerNorm normalises the last axis.
func (s Spec) layerNorm(p Params, name string, x *Node) *Node {
	return Add(s.scaledNorm(p, name, x), ExpandLeftToRank(p(name+".b"), x.Rank()))
}

// scaledNorm is layerNorm without a bias. It divides by a square root because GoMLX's Rsqrt
// has no gradient.
func (s Spec) scaledNorm(p Params, name string, x *Node) *Node {
	d := Sub(x, ReduceAndKeep(x, ReduceMean, -1))
	v := ReduceAndKeep(Square(d), ReduceMean, -1)
	return Mul(Div(d, Sqrt(AddScalar(v, s.Encoder.LayerNormEps))), ExpandLeftToRank(p(name+".g"), x.Rank()))
}

// gelu is the exact one (Hendrycks and Gimpel 2016), as BERT uses it.
func gelu(x *Node) *Node {
	return Mul(x, MulScalar(AddScalar(Erf(MulScalar(x, 1/math.Sqrt2)), 1), 0.5))
}

// activation is the one that config.json names.
func (s Spec) activation(x *Node) *Node {
	switch s.Encoder.HiddenAct {
	case "relu":
		return MaxScalar(x, 0)
	case "gelu_new", "gelu_pytorch_tanh":
		inner := MulScalar(Add(x, MulScalar(Mul(Square(x), x), 0.044715)), math.Sqrt(2/math.Pi))
		return Mul(x, MulScalar(AddScalar(Tanh(inner), 1), 0.5))
	}
	return gelu(x)
}

// bertBody is the encoder of Devlin et al. (arXiv 1810.04805), and of RoBERTa.
type bertBody struct{ Spec }

// embed is the sum of word, position and type embeddings, normalised.
func (s bertBody) embed(p Params, ids, types, positions *Node, m *Mode) *Node {
	b, n := ids.Shape().Dimensions[0], ids.Shape().Dimensions[1]
	x := Gather(p(WordEmbeddings), ExpandDims(ids, -1))
	offset := s.Encoder.PositionOffset()
	if positions == nil {
		x = Add(x, ExpandDims(Slice(p("emb.pos"), AxisRange(offset, offset+n)), 0))
	} else {
		if offset > 0 {
			positions = AddScalar(positions, offset)
		}
		x = Add(x, Gather(p("emb.pos"), ExpandDims(positions, -1)))
	}
	x = Add(x, Gather(p("emb.type"), ExpandDims(types, -1)))
	x = Reshape(x, b*n, s.Encoder.HiddenSize)
	return m.drop(s.layerNorm(p, "emb.ln", x))
}

// maskedBias is what is added to the attention between tokens that must not see
// each other.
const maskedBias = -1e9

// MaskBias lets all tokens of a row see those whose mask is 1: mask int32 [B,S]
// -> [B,1,1,S].
func MaskBias(mask *Node) *Node {
	return ExpandDims(ExpandDims(attentionBias(mask), 1), 1)
}

// OwnerBias lets the tokens of a text see each other: owner int32 [R,L] ->
// [R,1,L,L].
func OwnerBias(owner *Node) *Node {
	return ExpandDims(attentionBias(Equal(ExpandDims(owner, 2), ExpandDims(owner, 1))), 1)
}

// attentionBias is 0 where a token is seen and far below all else where not.
func attentionBias(seen *Node) *Node {
	return MulScalar(OneMinus(ConvertDType(seen, dtypes.Float32)), maskedBias)
}

func (s bertBody) layers(p Params, x *Node, in layout, from, to int, m *Mode) *Node {
	for l := from; l < to; l++ {
		name := fmt.Sprintf("L%d.", l)
		qkv := in.split(dense(p, name+"qkv", x, m), 3)
		x = s.afterAttention(p, name, x, in.join(s.attention(qkv[0], qkv[1], qkv[2], in.bias, m)), m)
	}
	return x
}

// attention is that of the paper (Vaswani et al., arXiv 1706.03762): q [B,Q,NH,D], k and v
// [B,S,NH,D], bias [B,1,1 or Q,S] -> [B*Q,H].
func (s Spec) attention(q, k, v, bias *Node, m *Mode) *Node {
	split := func(x *Node) *Node { return TransposeAllDims(x, 0, 2, 1, 3) } // [B,S,NH,D] -> [B,NH,S,D]
	b, n, width := q.Shape().Dimensions[0], q.Shape().Dimensions[1], q.Shape().Dimensions[3]
	q, k, v = MulScalar(split(q), 1/math.Sqrt(float64(width))), split(k), split(v)
	scores := Add(toFloat32(Einsum("bhqd,bhkd->bhqk", m.operand(q), m.operand(k))), bias)
	a := toFloat32(Einsum("bhqk,bhkd->bhqd", m.operand(m.drop(Softmax(scores, -1))), m.operand(v)))
	return Reshape(split(a), b*n, s.Encoder.HiddenSize)
}

// afterAttention is the rest of a layer: the layer's input x and the
// attention's output a, both [N,H] -> [N,H].
func (s bertBody) afterAttention(p Params, name string, x, a *Node, m *Mode) *Node {
	x = s.layerNorm(p, name+"ln1", Add(x, m.drop(dense(p, name+"o", a, m))))
	f := dense(p, name+"ff2", s.activation(dense(p, name+"ff1", x, m)), m)
	return s.layerNorm(p, name+"ln2", Add(x, m.drop(f)))
}

// lastLayer is the last encoder layer for the first token of each text alone:
// the poolings pooler and cls look at no other, so that five sixths of the layer
// need not be computed. x [B*S,H], first int32 [N] into its rows, bias
// [B,1,N/B,S] -> [N,H].
func (s bertBody) lastLayer(p Params, x, first, bias *Node, m *Mode) *Node {
	b, n, h := bias.Shape().Dimensions[0], bias.Shape().Dimensions[3], s.Encoder.HiddenSize
	name := fmt.Sprintf("L%d.", s.Encoder.NumHiddenLayers-1)
	w, c, heads := p(name+"qkv.w"), p(name+"qkv.b"), s.Encoder.NumAttentionHeads
	top := Gather(x, ExpandDims(first, -1)) // [N,H]
	q := affine(top, Slice(w, AxisRange(), AxisRange(0, h)), Slice(c, AxisRange(0, h)), m)
	kv := affine(x, Slice(w, AxisRange(), AxisRangeToEnd(h)), Slice(c, AxisRangeToEnd(h)), m)
	kv = Reshape(kv, b, n, 2, heads, -1)
	pick := func(i int) *Node { return Squeeze(Slice(kv, AxisRange(), AxisRange(), AxisElem(i)), 2) }
	a := s.attention(Reshape(q, b, -1, heads, h/heads), pick(0), pick(1), bias, m)
	return s.afterAttention(p, name, top, a, m)
}

// Pool makes one vector of each row from the output x [B*S,H] of the layers
// below from: mask int32 [B,S] -> [B,H].
func (s Spec) Pool(p Params, x, mask *Node, from int, m *Mode) *Node {
	b, n, h, top := mask.Shape().Dimensions[0], mask.Shape().Dimensions[1], s.Encoder.HiddenSize, s.Encoder.NumHiddenLayers
	if s.Pooling == Mean {
		x = Reshape(s.body().layers(p, x, s.rows(MaskBias(mask), nil), from, top, m), b, n, h)
		w := ExpandDims(ConvertDType(mask, dtypes.Float32), -1)
		count := MaxScalar(ReduceSum(w, 1), 1)
		return Div(ReduceSum(Mul(x, w), 1), count)
	}
	first := MulScalar(Iota(mask.Graph(), shapes.Make(dtypes.Int32, b), 0), n)
	return s.poolFirst(p, x, first, s.rows(MaskBias(mask), nil), MaskBias(mask), from, m)
}

// PoolPacked makes one vector of each text from the output x [R*L,H] of the
// layers below from -> [N,H].
func (s Spec) PoolPacked(p Params, x *Node, in Packed, from int, m *Mode) *Node {
	texts, tokens := in.First.Shape().Dimensions[0], x.Shape().Dimensions[0]
	owner := Reshape(in.Owner, tokens)
	if s.Pooling == Mean {
		x = s.body().layers(p, x, s.rows(OwnerBias(in.Owner), in.positions), from, s.Encoder.NumHiddenLayers, m)
		w := OneHot(owner, texts, dtypes.Float32) // [R*L,N]
		count := MaxScalar(ReduceSum(w, 0), 1)
		return Div(DotGeneral(w, []int{0}, nil, x, []int{0}, nil), ExpandDims(count, -1))
	}
	// Each text's first token against all tokens of the batch.
	own := Equal(ExpandDims(Iota(x.Graph(), shapes.Make(dtypes.Int32, texts), 0), 1), ExpandDims(owner, 0))
	return s.poolFirst(p, x, in.First, s.rows(OwnerBias(in.Owner), in.positions), Reshape(attentionBias(own), 1, 1, texts, tokens), from, m)
}

// poolFirst makes the vector of each text from its first token: firsts is the bias of the first
// ones against all tokens.
func (s Spec) poolFirst(p Params, x, first *Node, in layout, firsts *Node, from int, m *Mode) *Node {
	top, body := s.Encoder.NumHiddenLayers, s.body()
	bert, ok := body.(bertBody)
	if few := firsts.Shape().Dimensions[2] <= s.Encoder.HiddenSize; ok && from < top && few {
		x = body.layers(p, x, in, from, top-1, m)
		x = bert.lastLayer(p, x, first, firsts, m)
	} else { // many texts against all tokens would take more memory than it saves time
		x = Gather(body.layers(p, x, in, from, top, m), ExpandDims(first, -1))
	}
	if s.Pooling == CLS {
		return x
	}
	return Tanh(dense(p, "pool", x, m))
}

// Heads makes the outputs: pooled [B,H] -> scores [B,K] in [-1,1] and tag logits
// [B,K,maxTags], where tags that a category does not have are at -1e9. The scores of a
// single model are the logarithms of its probabilities, [B,Outputs()].
func (s Spec) Heads(p Params, pooled *Node, m *Mode) (scores, logits *Node) {
	if s.Linear {
		return s.linearHeads(p, pooled, m)
	}
	b, k, hh := pooled.Shape().Dimensions[0], len(s.Categories), s.HeadHidden
	h := MaxScalar(dense(p, "head.in", pooled, m), 0)
	h = Reshape(m.drop(h), b, k, 2, hh)
	part := func(i int) *Node { return Squeeze(Slice(h, AxisRange(), AxisRange(), AxisElem(i)), 2) } // [B,K,HH]
	scores = ReduceSum(Mul(part(0), ExpandDims(p(headScoreW), 0)), -1)
	scores = Add(scores, ExpandDims(p("head.score.b"), 0))
	if s.Single {
		scores = s.choice(p, pooled, scores, m)
	} else {
		scores = Tanh(scores)
	}
	logits = Einsum("bkh,khn->bkn", part(1), p(headTagW))
	return scores, s.maskTags(Add(logits, ExpandDims(p("head.tag.b"), 0)))
}

// maskTags puts the logits [B,K,maxTags] of tags that a category does not have far below
// all others.
func (s Spec) maskTags(logits *Node) *Node {
	k, mt := len(s.Categories), s.maxTags()
	dead := make([]float32, k*mt)
	for i, c := range s.Categories {
		for j := len(c.Tags); j < mt; j++ {
			dead[i*mt+j] = -1e9
		}
	}
	return Add(logits, Reshape(Const(logits.Graph(), dead), 1, k, mt))
}

// choice makes log probabilities of the categories' logits [B,K], with that of none
// behind them.
func (s Spec) choice(p Params, pooled, logits *Node, m *Mode) *Node {
	if s.None {
		h := m.drop(MaxScalar(dense(p, "head.none.in", pooled, m), 0))
		none := Add(ReduceAndKeep(Mul(h, ExpandDims(p(headNoneW), 0)), ReduceSum, -1), ExpandDims(p("head.none.b"), 0))
		logits = Concatenate([]*Node{logits, none}, -1)
	}
	return LogSoftmax(logits, -1)
}

// Forward is the whole network on one text per row: ids, types, mask int32
// [B,S].
func (s Spec) Forward(p Params, ids, types, mask *Node, m *Mode) (scores, logits *Node) {
	x := s.body().embed(p, ids, types, nil, m)
	return s.Heads(p, s.Pool(p, x, mask, 0, m), m)
}

// Bottom is the network up to its lowest to layers, 0 for the embeddings alone -> x [R*L,H].
func (s Spec) Bottom(p Params, in Packed, to int, m *Mode) *Node {
	x := s.body().embed(p, in.IDs, in.Types, in.Positions, m)
	return s.body().layers(p, x, s.rows(OwnerBias(in.Owner), in.positions), 0, to, m)
}

// Top is the network above its lowest from layers: x [R*L,H], the output of
// those -> scores [N,K] and tag logits [N,K,maxTags].
func (s Spec) Top(p Params, x *Node, in Packed, from int, m *Mode) (scores, logits *Node) {
	return s.Heads(p, s.PoolPacked(p, x, in, from, m), m)
}

// ParamShape is the shape of a parameter as a graph input.
func (p Param) ParamShape() shapes.Shape { return shapes.Make(dtypes.Float32, p.Shape...) }

// Loss is (score error)², in single models the cross entropy of the category, with linear
// heads that of each category's probability, and the cross entropy of the tag, each times its share of the loss, summed over categories and
// averaged over rows. score and its weight float32 [B,Outputs()], tag int32 [B,K] and
// tagWeight float32 [B,K]; a weight of 0 masks its target; rows is the scalar number of
// real rows. smoothing is of the tags, and of the category of a single model.
func (s Spec) Loss(scores, logits, score, tag, weight, tagWeight, rows *Node, scoreShare, tagShare, smoothing float64) *Node {
	var off *Node
	switch {
	case s.Single:
		if smoothing > 0 {
			score = AddScalar(MulScalar(score, 1-smoothing), smoothing/float64(s.Outputs()))
		}
		off = Neg(Mul(score, scores))
	case s.Linear:
		log := func(p *Node) *Node { return Log(MaxScalar(MulScalar(p, 0.5), LeastProbability)) }
		off = Neg(Add(Mul(score, log(AddScalar(scores, 1))), Mul(OneMinus(score), log(OneMinus(scores)))))
	default:
		off = Square(Sub(scores, score))
	}
	off = Mul(off, weight)
	ce := Mul(s.TagLoss(logits, tag, smoothing), tagWeight)
	total := Add(MulScalar(ReduceAllSum(off), scoreShare), MulScalar(ReduceAllSum(ce), tagShare))
	return Div(total, rows)
}

// LeastProbability is the least that Loss takes the logarithm of.
const LeastProbability = 1e-6

// TagLoss is the cross entropy of each tag: logits [B,K,maxTags], tag int32
// [B,K] -> [B,K].
func (s Spec) TagLoss(logits, tag *Node, smoothing float64) *Node {
	mt := s.maxTags()
	hot := OneHot(tag, mt, dtypes.Float32)
	if smoothing > 0 {
		counts := make([]float32, len(s.Categories)*mt)
		for i, c := range s.Categories {
			for j := range c.Tags {
				counts[i*mt+j] = float32(smoothing / float64(len(c.Tags)))
			}
		}
		hot = Add(MulScalar(hot, 1-smoothing), Reshape(Const(logits.Graph(), counts), 1, len(s.Categories), mt))
	}
	return Neg(ReduceSum(Mul(hot, LogSoftmax(logits, -1)), -1))
}

// Mode is how the network is computed. A nil *Mode is inference in float32.
type Mode struct {
	Drop *dropout.Dropout
	// Half multiplies matrices in bfloat16; sums, normalisation, softmax and
	// loss stay in float32, and so do the weights that are trained (Micikevicius
	// et al., arXiv 1710.03740; bfloat16 needs no loss scaling).
	Half bool
}

func (m *Mode) drop(x *Node) *Node {
	if m == nil {
		return x
	}
	return m.Drop.Apply(x)
}

// operand is an operand of a matrix product.
func (m *Mode) operand(x *Node) *Node {
	if m != nil && m.Half {
		return ConvertDType(x, dtypes.BFloat16)
	}
	return x
}

func toFloat32(x *Node) *Node { return ConvertDType(x, dtypes.Float32) }
