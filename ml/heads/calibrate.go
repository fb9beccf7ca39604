package heads

import (
	"cmp"
	"math"
	"slices"
)

// The grid of temperatures, in equal steps of their logarithm.
const (
	leastTemperature = 0.1
	mostTemperature  = 10
	temperatures     = 81
	leastProbability = 1e-9 // that a loss counts
)

// calibrate makes of the logits out of fold what an answer needs.
func (t *trainer) calibrate(h *Heads) {
	if t.l.Single {
		h.Temperature = t.temperature(h.OutOfFold)
	} else {
		h.Cuts = t.cuts(h.OutOfFold, t.o.Sure)
	}
	h.Agreement, h.Agreed = t.agreement(h.OutOfFold)
}

// temperature is the one of the least loss against the labels.
func (t *trainer) temperature(logits []float64) float64 {
	k, best, least := t.l.Outputs, 1.0, math.Inf(1)
	p, tempered := make([]float64, k), make([]float64, k)
	low, high := math.Log(leastTemperature), math.Log(mostTemperature)
	for n := range temperatures {
		at := math.Exp(low + (high-low)*float64(n)/(temperatures-1))
		sum, rows := 0.0, 0.0
		for i := range t.z.rows {
			if !t.l.known(i) {
				continue
			}
			for c := range k {
				tempered[c] = logits[i*k+c] / at
			}
			softmax(tempered, p)
			for c, x := range p {
				sum -= t.l.Target[i*k+c] * math.Log(x+leastProbability)
			}
			rows++
		}
		if sum /= rows; sum < least {
			best, least = at, sum
		}
	}
	return best
}

// cuts are a logit for each output: at most as many rows reach it as are positive, and the
// labels agree with a share of sure of those that do. +Inf if there is none. Rows without
// a label of the output do not count.
func (t *trainer) cuts(logits []float64, sure float64) []float64 {
	out := make([]float64, t.l.Outputs)
	for k := range out {
		out[k] = t.cut(k, logits, sure)
	}
	return out
}

// belowCut is how much a cut lies below the last row that reaches it.
const belowCut = 1e-9

func (t *trainer) cut(output int, logits []float64, sure float64) float64 {
	k := t.l.Outputs
	var order []int
	positives := 0
	for i := range t.z.rows {
		if t.l.labelled(i, output) || !t.l.known(i) {
			order = append(order, i)
		}
		if t.positive(i, output) {
			positives++
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(logits[b*k+output], logits[a*k+output]) })
	found, right := math.Inf(1), 0
	for n, i := range order[:min(max(positives, 1), len(order))] {
		if t.positive(i, output) {
			right++
		}
		if float64(right) >= sure*float64(n+1) {
			found = logits[i*k+output] - belowCut
		}
	}
	return found
}

// positive reports whether the labels say that the row is of the output.
func (t *trainer) positive(row, output int) bool {
	if !t.l.labelled(row, output) {
		return false
	}
	if t.l.Single {
		return t.l.class(row) == output
	}
	return t.l.Target[row*t.l.Outputs+output] > 0
}

// MinAgreement is how many labelled rows an output needs to count in the agreement.
const MinAgreement = 20

// agreement is the macro-F1 of answers out of fold against the labels. Where a row may
// have several categories as many rows are answered as are positive.
func (t *trainer) agreement(logits []float64) (f1 float64, outputs int) {
	k := t.l.Outputs
	var cuts []float64
	if !t.l.Single {
		cuts = t.cuts(logits, 0)
	}
	sum := 0.0
	for c := range k {
		both, said, is := 0, 0, 0
		for i := range t.z.rows {
			if !t.l.labelled(i, c) {
				continue
			}
			row := logits[i*k : (i+1)*k]
			answered := t.l.Single && highest(row) == c || !t.l.Single && row[c] > cuts[c]
			positive := t.positive(i, c)
			if answered {
				said++
			}
			if positive {
				is++
			}
			if answered && positive {
				both++
			}
		}
		if is >= MinAgreement {
			sum += 2 * float64(both) / float64(said+is)
			outputs++
		}
	}
	if outputs == 0 {
		return 0, 0
	}
	return sum / float64(outputs), outputs
}

// highest is the place of the largest number, the first among equals.
func highest(x []float64) int {
	best := 0
	for k, y := range x {
		if y > x[best] {
			best = k
		}
	}
	return best
}
