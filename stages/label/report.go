package label

import (
	"slices"

	"github.com/sprint-ml/sprint/ml/taxonomy"
	"github.com/sprint-ml/sprint/stages/dataset"
	"github.com/sprint-ml/sprint/stages/rows"
)

func newReport(t *taxonomy.Taxonomy) *Report {
	r := &Report{Categories: map[string]*CategoryReport{}, Sources: map[string]*SourceReport{}, index: map[string]int{}, fired: make([]int, len(t.Rules))}
	for _, c := range t.Categories {
		r.Categories[c.Name] = &CategoryReport{Tags: map[string]int{}, Overlap: map[string]int{}, Rules: map[string]int{}}
	}
	for i := range t.Rules {
		r.index[dataset.RuleID(t, i)] = i
	}
	return r
}

// add counts a labelled row; by names who decided each category.
func (r *Report) add(t *taxonomy.Taxonomy, row *rows.Row, by []string) {
	r.Rows++
	var positive []int
	abstained := len(row.Labels) > 0
	for c, l := range row.Labels {
		if l.Score > 0 {
			positive = append(positive, c)
		}
		if l.Abstain {
			r.Categories[t.Categories[c].Name].Undecided++
		}
		abstained = abstained && l.Abstain
	}
	if abstained {
		r.Abstained++
	}
	if len(positive) > 0 {
		r.Covered++
	}
	if len(positive) > 1 {
		r.Overlap++
	}
	if len(row.Conflicts) > 0 {
		r.Conflicts++
	}
	for _, name := range row.Conflicts {
		r.Categories[name].Conflicts++
	}
	for _, c := range positive {
		x := r.Categories[t.Categories[c].Name]
		x.Positives++
		if tag := row.Labels[c].Tag; tag != "" {
			x.Tags[tag]++
		}
		for _, o := range positive {
			if o != c {
				x.Overlap[t.Categories[o].Name]++
			}
		}
	}
	r.addSources(row, by)
	r.addRules(t, row)
}

func (r *Report) addSources(row *rows.Row, by []string) {
	for c, name := range by {
		if name == "" {
			continue
		}
		s := r.Sources[name]
		if s == nil {
			s = &SourceReport{}
			r.Sources[name] = s
		}
		s.Labels++
		if row.Labels[c].Score > 0 {
			s.Positives++
		}
		if !slices.Contains(by[:c], name) {
			s.Rows++
		}
	}
}

func (r *Report) addRules(t *taxonomy.Taxonomy, row *rows.Row) {
	tags := map[int][]int{} // of a category, those that fired
	for _, id := range row.Rules {
		i, known := r.index[id]
		if !known {
			continue // a row that brought its labels may name other rules
		}
		rule := &t.Rules[i]
		r.fired[i]++
		category := r.Categories[t.Categories[rule.Category].Name]
		category.Rules[rule.ID]++
		if rule.Tag == 0 || slices.Contains(tags[rule.Category], rule.Tag) {
			continue
		}
		if tags[rule.Category] = append(tags[rule.Category], rule.Tag); len(tags[rule.Category]) == 2 {
			category.TagConflicts++
		}
	}
}

func (r *Report) finish(t *taxonomy.Taxonomy) {
	for _, c := range r.Categories {
		if r.Rows > 0 {
			c.Coverage = float64(c.Positives) / float64(r.Rows)
		}
	}
	any := slices.ContainsFunc(r.fired, func(n int) bool { return n > 0 })
	for i, n := range r.fired {
		if any && n == 0 {
			r.DeadRules = append(r.DeadRules, dataset.RuleID(t, i))
		}
	}
}
