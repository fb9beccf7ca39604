package drift

import (
	"cmp"
	"slices"
	"sort"
)

// Scored is a score of a model whose truth is known.
type Scored struct {
	Score float64
	Truth bool
}

// LeastScored is how many scores a calibration asks for; with fewer the share of one bin
// hangs on single rows.
const LeastScored = 50

// Calibration turns scores into probabilities.
type Calibration struct{ scores, shares []float64 }

// Calibrate fits the probability as a function of the score that never falls: isotonic
// regression by pooling of neighbours, one prior row of each truth at either end so that no
// score is certain. Nil means that there are too few scores, or of one truth alone.
func Calibrate(known []Scored) *Calibration {
	positive := 0
	for _, x := range known {
		if x.Truth {
			positive++
		}
	}
	if len(known) < LeastScored || positive == 0 || positive == len(known) {
		return nil
	}
	known = slices.Clone(known)
	slices.SortFunc(known, func(a, b Scored) int { return cmp.Compare(a.Score, b.Score) })
	type block struct{ score, positive, rows float64 } // sums
	var blocks []block
	add := func(b block) {
		blocks = append(blocks, b)
		for n := len(blocks); n > 1 && blocks[n-2].positive*blocks[n-1].rows >= blocks[n-1].positive*blocks[n-2].rows; n-- {
			x, y := blocks[n-2], blocks[n-1]
			blocks = append(blocks[:n-2], block{x.score + y.score, x.positive + y.positive, x.rows + y.rows})
		}
	}
	add(block{known[0].Score, 0.5, 1})
	for i := 0; i < len(known); {
		b := block{}
		for from := known[i].Score; i < len(known) && known[i].Score == from; i++ {
			b.score, b.rows = b.score+from, b.rows+1
			if known[i].Truth {
				b.positive++
			}
		}
		add(b)
	}
	add(block{known[len(known)-1].Score, 0.5, 1})
	c := &Calibration{}
	for _, b := range blocks {
		c.scores, c.shares = append(c.scores, b.score/b.rows), append(c.shares, b.positive/b.rows)
	}
	return c
}

// Probability is that of a score: between the means of two pools it is in proportion.
func (c *Calibration) Probability(score float64) float64 {
	i := sort.SearchFloat64s(c.scores, score)
	switch {
	case i == 0:
		return c.shares[0]
	case i == len(c.scores):
		return c.shares[i-1]
	}
	part := (score - c.scores[i-1]) / (c.scores[i] - c.scores[i-1])
	return c.shares[i-1] + part*(c.shares[i]-c.shares[i-1])
}
