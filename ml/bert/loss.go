package bert

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// Loss is (score error)² and the cross entropy of the tag, each times its share
// of the loss, summed over categories and averaged over rows. score float32
// [B,K]; tag int32 [B,K]; weight and tagWeight float32 [B,K] of the two targets,
// 0 where one is masked; rows is the scalar number of real rows.
func (s Spec) Loss(scores, logits, score, tag, weight, tagWeight, rows *Node, scoreShare, tagShare, smoothing float64) *Node {
	mse := Mul(Square(Sub(scores, score)), weight)
	ce := Mul(s.TagLoss(logits, tag, smoothing), tagWeight)
	total := Add(MulScalar(ReduceAllSum(mse), scoreShare), MulScalar(ReduceAllSum(ce), tagShare))
	return Div(total, rows)
}

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
