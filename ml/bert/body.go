package bert

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// body is what encoders differ in: the way from ids to the vectors of tokens.
type body interface {
	// sources lists the parameters in graph order, those of the pooler if it is wanted.
	sources(pooler bool) []tensorSource
	// embed is what goes into the first layer: ids, types, positions int32 [B,S] -> [B*S,H].
	// Without positions they are those of one text per row.
	embed(p Params, ids, types, positions *Node, m *Mode) *Node
	// layers applies the layers from to to (exclusive) to the tokens x [N,H] -> [N,H].
	layers(p Params, x *Node, in layout, from, to int, m *Mode) *Node
}

// body is the spec's encoder.
func (s Spec) body() body {
	if s.Encoder.Rotary != nil {
		return modernBody{s}
	}
	return bertBody{s}
}

// layout is how the tokens of a batch, x [N,H], stand in the B windows of S places inside which
// they see each other.
type layout struct {
	// split puts tokens into windows and cuts their vectors into n by heads: [N,n*H] -> n of
	// [B,S,NH,D].
	split func(x *Node, n int) []*Node
	// join takes tokens out of windows: [B*S,H] -> [N,H].
	join func(a *Node) *Node
	// bias is added to the attention of each place to others, [B,1,1 or S,S].
	bias *Node
	// positions are those of tokens in their texts, int32 [B,S]; nil is from 0 in each window.
	positions func() *Node
}

// rows is the layout of rows of tokens, which are windows as they are.
func (s Spec) rows(bias *Node, positions func() *Node) layout {
	b, n := bias.Shape().Dimensions[0], bias.Shape().Dimensions[3]
	return layout{
		split: func(x *Node, count int) []*Node {
			x = Reshape(x, b, n, count, s.Encoder.NumAttentionHeads, -1)
			out := make([]*Node, count)
			for i := range out {
				out[i] = Squeeze(Slice(x, AxisRange(), AxisRange(), AxisElem(i)), 2)
			}
			return out
		},
		join: func(a *Node) *Node { return a },
		bias: bias, positions: positions,
	}
}
