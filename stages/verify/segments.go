package verify

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"

	"github.com/sprint-ml/sprint/ml/metrics"
)

// Segments of a set.
const (
	byDomain = "domain"
	byLength = "length"
)

// maxSegments caps what is stored of many hosts.
const maxSegments = 100

// lengthBounds are the bounds of the classes of title lengths, in characters.
var (
	lengthBounds = []int{30, 50, 70, 90, 120}
	lengthNames  = []string{"under 30", "30 to 49", "50 to 69", "70 to 89", "90 to 119", "120 or more"}
)

func lengthClass(title string) int {
	class, _ := slices.BinarySearch(lengthBounds, utf8.RuneCountInString(title)+1)
	return class
}

func domainOf(s *evaluationSet, row int) string { return s.hosts[row] }
func lengthOf(s *evaluationSet, row int) string { return lengthNames[lengthClass(s.rows[row].Title)] }

// segments parts a set by a property; rows without it are in none.
func (m *measurer) segments(s *evaluationSet, property func(s *evaluationSet, row int) string) []Segment {
	parts := map[string][]int{}
	for i := range s.rows {
		if p := property(s, i); p != "" {
			parts[p] = append(parts[p], i)
		}
	}
	out := make([]Segment, 0, len(parts))
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		x := Segment{Name: name, Rows: len(parts[name]), at: parts[name]}
		truth, answers := s.pick(x.at, byModel)
		x.MicroF1 = metrics.Round(metrics.Score(m.t.Names(), truth, answers, nil).MicroF1)
		for i, t := range truth {
			for k := range t.Positive {
				if t.Known[k] && (t.Positive[k] || answers[i].Positive[k]) {
					x.Decided++
				}
			}
		}
		out = append(out, x)
	}
	slices.SortStableFunc(out, func(a, b Segment) int { return cmp.Compare(b.Rows, a.Rows) })
	return out[:min(maxSegments, len(out))]
}

// checkWeakest compares a set with its segment of the least F1 among those of
// enough rows.
func checkWeakest(property string) observer {
	return func(_ context.Context, in checkInput) (observation, error) {
		segments := slices.DeleteFunc(slices.Clone(in.details.Segments[property]), func(x Segment) bool { return x.Rows < in.check.Rows || x.Decided == 0 })
		if len(segments) == 0 {
			return observation{where: fmt.Sprintf("none has %d rows", in.check.Rows)}, nil
		}
		x := slices.MinFunc(segments, func(a, b Segment) int { return cmp.Compare(a.MicroF1, b.MicroF1) })
		return observation{
			value: in.report.MicroF1 - x.MicroF1, where: fmt.Sprintf("%s, %d rows", x.Name, x.Rows),
			samples: func() []Sample { return in.m.wrong(in.set, x.at, -1, anyError) },
		}, nil
	}
}
