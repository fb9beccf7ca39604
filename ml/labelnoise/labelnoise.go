// Package labelnoise finds labels that are probably wrong by confident learning
// (Northcutt, Jiang, Chuang: arXiv 1911.00068): a light classifier predicts every
// text out of fold, and labels that it contradicts with more confidence than it
// usually has are issues.
package labelnoise

import "slices"

// The labels of a category.
const (
	Absent    int8 = 0
	Present   int8 = 1
	Undecided int8 = -1
)

// Issue is a row whose label is probably wrong.
type Issue struct {
	Row     int
	Present bool // what the classifier says
	// Doubt is the probability that the classifier gives the other label.
	Doubt float64
}

// Issues returns the rows off the diagonal of the confident joint of one
// category, the most doubtful first: rows that the classifier gives another
// label with at least the mean confidence that it has in rows of that label.
func Issues(p []float64, labels []int8) []Issue {
	var sum, n [2]float64
	for i, l := range labels {
		switch l {
		case Present:
			sum[Present] += p[i]
			n[Present]++
		case Absent:
			sum[Absent] += 1 - p[i]
			n[Absent]++
		}
	}
	var out []Issue
	for i, l := range labels {
		if l == Undecided || n[0] == 0 || n[1] == 0 {
			continue
		}
		other := 1 - l
		q := [2]float64{1 - p[i], p[i]}
		if q[other] >= sum[other]/n[other] && q[other] > q[l] {
			out = append(out, Issue{Row: i, Present: other == Present, Doubt: q[other]})
		}
	}
	slices.SortStableFunc(out, func(a, b Issue) int {
		switch {
		case a.Doubt > b.Doubt:
			return -1
		case a.Doubt < b.Doubt:
			return 1
		}
		return 0
	})
	return out
}
