package train

import (
	"slices"

	"github.com/sprint-ml/sprint/ml/bert"
)

// vocabulary keeps only the embedding rows that the data uses. That is exact
// for AdamW: a row that no text uses has no gradient and no moments, so all
// that happens to it is weight decay, which Export applies.
type vocabulary struct {
	rows   []int32
	toRow  []int32
	hidden int
}

func newVocabulary(m *bert.Model, hide *wordDropout, sets ...[]Example) *vocabulary {
	v := &vocabulary{hidden: m.Spec.Encoder.HiddenSize, toRow: make([]int32, m.Spec.Encoder.VocabSize)}
	used := make([]bool, m.Spec.Encoder.VocabSize)
	used[0] = true
	if hide != nil && !hide.Delete {
		used[hide.mask] = true
	}
	for _, set := range sets {
		for _, e := range set {
			for _, ids := range [][]int32{e.IDs, e.Alt} {
				for _, id := range ids {
					used[id] = true
				}
			}
		}
	}
	for id, u := range used {
		if u {
			v.toRow[id] = int32(len(v.rows))   //nolint:gosec // vocabularies are far smaller
			v.rows = append(v.rows, int32(id)) //nolint:gosec // vocabularies are far smaller
		}
	}
	return v
}

func (v *vocabulary) index(id int32) int32 { return v.toRow[id] }

// compact returns the embedding table with the used rows alone.
func (v *vocabulary) compact(p bert.Param) bert.Param {
	data := make([]float32, 0, len(v.rows)*v.hidden)
	for _, r := range v.rows {
		data = append(data, p.Data[int(r)*v.hidden:(int(r)+1)*v.hidden]...)
	}
	p.Data, p.Shape = data, []int{len(v.rows), v.hidden}
	return p
}

// expand puts the used rows back into a full table whose other rows are scaled
// by decay.
func (v *vocabulary) expand(full, compact []float32, decay float64) []float32 {
	out := slices.Clone(full)
	if decay != 1 {
		for i := range out {
			out[i] = float32(float64(out[i]) * decay)
		}
	}
	for i, r := range v.rows {
		copy(out[int(r)*v.hidden:(int(r)+1)*v.hidden], compact[i*v.hidden:])
	}
	return out
}
