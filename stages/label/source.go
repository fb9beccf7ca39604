package label

import (
	"context"
	"io"

	"github.com/sprint-ml/sprint/ml/labelmodel"
	"github.com/sprint-ml/sprint/ml/taxonomy"
	"github.com/sprint-ml/sprint/stages/rows"
)

// source is one labeller.
type source interface {
	// cast returns the votes on each row of set, in order; no votes means that
	// the source has no opinion. It may note on the rows what it saw.
	cast(ctx context.Context, set []*rows.Row) ([][]labelmodel.Vote, error)
}

// closeAll frees what sources hold.
func closeAll(sources []source) {
	for _, s := range sources {
		if c, ok := s.(io.Closer); ok {
			c.Close()
		}
	}
}

// voter is whoever casts votes of one kind: a rule, or a source on a category.
type voter struct {
	source string
	name   string // "category:rule", or the category
}

// voters grows the list of voters while sources are made.
type voters struct {
	list    []voter
	weights []float64
}

// add appends a voter and returns its number.
func (v *voters) add(source, name string, weight float64) int {
	v.list = append(v.list, voter{source, name})
	v.weights = append(v.weights, weight)
	return len(v.list) - 1
}

// perCategory appends a voter per category.
func (v *voters) perCategory(source string, t *taxonomy.Taxonomy, weight float64) []int {
	out := make([]int, len(t.Categories))
	for c, category := range t.Categories {
		out[c] = v.add(source, category.Name, weight)
	}
	return out
}
