package report

import (
	"cmp"
	"fmt"
	"github.com/sprint-ml/sprint/jobs/report/document"
	"maps"
	"slices"
	"strings"
)

// errorSection shows rows on which the model is wrong, the surest errors first:
// they say more about rules and data than those that are close.
func errorSection(st document.Stage) Section {
	out := Section{Title: "Wrong answers"}
	all, missing := document.Predictions(st)
	if missing != "" {
		out.Missing = []string{"No rows: " + missing + "."}
		return out
	}
	type mistake struct {
		row *document.Prediction
		document.CategoryAnswer
	}
	wrong := map[string][2][]mistake{} // false alarms, then missed ones
	right, kw := 0, 0
	for i := range all {
		ok, kwOK := true, true
		for name, j := range all[i].Categories {
			if j.Unknown {
				continue
			}
			kwOK = kwOK && j.Keywords == j.Truth
			if j.Answer == j.Truth {
				continue
			}
			ok = false
			w := wrong[name]
			if j.Truth {
				w[1] = append(w[1], mistake{&all[i], j})
			} else {
				w[0] = append(w[0], mistake{&all[i], j})
			}
			wrong[name] = w
		}
		if ok {
			right++
		}
		if kwOK {
			kw++
		}
	}
	out.Intro = fmt.Sprintf("On %s of %s rows (%s) the model is right in every category, the rules on %s (%s). The surest errors come first: look there for rules to write and labels to mend.",
		count(right), count(len(all)), percent(right, len(all)), count(kw), percent(kw, len(all)))
	names := slices.SortedFunc(maps.Keys(wrong), func(a, b string) int {
		return cmp.Or(len(wrong[b][0])+len(wrong[b][1])-len(wrong[a][0])-len(wrong[a][1]), cmp.Compare(a, b))
	})
	for _, name := range names[:min(len(names), maxCharts)] {
		fold := Block{Open: len(out.Blocks) == 0, Fold: fmt.Sprintf("%s: %d false alarms, %d missed", name, len(wrong[name][0]), len(wrong[name][1]))}
		for k, caption := range []string{"False alarms", "Missed"} {
			list := wrong[name][k]
			if len(list) == 0 {
				continue
			}
			slices.SortStableFunc(list, func(a, b mistake) int {
				if k == 0 {
					a, b = b, a
				}
				return cmp.Or(cmp.Compare(a.Score, b.Score), cmp.Compare(a.row.Title, b.row.Title))
			})
			t := &Table{Caption: caption, Columns: []Column{{"headline", false}, {"score", true}, {"is", false}, {"rules say", false}, {"fired", false}}}
			for _, x := range list[:min(len(list), maxErrors)] {
				says := Cell{Text: "no"}
				if x.Keywords {
					says.Text = "yes"
				}
				t.Rows = append(t.Rows, []Cell{{Text: x.row.Title, Link: cmp.Or(link(x.row.URL), link(x.row.ID)), Head: true, Long: true}, {Text: f2(x.Score)}, {Text: truth(x.row)}, says, {Text: strings.Join(x.row.Rules, ", ")}})
			}
			t.More = max(len(list)-maxErrors, 0)
			fold.Blocks = append(fold.Blocks, Block{Table: t})
		}
		out.Blocks = append(out.Blocks, fold)
	}
	return out
}

// truth names the categories of a row.
func truth(p *document.Prediction) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(p.Categories)) {
		if j := p.Categories[name]; j.Truth && !j.Unknown {
			out = append(out, name)
		}
	}
	return cmp.Or(strings.Join(out, ", "), "none")
}

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

// weakSection shows where the model does worse than on the whole.
func weakSection(m *document.Metrics, d *document.Details) Section {
	model, _ := m.Measured()
	out := Section{Title: "Where it is weak", Intro: fmt.Sprintf("Micro-F1 by site and by length of the headline; on the whole set it is %s. Small parts swing by chance.", f3(model.MicroF1))}
	for _, by := range slices.Sorted(maps.Keys(d.Segments)) {
		t := &Table{Caption: "By " + by, Columns: []Column{{by, false}, {"rows", true}, {"micro-F1", true}, {"against all", true}}}
		for _, s := range d.Segments[by] {
			value, apart := Cell{}, Cell{}
			if s.Decided > 0 {
				value, apart = Cell{Text: f2(s.MicroF1)}, Cell{Text: signed2(s.MicroF1 - model.MicroF1)}
				if s.MicroF1 < model.MicroF1-0.1 && s.Rows >= 20 {
					apart.Mark = Warn
				}
			}
			if len(t.Rows) == maxSegments {
				t.More++
				continue
			}
			t.Rows = append(t.Rows, []Cell{{Text: s.Name, Head: true}, {Text: count(s.Rows)}, value, apart})
		}
		if len(t.Rows) > 0 {
			out.Blocks = append(out.Blocks, Block{Table: t, Narrow: true})
		}
	}
	c := &Table{Caption: "Calibration: is a score of 0.8 right in 8 of 10 cases?", Columns: []Column{{"category", false}, {"expected calibration error", true}, {"rows", true}}}
	for _, name := range slices.Sorted(maps.Keys(d.Calibration)) {
		x := d.Calibration[name]
		c.Rows = append(c.Rows, []Cell{{Text: name, Head: true}, {Text: f3(x.ECE)}, {Text: count(x.Rows)}})
	}
	if len(c.Rows) > 0 {
		out.Blocks = append(out.Blocks, Block{Table: c.cut()})
	}
	return out
}

func signed2(v float64) string {
	if v >= 0 {
		return "+" + f2(v)
	}
	return "−" + f2(-v)
}
