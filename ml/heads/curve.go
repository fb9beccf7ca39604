package heads

import (
	"context"
	"math/rand/v2"
	"slices"
)

// Point says how heads that so many labelled rows taught answer for rows that they have
// not seen: macro-F1 over Outputs that have enough positives, 0 where there is none.
type Point struct {
	Rows    int
	MacroF1 float64
	Outputs int
}

// The sizes of a curve, below all rows.
var curveSizes = []int{10, 20, 50, 100, 200, 500, 1000, 2000}

const (
	// curveOpen is how many rows without a label take part in a point below all, so that a
	// curve costs seconds whatever the set.
	curveOpen = 1000
	// curveStream is the stream of random numbers by which rows are drawn.
	curveStream = 0xc0de
	// minCurve is how many positives an output needs to count.
	minCurve = 8
)

// Curve says what more labels would bring: for growing numbers of labelled rows, drawn at
// random from those outside each fold, how heads of them answer for the labelled rows of
// the fold. The last point is that of all: outOfFold, as Train gave it for the same rows.
// Labels beyond those drawn are not looked at; rows without one take part in self-training.
func Curve(ctx context.Context, z *Features, l *Labels, o Options, outOfFold []float64) ([]Point, error) {
	t := trainer{z: z, l: l, o: o}
	fold := Folds(z.rows, o.Folds, o.Seed)
	parts := slices.Max(fold) + 1
	var pools, open [][]int // of each fold, in a random order
	most, all := z.rows, 0
	for f := range parts {
		var known, unknown []int
		for _, i := range rand.New(rand.NewPCG(o.Seed+uint64(f), curveStream)).Perm(z.rows) { //nolint:gosec // reproducible on purpose
			switch {
			case fold[i] == f:
			case l.Known(i):
				known = append(known, i)
			case len(unknown) < curveOpen:
				unknown = append(unknown, i)
			}
		}
		pools, open = append(pools, known), append(open, unknown)
		most, all = min(most, len(known)), all+len(known)
	}
	var out []Point
	for _, n := range curveSizes {
		if n >= most {
			break
		}
		sets := make([][]int, parts)
		for f := range sets {
			sets[f] = slices.Concat(pools[f][:n], open[f])
			slices.Sort(sets[f])
		}
		w, err := t.train(ctx, sets)
		if err != nil {
			return nil, err
		}
		logits := make([]float64, z.rows*l.Outputs)
		for f := range sets {
			w[f].Logits(z, held(fold, f), logits)
		}
		out = append(out, t.point(n, logits))
	}
	return append(out, t.point(all/parts, outOfFold)), nil
}

func (t *trainer) point(rows int, logits []float64) Point {
	p := Point{Rows: rows}
	p.MacroF1, p.Outputs = t.agreement(logits, minCurve)
	return p
}

// held are the rows of a fold.
func held(fold []int, f int) (out []int) {
	for i, g := range fold {
		if g == f {
			out = append(out, i)
		}
	}
	return out
}
