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
	t := &Table{Caption: caption, Columns: []Column{{"headline", false}, {"score", true}, {"is", false}, {"rules say", false}, {"fired", false}}}
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
	for _, name := range slices.Sorted(maps.Keys(p.Categories)) {
		if j := p.Categories[name]; j.Truth && !j.Unknown {
			out = append(out, name)
		}
	}
	return cmp.Or(strings.Join(out, ", "), "none")
}
