package metrics

import "slices"

// Changes are intervals of how far one classifier lies above another on the same
// resamples (paired).
type Changes struct {
	MacroF1, MicroF1 Interval
	F1               []Interval // by category
}

// Changes returns the intervals of classifier i less classifier j that cover level of the
// resamples.
func (b *Bootstrap) Changes(i, j int, level float64) Changes {
	x, y := &b.byClassifier[i], &b.byClassifier[j]
	out := Changes{MacroF1: covering(differences(x.macro, y.macro), level), MicroF1: covering(differences(x.micro, y.micro), level)}
	for k := range x.byCategory {
		out.F1 = append(out.F1, covering(differences(x.byCategory[k].f1, y.byCategory[k].f1), level))
	}
	return out
}

// covering cuts equal shares off both ends until level is left.
func covering(values [Resamples]float64, level float64) Interval {
	slices.Sort(values[:])
	cut := int((1 - level) / 2 * Resamples)
	return Interval{Round(values[cut]), Round(values[Resamples-1-cut])}
}
