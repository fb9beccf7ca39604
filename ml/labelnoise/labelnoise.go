// Package labelnoise finds labels that are probably wrong by confident learning
// (Northcutt, Jiang, Chuang: arXiv 1911.00068): a light classifier predicts every
// text out of fold, and labels that it contradicts with more confidence than it
// usually has are issues. classifier.go is that classifier.
package labelnoise

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"
	"sync"
)

// The labels of a category.
const (
	Absent    int8 = 0
	Present   int8 = 1
	Undecided int8 = -1
)

// Issue is a row whose label is probably wrong.
type Issue struct {
	Row     int
	Present bool // what the classifier says
	// Doubt is the probability that the classifier gives the other label.
	Doubt float64
}

// Issues returns the rows off the diagonal of the confident joint of one
// category, the most doubtful first: rows that the classifier gives another
// label with at least the mean confidence that it has in rows of that label.
func Issues(p []float64, labels []int8) []Issue {
	var sum, n [2]float64
	for i, l := range labels {
		switch l {
		case Present:
			sum[Present] += p[i]
			n[Present]++
		case Absent:
			sum[Absent] += 1 - p[i]
			n[Absent]++
		}
	}
	var out []Issue
	for i, l := range labels {
		if l == Undecided || n[0] == 0 || n[1] == 0 {
			continue
		}
		other := 1 - l
		q := [2]float64{1 - p[i], p[i]}
		if q[other] >= sum[other]/n[other] && q[other] > q[l] {
			out = append(out, Issue{Row: i, Present: other == Present, Doubt: q[other]})
		}
	}
	slices.SortStableFunc(out, func(a, b Issue) int { return cmp.Compare(b.Doubt, a.Doubt) })
	return out
}

// Options of OutOfFold. The zero value has five folds.
type Options struct {
	Folds int    // 5 if zero
	Seed  uint64 // of the order of training
}

// minRows is how many rows of each label a category needs for a classifier.
const minRows = 8

// OutOfFold returns the probability that a category is present, for each text, by a
// classifier that has not seen it: held out by folds if the text is labelled,
// the mean of the folds' classifiers if not. groups keeps texts that are nearly
// the same in one fold. ok is false if the category has too few rows of either
// label; then nothing is said. Equal input gives equal output.
func OutOfFold(ctx context.Context, texts []string, groups []int, labels [][]int8, o Options) (p [][]float64, ok []bool, err error) {
	vectors := make([]features, len(texts))
	for i, t := range texts {
		vectors[i] = newFeatures(t)
	}
	return outOfFold(ctx, vectors, groups, labels, o)
}

// OutOfFoldVectors is OutOfFold for texts that an encoder has turned into vectors of
// length 1, of at most as many numbers as there are features.
func OutOfFoldVectors(ctx context.Context, vectors [][]float32, groups []int, labels [][]int8, o Options) (p [][]float64, ok []bool, err error) {
	all := make([]features, len(vectors))
	var at []int32
	for i, v := range vectors {
		for len(at) < len(v) {
			at = append(at, int32(len(at))) //nolint:gosec // vectors are short
		}
		all[i] = features{at: at[:len(v)], value: v}
	}
	return outOfFold(ctx, all, groups, labels, o)
}

func outOfFold(ctx context.Context, vectors []features, groups []int, labels [][]int8, o Options) (p [][]float64, ok []bool, err error) {
	if o.Folds == 0 {
		o.Folds = 5
	}
	fold := make([]int, len(vectors))
	for i, g := range groups {
		fold[i] = rand.New(rand.NewPCG(o.Seed, uint64(g))).IntN(o.Folds) //nolint:gosec // reproducible on purpose
	}
	p, ok = make([][]float64, len(labels)), make([]bool, len(labels))
	var wait sync.WaitGroup
	for c := range labels {
		if ok[c] = enoughRows(labels[c]); !ok[c] {
			continue
		}
		wait.Go(func() { p[c] = probabilities(ctx, vectors, fold, labels[c], o) })
	}
	wait.Wait()
	return p, ok, ctx.Err()
}

func enoughRows(labels []int8) bool {
	var n [2]int
	for _, l := range labels {
		if l != Undecided {
			n[l]++
		}
	}
	return n[Absent] >= minRows && n[Present] >= minRows
}

func probabilities(ctx context.Context, vectors []features, fold []int, labels []int8, o Options) []float64 {
	p := make([]float64, len(vectors))
	for k := range o.Folds {
		if ctx.Err() != nil {
			return p
		}
		var train []int
		for i, l := range labels {
			if l != Undecided && fold[i] != k {
				train = append(train, i)
			}
		}
		m := fit(vectors, labels, train, rand.New(rand.NewPCG(o.Seed, uint64(k)))) //nolint:gosec // reproducible on purpose
		for i, l := range labels {
			switch {
			case l == Undecided:
				p[i] += m.probability(&vectors[i]) / float64(o.Folds)
			case fold[i] == k:
				p[i] = m.probability(&vectors[i])
			}
		}
	}
	return p
}
