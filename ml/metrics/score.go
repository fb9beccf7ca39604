// Package metrics measures multi-label predictions: precision, recall and F1 per
// category, macro and micro averages, tag accuracy, the majority baseline and
// thresholds (score.go), intervals by resampling (bootstrap.go), calibration and
// temperatures (calibration.go, temperature.go), drift (drift.go), and whether rules must
// answer beside a model (rules_beside.go). It imports nothing of this module.
package metrics

import (
	"math"
	"sort"
)

// MinSupport is the number of positives from which on a category counts in the
// macro average: below it one row moves F1 by too much.
const MinSupport = 8

// Truth is what one row is, per category.
type Truth struct {
	Positive []bool
	Tags     []string // "" if the row has no tag there
	// Known masks categories that nobody decided; nil means all are known.
	Known []bool
}

func (t Truth) known(category int) bool { return t.Known == nil || t.Known[category] }

// Answer is what a classifier says of one row, per category.
type Answer struct {
	Positive []bool
	Tags     []string
}

// Category are the figures of one category. F1 is 2PR/(P+R), 0 if nothing was
// predicted or nothing is there.
type Category struct {
	Precision float64 `json:"precision"`
	Recall    float64 `json:"recall"`
	F1        float64 `json:"f1"`
	Support   int     `json:"support"`
	Threshold float64 `json:"threshold"`
	// TagAccuracy is over true positives of the truth that carry a tag.
	TagAccuracy float64 `json:"tag_accuracy"`
	TagSupport  int     `json:"tag_support"`
	// CI is set by Bootstrap.Annotate.
	CI *CategoryCI `json:"ci,omitempty"`
}

// Report are the figures of one classifier on one set.
type Report struct {
	Rows        int                 `json:"rows"`
	MacroF1     float64             `json:"macro_f1"`
	MicroF1     float64             `json:"micro_f1"`
	PerCategory map[string]Category `json:"per_category"`
	// Unsupported names the categories with less than MinSupport positives,
	// which the macro average leaves out.
	Unsupported []string  `json:"unsupported,omitempty"`
	CI          *ReportCI `json:"ci,omitempty"` // set by Bootstrap.Annotate
}

// Score compares answers with truths. names are the categories; thresholds may
// be nil.
func Score(names []string, truths []Truth, answers []Answer, thresholds []float64) Report {
	r := Report{Rows: len(truths), PerCategory: map[string]Category{}}
	var all counts
	sum, n := 0.0, 0
	for k, name := range names {
		var c counts
		tags, right := 0, 0
		for i, t := range truths {
			if !t.known(k) {
				continue
			}
			a := answers[i]
			c.add(t.Positive[k], a.Positive[k])
			if t.Positive[k] && t.Tags != nil && t.Tags[k] != "" {
				tags++
				if a.Tags != nil && a.Tags[k] == t.Tags[k] {
					right++
				}
			}
		}
		x := Category{Precision: c.precision(), Recall: c.recall(), F1: c.f1(), Support: c.tp + c.fn, TagSupport: tags}
		if tags > 0 {
			x.TagAccuracy = float64(right) / float64(tags)
		}
		if thresholds != nil {
			x.Threshold = thresholds[k]
		}
		r.PerCategory[name] = x
		all.tp, all.fp, all.fn = all.tp+c.tp, all.fp+c.fp, all.fn+c.fn
		if x.Support >= MinSupport {
			sum += x.F1
			n++
		} else {
			r.Unsupported = append(r.Unsupported, name)
		}
	}
	if n > 0 {
		r.MacroF1 = sum / float64(n)
	}
	r.MicroF1 = all.f1()
	return r
}

type counts struct{ tp, fp, fn int }

func (c *counts) add(truth, answer bool) {
	switch {
	case truth && answer:
		c.tp++
	case answer:
		c.fp++
	case truth:
		c.fn++
	}
}

func ratio(a, b int) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

func (c counts) precision() float64 { return ratio(c.tp, c.tp+c.fp) }
func (c counts) recall() float64    { return ratio(c.tp, c.tp+c.fn) }
func (c counts) f1() float64        { return ratio(2*c.tp, 2*c.tp+c.fp+c.fn) }

// Majority is the classifier that gives every row the more frequent value of
// each category among the training truths.
func Majority(train []Truth, categories int) Answer {
	a := Answer{Positive: make([]bool, categories), Tags: make([]string, categories)}
	for k := range categories {
		positive, known := 0, 0
		for _, t := range train {
			if !t.known(k) {
				continue
			}
			known++
			if t.Positive[k] {
				positive++
			}
		}
		a.Positive[k] = 2*positive > known
	}
	return a
}

// minPositives is how many validation positives a threshold of its own needs.
const minPositives = 8

// Threshold returns the score from which on a category counts as present: the
// one with the best F1 on the given rows, 0.5 if there are too few positives.
// Between two neighbouring scores it takes the middle, so that a hair's breadth
// on another device changes no answer.
func Threshold(scores []float32, truth []bool) float64 {
	positives := 0
	for _, t := range truth {
		if t {
			positives++
		}
	}
	if positives < minPositives {
		return 0.5
	}
	type pair struct {
		score float32
		truth bool
	}
	pairs := make([]pair, len(scores))
	for i, s := range scores {
		pairs[i] = pair{s, truth[i]}
	}
	sort.SliceStable(pairs, func(a, b int) bool { return pairs[a].score > pairs[b].score })
	best, threshold, tp := -1.0, 0.5, 0
	for i, p := range pairs {
		if p.truth {
			tp++
		}
		if i+1 < len(pairs) && pairs[i+1].score == p.score {
			continue
		}
		f1 := ratio(2*tp, i+1+positives)
		cut := float64(p.score) - 1e-3
		if i+1 < len(pairs) {
			cut = (float64(p.score) + float64(pairs[i+1].score)) / 2
		}
		// Among equals the cut nearest to one half is the safest.
		if f1 > best || f1 == best && math.Abs(cut-0.5) < math.Abs(threshold-0.5) {
			best, threshold = f1, cut
		}
	}
	return math.Min(math.Max(math.Round(threshold*1e4)/1e4, -0.99), 0.99)
}
