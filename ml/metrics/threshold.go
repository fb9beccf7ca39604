package metrics

import (
	"cmp"
	"math"
	"slices"
)

// cut is a threshold between two neighbouring scores: above rows have a larger score, and
// positive ones of them are true.
type cut struct {
	at              float64
	above, positive int
}

// cuts lists those of some rows, the highest first. Each lies in the middle of its
// neighbours; the last lies below all scores by so much.
func cuts(scores []float32, truth []bool, below float64) (all []cut, positives int) {
	order := make([]int, len(scores))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(scores[b], scores[a]) })
	for n, i := range order {
		if truth[i] {
			positives++
		}
		c := cut{float64(scores[i]) - below, n + 1, positives}
		if n+1 < len(order) {
			next := scores[order[n+1]]
			if next == scores[i] {
				continue
			}
			c.at = (float64(scores[i]) + float64(next)) / 2
		}
		all = append(all, c)
	}
	return all, positives
}

// minPositives is how many validation positives a threshold of its own needs.
const minPositives = 8

// Threshold returns the score from which on a category counts as present: the
// one with the best F1 on the given rows, 0.5 if there are too few positives.
// Between two neighbouring scores it takes the middle, so that a hair's breadth
// on another device changes no answer.
func Threshold(scores []float32, truth []bool) float64 {
	all, positives := cuts(scores, truth, 1e-3)
	if positives < minPositives {
		return 0.5
	}
	best, threshold := -1.0, 0.5
	for _, c := range all {
		f1 := ratio(2*c.positive, c.above+positives)
		// Among equals the cut nearest to one half is the safest.
		if f1 > best || f1 == best && math.Abs(c.at-0.5) < math.Abs(threshold-0.5) {
			best, threshold = f1, c.at
		}
	}
	return min(max(Round(threshold), -0.99), 0.99)
}

// What a model must show on rows whose rule words are hidden from it.
const (
	// AloneF1 is the F1 from which on it has learned the category and not the
	// words: on news whose language the encoder knows models reach 0.8 to 0.9,
	// on others 0.2 to 0.7.
	AloneF1 = 0.75
	// addPrecision is how often what it adds to the rules must be right, one
	// standard error below what is seen: of many cuts the luckiest is taken.
	addPrecision = 0.8
)

// Never is a score that no model gives.
const Never = 2

// RulesBeside says how a model and the rules should answer for a category, from
// the model's scores on rows in which every word on which a rule fires was
// hidden, and from the truth. Either the model finds the category all the same:
// then alone is true. Or the rules decide, and the model adds what it scores at
// least from, which is Never if it adds more wrong than right.
func RulesBeside(scores []float32, truth []bool) (from float64, alone bool) {
	all, positives := cuts(scores, truth, 0)
	best := 0.0
	from = Never
	for _, c := range all {
		best = max(best, ratio(2*c.positive, c.above+positives))
		if wilsonLower(c.positive, c.above) >= addPrecision {
			from = c.at
		}
	}
	return from, best >= AloneF1
}

// wilsonLower is the lower end of Wilson's interval of one standard error for a
// share of which right of all were seen (Wilson, 1927).
func wilsonLower(right, all int) float64 {
	n := float64(all)
	p := float64(right) / n
	return (p + 1/(2*n) - math.Sqrt(p*(1-p)/n+1/(4*n*n))) / (1 + 1/n)
}
