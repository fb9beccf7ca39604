// Package heads fits linear heads on the vectors of a frozen encoder: one softmax where a
// row has one category, one logistic each where it may have several. The labels may be
// weak. A regularised head on sentence vectors cannot learn single words by heart, so it
// finds more than the rules that labelled its rows.
//
// space.go centres and scales vectors, fit.go solves one head, train.go balances, trains
// and self-trains, fold.go answers for rows that a head has not seen, and calibrate.go
// makes of that a temperature, cuts and the agreement with the labels; curve.go says what
// more labels would bring. answer.go is the
// answer beside rules. product.go and kernel*.go multiply, cholesky.go factorises.
//
// All numbers are float64. Sums have a fixed order whatever the number of cores: equal
// input gives equal bytes on one model of CPU. The package imports nothing of ours.
package heads

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
)

// Options are the numbers of a fit. Defaults has those that were settled on three sets of
// news and hold for all.
type Options struct {
	C       float64 // strength: the loss, a sum over rows, has |W|²/2C added
	Rounds  int     // of self-training, where a row has one category
	Power   float64 // that self-training sharpens answers by
	Folds   int     // parts of the rows, each answered for by what the others teach; 0 is none
	Seed    uint64  // of the folds
	Sure    float64 // share of the answers over a cut with which the labels agree, at least
	Silent  bool    // a row without a label is one of no category when cuts are set
	Balance bool    // rows of rare categories count more, where a row has one
}

// Defaults are the numbers of the recipe.
func Defaults() Options {
	return Options{C: 3, Rounds: 3, Power: 2, Folds: 5, Seed: 1, Sure: 0.6, Balance: true}
}

// Labels are what is said of rows. Target and Weight are by row and then by output:
// the target is a probability and counts by its weight, which is 0 where nothing is known.
// Where a row has one category its targets sum to 1 and its weights are equal.
type Labels struct {
	Outputs int
	// Single says that the outputs exclude each other.
	Single bool
	Target []float64
	Weight []float64
	// Fixed marks rows whose targets self-training keeps; nil is none.
	Fixed []bool
}

// Labelled reports whether the row has a label of an output.
func (l *Labels) Labelled(row, output int) bool { return l.Weight[row*l.Outputs+output] > 0 }

// Known reports whether the row has any label.
func (l *Labels) Known(row int) bool {
	return slices.ContainsFunc(l.Weight[row*l.Outputs:(row+1)*l.Outputs], func(w float64) bool { return w > 0 })
}

// fixed reports whether self-training keeps the row's targets.
func (l *Labels) fixed(row int) bool { return l.Fixed != nil && l.Fixed[row] }

// Positive reports whether the labels say that the row is of the output.
func (l *Labels) Positive(row, output int) bool {
	if !l.Labelled(row, output) {
		return false
	}
	if l.Single {
		return l.class(row) == output
	}
	return l.Target[row*l.Outputs+output] > 0
}

// class is the output of the row's largest target, the first among equals.
func (l *Labels) class(row int) int {
	best := 0
	t := l.Target[row*l.Outputs : (row+1)*l.Outputs]
	for k, x := range t {
		if x > t[best] {
			best = k
		}
	}
	return best
}

// ErrNoLabels says that no row has a label.
var ErrNoLabels = errors.New("no row has a label")

func (l *Labels) check(rows int) error {
	n := rows * l.Outputs
	switch {
	case l.Outputs < 1 || len(l.Target) != n || len(l.Weight) != n || l.Fixed != nil && len(l.Fixed) != rows:
		return fmt.Errorf("%d rows of %d outputs have %d targets, %d weights and %d marks", rows, l.Outputs, len(l.Target), len(l.Weight), len(l.Fixed))
	case !slices.ContainsFunc(l.Weight, func(w float64) bool { return w > 0 }):
		return ErrNoLabels
	}
	for i, w := range l.Weight {
		if !(w >= 0 && w <= math.MaxFloat32) || w > 0 && !(l.Target[i] >= 0 && l.Target[i] <= 1) {
			return fmt.Errorf("row %d has the target %v with the weight %v", i/l.Outputs, l.Target[i], w)
		}
	}
	return nil
}

// Heads are fitted: the logits of a row are its features times W.
type Heads struct {
	W *Weights
	// Temperature divides the logits where a row has one category, to make probabilities;
	// elsewhere it is 1.
	Temperature float64
	// Cuts are the logits from which on a category is answered, where a row may have
	// several; +Inf where the labels agree with no cut.
	Cuts []float64
	// OutOfFold are the logits, by row and output, of heads that have not seen the row; nil
	// without folds.
	OutOfFold []float64
	// Agreement is how well these answers agree with the labels: macro-F1 over outputs
	// with MinAgreement labelled rows. Agreed is how many outputs that are: of none there
	// is no agreement.
	Agreement float64
	Agreed    int
}

// Train fits heads to the rows of z, and to their folds.
func Train(ctx context.Context, z *Features, l *Labels, o Options) (*Heads, error) {
	if err := l.check(z.rows); err != nil {
		return nil, err
	}
	t := trainer{z: z, l: l, o: o}
	if o.Folds == 0 {
		w, err := t.train(ctx, [][]int{everyRow(z.rows)})
		if err != nil {
			return nil, err
		}
		return &Heads{W: w[0], Temperature: 1}, nil
	}
	w, logits, err := t.trainFolds(ctx, Folds(z.rows, o.Folds, o.Seed))
	if err != nil {
		return nil, err
	}
	h := &Heads{W: w, Temperature: 1, OutOfFold: logits}
	t.calibrate(h)
	return h, nil
}

// everyRow are the numbers of so many rows.
func everyRow(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// TrainTags fits one softmax to the classes of some rows, in ascending order, 0 to classes-1, each of which
// must be there, by the strength and the balance of the options.
func TrainTags(ctx context.Context, z *Features, rows, class []int, classes int, o Options) (*Weights, error) {
	l := Labels{Outputs: classes, Single: true, Target: make([]float64, z.rows*classes), Weight: make([]float64, z.rows*classes)}
	for n, i := range rows {
		l.Target[i*classes+class[n]] = 1
		for k := range classes {
			l.Weight[i*classes+k] = 1
		}
	}
	if err := l.check(z.rows); err != nil {
		return nil, err
	}
	o.Rounds = 0
	t := trainer{z: z, l: &l, o: o}
	w, err := t.train(ctx, [][]int{rows})
	if err != nil {
		return nil, err
	}
	return w[0], nil
}
