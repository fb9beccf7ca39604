// Package metrics measures predictions, of any number of categories a row or of one:
// precision, recall and F1 per category, macro and micro averages, tag accuracy and the
// majority baseline (score.go), what is of one category a row alone (choice.go),
// thresholds, and whether rules must answer beside a model (threshold.go), intervals by
// resampling (bootstrap.go), calibration and temperatures (calibration.go) and drift
// (drift.go). It imports nothing of this module.
package metrics

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
	Unsupported []string `json:"unsupported,omitempty"`
	// Accuracy is set where a row has one category or none.
	Accuracy *float64  `json:"accuracy,omitempty"`
	CI       *ReportCI `json:"ci,omitempty"` // set by Bootstrap.Annotate
}

// Score compares answers with truths. names are the categories; thresholds may
// be nil.
func Score(names []string, truths []Truth, answers []Answer, thresholds []float64) Report {
	r := Report{Rows: len(truths), PerCategory: map[string]Category{}}
	var all counts
	var in []int32
	sum, n := 0.0, 0
	for k, name := range names {
		var c counts
		for i, t := range truths {
			in = outcome(in[:0], 0, t, answers[i], k)
			for _, slot := range in {
				c[slot]++
			}
		}
		x := Category{
			Precision: c.precision(), Recall: c.recall(), F1: c.f1(), Support: int(c[slotTP] + c[slotFN]),
			TagAccuracy: c.tagAccuracy(), TagSupport: int(c[slotTagRight] + c[slotTagWrong]),
		}
		if thresholds != nil {
			x.Threshold = thresholds[k]
		}
		r.PerCategory[name] = x
		all.add(c)
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

// Slots of a count: what one row can be for one classifier and category.
const (
	slotTP = iota
	slotFP
	slotFN
	slotTagRight
	slotTagWrong
	slots
)

// counts are a category's rows by slot.
type counts [slots]int32

func (c *counts) add(o counts) {
	for slot, n := range o {
		c[slot] += n
	}
}

func (c *counts) precision() float64 { return ratio(c[slotTP], c[slotTP]+c[slotFP]) }
func (c *counts) recall() float64    { return ratio(c[slotTP], c[slotTP]+c[slotFN]) }
func (c *counts) f1() float64        { return ratio(2*c[slotTP], 2*c[slotTP]+c[slotFP]+c[slotFN]) }
func (c *counts) tagAccuracy() float64 {
	return ratio(c[slotTagRight], c[slotTagRight]+c[slotTagWrong])
}

// outcome adds the slots that a row counts in for one classifier and category.
func outcome(in []int32, base int32, t Truth, a Answer, k int) []int32 {
	if !t.known(k) {
		return in
	}
	switch {
	case t.Positive[k] && a.Positive[k]:
		in = append(in, base+slotTP)
	case a.Positive[k]:
		in = append(in, base+slotFP)
	case t.Positive[k]:
		in = append(in, base+slotFN)
	}
	if t.Positive[k] && t.Tags != nil && t.Tags[k] != "" {
		if a.Tags != nil && a.Tags[k] == t.Tags[k] {
			in = append(in, base+slotTagRight)
		} else {
			in = append(in, base+slotTagWrong)
		}
	}
	return in
}

func ratio[T int | int32](a, b T) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

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
