package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/jobs/report/document"
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
	wrong, right, rulesRight := mistakes(all)
	out.Intro = fmt.Sprintf("On %s of %s rows (%s) the model is right in every category, the rules on %s (%s). The surest errors come first: look there for rules to write and labels to mend.",
		count(right), count(len(all)), percent(right, len(all)), count(rulesRight), percent(rulesRight, len(all)))
	names := slices.SortedFunc(maps.Keys(wrong), func(a, b string) int {
		return cmp.Or(wrong[b].count()-wrong[a].count(), cmp.Compare(a, b))
	})
	for _, name := range names[:min(len(names), maxCharts)] {
		w := wrong[name]
		fold := Block{Open: len(out.Blocks) == 0, Fold: fmt.Sprintf("%s: %d false alarms, %d missed", name, len(w.alarms), len(w.missed))}
		surest := func(a, b mistake) int {
			return cmp.Or(cmp.Compare(a.Score, b.Score), cmp.Compare(a.row.Title, b.row.Title))
		}
		slices.SortStableFunc(w.alarms, func(a, b mistake) int { return surest(b, a) })
		slices.SortStableFunc(w.missed, surest)
		for _, t := range []*Table{mistakeTable("False alarms", w.alarms), mistakeTable("Missed", w.missed)} {
			if len(t.Rows) > 0 {
				fold.Blocks = append(fold.Blocks, Block{Table: t})
			}
		}
		out.Blocks = append(out.Blocks, fold)
	}
	return out
}

// mistake is a wrong answer about one category of a row.
type mistake struct {
	row *document.Prediction
	document.CategoryAnswer
}

// categoryMistakes are the mistakes about a category: its false positives, and
// its false negatives.
type categoryMistakes struct{ alarms, missed []mistake }

// count writes thousands apart.
func (w *categoryMistakes) count() int { return len(w.alarms) + len(w.missed) }

// mistakes gathers wrong answers by category, and counts the rows on which the
// model, and the rules, are right in every category.
func mistakes(all []document.Prediction) (wrong map[string]*categoryMistakes, right, rulesRight int) {
	wrong = map[string]*categoryMistakes{}
	for i := range all {
		ok, rulesOK := true, true
		for name, x := range all[i].Categories {
			if x.Unknown {
				continue
			}
			rulesOK = rulesOK && x.Keywords == x.Truth
			if x.Answer == x.Truth {
				continue
			}
			ok = false
			w := wrong[name]
			if w == nil {
				w = &categoryMistakes{}
				wrong[name] = w
			}
			if x.Truth {
				w.missed = append(w.missed, mistake{&all[i], x})
			} else {
				w.alarms = append(w.alarms, mistake{&all[i], x})
			}
		}
		if ok {
			right++
		}
		if rulesOK {
			rulesRight++
		}
	}
	return wrong, right, rulesRight
}

func mistakeTable(caption string, list []mistake) *Table {
	t := &Table{Caption: caption, Columns: []Column{{"text", false}, {"score", true}, {"is", false}, {"rules say", false}, {"fired", false}}}
	for _, x := range list[:min(len(list), maxErrors)] {
		says := Cell{Text: "no"}
		if x.Keywords {
			says.Text = "yes"
		}
		t.Rows = append(t.Rows, []Cell{{Text: x.row.Title, Link: cmp.Or(link(x.row.URL), link(x.row.ID)), Head: true, Long: true}, {Text: f2(x.Score)}, {Text: truth(x.row)}, says, {Text: strings.Join(x.row.Rules, ", ")}})
	}
	t.More = max(len(list)-maxErrors, 0)
	return t
}

// truth names the categories of a row.
func truth(p *document.Prediction) string {
	var out []string
	for name, j := range sorted(p.Categories) {
		if j.Truth && !j.Unknown {
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
	for name, c := range sorted(d.Tags) {
		if t := confusionTable(name, c); t != nil && len(out.Blocks) < maxCharts {
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
	return countsTable(name, c, false)
}

// choiceSection shows what is taken for what where a row has one label.
func choiceSection(m *document.Metrics, c *document.Choice) Section {
	out := Section{Title: "What is taken for what", Intro: "Rows are the truth, columns the model's answer."}
	if model, _ := m.Measured(); model.Accuracy != nil {
		off := f3(c.Calibration.ECE) + " on average (expected calibration error)"
		if w := c.WithCategory; w != nil {
			off += fmt.Sprintf(", by %s on the %d rows that have a category", f3(w.ECE), w.Rows)
		}
		out.Intro = fmt.Sprintf("%s%s of the rows are answered right. The probability of an answer is off by %s. Rows are the truth, columns the model's answer.",
			share(*model.Accuracy, 1), brackets(model.CI.Accuracy), off)
	}
	t := countsTable("Answers", document.Confusion{Tags: c.Categories, Counts: c.Confusion}, true)
	if t == nil {
		out.Missing = []string{"No row, or too many categories to show."}
		return out
	}
	out.Blocks = append(out.Blocks, Block{Table: t, Narrow: true})
	return out
}

// countsTable shows counts by what is and what is answered; whether rows without a name
// count among those that can be right is said by none.
func countsTable(name string, c document.Confusion, none bool) *Table {
	t := &Table{Caption: name, Columns: []Column{{"is \\ answered", false}}}
	all, right := 0, 0
	for i, row := range c.Counts {
		if i >= len(c.Tags) || c.Tags[i] == "" && !none {
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

// segmentSection shows where the model does worse than on the whole.
func segmentSection(m *document.Metrics, d *document.Details) Section {
	model, _ := m.Measured()
	out := Section{Title: "Where it is weak", Intro: fmt.Sprintf("Micro-F1 by site and by length of the text; on the whole set it is %s. Small parts swing by chance.", f3(model.MicroF1))}
	for by, parts := range sorted(d.Segments) {
		if by == byLanguage {
			continue // it has a section of its own
		}
		t := &Table{Caption: "By " + by, Columns: []Column{{by, false}, {"rows", true}, {"micro-F1", true}, {"against all", true}}}
		for _, s := range parts {
			value, apart := Cell{}, Cell{}
			if s.Decided > 0 {
				value, apart = Cell{Text: f2(s.MicroF1)}, Cell{Text: signed(s.MicroF1-model.MicroF1, 2)}
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
	for name, x := range sorted(d.Calibration) {
		c.Rows = append(c.Rows, []Cell{{Text: name, Head: true}, {Text: f3(x.ECE)}, {Text: count(x.Rows)}})
	}
	if len(c.Rows) > 0 {
		out.Blocks = append(out.Blocks, Block{Table: c.cut()})
	}
	return out
}
