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

// train fits heads to the labels of some rows; where a row has one category it then fits
// them anew to what they answer for all of these rows.
func (t *trainer) train(ctx context.Context, rows []int) (*Weights, error) {
	if !t.l.Single {
		return t.logistic(ctx, rows)
	}
	weight := t.weights(rows)
	p := problem{z: t.z, target: t.l.Target, weight: weight, outputs: t.l.Outputs, single: true, c: t.o.C}
	for _, i := range rows {
		if weight[i] > 0 {
			p.rows = append(p.rows, i)
		}
	}
	w, err := p.solve(ctx, p.bound())
	if err != nil {
		return nil, err
	}
	return t.selfTrain(ctx, rows, w)
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

// selfTrain fits anew, some rounds, to the answers for all rows, sharpened and divided by
// what each output has in all (Xie et al., arXiv 1511.06335): without the division the
// largest category eats the others. All rows count once. Rows that are fixed keep
// their targets and weights.
func (t *trainer) selfTrain(ctx context.Context, rows []int, w *Weights) (*Weights, error) {
	open := slices.DeleteFunc(slices.Clone(rows), t.l.fixed)
	if len(open) == 0 || t.o.Rounds == 0 {
		return w, nil
	}
	k := t.l.Outputs
	weight, target := make([]float64, t.z.rows), slices.Clone(t.l.Target)
	p := problem{z: t.z, target: target, weight: weight, outputs: k, single: true, c: t.o.C}
	for _, i := range rows {
		if weight[i] = 1; t.l.fixed(i) {
			weight[i] = t.l.Weight[i*k]
		}
		if weight[i] > 0 {
			p.rows = append(p.rows, i)
		}
	}
	h := p.bound()
	for range t.o.Rounds {
		w.Logits(t.z, open, target)
		t.sharpen(open, target)
		var err error
		if w, err = p.solve(ctx, h); err != nil {
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
func (t *trainer) logistic(ctx context.Context, rows []int) (*Weights, error) {
	out := newWeights(t.l.Outputs, t.z.dim)
	for _, group := range t.alike(rows) {
		p := problem{z: t.z, outputs: len(group), c: t.o.C, weight: make([]float64, t.z.rows), target: make([]float64, t.z.rows*len(group))}
		for _, i := range rows {
			if w := t.l.Weight[i*t.l.Outputs+group[0]]; w > 0 {
				p.rows, p.weight[i] = append(p.rows, i), w
				for n, k := range group {
					p.target[i*len(group)+n] = t.l.Target[i*t.l.Outputs+k]
				}
			}
		}
		if len(p.rows) == 0 {
			continue
		}
		w, err := p.solve(ctx, p.bound())
		if err != nil {
			return nil, err
		}
		for n, k := range group {
			copy(out.row(k), w.row(n))
		}
	}
	return out, nil
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
