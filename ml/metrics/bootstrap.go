package metrics

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Resamples is how often the rows of a set are drawn anew, with replacement, to
// see how far its figures would move on other rows like these; Level is the
// share of the resamples that an interval covers.
const (
	Resamples = 2000
	Level     = 0.95
)

// seed makes equal rows give equal intervals.
const seed = 20260102

// Interval is a percentile interval: its lower and its upper end.
type Interval [2]float64

// Estimate is a figure with its interval.
type Estimate struct {
	Value float64  `json:"value"`
	CI    Interval `json:"ci"`
}

// Difference is how far two classifiers lie apart on the same rows.
type Difference struct {
	MacroF1 Estimate `json:"macro_f1"`
	MicroF1 Estimate `json:"micro_f1"`
	// Accuracy is there where both reports have one.
	Accuracy *Estimate `json:"accuracy,omitempty"`
}

// ReportCI are the intervals of a report.
type ReportCI struct {
	Level       float64  `json:"level"`
	Resamples   int      `json:"resamples"`
	MacroF1     Interval `json:"macro_f1"`
	MicroF1     Interval `json:"micro_f1"`
	TagAccuracy Interval `json:"tag_accuracy"`
	// Accuracy is there where the report has one.
	Accuracy *Interval `json:"accuracy,omitempty"`
}

// CategoryCI are the intervals of a category.
type CategoryCI struct {
	Precision   Interval `json:"precision"`
	Recall      Interval `json:"recall"`
	F1          Interval `json:"f1"`
	TagAccuracy Interval `json:"tag_accuracy"`
}

// Bootstrap holds the figures of several classifiers on the same resamples of
// one set, so that a difference of two is taken on equal rows (paired).
type Bootstrap struct {
	names        []string
	byClassifier []resampled
}

// resampled are the figures of one classifier by resample.
type resampled struct {
	macro, micro, tags [Resamples]float64
	accuracy           [Resamples]float64
	byCategory         []resampledCategory
}

type resampledCategory struct{ precision, recall, f1, tags [Resamples]float64 }

// NewBootstrap resamples the rows of a set on which several classifiers
// answered: answers is by classifier, then by row. Rows on which all answers and
// truths are alike are counted together, so the time grows with the rows drawn
// and not with rows times categories.
func NewBootstrap(names []string, truths []Truth, answers ...[]Answer) *Bootstrap {
	b := &Bootstrap{names, make([]resampled, len(answers))}
	for s := range answers {
		b.byClassifier[s].byCategory = make([]resampledCategory, len(names))
	}
	if len(truths) == 0 {
		return b
	}
	counted := make([]bool, len(names)) // categories of the macro average, as in Score
	for k := range names {
		n := 0
		for _, t := range truths {
			if t.known(k) && t.Positive[k] {
				n++
			}
		}
		counted[k] = n >= MinSupport
	}
	groupOf, groups := groupRows(len(names), truths, answers)
	random := rand.New(rand.NewPCG(seed, uint64(len(truths))))
	weight := make([]int32, len(groups))
	whole := int32(len(answers) * len(names) * slots) // rows as a whole are counted behind
	count := make([]int32, int(whole)+2*len(answers))
	for r := range Resamples {
		clear(weight)
		for range truths {
			weight[groupOf[random.IntN(len(groupOf))]]++
		}
		clear(count)
		for i, w := range weight {
			if w > 0 {
				for _, slot := range groups[i] {
					count[slot] += w
				}
			}
		}
		for s := range answers {
			b.byClassifier[s].note(r, count[s*len(names)*slots:], counted)
			b.byClassifier[s].accuracy[r] = ratio(count[int(whole)+2*s], count[int(whole)+2*s]+count[int(whole)+2*s+1])
		}
	}
	return b
}

// groupRows numbers rows so that rows with the same outcomes share a number, and
// lists the slots that a row of each number counts in.
func groupRows(categories int, truths []Truth, answers [][]Answer) (groupOf []int32, groups [][]int32) {
	groupOf = make([]int32, len(truths))
	byKey := map[string]int32{}
	var key []byte
	var in []int32
	for i, t := range truths {
		key, in = key[:0], in[:0]
		for s, all := range answers {
			for k := range categories {
				base := int32((s*categories + k) * slots)
				before := len(in)
				in = outcome(in, base, t, all[i], k)
				mark := byte(0)
				for _, slot := range in[before:] {
					mark |= 1 << (slot - base)
				}
				key = append(key, mark)
			}
			if t.whole() {
				slot := int32(len(answers)*categories*slots + 2*s)
				if !right(t, all[i]) {
					slot++
				}
				in = append(in, slot)
				key = append(key, byte(slot))
			}
		}
		n, known := byKey[string(key)]
		if !known {
			n = int32(len(groups))
			byKey[string(key)] = n
			groups = append(groups, slices.Clone(in))
		}
		groupOf[i] = n
	}
	return groupOf, groups
}

// note computes the figures on resample r.
func (f *resampled) note(r int, count []int32, counted []bool) {
	var all counts
	sum, n := 0.0, 0
	for k := range f.byCategory {
		c, d := counts(count[k*slots:]), &f.byCategory[k]
		d.precision[r], d.recall[r], d.f1[r], d.tags[r] = c.precision(), c.recall(), c.f1(), c.tagAccuracy()
		all.add(c)
		if counted[k] {
			sum += d.f1[r]
			n++
		}
	}
	if n > 0 {
		f.macro[r] = sum / float64(n)
	}
	f.micro[r], f.tags[r] = all.f1(), all.tagAccuracy()
}

// interval cuts equal shares off both ends.
func interval(values [Resamples]float64) Interval { return covering(values, Level) }

// Round keeps four digits: more is noise in figures of a few hundred rows.
func Round(x float64) float64 { return math.Round(x*1e4) / 1e4 }

// Annotate puts the intervals of a classifier into its report.
func (b *Bootstrap) Annotate(r *Report, classifier int) {
	f := &b.byClassifier[classifier]
	r.CI = &ReportCI{Level: Level, Resamples: Resamples, MacroF1: interval(f.macro), MicroF1: interval(f.micro), TagAccuracy: interval(f.tags)}
	if r.Accuracy != nil {
		r.CI.Accuracy = new(interval(f.accuracy))
	}
	for k, name := range b.names {
		c, d := r.PerCategory[name], &f.byCategory[k]
		c.CI = &CategoryCI{interval(d.precision), interval(d.recall), interval(d.f1), interval(d.tags)}
		r.PerCategory[name] = c
	}
}

// Difference is report a of classifier i less report b of classifier j.
func (b *Bootstrap) Difference(i int, a Report, j int, over Report) Difference {
	x, y := &b.byClassifier[i], &b.byClassifier[j]
	out := Difference{
		MacroF1: Estimate{Round(a.MacroF1 - over.MacroF1), interval(differences(x.macro, y.macro))},
		MicroF1: Estimate{Round(a.MicroF1 - over.MicroF1), interval(differences(x.micro, y.micro))},
	}
	if a.Accuracy != nil && over.Accuracy != nil {
		out.Accuracy = &Estimate{Round(*a.Accuracy - *over.Accuracy), interval(differences(x.accuracy, y.accuracy))}
	}
	return out
}

// differences is a less b, resample by resample.
func differences(a, b [Resamples]float64) [Resamples]float64 {
	for r := range a {
		a[r] -= b[r]
	}
	return a
}
