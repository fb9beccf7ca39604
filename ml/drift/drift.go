// Package drift says how far a window of rows has moved from the rows that a model was
// trained on, and how well the model probably answers on it, without labels:
//
//   - drift.go: the population stability index of two counts, with an interval
//   - expected.go: the F1 that calibrated probabilities let expect
//   - calibrate.go: scores become probabilities, by rows whose truth is known
//
// It knows no rows and no models: counts and probabilities come from its caller. Equal
// input gives equal output; all draws begin from one seed.
package drift

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/sprint-ml/sprint/ml/metrics"
)

// resamples is how often counts and rows are drawn anew for an interval.
const resamples = 1000

// seed makes equal input give equal intervals.
const seed = 20261130

// Index is the population stability index of two counts over the same classes, as
// metrics.PSI has it, with the interval in which the index of what was drawn from lies in
// 95 of 100 draws. The index of two small samples of one population is far above 0 (its
// mean is about (classes-1)(1/n+1/m), as it is nearly a chi-square statistic; Potgieter et
// al., arXiv 2307.11878). The interval takes that back: it mirrors the resamples at the
// index, so that its lower end is 0 where nothing moved. Both ends are 0 without rows on a
// side.
func Index(before, now []int) metrics.Estimate {
	out := metrics.Estimate{Value: metrics.PSI(before, now)}
	if total(before) == 0 || total(now) == 0 {
		return out
	}
	random := rand.New(rand.NewPCG(seed, uint64(len(before))))
	drawn := make([]float64, resamples)
	p, q := make([]int, len(before)), make([]int, len(now))
	for r := range drawn {
		for i := range before {
			p[i], q[i] = poisson(random, before[i]), poisson(random, now[i])
		}
		drawn[r] = metrics.PSI(p, q)
	}
	low, high := ends(drawn)
	out.CI = metrics.Interval{metrics.Round(max(0, 2*out.Value-high)), metrics.Round(max(0, 2*out.Value-low))}
	return out
}

func total(counts []int) (n int) {
	for _, c := range counts {
		n += c
	}
	return n
}

// ends cuts 2.5 % off both ends of values, which it sorts.
func ends(values []float64) (low, high float64) {
	slices.Sort(values)
	cut := int((1 - metrics.Level) / 2 * float64(len(values)))
	return values[cut], values[len(values)-1-cut]
}

// few is the mean up to which a draw counts events one by one; above it the normal
// distribution is as good.
const few = 50

// poisson draws a count of that mean: a bootstrap that need not visit each row.
func poisson(random *rand.Rand, mean int) int {
	if mean > few {
		return max(0, int(math.Round(float64(mean)+math.Sqrt(float64(mean))*random.NormFloat64())))
	}
	limit, product, n := math.Exp(-float64(mean)), random.Float64(), 0
	for product > limit {
		product *= random.Float64()
		n++
	}
	return n
}
