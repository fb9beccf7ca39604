package bert

import (
	"context"
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// Flat is a batch of texts one after the other, without padding between them. Only
// attention, a small part of the work, is computed in a padded window of each text. What
// a text gives is a function of it and of the sizes of the batch: not of the other texts,
// nor of its place among them.
type Flat struct {
	// IDs, Types and Positions (from 0 in each text) are int32 [1,T].
	IDs, Types, Positions *Node
	// Token is where among the T tokens those of each window stand, int32 [N,S]: its
	// text's first one beyond the text's end.
	Token *Node
	// Mask is 1 where a window has a token of its text, int32 [N,S].
	Mask *Node
	// Place is where in the flattened windows each token stands, int32 [T].
	Place *Node
}

// windows gives each window the rows of x [T,D] that are its text's: [N,S,D].
func (in Flat) windows(x *Node) *Node {
	d := in.Token.Shape().Dimensions
	return Reshape(Gather(x, ExpandDims(Reshape(in.Token, d[0]*d[1]), -1)), d[0], d[1], -1)
}

// firsts are the rows of x [T,D] of the texts' first tokens: [N,D].
func (in Flat) firsts(x *Node) *Node {
	return Gather(x, Slice(in.Token, AxisRange(), AxisRange(0, 1)))
}

// PoolFlat makes one vector of each window: [N,H].
func (s Spec) PoolFlat(p Params, in Flat, m *Mode) *Node {
	body := s.body()
	x, bias, top := body.embed(p, in.IDs, in.Types, in.Positions, m), MaskBias(in.Mask), s.Encoder.NumHiddenLayers
	bert, ok := body.(bertBody)
	if ok && s.Pooling != Mean {
		top--
	}
	x = body.layers(p, x, layout{
		split: func(x *Node, n int) []*Node { return s.parts(in.windows(x), n) },
		join:  func(a *Node) *Node { return Gather(a, ExpandDims(in.Place, -1)) },
		bias:  bias,
	}, 0, top, m)
	if s.Pooling == Mean {
		w := ExpandDims(toFloat32(in.Mask), -1)
		return Div(ReduceSum(Mul(in.windows(x), w), 1), MaxScalar(ReduceSum(w, 1), 1))
	}
	if !ok {
		return in.firsts(x)
	}
	// The last layer is needed for the first token of each text alone.
	name, h := fmt.Sprintf("L%d.", top), s.Encoder.HiddenSize
	w, c, first := p(name+"qkv.w"), p(name+"qkv.b"), in.firsts(x)
	q := affine(first, Slice(w, AxisRange(), AxisRange(0, h)), Slice(c, AxisRange(0, h)), m)
	kv := s.parts(in.windows(affine(x, Slice(w, AxisRange(), AxisRangeToEnd(h)), Slice(c, AxisRangeToEnd(h)), m)), 2)
	first = bert.afterAttention(p, name, first, s.attention(s.parts(ExpandDims(q, 1), 1)[0], kv[0], kv[1], bias, m), m)
	if s.Pooling == CLS {
		return first
	}
	return Tanh(dense(p, "pool", first, m))
}

// parts cuts x [N,S,n*H] into n of [N,S,NH,D].
func (s Spec) parts(x *Node, n int) []*Node {
	d := x.Shape().Dimensions
	x = Reshape(x, d[0], d[1], n, s.Encoder.NumAttentionHeads, -1)
	out := make([]*Node, n)
	for i := range out {
		out[i] = Squeeze(Slice(x, AxisRange(), AxisRange(), AxisElem(i)), 2)
	}
	return out
}

// flatShape is the sizes of a flat batch: tokens, and windows of some length.
type flatShape struct{ tokens, windows, length int }

// flatTokens is the number of tokens of a flat batch, if a text has no more: enough that
// products of matrices run at full speed, and few enough that they stay near the
// processor.
const flatTokens = 512

// shapeOf is the shape of the batches of texts of n tokens. It depends on nothing else,
// so that a text's vector does not depend on what it is embedded with.
func shapeOf(n, longest int) flatShape {
	length := min(16, longest)
	for length < n && length < longest {
		length = min(2*length, longest)
	}
	tokens := max(flatTokens, length)
	return flatShape{tokens: tokens, windows: max(2*tokens/length, 1), length: length}
}

// eachFlat hands out the texts in flat batches, each once; longest is the most tokens of
// a text.
func eachFlat(ctx context.Context, texts []Text, longest int, run func(at []int, s flatShape) error) error {
	byTokens := make([][]int, longest+1)
	for i, t := range texts {
		n := min(len(t.IDs), longest)
		byTokens[n] = append(byTokens[n], i)
	}
	for from := 0; from <= longest; {
		s := shapeOf(from, longest)
		for at := fill(byTokens[from:s.length+1], from, s); len(at) > 0; at = fill(byTokens[from:s.length+1], from, s) {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := run(at, s); err != nil {
				return err
			}
		}
		from = s.length + 1
	}
	return nil
}

// fill takes a batch from left, the texts of from tokens and more: again and again the
// longest that still fits.
func fill(left [][]int, from int, s flatShape) []int {
	var at []int
	room := s.tokens
	for n := from + len(left) - 1; n >= from && len(at) < s.windows && room > 0; {
		if n = min(n, room); n < from {
			break
		}
		of := left[n-from]
		if len(of) == 0 {
			n--
			continue
		}
		at, left[n-from] = append(at, of[0]), of[1:]
		room -= max(n, 1) // a text without tokens has a row of its own
	}
	return at
}

// flatInputs are the values of a Flat, in the order of its fields.
func flatInputs(texts []Text, at []int, s flatShape) []*tensors.Tensor {
	ids, types, positions, place := make([]int32, s.tokens), make([]int32, s.tokens), make([]int32, s.tokens), make([]int32, s.tokens)
	token, mask := make([]int32, s.windows*s.length), make([]int32, s.windows*s.length)
	from := 0
	for w, i := range at {
		t := texts[i]
		n := min(len(t.IDs), s.length)
		copy(ids[from:], t.IDs[:n])
		copy(types[from:], t.Types[:min(len(t.Types), n)])
		for j := range s.length {
			k := w*s.length + j
			if token[k] = int32(from); j < n {
				token[k], mask[k] = int32(from+j), 1
				positions[from+j], place[from+j] = int32(j), int32(k)
			}
		}
		from += max(n, 1)
	}
	line := func(v []int32) *tensors.Tensor { return tensors.FromFlatDataAndDimensions(v, 1, s.tokens) }
	window := func(v []int32) *tensors.Tensor { return tensors.FromFlatDataAndDimensions(v, s.windows, s.length) }
	return []*tensors.Tensor{line(ids), line(types), line(positions), window(token), window(mask), tensors.FromFlatDataAndDimensions(place, s.tokens)}
}
