package drift

import (
	"math/rand/v2"

	"github.com/sprint-ml/sprint/ml/metrics"
)

// Answer is what a model says of a row: by category, whether it is present, and the
// calibrated probability that this is so.
type Answer struct {
	Positive    []bool
	Probability []float64
}

// Expected are the figures that probabilities let expect.
type Expected struct {
	Rows    int              `json:"rows"`
	MacroF1 metrics.Estimate `json:"macro_f1"`
	MicroF1 metrics.Estimate `json:"micro_f1"`
	// F1 is by category; a category with fewer expected positives than metrics.MinSupport
	// has -1 and is not in the average.
	F1 []float64 `json:"f1"`
}

// confusion is an expected one of a category.
type confusion struct{ hit, alarm, miss float64 }

func (c confusion) positives() float64 { return c.hit + c.miss }

func (c confusion) f1() float64 {
	if d := 2*c.hit + c.alarm + c.miss; d > 0 {
		return 2 * c.hit / d
	}
	return 0
}

// ExpectedF1 estimates F1 without labels: a row that is answered present with probability p
// is p of a hit and 1-p of a false alarm, one that is answered absent p of a miss; F1 is
// that of the sums. This is confidence-based performance estimation as NannyML describes it
// (nannyml.readthedocs.io, "Estimation of Performance of the Monitored Model"). It holds
// while the probabilities do: rows of other sorts shift it rightly, a category that came to
// mean something else does not shift it at all. The intervals are of rows drawn anew.
func ExpectedF1(categories int, answers []Answer) Expected {
	out := Expected{Rows: len(answers), F1: make([]float64, categories)}
	if len(answers) == 0 {
		return out
	}
	sums := make([]confusion, categories)
	for i := range answers {
		answers[i].addTo(sums)
	}
	counted := make([]bool, categories)
	for k, c := range sums {
		if counted[k] = c.positives() >= metrics.MinSupport; counted[k] {
			out.F1[k] = metrics.Round(c.f1())
		} else {
			out.F1[k] = -1
		}
	}
	macro, micro := averages(sums, counted)
	random := rand.New(rand.NewPCG(seed, uint64(len(answers))))
	macros, micros := make([]float64, resamples), make([]float64, resamples)
	for r := range resamples {
		clear(sums)
		for range answers {
			answers[random.IntN(len(answers))].addTo(sums)
		}
		macros[r], micros[r] = averages(sums, counted)
	}
	out.MacroF1, out.MicroF1 = estimate(macro, macros), estimate(micro, micros)
	return out
}

func estimate(value float64, drawn []float64) metrics.Estimate {
	low, high := ends(drawn)
	return metrics.Estimate{Value: metrics.Round(value), CI: metrics.Interval{metrics.Round(low), metrics.Round(high)}}
}

func (a *Answer) addTo(sums []confusion) {
	for k := range sums {
		p := a.Probability[k]
		if a.Positive[k] {
			sums[k].hit += p
			sums[k].alarm += 1 - p
		} else {
			sums[k].miss += p
		}
	}
}

// averages are macro- and micro-F1 of expected confusions.
func averages(sums []confusion, counted []bool) (macro, micro float64) {
	var all confusion
	n := 0
	for k, c := range sums {
		all.hit, all.alarm, all.miss = all.hit+c.hit, all.alarm+c.alarm, all.miss+c.miss
		if counted[k] {
			macro += c.f1()
			n++
		}
	}
	return macro / float64(max(1, n)), all.f1()
}
