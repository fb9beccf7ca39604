package heads

import (
	"context"
	"math"
	"slices"
)

// trainer trains heads on some of the rows of a set.
type trainer struct {
	z *Features
	l *Labels
	o Options
}

// train fits heads to the labels of each of some sets of rows, in ascending order; where a
// row has one category it then fits them anew to what they answer for all rows of the set.
// The sets go in step.
func (t *trainer) train(ctx context.Context, sets [][]int) ([]*Weights, error) {
	if !t.l.Single {
		return t.logistic(ctx, sets)
	}
	problems := make([]*problem, len(sets))
	for n, rows := range sets {
		problems[n] = t.softmax(t.l.Target, t.weights(rows), rows)
	}
	w, err := solve(ctx, problems, bounds(problems))
	if err != nil {
		return nil, err
	}
	return t.selfTrain(ctx, sets, w)
}

// bounds are those of problems.
func bounds(problems []*problem) []*cholesky {
	out := make([]*cholesky, len(problems))
	for i, p := range problems {
		out[i] = p.bound()
	}
	return out
}

// softmax is the problem of a row's one category on the rows of a set that count.
func (t *trainer) softmax(target, weight []float64, set []int) *problem {
	p := &problem{z: t.z, target: target, weight: weight, outputs: t.l.Outputs, single: true, c: t.o.C}
	for _, i := range set {
		if weight[i] > 0 {
			p.rows = append(p.rows, i)
		}
	}
	return p
}

// weights are by row how much it counts among some: n/(K·n_y) of n labelled rows, K
// outputs and n_y rows of the row's own, times the weight of the label.
func (t *trainer) weights(rows []int) []float64 {
	count, labelled := make([]float64, t.l.Outputs), 0.0
	for _, i := range rows {
		if t.l.Known(i) {
			count[t.l.class(i)]++
			labelled++
		}
	}
	out := make([]float64, t.z.rows)
	for _, i := range rows {
		if !t.l.Known(i) {
			continue
		}
		out[i] = t.l.Weight[i*t.l.Outputs]
		if t.o.Balance {
			out[i] *= labelled / float64(t.l.Outputs) / count[t.l.class(i)]
		}
	}
	return out
}

// selfTrain fits anew, some rounds, to the answers for all rows of a set, sharpened and
// divided by what each output has in all (Xie et al., arXiv 1511.06335): without the
// division the largest category eats the others. All rows count once. Rows that are fixed
// keep their targets and weights.
func (t *trainer) selfTrain(ctx context.Context, sets [][]int, w []*Weights) ([]*Weights, error) {
	open := make([][]int, len(sets))
	problems := make([]*problem, len(sets))
	none := true
	for n, rows := range sets {
		open[n] = slices.DeleteFunc(slices.Clone(rows), t.l.fixed)
		none = none && len(open[n]) == 0
		weight := make([]float64, t.z.rows)
		for _, i := range rows {
			if weight[i] = 1; t.l.fixed(i) {
				weight[i] = t.l.Weight[i*t.l.Outputs]
			}
		}
		problems[n] = t.softmax(slices.Clone(t.l.Target), weight, rows)
	}
	if none || t.o.Rounds == 0 {
		return w, nil
	}
	h := bounds(problems)
	for range t.o.Rounds {
		for n, p := range problems {
			w[n].Logits(t.z, open[n], p.target)
			t.sharpen(open[n], p.target)
		}
		var err error
		if w, err = solve(ctx, problems, h); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// sharpen makes targets of logits.
func (t *trainer) sharpen(rows []int, target []float64) {
	k := t.l.Outputs
	mass := make([]float64, k)
	for _, i := range rows {
		u := target[i*k : (i+1)*k]
		softmax(u, u)
		for c, x := range u {
			mass[c] += x
		}
	}
	for _, i := range rows {
		u, sum := target[i*k:(i+1)*k], 0.0
		for c, x := range u {
			u[c] = math.Pow(x, t.o.Power) / math.Max(mass[c], math.SmallestNonzeroFloat64)
			sum += u[c]
		}
		for c := range u {
			u[c] /= sum
		}
	}
}

// logistic fits one head for each output. Those whose rows have the same weights share a
// factorised matrix.
func (t *trainer) logistic(ctx context.Context, sets [][]int) ([]*Weights, error) {
	type place struct {
		set   int
		group []int
	}
	var problems []*problem
	var of []place
	out := make([]*Weights, len(sets))
	for n, rows := range sets {
		out[n] = newWeights(t.l.Outputs, t.z.dim)
		for _, group := range t.alike(rows) {
			if p := t.group(rows, group); len(p.rows) > 0 {
				problems, of = append(problems, p), append(of, place{n, group})
			}
		}
	}
	w, err := solve(ctx, problems, bounds(problems))
	if err != nil {
		return nil, err
	}
	for i, at := range of {
		for n, k := range at.group {
			copy(out[at.set].row(k), w[i].row(n))
		}
	}
	return out, nil
}

// group is the problem of some outputs whose rows have the same weights.
func (t *trainer) group(rows, outputs []int) *problem {
	p := &problem{z: t.z, outputs: len(outputs), c: t.o.C, weight: make([]float64, t.z.rows), target: make([]float64, t.z.rows*len(outputs))}
	for _, i := range rows {
		w := t.l.Weight[i*t.l.Outputs+outputs[0]]
		if w == 0 {
			continue
		}
		p.rows, p.weight[i] = append(p.rows, i), w
		for n, k := range outputs {
			p.target[i*len(outputs)+n] = t.l.Target[i*t.l.Outputs+k]
		}
	}
	return p
}

// alike groups the outputs whose weights are the same in all of some rows.
func (t *trainer) alike(rows []int) [][]int {
	var groups [][]int
	for k := range t.l.Outputs {
		at := slices.IndexFunc(groups, func(g []int) bool {
			return !slices.ContainsFunc(rows, func(i int) bool { return t.l.Weight[i*t.l.Outputs+k] != t.l.Weight[i*t.l.Outputs+g[0]] })
		})
		if at < 0 {
			groups = append(groups, []int{k})
		} else {
			groups[at] = append(groups[at], k)
		}
	}
	return groups
}
