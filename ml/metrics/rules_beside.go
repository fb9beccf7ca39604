package metrics

import (
	"math"
	"sort"
)

// What a model must show on rows whose rule words are hidden from it.
const (
	// aloneF1 is the F1 from which on it has learned the category and not the
	// words: on news whose language the encoder knows models reach 0.8 to 0.9,
	// on others 0.2 to 0.7.
	aloneF1 = 0.75
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
	at := make([]int, len(scores))
	positives := 0
	for i := range at {
		at[i] = i
		if truth[i] {
			positives++
		}
	}
	sort.SliceStable(at, func(a, b int) bool { return scores[at[a]] > scores[at[b]] })
	from = Never
	tp, best := 0, 0.0
	for n, i := range at {
		if truth[i] {
			tp++
		}
		if n+1 < len(at) && scores[at[n+1]] == scores[i] {
			continue
		}
		best = max(best, ratio(2*tp, n+1+positives))
		if wilsonLower(tp, n+1) >= addPrecision {
			from = float64(scores[i])
			if n+1 < len(at) {
				from = (from + float64(scores[at[n+1]])) / 2
			}
		}
	}
	return from, best >= aloneF1
}

// wilsonLower is the lower end of Wilson's interval of one standard error for a
// share of which right of all were seen (Wilson, 1927).
func wilsonLower(right, all int) float64 {
	n := float64(all)
	p := float64(right) / n
	return (p + 1/(2*n) - math.Sqrt(p*(1-p)/n+1/(4*n*n))) / (1 + 1/n)
}
