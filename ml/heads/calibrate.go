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
		h.Cuts = t.cuts(h.OutOfFold, t.o.Sure, t.o.Silent)
	}
	h.Agreement, h.Agreed = t.agreement(h.OutOfFold, MinAgreement)
}

// temperature is the one of the least loss against the labels.
func (t *trainer) temperature(logits []float64) float64 {
	best, least := 1.0, math.Inf(1)
	low, high := math.Log(leastTemperature), math.Log(mostTemperature)
	for n := range temperatures {
		at := math.Exp(low + (high-low)*float64(n)/(temperatures-1))
		if loss := t.l.Loss(logits, at); loss < least {
			best, least = at, loss
		}
	}
	return best
}

// Loss is the mean cross entropy, over labelled rows, of logits divided by a temperature.
func (l *Labels) Loss(logits []float64, temperature float64) float64 {
	k, sum, rows := l.Outputs, 0.0, 0.0
	p, tempered := make([]float64, k), make([]float64, k)
	for i := range len(logits) / k {
		if !l.Known(i) {
			continue
		}
		rows++
		for c := range k {
			tempered[c] = logits[i*k+c] / temperature
		}
		if l.Single {
			softmax(tempered, p)
		}
		for c, x := range p {
			target := l.Target[i*k+c]
			switch {
			case l.Single:
				sum -= target * math.Log(x+leastProbability)
			case l.Labelled(i, c):
				x = sigmoid(tempered[c])
				sum -= target*math.Log(x+leastProbability) + (1-target)*math.Log(1-x+leastProbability)
			}
		}
	}
	return sum / max(rows, 1)
}

// cuts are a logit for each output: at most as many rows reach it as are positive, and the
// labels agree with a share of sure of those that do. +Inf if there is none. Of the rows
// that have another label, those without one of the output do not count; rows without any
// are negative if silent says so, else they do not count.
func (t *trainer) cuts(logits []float64, sure float64, silent bool) []float64 {
	out := make([]float64, t.l.Outputs)
	for k := range out {
		out[k] = t.cut(k, logits, sure, silent)
	}
	return out
}

// belowCut is how much a cut lies below the last row that reaches it.
const belowCut = 1e-9

func (t *trainer) cut(output int, logits []float64, sure float64, silent bool) float64 {
	k := t.l.Outputs
	var order []int
	positives := 0
	for i := range t.z.rows {
		if t.l.Labelled(i, output) || silent && !t.l.Known(i) {
			order = append(order, i)
		}
		if t.l.Positive(i, output) {
			positives++
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(logits[b*k+output], logits[a*k+output]) })
	found, right := math.Inf(1), 0
	for n, i := range order[:min(max(positives, 1), len(order))] {
		if t.l.Positive(i, output) {
			right++
		}
		if float64(right) >= sure*float64(n+1) {
			found = logits[i*k+output] - belowCut
		}
	}
	return found
}

// MinAgreement is how many labelled rows an output needs to count in the agreement.
const MinAgreement = 20

// agreement is the macro-F1 of answers out of fold against the labels, over outputs with
// the least number of positives. Where a row may
// have several categories as many rows are answered as are positive.
func (t *trainer) agreement(logits []float64, least int) (f1 float64, outputs int) {
	k := t.l.Outputs
	var cuts []float64
	if !t.l.Single {
		cuts = t.cuts(logits, 0, true)
	}
	sum := 0.0
	for c := range k {
		both, said, is := 0, 0, 0
		for i := range t.z.rows {
			if !t.l.Labelled(i, c) {
				continue
			}
			row := logits[i*k : (i+1)*k]
			answered := t.l.Single && highest(row) == c || !t.l.Single && row[c] > cuts[c]
			positive := t.l.Positive(i, c)
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
		if is >= least {
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
