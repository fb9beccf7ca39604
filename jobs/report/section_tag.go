package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/sprint-ml/sprint/jobs/report/document"
)

// tagSection shows which tags are taken for which.
func tagSection(m *document.Metrics, missing string) Section {
	out := Section{Title: "Tags"}
	if missing != "" {
		out.Missing = []string{"No figures: " + missing + "."}
		return out
	}
	d := m.MeasuredDetails()
	if d == nil || d.Tags == nil {
		out.Missing = []string{"No confusion of tags: this run's verify recorded none. The share of right tags stands with the figures by category."}
		return out
	}
	out.Intro = fmt.Sprintf("Rows are true tags, columns the model's, over rows where the category is present. %s%s of the tags are right.", share(d.TagAccuracy.Value, 1), brackets(d.TagAccuracy.CI))
	for _, name := range slices.Sorted(maps.Keys(d.Tags)) {
		if t := confusionTable(name, d.Tags[name]); t != nil && len(out.Blocks) < maxCharts {
			out.Blocks = append(out.Blocks, Block{Table: t, Narrow: true})
		}
	}
	if len(out.Blocks) == 0 {
		out.Missing = []string{"No row carries a tag."}
	}
	return out
}

// maxTags is the widest confusion that is shown.
const maxTags = 40

func confusionTable(name string, c document.Confusion) *Table {
	t := &Table{Caption: name, Columns: []Column{{"is \\ answered", false}}}
	all, right := 0, 0
	for i, row := range c.Counts {
		if i >= len(c.Tags) || c.Tags[i] == "" {
			continue // a row without a tag says nothing of the model's
		}
		for k, n := range row {
			all += max(n, 0)
			if i == k {
				right += max(n, 0)
			}
		}
	}
	if all == 0 || len(c.Tags) > maxTags {
		return nil
	}
	t.Caption += fmt.Sprintf(": %s of %s right", count(right), count(all))
	for _, tag := range c.Tags {
		t.Columns = append(t.Columns, Column{cmp.Or(tag, "(none)"), true})
	}
	for i, row := range c.Counts {
		if i >= len(c.Tags) {
			break
		}
		sum := 0
		for _, n := range row {
			sum += max(n, 0)
		}
		if sum == 0 {
			continue // no row has this tag
		}
		cells := []Cell{{Text: cmp.Or(c.Tags[i], "(none)"), Head: true}}
		for k := range c.Tags {
			n := 0
			if k < len(row) {
				n = max(row[k], 0)
			}
			x := Cell{Text: count(n), Heat: (5*n + sum - 1) / sum}
			if n == 0 {
				x.Mark = Dim
			}
			cells = append(cells, x)
		}
		t.Rows = append(t.Rows, cells)
	}
	return t
}
