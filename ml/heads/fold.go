package heads

import (
	"context"
	"math/rand/v2"
)

// foldStream is the stream of random numbers that folds are drawn from.
const foldStream = 0xf01d

// Folds deals rows into parts of like size, by a permutation of the seed: the part of each
// row. There are never more parts than rows.
func Folds(rows, parts int, seed uint64) []int {
	out := make([]int, rows)
	for n, i := range rand.New(rand.NewPCG(seed, foldStream)).Perm(rows) { //nolint:gosec // reproducible on purpose
		out[i] = n % min(parts, rows)
	}
	return out
}

// trainFolds trains heads on all rows, and gives beside them the logits of all rows, by row
// and output, of heads trained without the row's fold. In a fold without which there is no
// label they are 0.
func (t *trainer) trainFolds(ctx context.Context, fold []int) (*Weights, []float64, error) {
	parts := 0
	for _, f := range fold {
		parts = max(parts, f+1)
	}
	sets, held := [][]int{everyRow(t.z.rows)}, [][]int{nil}
	for f := range parts {
		var in, out []int
		labels := false
		for i, g := range fold {
			if g == f {
				out = append(out, i)
				continue
			}
			in, labels = append(in, i), labels || t.l.Known(i)
		}
		if labels {
			sets, held = append(sets, in), append(held, out)
		}
	}
	w, err := t.train(ctx, sets)
	if err != nil {
		return nil, nil, err
	}
	logits := make([]float64, t.z.rows*t.l.Outputs)
	for n, rows := range held {
		w[n].Logits(t.z, rows, logits)
	}
	return w[0], logits, nil
}
