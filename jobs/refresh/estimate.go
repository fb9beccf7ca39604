package refresh

import (
	"slices"

	"github.com/sprint-ml/sprint/ml/drift"
	"github.com/sprint-ml/sprint/stages/rows"
)

// ExpectedF1 is what the champion's scores let expect of it, without labels, on rows of its
// training data that it did not train on, and on the window. F1 by category is in the order
// of the champion's categories.
type ExpectedF1 struct {
	Training drift.Expected `json:"training"`
	Window   drift.Expected `json:"window"`
}

// labels counts each category that was answered, and under the empty name the rows without
// any.
func (a *Answers) labels() map[string]int {
	out := map[string]int{}
	for _, row := range a.Positive {
		if !slices.Contains(row, true) {
			out[""]++
		}
		for k, present := range row {
			if present {
				out[a.Categories[k]]++
			}
		}
	}
	return out
}

// present counts the rows with and without a category.
func (a *Answers) present(k int) map[string]int {
	out := map[string]int{}
	for _, row := range a.Positive {
		if row[k] {
			out["present"]++
		} else {
			out["absent"]++
		}
	}
	return out
}

// calibrations are by category of answers: what a score is worth by the rows of labelled,
// whose labels are of the given categories. A category with too few rows has that of all
// together; nil if these are too few as well.
func calibrations(names []string, labelled []rows.Row, a *Answers) []*drift.Calibration {
	own := make([][]drift.Scored, len(a.Categories))
	for k, name := range a.Categories {
		at := slices.Index(names, name)
		if at < 0 {
			continue
		}
		for i, x := range labelled {
			if l := x.Labels[at]; !l.Abstain {
				own[k] = append(own[k], drift.Scored{Score: a.Score[i][k], Truth: l.Score > 0})
			}
		}
	}
	together := drift.Calibrate(slices.Concat(own...))
	if together == nil {
		return nil
	}
	out := make([]*drift.Calibration, len(own))
	for k, known := range own {
		positive := 0
		for _, x := range known {
			if x.Truth {
				positive++
			}
		}
		if out[k] = together; min(positive, len(known)-positive) >= leastPositive {
			out[k] = drift.Calibrate(known)
		}
	}
	return out
}

// leastPositive is how many gold rows of a category, and how many others, make a
// calibration of its own.
const leastPositive = 25

// expected estimates F1 of answers by their scores.
func expected(a *Answers, by []*drift.Calibration) drift.Expected {
	all := make([]drift.Answer, len(a.Score))
	for i, scores := range a.Score {
		all[i] = drift.Answer{Positive: a.Positive[i], Probability: make([]float64, len(scores))}
		for k, s := range scores {
			all[i].Probability[k] = by[k].Probability(s)
		}
	}
	return drift.ExpectedF1(len(a.Categories), all)
}
