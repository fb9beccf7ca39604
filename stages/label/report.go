package label

import (
	"slices"

	"github.com/sprint-ml/sprint/ml/taxonomy"
	"github.com/sprint-ml/sprint/stages/rows"
)

// Report counts what the labels of a set are.
type Report struct {
	Rows int `json:"rows"`
	// Covered rows have at least one positive category, Abstained ones no
	// decision at all, Overlap ones several positive categories.
	Covered    int                        `json:"covered"`
	Abstained  int                        `json:"abstained"`
	Overlap    int                        `json:"overlap"`
	Categories map[string]*CategoryReport `json:"categories"`
	// DeadRules never fired, as category:rule.
	DeadRules []string `json:"dead_rules,omitempty"`

	fired map[string]int
}

// CategoryReport counts one category.
type CategoryReport struct {
	Positives int            `json:"positives"`
	Coverage  float64        `json:"coverage"` // share of all rows
	Tags      map[string]int `json:"tags,omitempty"`
	// Overlap counts rows that are positive for another category too.
	Overlap map[string]int `json:"overlap,omitempty"`
	// Conflicts counts rows on which rules of different tags fired.
	Conflicts int            `json:"conflicts"`
	Rules     map[string]int `json:"rules,omitempty"` // rows on which a rule fired
}

func newReport(t *taxonomy.Taxonomy) *Report {
	r := &Report{Categories: map[string]*CategoryReport{}, fired: map[string]int{}}
	for _, c := range t.Categories {
		r.Categories[c.Name] = &CategoryReport{Tags: map[string]int{}, Overlap: map[string]int{}, Rules: map[string]int{}}
	}
	return r
}

func (r *Report) add(t *taxonomy.Taxonomy, row *rows.Row) {
	r.Rows++
	var positive []int
	abstained := len(row.Labels) > 0
	for c, l := range row.Labels {
		if l.Score > 0 {
			positive = append(positive, c)
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
	tags := map[int]map[int]bool{}
	for _, rule := range t.Rules {
		id := t.Categories[rule.Category].Name + ":" + rule.ID
		if !slices.Contains(row.Rules, id) {
			continue
		}
		r.fired[id]++
		r.Categories[t.Categories[rule.Category].Name].Rules[rule.ID]++
		if rule.Tag != 0 {
			if tags[rule.Category] == nil {
				tags[rule.Category] = map[int]bool{}
			}
			tags[rule.Category][rule.Tag] = true
		}
	}
	for c, seen := range tags {
		if len(seen) > 1 {
			r.Categories[t.Categories[c].Name].Conflicts++
		}
	}
}

func (r *Report) finish(t *taxonomy.Taxonomy) {
	for _, c := range r.Categories {
		if r.Rows > 0 {
			c.Coverage = float64(c.Positives) / float64(r.Rows)
		}
	}
	if len(r.fired) == 0 {
		return
	}
	for _, rule := range t.Rules {
		if id := t.Categories[rule.Category].Name + ":" + rule.ID; r.fired[id] == 0 {
			r.DeadRules = append(r.DeadRules, id)
		}
	}
}
